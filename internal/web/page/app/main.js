// Ties the page together: what is looked at, by which models, and what happens when anything changes.
import { $, el, icon, percent, settled } from "./dom.js";
import { configure, hasToken } from "./api.js";
import * as notice from "./notice.js";
import { above, inWords, itemsOf } from "./items.js";
import { ask, explain, fieldsOf, tasks, wanted } from "./look.js";
import { intake, pictureFrom, pictureOf } from "./picture.js";
import { Live } from "./live.js";
import { Viewer } from "./viewer.js";
import { keptBack, markRow, showResults } from "./results.js";
import { Chat } from "./chat.js";
import { coco, copy, png, pretty, resultOf, save } from "./export.js";
import { snippets } from "./snippet.js";

const state = {
  cards: [], // of the models on offer
  lanes: [], // one, or two to compare
  shown: 0, // the lane whose results are listed
  picture: null,
  chosen: new Set(["classify", "segment", "pose", "caption"]),
  query: "", labels: "",
  threshold: .3,
  show: { boxes: true, masks: true, joints: true, labels: true },
  live: null,
  chat: null,
  code: "json",
};

/** A lane is a model with what it has found in the picture. */
class Lane {
  constructor(card) {
    Object.assign(this, { card, model: card.name, results: {}, items: [], keys: {}, aborts: {}, pending: 0, hover: null, pinned: null, heat: null, asked: false });
    this.viewer = new Viewer(() => ({
      picture: state.picture, items: this.items, threshold: state.threshold, show: state.show, active: this.hover ?? this.pinned, heat: this.heat, tag: state.lanes.length > 1 ? this.model : "",
    }), (id) => hover(this, id), (id) => pin(this, id));
  }

  /** Forgets what was found; another picture has come. */
  reset() {
    for (const a of Object.values(this.aborts)) a.abort();
    Object.assign(this, { results: {}, items: [], keys: {}, aborts: {}, hover: null, pinned: null, heat: null });
  }
}

const lane = () => state.lanes[state.shown] ?? state.lanes[0];

// What is asked

/** Asks for everything that is wanted and not there, of every lane, and drops what is no longer wanted. */
async function update() {
  const { picture } = state;
  if (!picture || state.live) return refresh();
  const work = [];
  for (const l of state.lanes) {
    const list = wanted(state.chosen, l.card);
    for (const { id } of tasks) {
      if (list.includes(id)) continue;
      l.aborts[id]?.abort();
      delete l.aborts[id];
      delete l.keys[id];
      delete l.results[id];
    }
    l.items = itemsOf(l.results);
    for (const task of list) {
      const fields = fieldsOf(task, l.model, state), key = JSON.stringify([picture.id, fields]);
      if (l.keys[task] === key) continue;
      l.keys[task] = key;
      l.aborts[task]?.abort();
      work.push(lookOne(l, task, picture, fields));
    }
  }
  refresh();
  if (!work.length) return;
  const ok = (await Promise.all(work)).every(Boolean);
  if (ok && state.lanes.every((l) => l.pending === 0)) notice.announce(state.lanes.map((l) => (state.lanes.length > 1 ? l.model + ": " : "") + spoken(l)).join(". "));
}

function spoken(l) {
  const list = above(l.items, state.threshold), parts = [];
  if (l.results.caption && !keptBack(l.results)) parts.push(l.results.caption.caption);
  if (l.results.detect || l.results.segment || l.results.pose) parts.push("Found " + (inWords(list) || "nothing"));
  return parts.join(". ") || "Done";
}

