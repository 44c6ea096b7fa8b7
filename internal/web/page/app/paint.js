// Draws what was found: on the screen, and in the picture that is saved.
import { inkOn, shapeOf } from "./items.js";
import { percent } from "./dom.js";

const bones = [["left_ankle", "left_knee"], ["left_knee", "left_hip"], ["right_ankle", "right_knee"], ["right_knee", "right_hip"], ["left_hip", "right_hip"],
  ["left_shoulder", "left_hip"], ["right_shoulder", "right_hip"], ["left_shoulder", "right_shoulder"], ["left_shoulder", "left_elbow"], ["right_shoulder", "right_elbow"],
  ["left_elbow", "left_wrist"], ["right_elbow", "right_wrist"], ["nose", "left_eye"], ["nose", "right_eye"], ["left_eye", "left_ear"], ["right_eye", "right_ear"]];
const sides = { left: "#ffa630", right: "#4db5ff", middle: "#6be39b" };
const sideOf = (...names) => ["left", "right"].find((s) => names.every((n) => n.startsWith(s))) ?? "middle";

/**
 * Draws a picture and what was found in it over the whole of a canvas.
 * o: unit (canvas pixels of a thin line), show {boxes, masks, joints, labels}, active (an item's id), heat.
 */
export function paint(ctx, picture, items, o) {
  const { width, height } = ctx.canvas, scale = width / picture.width;
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.clearRect(0, 0, width, height);
  ctx.imageSmoothingQuality = "high";
  if (picture.bitmap) ctx.drawImage(picture.bitmap, 0, 0, width, height);
  if (o.heat) drawHeat(ctx, o.heat);
  const active = items.find((i) => i.id === o.active);
  if (active && !o.heat) spotlight(ctx, active, scale);
  const order = [...items].sort((a, b) => b.size - a.size);
  for (const i of order) {
    ctx.globalAlpha = active && i !== active ? .25 : 1;
    if (o.show.masks && !o.heat) drawMask(ctx, i, scale, o, i === active);
    if (o.show.boxes) drawBox(ctx, i, scale, o, i === active);
  }
  for (const i of order) {
    ctx.globalAlpha = active && i !== active ? .25 : 1;
    if (o.show.joints && i.joints && !o.heat) drawJoints(ctx, i, scale, o.unit);
  }
  ctx.globalAlpha = 1;
  if (o.show.labels) drawLabels(ctx, active ? [active] : items, scale, o.unit);
}

/** Darkens all but one thing. */
function spotlight(ctx, item, scale) {
  const { width, height } = ctx.canvas, all = new Path2D();
  all.rect(0, 0, width / scale, height / scale);
  const shape = shapeOf(item);
  if (shape) all.addPath(shape);
  else all.rect(item.box[0], item.box[1], item.box[2] - item.box[0], item.box[3] - item.box[1]);
  ctx.setTransform(scale, 0, 0, scale, 0, 0);
  ctx.fillStyle = "rgb(8 10 12 / .5)";
  ctx.fill(all, "evenodd");
  ctx.setTransform(1, 0, 0, 1, 0, 0);
}

function drawMask(ctx, item, scale, { unit }, active) {
  const shape = shapeOf(item);
  if (!shape) return;
  ctx.setTransform(scale, 0, 0, scale, 0, 0);
  ctx.fillStyle = item.colour + (active ? "66" : "59");
  ctx.fill(shape, "evenodd");
  ctx.lineJoin = "round";
  ctx.lineWidth = (active ? 2.5 : 1.6) * unit / scale;
  ctx.strokeStyle = item.colour;
  ctx.stroke(shape);
  ctx.setTransform(1, 0, 0, 1, 0, 0);
}

function drawBox(ctx, { box, colour }, scale, { unit }, active) {
  const [x0, y0, x1, y1] = box.map((v) => v * scale), line = (active ? 3 : 2) * unit;
  ctx.beginPath();
  ctx.roundRect(x0, y0, x1 - x0, y1 - y0, Math.min(4 * unit, (x1 - x0) / 4, (y1 - y0) / 4));
  ctx.lineWidth = line + 1.5 * unit;
  ctx.strokeStyle = "rgb(10 12 14 / .35)";
  ctx.stroke();
  ctx.lineWidth = line;
  ctx.strokeStyle = colour;
  ctx.stroke();
}

