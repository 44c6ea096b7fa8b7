// Drives the playground in Chromium: node check.mjs FOVEA PICTURE CHROMIUM MODEL, where MODEL is a copy of the default one. It starts servers of its own, and ends with 1
// and the reason at the first thing that is not as visitors expect it.
import assert from "node:assert";
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { idle, serve as startServer } from "./server.mjs";

const [fovea, picture, browserPath, second] = process.argv.slice(2);
const axeSource = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const name = path.basename(picture);

const serve = (...flags) => startServer(fovea, ...flags);
const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"] });
const complaints = [];

/** A page whose console, errors and requests to others are complaints; `expected` are lines of the console that a test provokes. */
async function open(url, { width = 1280, height = 900, expected = /^$/, ...context } = {}) {
  const c = await browser.newContext({ viewport: { width, height }, permissions: ["clipboard-read", "clipboard-write", "camera"], ...context });
  const p = await c.newPage();
  p.setDefaultTimeout(60000);
  p.on("console", (m) => { if (["error", "warning"].includes(m.type()) && !expected.test(m.text()) && !/willReadFrequently/.test(m.text())) // this check reads the canvas, the page does not
      complaints.push("console: " + m.text()); });
  p.on("pageerror", (e) => complaints.push("error: " + e.message));
  p.on("request", (r) => { if (!r.url().startsWith(url) && !/^(blob|data):/.test(r.url())) complaints.push("a request to " + r.url()); });
  await p.goto(url);
  await p.waitForSelector("#model option", { state: "attached" });
  await p.waitForSelector(".chip");
  return p;
}

const rows = (p) => p.$$eval("#found tr[data-id]", (list) => list.map((r) => [...r.cells].slice(0, 2).map((c) => c.innerText.trim()).join(" ").replace(/\s+/g, " ")));

async function drop(p, file, type = "image/png") {
  const data = fs.readFileSync(file).toString("base64");
  const transfer = await p.evaluateHandle(([data, name, type]) => {
    const t = new DataTransfer();
    t.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name, { type }));
    return t;
  }, [data, path.basename(file), type]);
  for (const e of ["dragenter", "dragover", "drop"]) await p.dispatchEvent("#stage", e, { dataTransfer: transfer });
}

async function only(p, ...tasks) {
  for (const chip of await p.$$(".chip")) {
    const want = tasks.includes(await chip.getAttribute("data-task")), box = await chip.$("input");
    if ((await box.isChecked()) !== want) await box.setChecked(want);
  }
  await idle(p);
  await p.waitForTimeout(150);
}

async function axe(p, what) {
  await p.evaluate(axeSource);
  const { violations } = await p.evaluate(() => axe.run());
  for (const v of violations) complaints.push(`axe, ${what}: ${v.id}: ${v.help}: ${v.nodes.map((n) => n.target).join(", ")}`);
}

/** How much each of some places (pixels of the picture) differs between what is drawn and the bare picture. */
const differs = (p, places) => p.evaluate(async (places) => {
  const canvas = document.querySelector(".view canvas"), [w, h] = document.querySelector("#about-size").textContent.split(" × ").map(Number);
  const scale = canvas.width / w, bare = new OffscreenCanvas(canvas.width, canvas.height);
  const ctx = bare.getContext("2d");
  ctx.imageSmoothingQuality = "high";
  ctx.drawImage(await createImageBitmap(await (await fetch("/park.png")).blob()), 0, 0, bare.width, bare.height);
  const a = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height), b = ctx.getImageData(0, 0, canvas.width, canvas.height);
  return places.map(([x, y]) => {
    const i = 4 * (Math.round(Math.min(y * scale, canvas.height - 1)) * canvas.width + Math.round(Math.min(x * scale, canvas.width - 1)));
    return Math.max(...[0, 1, 2].map((k) => Math.abs(a.data[i + k] - b.data[i + k])));
  });
}, places);