/** Asks one model for one task; says whether that went well. */
async function lookOne(l, task, picture, fields) {
  const abort = l.aborts[task] = new AbortController();
  l.asked = true;
  l.pending++;
  busyChips();
  try {
    const r = await notice.busy(ask(task, picture, fields, abort.signal));
    if (l.aborts[task] !== abort) return false;
    if (!picture.width) sized(picture, r);
    l.results[task] = r;
    l.items = itemsOf(l.results);
    notice.clear("look");
    return true;
  } catch (fault) {
    if (l.aborts[task] !== abort || !fault.code) {
      if (!fault.code) throw fault;
      return false;
    }
    delete l.keys[task];
    delete l.results[task];
    l.items = itemsOf(l.results);
    if (fault.code === "network") notice.whenBack(settledUpdate);
    else notice.failed("look", fault, fault.code.startsWith("image.") ? undefined : { label: "Try again", run: update });
    return false;
  } finally {
    if (l.aborts[task] === abort) delete l.aborts[task];
    l.pending--;
    busyChips();
    refresh();
  }
}

const settledUpdate = settled(update, 50);

/** The browser cannot show this picture, and the server has said how large it is. */
function sized(picture, { width, height }) {
  Object.assign(picture, { width, height });
  notice.tell("format", "Your browser cannot show this format, so what was found is drawn on an empty ground.", { bad: false });
  layout();
}

// What is shown

let refreshing;
/** Brings list, pictures and code up to date at the next frame. */
function refresh() {
  refreshing ??= requestAnimationFrame(() => {
    refreshing = undefined;
    const l = lane();
    if (!l) return;
    showResults(l, state.threshold, { hover: (id) => hover(l, id), pin: (id) => pin(l, id), why: (about, target) => why(l, about, target) });
    markRow(l.hover ?? l.pinned);
    for (const x of state.lanes) x.viewer.draw();
    showCode();
  });
}

function hover(l, id) {
  if (l.hover === id) return;
  l.hover = id;
  l.viewer.draw();
  if (l === lane()) markRow(id ?? l.pinned, id !== null && document.activeElement?.closest("#found") === null);
}

function pin(l, id) {
  l.pinned = l.pinned === id ? null : id;
  if (l !== lane()) showLane(state.lanes.indexOf(l));
  l.viewer.draw();
  markRow(l.pinned);
}

function busyChips() {
  for (const chip of $("tasks").querySelectorAll(".chip")) {
    const id = chip.dataset.task, on = state.lanes.some((l) => l.aborts[id]);
    chip.toggleAttribute("data-busy", on);
  }
  $("found").setAttribute("aria-busy", String(state.lanes.some((l) => l.pending > 0)));
}

/** Gives the pictures as much room as the window has. */
function layout() {
  const views = $("views"), { picture } = state, two = state.lanes.length > 1;
  $("empty").hidden = Boolean(picture);
  for (const id of ["views", "tools"]) $(id).hidden = !picture;
  $("export").hidden = !picture;
  views.classList.toggle("two", two && views.parentElement.clientWidth >= 560);
  if (!picture?.width) return;
  const columns = views.classList.contains("two") ? 2 : 1;
  const width = (views.clientWidth - 2 * (columns - 1)) / columns;
  const height = Math.max(innerWidth >= 900 ? innerHeight - 190 : innerHeight * .62, 280) / (two && columns === 1 ? 1.6 : 1);
  for (const l of state.lanes) l.viewer.fit(width, height);
  $("about-name").textContent = picture.name;
  $("about-size").textContent = picture.width + " × " + picture.height;
}

function place() {
  $("views").replaceChildren(...state.lanes.map((l) => l.viewer.root));
  const lanes = $("lanes");
  lanes.hidden = state.lanes.length < 2;
  lanes.replaceChildren(...state.lanes.map((l, i) => el("button", { type: "button", "aria-pressed": String(i === state.shown), onclick: () => showLane(i) }, l.model)));
  showHeat();
  chips();
  layout();
}

function showLane(i) {
  state.shown = i;
  [...$("lanes").children].forEach((b, k) => b.setAttribute("aria-pressed", String(k === i)));
  refresh();
}

// Where pictures come from