function drawJoints(ctx, { joints, box }, scale, unit) {
  unit *= Math.min(1, Math.max(.35, scale * (box[3] - box[1]) / unit / 130)); // small people would vanish under their joints
  const at = new Map(joints.map((j) => [j.name, j]));
  ctx.lineCap = "round";
  for (const under of [true, false]) {
    for (const [a, b] of bones) {
      const p = at.get(a), q = at.get(b);
      if (!p || !q) continue;
      ctx.beginPath();
      ctx.moveTo(p.x * scale, p.y * scale);
      ctx.lineTo(q.x * scale, q.y * scale);
      ctx.lineWidth = (under ? 5 : 3) * unit;
      ctx.strokeStyle = under ? "rgb(10 12 14 / .5)" : sides[sideOf(a, b)];
      ctx.stroke();
    }
  }
  for (const j of joints) {
    ctx.beginPath();
    ctx.arc(j.x * scale, j.y * scale, 3.6 * unit, 0, 2 * Math.PI);
    ctx.fillStyle = sides[sideOf(j.name)];
    ctx.fill();
    ctx.lineWidth = 1.4 * unit;
    ctx.strokeStyle = "#fff";
    ctx.stroke();
  }
}

function drawLabels(ctx, items, scale, unit) {
  unit *= Math.min(1, Math.max(.8, ctx.canvas.width / unit / 520)); // on a phone they would hide what they name
  const taken = [], h = 21 * unit, pad = 7 * unit, { width, height } = ctx.canvas;
  ctx.font = `600 ${12.5 * unit}px system-ui, -apple-system, "Segoe UI", Roboto, Inter, sans-serif`;
  ctx.textBaseline = "middle";
  for (const i of items) {
    const text = i.label + " ", score = percent(i.score), w = ctx.measureText(text + score).width + 2 * pad;
    const x = Math.max(Math.min(i.box[0] * scale - unit, width - w), 0);
    let y = i.box[1] * scale - h - unit;
    if (y < 0) y = Math.max(i.box[1] * scale + 2 * unit, 0);
    for (let tries = 0; tries < 6 && taken.some((t) => x < t.x + t.w && t.x < x + w && y < t.y + h && t.y < y + h); tries++) y += h + unit;
    y = Math.min(y, height - h);
    taken.push({ x, y, w });
    ctx.beginPath();
    ctx.roundRect(x, y, w, h, 5 * unit);
    ctx.fillStyle = i.colour;
    ctx.fill();
    ctx.fillStyle = inkOn(i.colour);
    ctx.fillText(text, x + pad, y + h / 2 + .5 * unit);
    ctx.globalAlpha *= .75;
    ctx.fillText(score, x + pad + ctx.measureText(text).width, y + h / 2 + .5 * unit);
    ctx.globalAlpha = 1;
  }
}

// Magma's colours (van der Walt and Smith, matplotlib), from little to much.
const ramp = [[20, 14, 54], [81, 18, 124], [140, 41, 129], [222, 73, 104], [254, 159, 109], [252, 253, 191]];

/** Lays the heat over the picture: each cell's weight between the least and the most. */
function drawHeat(ctx, { grid: [h, w], values }) {
  const small = new OffscreenCanvas(w, h), c = small.getContext("2d"), pixels = c.createImageData(w, h);
  const most = Math.max(...values), least = Math.min(...values);
  values.forEach((v, i) => {
    const x = most > least ? (v - least) / (most - least) : 0, at = x * (ramp.length - 1), k = Math.min(Math.floor(at), ramp.length - 2);
    for (let j = 0; j < 3; j++) pixels.data[4 * i + j] = ramp[k][j] + (at - k) * (ramp[k + 1][j] - ramp[k][j]);
    pixels.data[4 * i + 3] = 255 * (.5 + .3 * x);
  });
  c.putImageData(pixels, 0, 0);
  ctx.drawImage(small, 0, 0, ctx.canvas.width, ctx.canvas.height);
}
