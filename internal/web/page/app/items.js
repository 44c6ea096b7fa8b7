// Of the answers to several tasks, one list of things: each with a colour, a box, and a mask and joints if there are any.
import { bitmap, outline } from "./rle.js";

/** The score down to which the server is asked, so that the threshold can act in the page. */
export const lowest = .05;

const palette = ["#38b6ff", "#ff6b5e", "#ffc233", "#3ecf8e", "#b48cff", "#ff8ad0", "#2dd4cf", "#ff9a4d", "#93a9ff", "#b5d334"];
const colours = new Map([["person", palette[0]]]); // whether poses or objects are found first

/** The colour of a label, the same as long as the page lives. */
export function colourOf(label) {
  if (!colours.has(label)) colours.set(label, palette[colours.size % palette.length]);
  return colours.get(label);
}

/** Black or white, whichever can be read better on a colour. */
export function inkOn(hex) {
  const [r, g, b] = [1, 3, 5].map((i) => (parseInt(hex.slice(i, i + 2), 16) / 255) ** 2.2);
  return .2126 * r + .7152 * g + .0722 * b > .18 ? "#101214" : "#ffffff";
}

const same = (a, b) => a.every((v, i) => v === b[i]);

/** The things of all results, best first. People stand with the object that has their box. */
export function itemsOf(results) {
  const found = results.segment ?? results.detect;
  const items = (found?.objects ?? []).map((o, i) => ({ ...o, id: "o" + i, index: i }));
  (results.pose?.people ?? []).forEach((p, i) => {
    const item = items.find((o) => o.label === "person" && !o.joints && same(o.box, p.box));
    if (item) item.joints = p.joints;
    else items.push({ id: "p" + i, label: "person", score: p.score, box: p.box, joints: p.joints });
  });
  for (const item of items) {
    item.colour = colourOf(item.label);
    item.size = (item.box[2] - item.box[0]) * (item.box[3] - item.box[1]);
  }
  return items.sort((a, b) => b.score - a.score);
}

/** The things above a threshold. */
export const above = (items, threshold) => items.filter((i) => i.score >= threshold);

/** The outline of an item's mask, made when it is first wanted; null without a mask. */
export function shapeOf(item) {
  if (item.shape === undefined) item.shape = item.mask ? outline(bitmap(item.mask, item.box)) : null;
  return item.shape;
}

/** "3 people, 2 rings": what there is, in words. */
export function inWords(items) {
  const by = new Map();
  for (const i of items) by.set(i.label, (by.get(i.label) ?? 0) + 1);
  return [...by].map(([label, n]) => n + " " + (n === 1 ? label : label === "person" ? "people" : plural(label))).join(", ");
}

const plural = (s) => s + (/(s|x|ch|sh)$/.test(s) ? "es" : "s");
