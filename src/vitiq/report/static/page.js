// Curves, tables and panels around the compare view. Reads `#data`; keeps what the reader chose.
"use strict";
(async () => {
  const at = (id) => document.getElementById(id);
  const unpack = (text) => new Response(new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  const source = at("data");
  let D = JSON.parse(source.dataset.gzip ? await unpack(source.textContent) : source.textContent);
  if (at("blobs")) D.blobs = JSON.parse(at("blobs").textContent);
  const el = (name, cls, text) => { const e = document.createElement(name); if (cls) e.className = cls; if (text !== undefined) e.textContent = text; return e; };
  const SVG = "http://www.w3.org/2000/svg";
  let printing = false;
  const dark = () => !printing && getComputedStyle(document.documentElement).getPropertyValue("--dark").trim() === "1";
  // asked once a drawing: a computed style is slow to read, and a chart has hundreds of marks
  let night = dark(), ground = "#fff";
  const colour = (c) => (night ? D.codecs[c].dark : D.codecs[c].light);
  // as Python writes numbers, so that they are the tables' own: exact, and halves to the even digit
  const fixed = (v, places) => { const a = Math.abs(v), t = a * 10 ** places, tie = t % 1 === 0.5 && (a * 2 ** (places + 1)) % 1 === 0, n = Math.floor(t); return (v < 0 ? "-" : "") + (tie ? (n + (n % 2)) / 10 ** places : a).toFixed(places); };
  const num = (v, places) => (v === null || v === undefined ? "–" : typeof v === "string" ? v : fixed(v, places).replace("-", "−").replace(/\d+/, (d) => d.replace(/\B(?=(\d{3})+$)/g, ",")));
  const whole = (v) => num(v, 0);
  const seconds = (v) => (v === null ? "–" : v < 1 ? (v < 0.0005 ? "< 1 ms" : whole(v * 1000) + " ms") : v < 120 ? num(v, v < 10 ? 1 : 0) + " s" : whole(v / 60) + " min");
  const url = (x) => (D.blobs && D.blobs[x]) || x || "";

  // ----- markers, the same as in the paper figures -----
  function trace(ctx, kind, x, y, r) {
    const poly = (n, turn, inner) => { for (let k = 0; k < n; k++) { const a = turn + (k * 2 * Math.PI) / n, q = inner && k % 2 ? r * inner : r; ctx[k ? "lineTo" : "moveTo"](x + q * Math.cos(a), y + q * Math.sin(a)); } ctx.closePath(); };
    ctx.beginPath();
    if (kind === "circle") ctx.arc(x, y, r * 0.95, 0, 7);
    else if (kind === "square") ctx.rect(x - r * 0.85, y - r * 0.85, r * 1.7, r * 1.7);
    else if (kind === "triangle") poly(3, -Math.PI / 2);
    else if (kind === "down") poly(3, Math.PI / 2);
    else if (kind === "diamond") poly(4, 0);
    else if (kind === "star") poly(10, -Math.PI / 2, 0.45);
    else if (kind === "plus") { ctx.moveTo(x - r, y); ctx.lineTo(x + r, y); ctx.moveTo(x, y - r); ctx.lineTo(x, y + r); }
    else { const q = r * 0.8; ctx.moveTo(x - q, y - q); ctx.lineTo(x + q, y + q); ctx.moveTo(x - q, y + q); ctx.lineTo(x + q, y - q); }
  }
  function drawPoint(ctx, c, x, y, r, { hollow, alpha = 1 } = {}) {
    const k = D.codecs[c], open = k.marker === "plus" || k.marker === "cross";
    ctx.globalAlpha = alpha; ctx.strokeStyle = ctx.fillStyle = colour(c); ctx.lineWidth = r * 0.42; ctx.setLineDash([]);
    trace(ctx, k.marker, x, y, r);
    if (!open) { if (hollow || k.hollow) { ctx.fillStyle = ground; } ctx.fill(); }
    ctx.stroke(); ctx.globalAlpha = 1;
  }
  const swatch = (c) => at("marks").children[c].cloneNode(true);

  // ----- what stands under each pane -----
  const compare = at("viewer");
  let opened = false;
  compare.describe = (card, r, image, first, all, scrub) => {
    const dl = el("dl");
    const row = (name, value, about, cls, list = dl) => { const dt = el("dt", "", name), dd = el("dd", cls || "", value); if (about) dt.title = about; list.append(dt, dd); };
    if (!r) {
      row("size", image.bytes ? whole(image.bytes) + " bytes" : "–");
      row("pixels", `${image.w}×${image.h}`);
      card.append(dl);
      return card;
    }
    const change = first && r.b !== first ? ` (${r.b > first ? "+" : "−"}${Math.abs(Math.round((r.b / first - 1) * 100))} %)` : "";
    row("size", `${whole(r.b)} bytes${change}`, "Bytes of the whole file; in brackets against the first compressed pane", r.over ? "over" : "");
    if (r.over) row("asked for", `${whole(r.a)} bytes: no file this small was found`, "", "over");
    row("rate", `${num(r.p, 3)} bits per pixel, ${r.q}`);
    const more = el("details"), rest = el("dl");
    D.metrics.forEach((m, k) => {
      const others = all.map((x) => x.s[k]).filter((v) => typeof v === "number");
      const top = m.sign && others.length > 1 && typeof r.s[k] === "number" && r.s[k] === (m.sign > 0 ? Math.max(...others) : Math.min(...others));
      row(`${m.short} ${m.sign > 0 ? "↑" : m.sign < 0 ? "↓" : ""}${D.codecs[r.c].dependent.includes(m.key) ? " †" : ""}`, `${num(r.s[k], m.places)} ${typeof r.s[k] === "number" ? m.unit : ""}`, m.about, top ? "top" : "", D.first.includes(k) ? dl : rest);
    });
    row("time", `${seconds(r.e)} to encode, ${seconds(r.d)} to decode`);
    card.append(dl);
    if (rest.children.length) { more.append(el("summary", "", `${rest.children.length / 2} more metrics`), rest); more.open = opened; more.ontoggle = () => (opened = more.open); card.append(more); }
    for (const text of r.n || []) card.append(el("p", "note", text));
    if (r.strip) {
      const label = el("label", "scrub", "Search: "), range = el("input"), out = el("output", "", "final");
      Object.assign(range, { type: "range", min: 0, max: r.strip.length - 1, value: r.strip.length - 1 });
      range.oninput = () => { out.textContent = `iteration ${r.strip[range.value][0]}`; scrub(r, +range.value); };
      label.append(range, out); card.append(label);
    }
    if (r.loss && r.loss.length > 2) card.append(spark(r.loss));
    if (r.l) card.append(labels(r.l));
    if (r.parts) card.append(parts(r));
    return card;
  };
  function spark(loss) {
    const w = 240, h = 40, logs = loss.map(([, v]) => Math.log(Math.max(v, 1e-12))), lo = Math.min(...logs), hi = Math.max(...logs), end = loss[loss.length - 1];
    const svg = document.createElementNS(SVG, "svg"), line = document.createElementNS(SVG, "polyline");
    svg.setAttribute("viewBox", `0 0 ${w} ${h}`); svg.setAttribute("class", "spark"); svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `Loss of the search: ${loss[0][1]} to ${end[1]} in ${end[0]} iterations`);
    line.setAttribute("points", loss.map(([n], k) => `${((n - 1) / Math.max(1, end[0] - 1)) * w},${h - 2 - ((logs[k] - lo) / (hi - lo || 1)) * (h - 4)}`).join(" "));
    svg.append(line);
    const box = el("figure", "loss"); box.append(svg, el("figcaption", "soft", `Loss, log scale: ${loss[0][1]} → ${end[1]} in ${end[0]} iterations`));
    return box;
  }
  function labels(l) {
    const box = el("details"), table = el("table", "small");
    const chance = l.chance !== null ? ` Two random lists share ${num(l.chance, 2)}; p ${l.p < 1e-6 ? "< 1e-6" : "= " + l.p}.` : "";
    box.append(el("summary", "", l.top.length ? `Labels: ${D.words[l.top[0]]} → ${D.words[l.top[1]]}` : "Labels"));
    table.innerHTML = "<thead><tr><th scope=col>label<th scope=col>original<th scope=col>here</thead><tbody></tbody>";
    for (const [word, p, q] of l.rows) { const tr = table.tBodies[0].insertRow(); tr.append(el("td", "", D.words[word]), bar(p), bar(q)); }
    box.append(table, el("p", "soft", `${l.shared} of ${l.k} labels shared.${chance}`));
    return box;
  }
  function bar(v) { const td = el("td", "share", v >= 0.001 ? num(v, 3) : v === null ? "–" : v.toExponential(0)); td.style.setProperty("--v", v); return td; }
  function parts(r) {
    const box = el("div", "parts"), line = el("div", "line"), words = [];
    r.parts.forEach(([name, size], k) => { const piece = el("span", "p" + (k % 4)); piece.style.flexGrow = size; line.append(piece); words.push(`${name} ${whole(size)}`); });
    line.setAttribute("aria-hidden", "true");
    box.append(line, el("p", "soft", "File: " + words.join(", ") + " bytes"));
    return box;
  }
  compare.overlays = { "": "No overlay", diff: "Difference ×8", ssim: "SSIM map", semantic: "Semantic error map", attention: "Attention map" };
  compare.legends = {
    diff: "Absolute difference from the original, times eight: black is equal.",
    ssim: "1 − SSIM of the luma: clear where equal, magenta where structure is lost.",
    semantic: "1 − cosine of the network's patch tokens: clear where equal, magenta where nothing is in common.",
    attention: "Attention rollout on the original: dark where the network did not look.",
  };
  compare.none = () => (D.records.length ? "No decoded image was kept. A run with --keep bitstreams,images shows them here." : "Nothing to compare yet.");
  compare.help = "Compared images. Arrows: slider or pan. Plus, minus: zoom. 0: fit. 1: an image pixel is a screen pixel. F: flicker. O held: original. N, P: next, previous image. G: layout. D: overlay.";
  const viewer = vitiqViewer(compare, D);
  window.vitiq = { viewer, data: () => D, text: num };

  // Parts below the first screen are built when they come near it, or when nothing else is to be done.
  const later = new Map();
  const part = (id, build) => {
    const p = { build, due: true };
    p.run = (force) => { if ((p.seen || force) && p.due) { p.due = false; p.seen = true; p.build(); } };
    new IntersectionObserver((found) => { if (found.some((e) => e.isIntersecting)) { p.seen = true; p.run(); } }, { rootMargin: "300px" }).observe(at(id));
    later.set(id, p);
  };
  const rebuild = () => later.forEach((p) => { p.due = true; p.run(); });
  const buildAll = () => later.forEach((p) => p.run(true));

  // ----- curves -----
  // codecs by their labels: their places change while a run goes on
  const chosen = { metric: 0, axis: "log", image: "", anchor: "", off: new Set(), dots: D.records.length <= 3000 };
  let plot = null, spots = [], current = -1, drawnAt = 0;
  const metricSelect = at("metric"), axisSelect = at("axis"), imageSelect = at("which"), tip = at("tip"), holder = at("plot");
  const held = (p) => p.o?.[chosen.metric] || [p.n, p.b, p.p], X = { log: (p) => held(p)[2], bpp: (p) => held(p)[2], bytes: (p) => held(p)[1] }; // of the images that the metric's mean holds
  function lines() { // per codec: points sorted by rate, each {x, y, lo, hi, over, text, r}
    const k = chosen.metric, m = D.metrics[k], x = X[chosen.axis], groups = D.codecs.map(() => []);
    if (chosen.image === "") D.points.forEach((p) => typeof p.m[k] === "number" && groups[p.c].push({ x: x(p), y: p.m[k], lo: p.lo && p.lo[k], hi: p.hi && p.hi[k], over: p.over, front: p.f[k], c: p.c, text: `${D.codecs[p.c].label}, ${p.q}\nmean of ${held(p)[0]} image${held(p)[0] > 1 ? "s" : ""}: ${whole(held(p)[1])} bytes, ${num(held(p)[2], 3)} bits per pixel\n${m.short} ${num(p.m[k], m.places)} ${m.unit}${p.lo && p.lo[k] !== null ? ` (95 % ${num(p.lo[k], m.places)} … ${num(p.hi[k], m.places)})` : ""}${p.over ? `\n▲ ${p.over} of ${p.n} files larger than requested` : ""}`, p }));
    else D.records.forEach((r, n) => D.images[r.i].name === chosen.image && typeof r.s[k] === "number" && groups[r.c].push(dot(r, n)));
    for (const l of publishedLines()) for (const [q, v, y] of l.points) groups[l.c].push({ x: v, y, c: l.c, q, text: `${D.codecs[l.c].label}, ${q}\n${l.of}: ${num(v, 3)} bits per pixel\n${m.short} ${num(y, m.places)} ${m.unit}` });
    return groups.map((g) => g.sort((a, b) => a.x - b.x));
  }
  // published curves have no files, so no bytes either
  const publishedLines = () => (chosen.axis === "bytes" ? [] : D.published.filter((l) => l.k === chosen.metric && (D.images[l.i]?.name ?? "") === chosen.image));
  function dot(r, n) {
    const k = chosen.metric, m = D.metrics[k];
    return { x: X[chosen.axis](r), y: r.s[k], over: r.over, c: r.c, r: n, text: `${D.images[r.i].name}: ${D.codecs[r.c].label}, ${r.q}\n${whole(r.b)} bytes, ${num(r.p, 3)} bits per pixel\n${m.short} ${num(r.s[k], m.places)} ${m.unit}${r.over ? "\n▲ larger than requested: no file this small was found" : ""}` };
  }
  function draw() {
    if (!holder || !D.metrics.length) return;
    plot?.destroy(); holder.replaceChildren();
    night = dark(); ground = printing ? "#fff" : getComputedStyle(document.body).backgroundColor;
    const k = chosen.metric, m = D.metrics[k], groups = lines(), on = (c) => !chosen.off.has(D.codecs[c].label);
    const small = chosen.image === "" && chosen.dots ? D.records.map(dot).filter((p) => typeof p.y === "number" && on(p.c)) : [];
    const all = [...groups.flat().filter((p) => on(p.c)), ...small];
    at("none").hidden = all.length > 0;
    const xs = all.map((p) => p.x), ys = [...all.flatMap((p) => [p.y, ...(p.lo ? [p.lo, p.hi] : [])]), ...(typeof m.chance === "number" && all.length ? [m.chance] : [])], log = chosen.axis === "log";
    const css = getComputedStyle(document.documentElement), ink = printing ? "#333" : css.getPropertyValue("--soft"), rule = printing ? "#ddd" : css.getPropertyValue("--line");
    const span = (v, pad) => { const a = v.reduce((x, y) => Math.min(x, y)), b = v.reduce((x, y) => Math.max(x, y)), d = (b - a || Math.abs(a) || 1) * pad; return [a - d, b + d]; };
    const xr = !all.length ? [0.1, 1] : log ? span(xs.map(Math.log), 0.06).map(Math.exp) : span(xs, 0.05), yr = all.length ? span(ys, 0.07) : [0, 1];
    const width = (drawnAt = holder.clientWidth), height = Math.max(300, Math.min(460, width * 0.52));
    const axis = (label, size) => ({ stroke: ink, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule, size: 5 }, label, labelSize: 26, size, font: "12px system-ui", labelFont: "12px system-ui" });
    const splits = (u) => { const out = [], [a, b] = [u.scales.x.min, u.scales.x.max], few = Math.log(b / a) > 3.5; for (let e = Math.floor(Math.log10(a)); e <= Math.ceil(Math.log10(b)); e++) for (const f of few ? [1, 2, 5] : [1, 1.5, 2, 3, 5, 7]) { const v = f * 10 ** e; if (v >= a && v <= b) out.push(v); } return out; };
    const xlabel = chosen.axis === "bytes" ? "bytes of the file" : "bits per pixel" + (log ? ", log scale" : "");
    plot = new uPlot({
      width, height, legend: { show: false }, cursor: { show: false }, padding: [12, 12, 0, 0],
      scales: { x: { time: false, distr: log ? 3 : 1, range: () => xr }, y: { range: () => yr } },
      axes: [{ ...axis(xlabel, 34), ...(log ? { splits, values: (u, v) => v.map((q) => +q.toPrecision(2) + ""), filter: (u, v) => v } : {}) }, axis(`${m.short}${m.unit ? ", " + m.unit : ""} (${m.sign > 0 ? "higher" : "lower"} is better)`, 54)],
      series: [{}, { show: false }],
      hooks: { draw: [(u) => sketch(u, groups, small, on)] },
    }, [xr, yr], holder);
    holder.firstChild?.setAttribute("aria-hidden", "true");
    listPoints(groups);
  }
  function sketch(u, groups, small, on) {
    const ctx = u.ctx, d = devicePixelRatio, px = (p) => [u.valToPos(p.x, "x", true), u.valToPos(p.y, "y", true)];
    spots = [];
    ctx.save(); ctx.lineJoin = "round";
    const chance = D.metrics[chosen.metric].chance, level = u.valToPos(chance, "y", true), { left, top, width, height } = u.bbox;
    if (chance !== null && level > top && level < top + height) {
      ctx.strokeStyle = ctx.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--over");
      ctx.setLineDash([5 * d, 4 * d]); ctx.lineWidth = d; ctx.beginPath(); ctx.moveTo(left, level); ctx.lineTo(left + width, level); ctx.stroke();
      ctx.font = `${12 * d}px system-ui`; ctx.textAlign = "right"; ctx.fillText("chance", left + width - 4 * d, level - 5 * d); ctx.textAlign = "left";
    }
    for (const p of small) { const [x, y] = px(p); drawPoint(ctx, p.c, x, y, 2.1 * d, { alpha: 0.33, hollow: p.over }); spots.push({ ...p, px: x / d, py: y / d, minor: true }); }
    groups.forEach((g, c) => {
      if (!on(c) || !g.length) return;
      const fair = g.filter((p) => !p.over), band = fair.filter((p) => typeof p.lo === "number");
      if (band.length > 1) {
        ctx.beginPath(); ctx.globalAlpha = 0.13; ctx.fillStyle = colour(c);
        band.forEach((p, n) => ctx[n ? "lineTo" : "moveTo"](u.valToPos(p.x, "x", true), u.valToPos(p.hi, "y", true)));
        band.slice().reverse().forEach((p) => ctx.lineTo(u.valToPos(p.x, "x", true), u.valToPos(p.lo, "y", true)));
        ctx.fill(); ctx.globalAlpha = 1;
      }
      ctx.beginPath(); ctx.strokeStyle = colour(c); ctx.lineWidth = 1.8 * d; ctx.setLineDash(D.codecs[c].dash.map((v) => v * d));
      fair.forEach((p, n) => ctx[n ? "lineTo" : "moveTo"](...px(p)));
      ctx.stroke();
      for (const p of g) {
        const [x, y] = px(p);
        if (p.front) { ctx.beginPath(); ctx.setLineDash([]); ctx.lineWidth = d; ctx.strokeStyle = colour(c); ctx.globalAlpha = 0.75; ctx.arc(x, y, 8 * d, 0, 7); ctx.stroke(); ctx.globalAlpha = 1; }
        drawPoint(ctx, c, x, y, 4.4 * d, { hollow: p.over });
        if (p.over) { ctx.fillStyle = colour(c); ctx.font = `${10 * d}px system-ui`; ctx.fillText("▲", x + 6 * d, y - 5 * d); }
        spots.push({ ...p, px: x / d, py: y / d });
      }
    });
    ctx.restore();
  }
  function show(n) {
    current = n;
    const p = spots[n];
    tip.hidden = !p;
    if (!p) return;
    tip.replaceChildren(...p.text.split("\n").map((t, k) => el(k ? "span" : "b", "", t)), ...(p.q ? [] : [el("i", "", "click: compare")]));
    const w = holder.clientWidth;
    tip.style.left = Math.max(0, Math.min(w - tip.offsetWidth, p.px + 14)) + "px"; tip.style.top = p.py + 14 + "px";
  }
  const close = (e) => { const r = holder.getBoundingClientRect(), x = e.clientX - r.left, y = e.clientY - r.top; let best = -1, d = 22; spots.forEach((p, n) => { const q = Math.hypot(p.px - x, p.py - y) + (p.minor ? 4 : 0); if (q < d) { d = q; best = n; } }); return best; };
  function enter(n) {
    const p = spots[n];
    if (!p) return;
    let r = p.r;
    if (r === undefined) { const own = D.records.map((x, m) => m).filter((m) => D.records[m].c === p.c && D.records[m].src && (D.records[m].q === p.p.q || p.p.q === "at equal bytes")); r = own.sort((a, b) => Math.abs(D.records[a].b - p.p.b) - Math.abs(D.records[b].b - p.p.b))[0]; }
    if (r !== undefined && D.records[r].src) viewer.open(["o", r]);
  }
  if (holder) {
    holder.addEventListener("pointermove", (e) => { const n = close(e); holder.style.cursor = n < 0 || spots[n].q ? "" : "pointer"; if (n !== current) show(n); });
    holder.addEventListener("pointerleave", () => show(-1));
    holder.addEventListener("click", (e) => enter(close(e)));
    holder.addEventListener("keydown", (e) => {
      const order = spots.map((p, n) => n).filter((n) => !spots[n].minor), k = order.indexOf(current);
      if (e.key === "ArrowRight" || e.key === "ArrowLeft") { show(order[(k + (e.key === "ArrowRight" ? 1 : order.length - 1) + order.length) % order.length]); at("said").textContent = spots[current]?.text || ""; e.preventDefault(); }
      else if (e.key === "Enter" && current >= 0) enter(current);
      else if (e.key === "Escape") show(-1);
    });
    metricSelect.onchange = () => { chosen.metric = +metricSelect.value; draw(); bd(); };
    axisSelect.onchange = () => { chosen.axis = axisSelect.value; draw(); };
    imageSelect.onchange = () => { chosen.image = imageSelect.value; draw(); };
    at("dots").checked = chosen.dots; // of very many files they would hide the means
    at("dots").onchange = (e) => { chosen.dots = e.target.checked; draw(); };
    new ResizeObserver(() => { if (plot && holder.clientWidth !== drawnAt) draw(); }).observe(holder);
  }
  function legend() {
    at("key").replaceChildren(...D.codecs.map((c, n) => {
      const label = el("label", "chip"), box = el("input");
      Object.assign(box, { type: "checkbox", checked: !chosen.off.has(c.label) });
      box.onchange = () => { chosen.off[box.checked ? "delete" : "add"](c.label); draw(); };
      label.append(box, swatch(n), c.label);
      return label;
    }));
  }
  function listPoints(groups) { // the chart in words, for those who do not see it
    const body = at("points").tBodies[0], m = D.metrics[chosen.metric];
    at("pointmetric").textContent = m.short;
    body.replaceChildren(...groups.flatMap((g, c) => (chosen.off.has(D.codecs[c].label) ? [] : g.map((p) => { const tr = el("tr"); const [b, q] = p.q ? [null, p.q] : p.p ? [held(p.p)[1], p.p.q] : [D.records[p.r].b, D.records[p.r].q]; tr.append(el("td", "", D.codecs[c].label), el("td", "", q), el("td", "", whole(b) + (p.over ? " ▲" : "")), el("td", "", num(p.y, m.places)), el("td", "", p.front ? "yes" : "")); return tr; }))));
  }
  function bd() { // mean curve first, then the mean of the images' own
    const holder = at("bd"), table = D.bd[D.metrics[chosen.metric]?.key];
    holder.hidden = !table;
    if (!table) return;
    const anchor = at("anchor"), able = Object.keys(table).map(Number); // not every metric has every published curve
    if ([...anchor.options].map((o) => o.value + o.text).join() !== able.map((c) => c + D.codecs[c].label).join()) anchor.replaceChildren(...able.map((c) => { const o = el("option", "", D.codecs[c].label); o.value = c; return o; }));
    anchor.value = [D.codecs.findIndex((c) => c.label === chosen.anchor), D.anchor, able[0]].find((c) => able.includes(c));
    const key = D.metrics[chosen.metric].key, tuned = (c) => D.codecs[c].dependent.includes(key);
    const rows = Object.entries(table[anchor.value] || {}).sort((a, b) => (a[1][0] ?? 1e9) - (b[1][0] ?? 1e9));
    at("bdmetric").textContent = D.metrics[chosen.metric].short;
    at("bdtable").tBodies[0].replaceChildren(...rows.map(([c, [v, lo, hi, share, n, mean, meanLo, meanHi, own, why]]) => {
      const tr = el("tr"), head = el("th"), sign = (x) => (x > 0 ? "+" : "") + num(x, 1);
      head.scope = "row"; head.append(swatch(c), D.codecs[c].label);
      const mark = tuned(c) || tuned(anchor.value) ? "†" : "";
      const both = (x, a, b, cls, of) => { const td = el("td", x !== null && x < 0 ? cls : "", x === null ? "–" : sign(x) + " %" + mark); if (a !== null) td.append(el("small", "", ` ${sign(a)} … ${sign(b)}`)); if (x !== null && of < n) td.append(el("small", "over", ` ${of} of ${n} images`)); return td; };
      tr.append(head, both(v, lo, hi, "top"), both(mean, meanLo, meanHi, "", own), el("td", share < 0.75 ? "over" : "", v === null ? "–" : whole(share * 100) + " %"), el("td", "", n || "–"));
      if (why) tr.cells[1].title = why;
      return tr;
    }));
    const notes = [...new Set(rows.flatMap(([, r]) => r[10] || []))].map((text) => el("li", "", text + "."));
    at("bdwhy").replaceChildren(...rows.filter(([, r]) => r[9]).map(([c, r]) => el("li", "", `– ${D.codecs[c].label}: ${r[9].replace(/^BD-rate refused: /, "")}`)), ...notes, ...(rows.some(([c]) => tuned(c) || tuned(anchor.value)) ? [el("li", "", D.daggers)] : []));
  }
  at("anchor").onchange = (e) => { chosen.anchor = D.codecs[e.target.value].label; bd(); };

  // ----- correlation of metrics -----
  function agreement() {
    const n = D.metrics.length, table = at("agree");
    at("agreement").hidden = n < 2 || D.agreement.flat().every((v) => v === null);
    table.classList.toggle("many", n > 8);
    const head = el("tr"); head.append(el("td"), ...D.metrics.map((m) => { const th = el("th", "", ""); th.scope = "col"; th.title = m.about; th.append(el("span", "", m.short)); return th; }));
    table.tHead.replaceChildren(head);
    table.tBodies[0].replaceChildren(...D.metrics.map((m, a) => { const tr = el("tr"), th = el("th", "", m.short); th.scope = "row"; tr.append(th, ...D.metrics.map((_, b) => { const v = D.agreement[a][b], td = el("td", v < 0 ? "neg" : "pos", a === b ? "" : n > 8 ? num(v, 2).replace("0.", ".") : num(v, 2)); td.style.setProperty("--v", a === b ? 0 : Math.abs(v || 0)); return td; })); return tr; }));
  }

  // ----- every file -----
  const sort = { by: "", down: false };
  const cells = [["image", (r) => D.images[r.i].name], ["codec", (r) => D.codecs[r.c].label], ["setting", (r) => r.q], ["bytes", (r) => r.b], ["bpp", (r) => r.p], ["encode", (r) => r.e]];
  const metricsShown = () => (at("allmetrics").checked ? D.metrics.map((m, k) => k) : D.first);
  let most = 200;
  function files() {
    if (!at("files").tHead.rows.length) fileHead(); // somebody filters before the part was built
    const table = at("files"), words = at("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const value = sort.by.startsWith("m") && !isNaN(sort.by.slice(1)) ? (r) => r.s[+sort.by.slice(1)] : (cells.find(([n]) => n === sort.by) || [, null])[1];
    let rows = D.records.map((r, n) => [r, n]).filter(([r]) => { const text = `${D.images[r.i].name} ${D.codecs[r.c].label} ${D.codecs[r.c].name} ${r.q} ${(r.n || []).join(" ")}`.toLowerCase(); return words.every((w) => text.includes(w)); });
    if (value) { const rank = (v) => (v === "∞" ? Infinity : v); rows.sort(([a], [b]) => { const x = rank(value(a)), y = rank(value(b)); if (x === null || y === null) return (x === null) - (y === null); const d = typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y; return sort.down ? -d : d; }); }
    at("count").textContent = `${rows.length} of ${D.records.length} files`;
    at("morefiles").hidden = rows.length <= most;
    at("morefiles").textContent = `Show all ${rows.length} rows`;
    table.tBodies[0].replaceChildren(...rows.slice(0, most).map(([r, n]) => {
      const tr = el("tr"), name = el("td"), codec = el("td"), go = el("button", "link", D.images[r.i].name);
      go.type = "button"; go.title = D.images[r.i].name + ": compare with the original"; go.onclick = () => r.src && viewer.open(["o", n]);
      name.append(go); codec.append(swatch(r.c), D.codecs[r.c].label);
      const size = el("td", r.over ? "over" : "", whole(r.b) + (r.over ? " ▲" : ""));
      if (r.over) size.title = `asked for ${whole(r.a)} bytes: no file this small was found`;
      tr.append(name, codec, el("td", "", r.q), size, el("td", "", num(r.p, 3)), el("td", "", seconds(r.e)), ...metricsShown().map((k) => el("td", "", num(r.s[k], D.metrics[k].places))));
      return tr;
    }));
    for (const th of table.tHead.rows[0].cells) th.ariaSort = th.dataset.by === sort.by ? (sort.down ? "descending" : "ascending") : "none";
  }
  function fileHead() {
    const tr = el("tr"), names = { image: "image", codec: "codec", setting: "setting", bytes: "bytes", bpp: "bits per pixel", encode: "encode" };
    const head = (by, text, about) => { const th = el("th"), b = el("button", "link", text); th.scope = "col"; th.dataset.by = by; b.type = "button"; if (about) b.title = about; if (printing) return th.append(text), th; b.onclick = () => { sort.down = sort.by === by ? !sort.down : by.startsWith("m") && D.metrics[+by.slice(1)]?.sign > 0; sort.by = by; files(); }; th.append(b); return th; };
    tr.append(...cells.map(([n]) => head(n, names[n])), ...metricsShown().map((k) => { const m = D.metrics[k]; return head("m" + k, `${m.short} ${m.sign > 0 ? "↑" : m.sign < 0 ? "↓" : ""}`, m.about); }));
    at("files").tHead.replaceChildren(tr);
  }
  at("filter").oninput = files;
  at("morefiles").onclick = () => { most = Infinity; files(); };
  at("allmetrics").onchange = () => { fileHead(); files(); };

  // ----- all of it, at first and whenever a run has gone on -----
  function fill() {
    const metric = D.metrics.findIndex((m) => m.key === D.primary);
    const option = (m, k) => { const o = el("option", "", m.short); o.value = k; return o; }, questions = [...new Set(D.metrics.map((m) => m.asks))];
    metricSelect.replaceChildren(...(D.metrics.length < 9 ? D.metrics.map(option) : questions.map((q) => { const g = el("optgroup"); g.label = q; D.metrics.forEach((m, k) => m.asks === q && g.append(option(m, k))); return g; })));
    at("allmetrics").parentNode.hidden = D.first.length === D.metrics.length;
    if (chosen.metric >= D.metrics.length || !fill.done) chosen.metric = Math.max(0, metric);
    metricSelect.value = chosen.metric;
    imageSelect.replaceChildren(...["", ...D.images.map((m) => m.name)].map((n) => { const o = el("option", "", n || "mean of all images"); o.value = n; return o; }));
    imageSelect.value = chosen.image;
    fill.done = true;
    thumbs();
    at("published").hidden = !D.published.length;
    at("overfiles").hidden = !D.records.some((r) => r.over);
    at("count").textContent = `${D.records.length} of ${D.records.length} files`;
    at("bd").hidden = !D.bd[D.metrics[chosen.metric]?.key];
    rebuild();
  }
  part("curves", () => { legend(); draw(); bd(); agreement(); });
  part("every", () => { fileHead(); files(); });
  const rest = () => setTimeout(() => (window.requestIdleCallback || setTimeout)(buildAll, { timeout: 3000 }), 1500);
  if (document.readyState === "complete") rest();
  else addEventListener("load", rest);
  function thumbs() {
    for (const img of document.querySelectorAll("img[data-src]")) { img.src = url(img.dataset.src); img.removeAttribute("data-src"); }
    for (const a of document.querySelectorAll("[data-open]")) a.onclick = (e) => { e.preventDefault(); const keys = Object.fromEntries(D.records.map((r, n) => [r.k + "." + r.i, n])), n = keys[a.dataset.open]; if (n !== undefined) viewer.open(["o", n]); };
  }
  window.vitiq.update = (data, head) => { D = data; at("marks").innerHTML = head.marks; at("answer").innerHTML = head.answer; viewer.update(D); fill(); };
  const redraw = () => plot && draw();
  at("theme").onclick = () => { const to = dark() ? "light" : "dark"; document.documentElement.dataset.theme = to; try { localStorage.setItem("vitiq-theme", to); } catch { /* private mode */ } redraw(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  for (const [name, on] of [["beforeprint", true], ["afterprint", false]]) addEventListener(name, () => { printing = on; buildAll(); fileHead(); files(); redraw(); }); // buttons do not show in a head that is repeated on each sheet
  fill();
})();