/** Takes a file: a picture or a video. */
async function take(file) {
  if (file.type.startsWith("video/") || /\.(mp4|webm|mov|m4v|mkv)$/i.test(file.name)) return live(() => Live.ofFile(file, frame, transport));
  stopLive();
  const picture = await pictureOf(file);
  show(picture);
}

function show(picture) {
  for (const key of ["look", "format", "video", "heat"]) notice.clear(key);
  for (const l of state.lanes) l.reset();
  state.picture = picture;
  state.chat.turnTo(picture);
  layout();
  showHeat();
  update();
}

async function live(open) {
  stopLive();
  notice.clear("video");
  try {
    state.live = await notice.busy(open());
    $("transport").hidden = false;
    transport();
  } catch (fault) {
    if (!fault.code) throw fault;
    notice.failed("video", fault);
  }
}

/** Looks at one frame with every model; everything changes at once when all have answered. */
async function frame(picture) {
  const seen = state.live;
  const found = await Promise.all(state.lanes.map(async (l) => {
    const list = wanted(state.chosen, l.card);
    try {
      const results = await Promise.all(list.map((t) => ask(t, picture, fieldsOf(t, l.model, state))));
      return [l, Object.fromEntries(list.map((t, i) => [t, results[i]]))];
    } catch (fault) {
      if (!fault.code) throw fault;
      seen?.play(false);
      notice.failed("look", fault, { label: "Go on", run: () => seen?.play(true) });
      return [l, {}];
    }
  }));
  if (seen && seen.over) return;
  const first = !state.picture || state.picture.width !== picture.width || state.picture.height !== picture.height;
  state.picture = picture;
  for (const [l, results] of found) Object.assign(l, { results, items: itemsOf(results), keys: {}, heat: null, asked: true });
  if (first) layout();
  refresh();
}

/** Shows how a video or a camera is doing. */
function transport() {
  const l = state.live;
  if (!l) return;
  $("fps").textContent = l.fps ? l.fps.toFixed(1) + " fps" : "…";
  $("play").replaceChildren(icon(l.playing ? "pause" : "play"), el("span", { className: "sr" }, l.playing ? "Pause" : "Play"));
  $("play").setAttribute("aria-pressed", String(l.playing));
  $("seek").parentElement.hidden = $("step").hidden = l.camera;
  $("shot").hidden = !l.camera;
  const at = l.video.duration ? 1000 * l.video.currentTime / l.video.duration : 0;
  if (document.activeElement !== $("seek")) $("seek").value = at;
  fill($("seek"));
  if (state.picture) $("about-name").textContent = l.name;
}

/** Ends a video or a camera; its last frame stays as a picture. */
function stopLive() {
  if (!state.live) return;
  state.live.stop();
  state.live = null;
  $("transport").hidden = true;
}

async function freeze() {
  stopLive();
  const p = state.picture;
  if (p) show(pictureFrom(p.bitmap, p.blob, p.name));
}

// What answers rest on

async function why(l, about, target, picture = state.picture) {
  if (state.live) await freeze();
  notice.clear("heat");
  try {
    const r = await notice.busy(explain(picture, { ...about, model: l.model }));
    if (picture !== state.picture) return;
    for (const x of state.lanes) x.heat = null;
    l.heat = { ...r.regions, target };
    l.hover = null;
    showHeat();
    l.viewer.draw();
    $("stage").scrollIntoView({ block: "nearest", behavior: "smooth" });
    notice.announce("The picture shows what " + target + " rests on.");
  } catch (fault) {
    if (!fault.code) throw fault;
    notice.failed("heat", fault);
  }
}

function showHeat() {
  const l = state.lanes.find((x) => x.heat);
  $("heat").hidden = !l;
  if (l) $("heat-text").textContent = "What " + l.heat.target + " rests on";
}

// Copies

function showCode() {
  if (!state.picture || !lane()) return;
  $("code").textContent = code(20000);
}

