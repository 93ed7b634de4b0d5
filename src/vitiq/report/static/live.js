// The server's page: asks for what is new, and hands over images that are dropped in.
"use strict";
(() => {
  const at = (id) => document.getElementById(id), of = document.body.dataset.live, said = at("live");
  let version = document.body.dataset.version;
  const ask = async (path, options) => {
    const got = await fetch(path, options), value = await got.json();
    if (!got.ok) throw new Error(value.error);
    return value;
  };
  async function refresh() {
    if (!window.vitiq) return;
    const s = await ask(`/state?of=${of}`);
    if (s.version !== version) {
      const c = await ask(`/content?of=${of}`);
      version = c.version;
      vitiq.update(c.data, c.head);
    }
    said.textContent = of === "study" && s.planned > s.done ? `In progress: ${s.done} of ${s.planned} files done; this page updates itself.` : "";
  }
  async function poll() {
    try { await refresh(); } catch { said.textContent = "The server does not answer: start vitiq view again."; }
    setTimeout(poll, document.hidden ? 8000 : 1500);
  }
  poll();
  if (!at("bench")) return;
  const codec = at("try-codec"), quality = at("try-quality"), value = at("try-value"), status = at("try-said");
  let original = null, wanted = false, queue = Promise.resolve();
  // One after the other, so that what is said last is what happened last; of many positions of the slider only the last.
  const later = (act) => { queue = queue.then(act); };
  const again = () => { if (!wanted) { wanted = true; later(encode); } };
  const say = (text, bad) => { status.textContent = text; status.className = bad ? "over" : "soft"; };
  const show = () => { value.textContent = quality.value; };
  function ranges() {
    const o = codec.selectedOptions[0].dataset;
    Object.assign(quality, { min: o.low, max: o.high, step: o.step, value: o.default });
    at("try-help").textContent = o.help;
    show();
  }
  async function open(made) {
    await refresh();
    const D = vitiq.data(), n = D.records.findIndex((r) => r.k === made.key && D.images[r.i].name === made.image);
    if (n >= 0) vitiq.viewer.open(["o", n]);
    say(`${made.image}: ${made.bytes.toLocaleString("en")} bytes`);
  }
  async function encode() {
    wanted = false;
    if (!original) { say("Drop an original first."); return; }
    say("Compressing and scoring …");
    const q = new URLSearchParams({ image: original, codec: codec.value, quality: quality.value });
    try {
      await open(await ask("/encode?" + q, { method: "POST", body: "" }));
    } catch (error) { say(error.message, true); }
  }
  async function take(file, place) {
    if (!file) return;
    say(`Reading ${file.name} …`);
    try {
      if (place === "drop-a") {
        const got = await ask("/drop?" + new URLSearchParams({ name: file.name }), { method: "POST", body: file });
        original = got.image;
        at(place).querySelector("span").textContent = `${got.image}, ${got.width}×${got.height}, ${got.bytes.toLocaleString("en")} bytes`;
        await encode();
      } else if (original) {
        await open(await ask("/pair?" + new URLSearchParams({ name: file.name, with: original }), { method: "POST", body: file }));
        at(place).querySelector("span").textContent = file.name;
      } else say("Drop the original first.", true);
    } catch (error) { say(error.message, true); }
  }
  for (const id of ["drop-a", "drop-b"]) {
    const zone = at(id);
    zone.querySelector("input").onchange = (e) => { const [file] = e.target.files; later(() => take(file, id)); };
    zone.ondragover = (e) => { e.preventDefault(); zone.classList.add("hot"); };
    zone.ondragleave = () => zone.classList.remove("hot");
    zone.ondrop = (e) => { e.preventDefault(); zone.classList.remove("hot"); const [file] = e.dataTransfer.files; later(() => take(file, id)); };
  }
  codec.onchange = () => { ranges(); if (original) again(); };
  quality.oninput = show;
  quality.onchange = again;
  ranges();
})();
