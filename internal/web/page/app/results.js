// The list of what was found beside the picture.
import { $, duration, el, icon, percent } from "./dom.js";
import { above, inWords } from "./items.js";

/**
 * Fills the list with a lane's results. lane: {card, results, items, pending}. on: {hover(id), pin(id), why(about, target)}.
 */
export function showResults(lane, threshold, on) {
  const found = $("found"), parts = [], { results, items, pending, card } = lane;
  const why = card.tasks.includes("explain") ? on.why : null;
  const list = above(items, threshold);
  if (results.caption) {
    const guess = results.caption.doubt?.caption;
    const says = el("div", { className: guess ? "says guess" : "says" }, guess ? maybe("a guess") : null, results.caption.caption + " ", why && whyButton("the description", () => why({ task: "caption" }, "the description")));
    parts.push(keptBack(results) ? folded("caption", "No description is likely.", "See the guess", says) : says);
  }
  if (results.segment || results.detect || results.pose) {
    parts.push(group(results.segment || results.detect ? "Objects" : "People", list.length ? objectTable(list, on, why) : el("p", { className: "hint" }, items.length ? "Nothing reaches the threshold." : "Nothing was found.")));
    if (items.length > list.length && list.length) parts.push(el("p", { className: "more" }, items.length - list.length + " more below the threshold"));
  }
  if (results.classify) {
    const { classes, doubt } = results.classify, names = classTable(classes.filter((c, i) => i === 0 || c.score >= worth), why, doubt?.classes);
    parts.push(group("The whole picture", doubt?.classes === "guess" ? folded("classes", "No name is likely.", "See the guesses", names) : names));
  }
  if (pending > 0 && !parts.length) parts.push(el("div", { className: "skeleton" }, el("i"), el("i"), el("i")));
  if (!parts.length) parts.push(el("p", { className: "hint" }, lane.asked ? "Choose a task above." : "What the model finds will be listed here."));
  found.replaceChildren(...parts);
  $("summary").textContent = summary(lane, list);
}

/** The score below which a name of the whole picture is not listed beside a better one. */
const worth = .01;

/** One line about a lane. */
export function summary({ pending, results }, list) {
  const all = Object.values(results);
  if (pending > 0) return "Looking…";
  if (!all.length) return "";
  const ms = all.reduce((s, r) => s + r.ms, 0);
  return (list.length ? inWords(list) + " · " : "") + duration(ms);
}

/** Whether the description is but a guess beside other answers; by itself it was asked for. */
export const keptBack = (results) => Boolean(results.caption?.doubt) && Object.keys(results).length > 1;

/** What a thing is told with that may well be otherwise. */
const maybe = (text) => el("span", { className: "maybe" }, text);

/** Something that is there for those who want it; it stays open when the list is made anew. */
function folded(key, says, more, content) {
  const details = el("details", { className: "folded", open: unfolded.has(key), ontoggle: () => { unfolded[details.open ? "add" : "delete"](key); } }, el("summary", {}, says + " ", el("span", { className: "more-link" }, more)), content);
  return details;
}
const unfolded = new Set();

const group = (title, ...children) => el("div", { className: "group" }, el("h3", {}, title), ...children);

function whyButton(what, run) {
  return el("button", { className: "quiet icon why", type: "button", title: "What this rests on", onclick: run }, icon("heat"), el("span", { className: "sr" }, "What " + what + " rests on"));
}

function table(caption, head, rows) {
  return el("table", {}, el("caption", { className: "sr" }, caption), el("colgroup", {}, el("col"), el("col", { className: "c-score" }), head[2] ? el("col", { className: "c-why" }) : null),
    el("thead", { className: "sr" }, el("tr", {}, ...head.filter(Boolean).map((h) => el("th", { scope: "col" }, h)))), el("tbody", {}, ...rows));
}

function score(value, colour) {
  const bar = el("i");
  bar.style.width = 100 * value + "%";
  if (colour) bar.style.background = colour;
  return el("div", { className: "score" }, el("span", { className: "meter" }, bar), el("span", {}, percent(value)));
}

function objectTable(list, on, why) {
  const rows = list.map((i) => {
    const swatch = el("span", { className: "swatch" });
    swatch.style.background = i.colour;
    const name = el("button", { className: "name", type: "button", "aria-pressed": "false", onclick: () => on.pin(i.id), onfocus: () => on.hover(i.id), onblur: () => on.hover(null) },
      swatch, el("span", { className: "text" }, i.label));
    const row = el("tr", { "data-id": i.id, onpointerenter: () => on.hover(i.id), onpointerleave: () => on.hover(null) },
      el("td", {}, name), el("td", {}, score(i.score, i.colour)),
      why ? el("td", {}, whyButton(i.label + " " + percent(i.score), () => why({ task: "detect", target: i.label, box: i.box }, i.label + " " + percent(i.score)))) : null);
    return row;
  });
  return table("Objects, best first", ["Object", "Score", why && "Why"], rows);
}

function classTable(classes, why, doubt) {
  const rows = classes.map((c, i) => el("tr", {}, el("td", {}, el("span", { className: "name" }, el("span", { className: "text" }, c.label), doubt === "perhaps" && i === 0 ? maybe(doubt) : null)), el("td", {}, score(c.score)),
    why ? el("td", {}, whyButton(c.label, () => why({ task: "classify" }, "“" + c.label + "” " + percent(c.score)))) : null));
  return table("Names of the whole picture, best first", ["Name", "Score", why && "Why"], rows);
}

/** Marks the row of a thing; id is null for none. */
export function markRow(id, scroll) {
  for (const row of $("found").querySelectorAll("tr[data-id]")) {
    const on = row.dataset.id === id;
    row.classList.toggle("on", on);
    row.querySelector(".name").setAttribute("aria-pressed", String(on));
    if (on && scroll) row.scrollIntoView({ block: "nearest" });
  }
}