/** Runs what the page gives to copy beside the picture, where its language is, and looks for an answer of every task that is shown. */
function runSnippet(id, text) {
  const program = { curl: ["sh", "-c", text], python: ["python3", "-c", text], go: ["go", "run", "snippet.go"] }[id];
  if (!program) return;
  const needs = id === "curl" ? "curl" : program[0], cwd = path.join(path.dirname(process.argv[1]), "snippets");
  if (spawnSync("which", [needs]).status !== 0) return console.log(`skipped: the snippet of ${id} needs ${needs}, and there is none here`);
  fs.mkdirSync(cwd, { recursive: true });
  fs.copyFileSync(picture, path.join(cwd, name));
  fs.writeFileSync(path.join(cwd, "snippet.go"), text);
  const out = execFileSync(program[0], program.slice(1), { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  for (const task of ["segment", "pose", "classify", "caption"]) assert.match(out, new RegExp(`['"]task['"]: ?['"]${task}['"]`), `the snippet of ${id} answers ${task}`);
}

/** How much each of some places of a picture that was taken along differs from the bare one. */
const differsFrom = (p, file, places) => p.evaluate(async ([file, places]) => {
  const pixels = async (blob) => {
    const bitmap = await createImageBitmap(blob), ctx = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    ctx.drawImage(bitmap, 0, 0);
    return ctx.getImageData(0, 0, bitmap.width, bitmap.height);
  };
  const a = await pixels(new Blob([Uint8Array.from(atob(file), (c) => c.charCodeAt(0))])), b = await pixels(await (await fetch("/park.png")).blob());
  if (a.width !== b.width || a.height !== b.height) return [];
  return places.map(([x, y]) => Math.max(...[0, 1, 2].map((k) => Math.abs(a.data[4 * (Math.round(y) * a.width + Math.round(x)) + k] - b.data[4 * (Math.round(y) * a.width + Math.round(x)) + k]))));
}, [file.toString("base64"), places]);

function cli(task) { return JSON.parse(execFileSync(fovea, [task, picture, "--json"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })); }

/** The pixels of COCO's compressed run lengths. */
function pixelsOf({ size: [h], counts }) {
  const runs = [];
  for (let at = 0; at < counts.length;) {
    let x = 0, k = 0, more = 1;
    while (more) {
      const c = counts.charCodeAt(at++) - 48;
      x |= (c & 31) << (5 * k++);
      more = c & 32;
      if (!more && c & 16) x |= -1 << (5 * k);
    }
    runs.push(runs.length > 2 ? x + runs[runs.length - 2] : x);
  }
  const on = new Set();
  let at = 0;
  runs.forEach((n, i) => { for (let k = at; i % 2 && k < at + n; k++) on.add(k); at += n; });
  return { has: (x, y) => on.has(x * h + y), size: on.size };
}

async function tasks(url) {
  const p = await open(url);
  await axe(p, "empty");
  await drop(p, picture);
  await idle(p);
  await axe(p, "with results");
  const show = async (...on) => { for (const k of ["boxes", "masks", "joints", "labels"]) await p.setChecked("#show-" + k, on.includes(k)); await p.waitForTimeout(120); };

  await only(p, "detect");
  await show("boxes");
  const found = cli("detect").objects;
  assert.deepEqual(await rows(p), found.map((o) => `${o.label} ${o.score >= .9995 ? 100 : Math.round(100 * o.score)} %`), "detect: rows");
  for (const { box: [x0, y0, x1, y1], label } of found) {
    const edge = await differs(p, [[x0, (y0 + y1) / 2], [x1, (y0 + y1) / 2], [(x0 + x1) / 2, y0], [(x0 + x1) / 2, y1]]);
    assert.ok(Math.min(...edge) > 20, `detect: the box of the ${label} is not where it should be: ${edge}`);
  }
  const grid = [];
  for (let y = 12; y < 480; y += 24) for (let x = 12; x < 640; x += 24) if (!found.some(({ box: b }) => Math.abs(x - b[0]) < 5 || Math.abs(x - b[2]) < 5 || Math.abs(y - b[1]) < 5 || Math.abs(y - b[3]) < 5)) grid.push([x, y]);
  assert.ok(Math.max(...await differs(p, grid)) <= 3, "detect: something is drawn beside the boxes");

  await only(p, "segment");
  await show("masks");
  let agree = 0, all = 0;
  const masks = cli("segment").objects.map((o) => ({ ...o, pixels: pixelsOf(o.mask) })), places = [];
  const near = (m, x, y, want) => [-5, 0, 5].every((dx) => [-5, 0, 5].every((dy) => m.pixels.has(x + dx, y + dy) === want));
  for (let y = 6; y < 474; y += 6) for (let x = 6; x < 634; x += 6) {
    if (masks.some((m) => near(m, x, y, true))) places.push([x, y, true]);
    else if (masks.every((m) => near(m, x, y, false))) places.push([x, y, false]);
  }
  const seen = await differs(p, places.map(([x, y]) => [x + .5, y + .5]));
  places.forEach(([, , inside], i) => { all++; if (seen[i] > 3 === inside) agree++; });
  assert.ok(agree / all > .995, `segment: ${agree} of ${all} places are drawn as the masks say`);

  await only(p, "pose");
  await show("joints");
  const joints = cli("pose").people.flatMap((q) => q.joints.map((j) => [j.x, j.y]));
  const drawn = await differs(p, joints);
  assert.ok(joints.length && drawn.every((d) => d > 15), `pose: joints are not drawn where they are: ${drawn}`);

  await only(p, "classify");
  const best = cli("classify").classes[0].label;
  assert.ok((await p.innerText("#found tbody tr >> nth=0")).startsWith(best), "classify: " + best);
  await only(p, "caption");
  assert.ok((await p.innerText("#found .says")).includes(cli("caption").caption), "caption");

  await only(p, "segment", "pose", "classify", "caption");
  await show("boxes", "masks", "joints", "labels");
  const before = (await rows(p)).length, asked = [];
  p.on("request", (r) => { if (r.method() === "POST") asked.push(r.url()); });
  await p.focus("#threshold");
  await p.keyboard.press("End");
  await p.waitForTimeout(200);
  assert.ok((await rows(p)).length < before && asked.length === 0, "the threshold acts in the page");
  await p.keyboard.press("Home");
  await p.waitForTimeout(200);
  assert.ok((await rows(p)).length >= before, "the lowest threshold shows all");
  await p.fill("#threshold", "30");

  // The rows are made anew after the threshold moved, a frame later than that or, on a busy machine, more.
  const lit = () => p.getAttribute("#found tr[data-id] >> nth=0", "class");
  for (let i = 0; i < 20 && (await lit()) !== "on"; i++) {
    await p.focus("#found tr[data-id] .name >> nth=0");
    await p.waitForTimeout(150);
  }
  assert.equal(await lit(), "on", "the keyboard highlights a row");
  await p.$eval("#found tr[data-id] .name", (e) => e.blur());
  const b = found[0].box, c = await p.locator(".view canvas").boundingBox();
  await p.mouse.move(c.x + (b[0] + b[2]) / 2 * c.width / 640, c.y + (b[1] + b[3]) / 2 * c.height / 480);
  await p.waitForSelector(`#found tr.on:has-text("${found[0].label}")`);
  await p.mouse.move(5, 5);

  for (const [id, has] of [["json", '"task": "look"'], ["curl", "curl -F image=@" + name], ["python", "urllib.request"], ["go", "package main"]]) {
    await p.click("#tab-" + id);
    await p.click("#copy");
    const text = await p.evaluate(() => navigator.clipboard.readText());
    assert.ok(text.includes(has), "copy as " + id);
    runSnippet(id, text);
  }
  const edges = found.map(({ box: [x0, y0, , y1] }) => [x0, (y0 + y1) / 2]);
  for (const [id, check] of [["png", async (b) => (await differsFrom(p, b, edges)).filter((d) => d > 20).length === edges.length && Math.max(...await differsFrom(p, b, [[8, 200], [630, 300]])) === 0], ["coco", (b) => { const j = JSON.parse(b); return j.annotations.length === before && j.images[0].width === 640 && j.annotations.every((a) => a.segmentation && j.categories.some((k) => k.id === a.category_id)); }]]) {
    const [file] = await Promise.all([p.waitForEvent("download"), p.click("#save-" + id)]);
    assert.ok(await check(fs.readFileSync(await file.path())), "download " + file.suggestedFilename());
  }

  await p.fill("#question", "How many people are there?");
  await p.keyboard.press("Enter");
  await p.waitForSelector(".turn.bot:not(.busy)");
  const answer = JSON.parse(execFileSync(fovea, ["ask", picture, "How many people are there?", "--json"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })).answer;
  assert.equal(await p.innerText(".turn.bot .words"), answer, "chat");
  await axe(p, "after a chat");
  await p.click(".turn.bot .foot button");
  await p.waitForSelector("#heat:not([hidden])");
  await p.waitForTimeout(150);
  assert.ok((await differs(p, grid)).filter((d) => d > 3).length > grid.length / 2, "the heat map is drawn");
  await axe(p, "with a heat map");
  await p.keyboard.press("Escape");
  const first = await rows(p);
  await p.click("#compare");
  await p.waitForFunction(() => document.querySelectorAll(".view").length === 2);
  await p.waitForFunction(() => document.querySelectorAll("#lanes button").length === 2);
  await idle(p);
  await p.click("#lanes button >> nth=1");
  await p.waitForFunction((n) => document.querySelectorAll("#found tr[data-id]").length === n, first.length);
  assert.deepEqual(await rows(p), first, "the second model, a copy of the first, finds the same");
  const [left, right] = await p.$$eval(".view canvas", (list) => list.map((c) => c.getBoundingClientRect().toJSON()));
  assert.ok(left.right <= right.left && left.top === right.top && left.width === right.width, "two models stand side by side");
  await axe(p, "comparing");
  await p.click("#compare");
  await p.waitForFunction(() => document.querySelectorAll(".view").length === 1);
  await p.context().close();
}

/** What is but a guess is not told as a fact: it is there for those who unfold it, and for those who asked for nothing else. */
async function guesses(url) {
  const p = await open(url);
  const photo = path.join(path.dirname(picture), "astronaut.jpg");
  await drop(p, photo, "image/jpeg");
  await idle(p);
  await p.waitForFunction(() => document.querySelectorAll("#found .folded").length === 2);
  const { caption } = JSON.parse(execFileSync(fovea, ["caption", photo, "--json"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  assert.ok(!(await p.innerText("#found")).includes(caption), "a guess is told as a fact");
  await axe(p, "with guesses");
  await p.focus("#found .folded summary >> nth=0");
  await p.keyboard.press("Enter");
  assert.ok((await p.innerText("#found")).includes(caption), "a guess can be seen");
  await only(p, "caption");
  assert.ok(/a guess/.test(await p.innerText("#found .says")), "a description that was asked for is called a guess");
  await p.context().close();
}

async function themes(url) {
  for (const width of [390, 1024, 1600]) {
    for (const colorScheme of ["light", "dark"]) {
      const p = await open(url, { width, height: 850, colorScheme });
      const ground = await p.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number)[0]);
      assert.ok(colorScheme === "light" ? ground > 200 : ground < 60, colorScheme + ": " + ground);
      await p.click("#sample");
      await idle(p);
      const wide = await p.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `the page is ${wide} pixels too wide at ${width}`);
      await axe(p, width + " " + colorScheme);
      if (width === 390) {
        const order = await p.$$eval("#stage, #tasks, #results, #ask, #export", (list) => list.map((e) => [e.getBoundingClientRect().top, e.id]).sort((a, b) => a[0] - b[0]).map((e) => e[1]));
        assert.deepEqual(order, ["stage", "tasks", "results", "ask", "export"], "one below the other on a phone");
        for (let i = 0; i < 3; i++) await p.click("#theme");
        await p.click("#theme");
        assert.equal(await p.evaluate(() => document.documentElement.dataset.theme), "light", "the theme's button");
      }
      await p.context().close();
    }
  }
}

/** Every way in: the clipboard, a chosen file, a video file, the camera. */
async function inputs(url) {
  const p = await open(url);
  const file = { name, mimeType: "image/png", buffer: fs.readFileSync(picture) };
  await p.evaluate(async (data) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    await navigator.clipboard.write([new ClipboardItem({ "image/png": new Blob([bytes], { type: "image/png" }) })]);
  }, file.buffer.toString("base64"));
  await p.keyboard.press("Control+V");
  await p.waitForFunction(() => document.querySelector("#about-size").textContent === "640 × 480");
  await idle(p);
  const found = await rows(p);
  assert.ok(found.length > 0, "a pasted picture is looked at");

  await p.setInputFiles("#file", file);
  await p.waitForFunction((name) => document.querySelector("#about-name").textContent === name, name);
  await idle(p);
  assert.deepEqual(await rows(p), found, "a chosen file is found what a pasted one was");
  await p.fill("#question", "How many people are there?");
  await p.keyboard.press("Enter");
  await p.waitForSelector(".turn.bot:not(.busy)");
  for (let i = 0; i < 2; i++) {
    await p.setInputFiles("#file", { ...file, name: i + name });
    await p.waitForFunction((text) => document.querySelector("#log").lastElementChild.textContent === text, "About " + i + name);
  }
  assert.equal(await p.locator(".sep").count(), 1, "what was said stays with its picture");
  await idle(p);

  const video = Buffer.from(await p.evaluate(async () => {
    const bitmap = await createImageBitmap(await (await fetch("/park.png")).blob());
    const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 }), ctx = canvas.getContext("2d");
    const parts = [], recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: "video/webm" });
    recorder.ondataavailable = (e) => parts.push(e.data);
    const ended = new Promise((done) => { recorder.onstop = done; });
    recorder.start();
    for (let i = 0; i < 30; i++) {
      ctx.drawImage(bitmap, -i, 0, 320, 240);
      await new Promise((next) => setTimeout(next, 50));
    }
    recorder.stop();
    await ended;
    return [...new Uint8Array(await new Blob(parts).arrayBuffer())];
  }));
  const fps = () => p.waitForFunction(() => /^\d+\.\d fps$/.test(document.querySelector("#fps").textContent));
  await p.setInputFiles("#file", { name: "walk.webm", mimeType: "video/webm", buffer: video });
  await fps();
  await p.waitForSelector("#found tr[data-id]");
  assert.ok((await p.innerText("#about-size")) === "320 × 240" && (await p.innerText("#about-name")) === "walk.webm", "a video's frames are looked at");
  await axe(p, "with a video");
  await p.click("#step");
  assert.equal(await p.getAttribute("#play", "aria-pressed"), "false", "stepping pauses");
  await p.click("#play");
  assert.equal(await p.getAttribute("#play", "aria-pressed"), "true", "it plays on");
  await p.click("#stop");
  await p.waitForSelector("#transport", { state: "hidden" });
  await p.setInputFiles("#file", { name: "broken.mp4", mimeType: "video/mp4", buffer: Buffer.from("no video") });
  await p.waitForSelector('.notice.bad[data-key="video"]');

  await p.click(".tools .pick-camera");
  await fps();
  await axe(p, "with a camera");
  await p.click("#shot");
  await p.waitForSelector("#transport", { state: "hidden" });
  await idle(p);
  await p.context().close();
}

