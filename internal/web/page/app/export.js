// Takes results out of the page: as JSON, as COCO annotations, and as a picture.
import { above } from "./items.js";
import { paint } from "./paint.js";

/** The results of a lane as one object, as /v1/look would give it at this threshold. */
export function resultOf({ results }, threshold) {
  const all = Object.values(results);
  if (all.length === 0) return null;
  const { image, width, height, model } = all[0], keep = (list) => list?.filter((o) => o.score >= threshold);
  const ms = Math.round(10 * all.reduce((s, r) => s + r.ms, 0)) / 10;
  const out = { image, width, height, model, task: all.length === 1 ? all[0].task : "look", ms };
  out.classes = results.classify?.classes;
  out.objects = keep((results.segment ?? results.detect)?.objects);
  out.people = keep(results.pose?.people);
  out.caption = results.caption?.caption;
  out.score = results.caption?.score;
  const doubt = { ...results.classify?.doubt, ...results.caption?.doubt };
  if (Object.keys(doubt).length) out.doubt = doubt;
  return out;
}

/** JSON that people can read: a line for each field, and for each thing of a list. */
export function pretty(value) {
  if (!value) return "";
  const one = (v) => (Array.isArray(v) && typeof v[0] === "object" ? "[\n    " + v.map((x) => JSON.stringify(x)).join(",\n    ") + "\n  ]" : JSON.stringify(v));
  return "{\n" + Object.entries(value).filter(([, v]) => v !== undefined).map(([k, v]) => "  " + JSON.stringify(k) + ": " + one(v)).join(",\n") + "\n}";
}

/** COCO annotations of a lane's things; masks are run lengths, which pycocotools reads. */
export function coco(picture, items, threshold, bones) {
  const labels = [...new Set(items.map((i) => i.label))].sort(), joints = items.find((i) => i.joints)?.joints.map((j) => j.name);
  const categories = labels.map((name, i) => ({ id: i + 1, name, ...(name === "person" && joints ? { keypoints: joints, skeleton: bones?.map(([a, b]) => [a + 1, b + 1]) ?? [] } : {}) }));
  const annotations = above(items, threshold).map((i, n) => {
    const [x0, y0, x1, y1] = i.box, round = (v) => Math.round(100 * v) / 100;
    const a = { id: n + 1, image_id: 1, category_id: labels.indexOf(i.label) + 1, bbox: [x0, y0, round(x1 - x0), round(y1 - y0)], area: i.area ?? round((x1 - x0) * (y1 - y0)), iscrowd: 0, score: i.score };
    if (i.mask) a.segmentation = i.mask;
    if (i.joints) {
      a.keypoints = i.joints.flatMap((j) => [j.x, j.y, 2]);
      a.num_keypoints = i.joints.length;
    }
    return a;
  });
  return { info: { description: "Found by Fovea" }, images: [{ id: 1, file_name: picture.name, width: picture.width, height: picture.height }], categories, annotations };
}

/** The picture with all that is drawn on it, as PNG, in its own size. */
export async function png(picture, items, show, heat) {
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  paint(canvas.getContext("2d"), picture, items, { unit: Math.max(Math.max(picture.width, picture.height) / 900, .7), show, heat });
  return canvas.convertToBlob({ type: "image/png" });
}

/** Hands a file to the visitor. */
export function save(blob, name) {
  const a = document.createElement("a");
  a.href = URL.createObjectURL(blob);
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 10000);
}

/** Puts a text on the clipboard, also in pages that came without TLS. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const box = document.createElement("textarea");
    box.value = text;
    box.className = "sr";
    document.body.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    return done;
  }
}