function code(limit = Infinity) {
  const l = lane();
  if (state.code === "json") {
    const text = pretty(resultOf(l, state.threshold));
    return text.length > limit ? text.slice(0, limit) + "\n… and more; Copy takes all of it" : text;
  }
  const fields = (t) => ({ ...fieldsOf(t, l.model, state), ...(t === "classify" || t === "caption" ? {} : { threshold: String(state.threshold) }) });
  const calls = wanted(state.chosen, l.card).map((task) => ({ task, fields: fields(task) }));
  return snippets[state.code]({ origin: location.origin, file: state.picture.name, token: hasToken(), calls });
}

function codeTabs() {
  const names = { json: "JSON", curl: "curl", python: "Python", go: "Go" }, ids = Object.keys(names);
  const select = (id) => {
    state.code = id;
    for (const b of $("code-tabs").children) {
      b.setAttribute("aria-selected", String(b.dataset.id === id));
      b.tabIndex = b.dataset.id === id ? 0 : -1;
    }
    $("code").setAttribute("aria-labelledby", "tab-" + id);
    showCode();
  };
  $("code-tabs").append(...ids.map((id) => el("button", { type: "button", role: "tab", id: "tab-" + id, "data-id": id, "aria-controls": "code", onclick: () => select(id) }, names[id])));
  $("code-tabs").addEventListener("keydown", (e) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!step) return;
    const id = ids[(ids.indexOf(state.code) + step + ids.length) % ids.length];
    select(id);
    $("tab-" + id).focus();
  });
  select("json");
  $("copy").addEventListener("click", async () => {
    const done = await copy(code()), label = $("copy").lastElementChild;
    label.textContent = done ? "Copied" : "Failed";
    notice.announce(done ? "Copied" : "The browser did not allow copying");
    setTimeout(() => { label.textContent = "Copy"; }, 1500);
  });
  const stem = () => state.picture.name.replace(/\.[^.]*$/, "");
  $("save-png").addEventListener("click", async () => save(await png(state.picture, above(lane().items, state.threshold), state.show, lane().heat), stem() + "-fovea.png"));
  $("save-coco").addEventListener("click", () => save(new Blob([JSON.stringify(coco(state.picture, lane().items, state.threshold, lane().card.skeleton?.bones))], { type: "application/json" }), stem() + "-coco.json"));
}

// Controls

function chips() {
  $("tasks").querySelectorAll(".chip").forEach((c) => c.remove());
  const can = (id) => state.lanes.some((l) => l.card.tasks.includes(id));
  for (const t of tasks) {
    const box = el("input", { type: "checkbox", checked: can(t.id) && state.chosen.has(t.id), disabled: !can(t.id), onchange: () => {
      if (box.checked) state.chosen.add(t.id);
      else state.chosen.delete(t.id);
      fields();
      update();
    } });
    $("tasks").append(el("label", { className: "chip", "data-task": t.id, title: can(t.id) ? t.says : "This model cannot do that" }, box, el("span", {}, t.name)));
  }
  fields();
}

function fields() {
  const on = (...ids) => ids.some((id) => state.chosen.has(id));
  $("query-field").hidden = !on("detect", "segment");
  $("labels-field").hidden = !on("classify");
}

function fill(range) {
  range.style.setProperty("--at", 100 * (range.value - range.min) / (range.max - range.min) + "%");
}

