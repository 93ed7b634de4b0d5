// The compare view: two to six panes of one image, in step. State lives in `s` and in the URL's hash.
function vitiqViewer(root, D) {
  const $ = (name, props = {}, ...kids) => {
    const e = document.createElement(name);
    for (const [k, v] of Object.entries(props)) k in e ? (e[k] = v) : e.setAttribute(k, v);
    e.append(...kids.filter((k) => k !== null && k !== undefined));
    return e;
  };
  const url = (x) => (D.blobs && D.blobs[x]) || x || "";
  const clamp = (v, a, b) => Math.min(b, Math.max(a, v));
  const rec = (n) => D.records[n];
  const some = (a, b) => (a.length ? a : b);
  const byKey = () => Object.fromEntries(D.records.map((r, n) => [r.k + "." + r.i, n]));
  const { overlays: OVERLAYS, legends: LEGEND, help: HELP } = root;
  const s = { i: 0, p: ["o", 0], m: "slider", z: 1, x: 0.5, y: 0.5, s: 0.5, d: "" };
  let flipped = false, hold = false, steps = {}, views = [], quiet = true;

  // ----- which files -----
  const of = (i) => D.records.map((r, n) => n).filter((n) => rec(n).i === i && rec(n).src);
  const nearest = (list, bytes) => list.slice().sort((a, b) => Math.abs(Math.log(rec(a).b / bytes)) - Math.abs(Math.log(rec(b).b / bytes)))[0];
  const ofCodec = (i, c) => of(i).filter((n) => rec(n).c === c);
  // the same codec and setting on another image, or the nearest size
  function counterpart(n, i) {
    const r = rec(n), own = ofCodec(i, r.c);
    const same = own.filter((m) => rec(m).q === r.q);
    const ratio = (r.b * 8) / (D.images[r.i].w * D.images[r.i].h);
    return same.length === 1 ? same[0] : nearest(own, (ratio * D.images[i].w * D.images[i].h) / 8);
  }
  const real = () => s.p.filter((p) => p !== "o");
  function defaults(i) {
    const all = some(ofCodec(i, D.lead), of(i)), own = some(all.filter((n) => !rec(n).over), all);
    return ["o", own[Math.floor((own.length - 1) / 4)] ?? "o"];
  }
  // the next codec at the bytes of the first compressed pane
  function addable() {
    const used = new Set(real().map((p) => rec(p).c));
    const ref = s.p.find((p) => p !== "o");
    for (let c = 0; c < D.codecs.length; c++) {
      const own = ofCodec(s.i, c);
      if (!used.has(c) && own.length) return nearest(own, ref === undefined ? 1e4 : rec(ref).b);
    }
    return s.p.includes("o") ? of(s.i)[0] : "o";
  }

  // ----- hash -----
  function read() {
    const q = new URLSearchParams(location.hash.slice(1));
    if (!q.has("i")) return false;
    const keys = byKey(), i = D.images.findIndex((m) => m.name === q.get("i"));
    if (i < 0) return false;
    const p = (q.get("p") || "").split(",").map((k) => (k === "o" ? "o" : keys[k + "." + i])).filter((k) => k !== undefined).slice(0, 6);
    const num = (k, a, b, d) => (q.has(k) && isFinite(+q.get(k)) ? clamp(+q.get(k), a, b) : d);
    Object.assign(s, { i, p: p.length > 1 ? p : defaults(i), m: q.get("m") === "grid" ? "grid" : "slider", d: q.get("d") in OVERLAYS ? q.get("d") : "" });
    Object.assign(s, { z: num("z", 0.01, 99, 1), x: num("x", 0, 1, 0.5), y: num("y", 0, 1, 0.5), s: num("s", 0, 1, 0.5) });
    return true;
  }
  let timer = 0;
  function write() {
    if (quiet) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      const q = new URLSearchParams({ i: D.images[s.i].name, p: s.p.map((p) => rec(p)?.k ?? "o").join(","), m: s.m });
      if (s.z !== 1) { q.set("z", s.z.toFixed(2)); q.set("x", s.x.toFixed(4)); q.set("y", s.y.toFixed(4)); }
      if (s.m === "slider") q.set("s", s.s.toFixed(3));
      if (s.d) q.set("d", s.d);
      history.replaceState(null, "", "#" + q);
    }, 120);
  }

  // ----- controls -----
  const button = (textContent, ariaLabel, onclick) => $("button", { type: "button", textContent, ariaLabel, title: ariaLabel, onclick });
  const select = (ariaLabel, onchange) => $("select", { ariaLabel, onchange });
  const pick = select("Image", () => go(+pick.value));
  const overlay = select("Overlay", () => { s.d = overlay.value; draw(); });
  const zoomText = $("output", { className: "zoom", ariaLabel: "Zoom" });
  const mode = {};
  const modes = $("span", { className: "group", role: "group", ariaLabel: "Layout" });
  for (const [m, text] of [["slider", "Slider"], ["grid", "Side by side"]])
    modes.append((mode[m] = button(text, text, () => { s.m = m; build(); })));
  const flick = button("Flicker", "Flicker between the first two panes (F)", () => flip(!flipped));
  const add = button("+ Pane", "Add a pane", () => { s.p.push(addable()); if (s.p.length > 2) s.m = "grid"; build(); });
  const full = button("Full screen", "Full screen", () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen?.()));
  const stage = $("div", { className: "stage", tabIndex: 0, role: "group", ariaLabel: HELP });
  const metas = $("div", { className: "metas" });
  const legend = $("p", { className: "soft legend" });
  const live = $("p", { className: "unseen", role: "status" });
  root.append(
    $("div", { className: "tools" },
      $("span", { className: "group" }, button("‹", "Previous image (P)", () => go(s.i - 1)), pick, button("›", "Next image (N)", () => go(s.i + 1))),
      modes, overlay,
      $("span", { className: "group" }, button("−", "Zoom out", () => zoom(1 / 1.5)), zoomText, button("+", "Zoom in", () => zoom(1.5)), button("Fit", "Fit (0)", () => zoomTo(1)), button("1:1", "One image pixel a screen pixel (1)", () => zoomTo(one()))),
      flick, add, full),
    stage, legend, metas, live);

  // ----- geometry -----
  const image = () => D.images[s.i];
  const box = () => { const v = views[0].view; return { w: v.clientWidth, h: v.clientHeight }; };
  const fit = () => { const b = box(), m = image(); return Math.min(b.w / m.w, b.h / m.h) || 1; };
  const one = () => 1 / devicePixelRatio / fit();
  function place() {
    if (!views.length) return;
    const m = image(), b = box(), z = fit() * s.z, half = { x: b.w / 2 / (m.w * z), y: b.h / 2 / (m.h * z) };
    s.x = half.x >= 0.5 ? 0.5 : clamp(s.x, half.x, 1 - half.x);
    s.y = half.y >= 0.5 ? 0.5 : clamp(s.y, half.y, 1 - half.y);
    const snap = (v) => Math.round(v * devicePixelRatio) / devicePixelRatio, tx = snap(b.w / 2 - s.x * m.w * z), ty = snap(b.h / 2 - s.y * m.h * z), square = z * devicePixelRatio > 1;
    for (const v of views) for (const pix of v.pixels) {
      pix.style.transform = `translate(${tx}px,${ty}px) scale(${z})`;
      pix.classList.toggle("square", square);
    }
    zoomText.value = Math.round(z * devicePixelRatio * 100) + " %";
    stage.classList.toggle("zoomed", s.z > 1.001);
    if (s.m === "slider") {
      const at = flipped ? 0 : hold ? 1 : s.s;
      views[0].top.style.clipPath = `inset(0 ${100 - at * 100}% 0 0)`;
      views[0].bar.style.left = at * 100 + "%";
      views[0].bar.setAttribute("aria-valuenow", Math.round(s.s * 100));
    }
    write();
  }
  function zoomTo(z, px = 0.5, py = 0.5) {
    if (!views.length) return;
    const b = box(), m = image(), before = fit() * s.z, to = clamp(z, Math.min(1, one()), Math.max(64 * one(), 1)), after = fit() * to;
    const dx = (px - 0.5) * b.w, dy = (py - 0.5) * b.h;
    s.x += dx / (m.w * before) - dx / (m.w * after);
    s.y += dy / (m.h * before) - dy / (m.h * after);
    s.z = to;
    place();
  }
  const zoom = (factor, px, py) => zoomTo(s.z * factor, px, py);
  const pan = (dx, dy) => { const z = fit() * s.z; s.x -= dx / (image().w * z); s.y -= dy / (image().h * z); place(); };

  // ----- drawing -----
  const img = (src, alt, cls = "") => $("img", { src: url(src), alt, className: cls, draggable: false, decoding: "sync" });
  const nameOf = (p) => (rec(p) ? D.codecs[rec(p).c].label : "Original");
  function pixels(p) {
    const m = image(), r = rec(p), pix = $("div", { className: "pix" });
    pix.style.width = m.w + "px"; pix.style.height = m.h + "px";
    const strip = r && r.strip && steps[r.k] !== undefined ? r.strip[steps[r.k]][1] : null;
    pix.append(img(strip || (r ? r.src : m.src), `${m.name}, ${nameOf(p)}${r ? `, ${r.b} bytes` : ""}`));
    if (r && s.d === "diff") { pix.classList.add("diff"); pix.append(img(m.src, "", "over")); }
    const over = s.d === "attention" ? (r || rec(of(s.i)[0]) || {}).ov : r && r.ov;
    if (over && over[s.d]) pix.append(img(over[s.d], "", "over tint"));
    return pix;
  }
  const mark = (p) => { const c = rec(p); return $("span", { className: "tag" }, nameOf(p), c && $("small", {}, ` ${c.b.toLocaleString("en")} B`, c.over ? " ▲" : "")); };
  function draw() {
    for (const v of views) {
      v.pixels = [];
      v.layers.forEach((layer, n) => { const pix = pixels(v.of[n]); v.pixels.push(pix); layer.replaceChildren(pix); });
    }
    for (const o of overlay.options) o.disabled = !["", "diff"].includes(o.value) && !of(s.i).some((n) => rec(n).ov && rec(n).ov[o.value]);
    overlay.value = s.d;
    legend.textContent = [LEGEND[s.d], D.display].filter(Boolean).join(" ");
    meta();
    place();
  }
  function build() {
    if (!D.records.some((r) => r.src)) { stage.textContent = root.none(); return; }
    if (s.m === "slider" && s.p.length > 2) s.p = s.p.slice(0, 2);
    flipped = false;
    const m = image();
    stage.replaceChildren(); views = [];
    stage.className = "stage " + s.m; stage.style.setProperty("--ratio", m.w / m.h); stage.style.setProperty("--n", s.p.length);
    if (s.m === "slider") {
      const bottom = $("div", { className: "layer" }), top = $("div", { className: "layer" });
      const bar = $("div", { className: "handle", tabIndex: 0, role: "slider", ariaLabel: "Share of the left image" });
      const view = $("div", { className: "view" }, bottom, top, bar, mark(s.p[0]), mark(s.p[1]));
      view.lastChild.classList.add("right");
      views.push({ view, layers: [bottom, top], of: [s.p[1], s.p[0]], top, bar });
      stage.append(view);
    } else for (const p of s.p) {
      const layer = $("div", { className: "layer" }), view = $("div", { className: "view" }, layer, mark(p));
      views.push({ view, layers: [layer], of: [p] });
      stage.append(view);
    }
    pick.replaceChildren(...D.images.map((im, n) => $("option", { value: n, textContent: im.name })));
    pick.value = s.i;
    overlay.replaceChildren(...Object.entries(OVERLAYS).map(([value, textContent]) => $("option", { value, textContent })));
    for (const k in mode) mode[k].ariaPressed = k === s.m;
    flick.ariaPressed = "false";
    add.disabled = s.p.length > 5;
    draw();
    live.textContent = `${m.name}: ${s.p.map(nameOf).join(" against ")}`;
  }
  function meta() {
    const coded = real(), first = coded.length ? rec(coded[0]).b : 0;
    metas.style.setProperty("--n", s.p.length);
    metas.replaceChildren(...s.p.map((p, at) => {
      const choose = select(`Pane ${at + 1}`, () => { s.p[at] = choose.value === "o" ? "o" : +choose.value; build(); });
      choose.append($("option", { value: "o", textContent: "Original" }));
      D.codecs.forEach((c, n) => {
        const own = ofCodec(s.i, n);
        if (own.length) choose.append($("optgroup", { label: c.label }, ...own.map((k) => $("option", { value: k, textContent: `${c.label}: ${rec(k).b.toLocaleString("en")} bytes, ${rec(k).q}` }))));
      });
      choose.value = p;
      const card = $("div", { className: "meta" }, $("div", { className: "head" }, choose, s.p.length > 2 ? button("×", `Remove pane ${at + 1}`, () => { s.p.splice(at, 1); build(); }) : null));
      return root.describe(card, rec(p), image(), first, coded.map(rec), scrub);
    }));
  }
  function scrub(r, n) { steps[r.k] = n; for (const v of views) v.of.forEach((p, k) => { if (rec(p) === r) v.pixels[k].firstChild.src = url(r.strip[n][1]); }); }
  function flip(on) { flipped = on; flick.ariaPressed = on; if (s.m === "grid") views.forEach((v, n) => swap(v, on && n < 2 ? s.p[1 - n] : s.p[n])); place(); }
  function swap(v, p) { v.of = [p]; v.pixels = [pixels(p)]; v.layers[0].replaceChildren(v.pixels[0]); }
  function original(on) { hold = on; if (s.m === "grid") views.forEach((v, n) => swap(v, on ? "o" : s.p[n])); place(); }
  function go(i) {
    if (!views.length) return;
    i = (i + D.images.length) % D.images.length;
    const p = s.p.map((k) => (k === "o" ? "o" : counterpart(k, i))).filter((k) => k !== undefined);
    Object.assign(s, { i, p: p.length > 1 ? p : defaults(i), x: 0.5, y: 0.5 });
    build();
  }

  // ----- mouse, touch, keyboard -----
  const down = new Map(); let grip = false;
  const rect = () => views[0].view.getBoundingClientRect();
  const where = (e) => { const r = (e.target.closest(".view") || views[0].view).getBoundingClientRect(); return { x: (e.clientX - r.left) / r.width, y: (e.clientY - r.top) / r.height }; };
  stage.addEventListener("pointerdown", (e) => {
    if (e.button || !views.length) return;
    stage.focus({ preventScroll: true });
    down.set(e.pointerId, { x: e.clientX, y: e.clientY });
    stage.setPointerCapture(e.pointerId);
    grip = s.m === "slider" && (s.z <= 1.001 || e.target.closest(".handle") !== null);
    if (grip) { s.s = clamp(where(e).x, 0, 1); place(); }
  });
  stage.addEventListener("pointermove", (e) => {
    const last = down.get(e.pointerId);
    if (!last) return;
    if (down.size === 2) {
      const other = [...down].find(([k]) => k !== e.pointerId)[1], gap = (a) => Math.hypot(a.x - other.x, a.y - other.y) || 1;
      const at = { x: e.clientX, y: e.clientY }, r = rect();
      zoom(gap(at) / gap(last), clamp(((at.x + other.x) / 2 - r.left) / r.width, 0, 1), clamp(((at.y + other.y) / 2 - r.top) / r.height, 0, 1));
    } else if (grip) {
      s.s = clamp((e.clientX - rect().left) / rect().width, 0, 1); place();
    } else pan(e.clientX - last.x, e.clientY - last.y);
    down.set(e.pointerId, { x: e.clientX, y: e.clientY });
  });
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (e) => down.delete(e.pointerId));
  stage.addEventListener("dblclick", (e) => { const w = where(e); zoomTo(s.z > 1.001 ? 1 : Math.max(2, one() * 2), w.x, w.y); });
  stage.addEventListener("wheel", (e) => {
    // an unfocused view scrolls with the page
    if (!(e.ctrlKey || e.metaKey || stage.contains(document.activeElement))) return;
    e.preventDefault();
    const w = where(e);
    zoom(Math.exp(-e.deltaY * 0.0022), w.x, w.y);
  }, { passive: false });
  stage.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || !views.length) return;
    const arrows = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[e.key];
    const keys = { "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: () => zoomTo(1), 1: () => zoomTo(one()), f: () => flip(!flipped),
      n: () => go(s.i + 1), p: () => go(s.i - 1), g: () => { s.m = s.m === "grid" ? "slider" : "grid"; build(); stage.focus(); },
      d: () => { const all = [...overlay.options].filter((o) => !o.disabled).map((o) => o.value); s.d = all[(all.indexOf(s.d) + 1) % all.length]; draw(); },
      o: () => { if (!e.repeat) original(true); } };
    if (arrows && s.m === "slider" && !e.shiftKey && arrows[0]) { s.s = clamp(s.s - arrows[0] * 0.02, 0, 1); place(); }
    else if (arrows && s.z > 1.001) pan(arrows[0] * 40, arrows[1] * 40);
    else if (keys[e.key.toLowerCase()]) keys[e.key.toLowerCase()]();
    else return;
    e.preventDefault();
  });
  stage.addEventListener("keyup", (e) => { if (e.key.toLowerCase() === "o") original(false); });
  stage.addEventListener("blur", () => hold && original(false));
  new ResizeObserver(() => place()).observe(stage);
  const reveal = () => { root.scrollIntoView(); stage.focus({ preventScroll: true }); };
  addEventListener("hashchange", () => { if (read()) { build(); reveal(); } });
  const linked = read();
  if (!linked) s.p = defaults((s.i = clamp(D.start || 0, 0, Math.max(0, D.images.length - 1))));
  build();
  quiet = false;
  if (linked) reveal();
  return {
    state: s,
    open(panes, m = s.m) { Object.assign(s, { i: rec(panes.find((p) => p !== "o")).i, p: panes, m, z: 1, x: 0.5, y: 0.5 }); build(); reveal(); },
    update(data) {
      const name = image()?.name, keep = s.p.map((p) => rec(p)?.k);
      D = data;
      s.i = Math.max(0, D.images.findIndex((m) => m.name === name));
      const keys = byKey();
      s.p = keep.map((k) => (k ? keys[k + "." + s.i] : "o")).filter((k) => k !== undefined);
      if (s.p.length < 2 || s.p.every((p) => p === "o")) s.p = defaults(s.i);
      build();
    },
  };
}
