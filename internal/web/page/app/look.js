// Puts the tasks to a model, each in a request of its own: the server encodes the picture once, and what is quick shows first.
import { json } from "./api.js";
import { lowest } from "./items.js";

/** The tasks that can be chosen, in the order of the page. Questions have a place of their own. */
export const tasks = [
  { id: "classify", name: "Recognise", says: "Name the whole picture" },
  { id: "detect", name: "Detect", says: "Box and name every object" },
  { id: "segment", name: "Segment", says: "Outline every object pixel by pixel" },
  { id: "pose", name: "Pose", says: "Find the joints of every person" },
  { id: "caption", name: "Describe", says: "Describe the picture in words" },
];

/** Of the chosen tasks, those to ask of a model: what it can, and no boxes twice. */
export function wanted(chosen, card) {
  const list = tasks.map((t) => t.id).filter((t) => chosen.has(t) && card.tasks.includes(t));
  return list.includes("segment") ? list.filter((t) => t !== "detect") : list;
}

/** The fields of a task's request beside the picture. */
export function fieldsOf(task, model, { query, labels }) {
  const f = { model };
  if ((task === "detect" || task === "segment") && query) f.query = query;
  if (task === "classify" && labels) f.labels = labels;
  return f;
}

/** Asks for one task about a picture {blob, name}; a result as docs/reference/json.md has it. */
export function ask(task, picture, fields, signal) {
  const form = new FormData();
  form.set("image", picture.blob, picture.name);
  if (task !== "classify" && task !== "caption") form.set("threshold", String(lowest));
  for (const [k, v] of Object.entries(fields)) form.set(k, v);
  return json("/v1/" + task, { method: "POST", body: form, signal });
}

/** The regions that an answer rests on. about: {task, …} as /v1/explain takes it. */
export function explain(picture, about, signal) {
  const form = new FormData();
  form.set("image", picture.blob, picture.name);
  const fields = new URLSearchParams(Object.entries(about).filter(([, v]) => v !== undefined && v !== "").map(([k, v]) => [k, String(v)]));
  return json("/v1/explain?" + fields, { method: "POST", body: form, signal });
}