function controls() {
  for (const [id, key] of [["query", "query"], ["labels", "labels"]]) {
    const changed = settled(() => {
      const text = $(id).value.trim();
      if (state[key] === text) return;
      state[key] = text;
      update();
    }, 450);
    $(id).addEventListener("input", changed);
  }
  $("threshold").addEventListener("input", () => {
    state.threshold = $("threshold").value / 100;
    $("threshold-value").textContent = percent(state.threshold);
    fill($("threshold"));
    refresh();
  });
  fill($("threshold"));
  for (const key of Object.keys(state.show)) {
    $("show-" + key).addEventListener("change", (e) => {
      state.show[key] = e.target.checked;
      refresh();
    });
  }
  $("heat-off").addEventListener("click", () => {
    for (const l of state.lanes) l.heat = null;
    showHeat();
    refresh();
  });
  for (const b of document.querySelectorAll(".pick-camera")) b.addEventListener("click", () => live(() => Live.ofCamera(frame, transport)));
  $("sample").addEventListener("click", async () => {
    const res = await notice.busy(fetch("/park.png"));
    take(new File([await res.blob()], "park.png", { type: "image/png" }));
  });
  $("play").addEventListener("click", () => state.live?.play(!state.live.playing));
  $("step").addEventListener("click", () => state.live?.step());
  $("seek").addEventListener("input", () => state.live?.seek($("seek").value / 1000 * state.live.video.duration));
  $("shot").addEventListener("click", freeze);
  $("stop").addEventListener("click", freeze);
  document.addEventListener("keydown", (e) => {
    if (e.key !== "Escape") return;
    for (const l of state.lanes) l.hover = l.pinned = l.heat = null;
    showHeat();
    refresh();
  });
  new ResizeObserver(layout).observe($("stage"));
  addEventListener("resize", layout);
}

function theme() {
  const names = { auto: ["auto", "Theme: as the system"], light: ["sun", "Theme: light"], dark: ["moon", "Theme: dark"] };
  const label = (t) => {
    $("theme").replaceChildren(icon(names[t][0]), el("span", { className: "sr" }, names[t][1]));
    $("theme").title = names[t][1];
  };
  label(window.foveaTheme.read());
  $("theme").addEventListener("click", () => label(window.foveaTheme.next()));
}

// Models

function models() {
  const options = () => state.cards.map((c) => el("option", { value: c.name }, c.name));
  $("model").replaceChildren(...options());
  $("other").replaceChildren(...options());
  const cardOf = (name) => state.cards.find((c) => c.name === name);
  const replace = (i, name) => {
    state.lanes[i]?.reset();
    state.lanes[i] = new Lane(cardOf(name));
    place();
    update();
  };
  $("model").addEventListener("change", () => replace(0, $("model").value));
  $("other").addEventListener("change", () => replace(1, $("other").value));
  $("compare").addEventListener("click", () => {
    const on = state.lanes.length < 2;
    if (on && state.cards.length < 2) {
      notice.tell("compare", el("span", {}, "This server has one model. Start it with two to compare them: ", el("code", {}, "fovea serve --model nano --model FOLDER")), { bad: false });
      return;
    }
    $("compare").setAttribute("aria-pressed", String(on));
    $("other-pick").hidden = !on;
    if (on) {
      $("other").value = (state.cards.find((c) => c.name !== $("model").value) ?? state.cards[0]).name;
      replace(1, $("other").value);
    } else {
      state.lanes[1].reset();
      state.lanes.length = 1;
      state.shown = 0;
      place();
      refresh();
    }
  });
  replace(0, state.cards[0].name);
}

/** Asks the visitor for a token. */
function token() {
  const dialog = $("token");
  $("token-value").value = "";
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => done($("token-value").value.trim()), { once: true }));
}

async function start() {
  let asking; // one question for all the requests that want a token
  configure({
    token: () => (asking ??= token().finally(() => { asking = undefined; })),
    waiting: (fault) => notice.announce(fault.message),
    network: notice.heard,
  });
  theme();
  codeTabs();
  controls();
  intake(take);
  notice.watch();
  const cards = async () => {
    try {
      state.cards = await notice.cards();
      models();
    } catch (fault) {
      if (!fault.code) throw fault;
      if (fault.code === "network") notice.whenBack(cards);
      else notice.failed("cards", fault, { label: "Try again", run: cards });
    }
  };
  await cards();
  state.chat = new Chat(() => ({ picture: state.picture, lanes: state.lanes }), why);
  if (state.picture) update();
}

start();