async function failures(url, stop) {
  const p = await open(url, { expected: /Failed to load resource/ });
  const bad = path.join(path.dirname(process.argv[1]), "broken.png");
  fs.writeFileSync(bad, fs.readFileSync(picture).subarray(0, 3000));
  await drop(p, bad);
  await p.waitForSelector('.notice.bad[role="alert"]');
  assert.match(await p.innerText(".notice.bad"), /picture/i);
  fs.writeFileSync(bad, "no picture");
  await drop(p, bad);
  await p.waitForSelector(".notice.bad");
  await axe(p, "with an error");
  await drop(p, picture);
  await p.waitForSelector('.notice[data-key="look"]', { state: "detached" }); // the error goes when a picture works
  await p.waitForSelector("#found tr[data-id]");
  await idle(p);

  await stop();
  await p.fill("#question", "What is this?");
  await p.click("#send");
  await p.waitForSelector(".turn.bot.bad");
  await p.waitForSelector('.notice[data-key="away"]');
  assert.equal(await p.getAttribute("#server", "data-state"), "bad");
  await axe(p, "without a server");
  await p.context().close();
}

async function token(url) {
  const p = await browser.newPage();
  await p.goto(url);
  await p.fill("#token-value", "wrong-token");
  await p.keyboard.press("Enter");
  await p.waitForTimeout(500);
  await p.waitForSelector("#token[open]");
  await p.fill("#token-value", "right-token");
  await p.keyboard.press("Enter");
  await p.waitForSelector("#model option", { state: "attached" });
  await p.click("#compare");
  await p.waitForSelector('.notice[data-key="compare"]'); // there is no second model
  await p.close();
}

process.on("uncaughtException", (e) => {
  console.error(e.message, complaints); // the whole error holds the whole browser
  process.exit(1);
});
try {
  const s = await serve("--model", "nano", "--model", second);
  await tasks(s.url);
  console.log("tasks: ok");
  await guesses(s.url);
  console.log("guesses: ok");
  await themes(s.url);
  console.log("themes and widths: ok");
  await inputs(s.url);
  console.log("clipboard, files, video, camera: ok");
  await failures(s.url, s.stop);
  console.log("failures: ok");
  const closed = await serve("--token", "right-token");
  await token(closed.url);
  await closed.stop();
  console.log("token: ok");
} finally {
  await browser.close();
}
assert.deepEqual(complaints, []);
console.log("playground: no complaint of console, network or axe");
