// What a visitor has to know: that the model is at work, what went wrong, and whether the server is there.
import { $, el, icon } from "./dom.js";
import { json } from "./api.js";

let working = 0;

/** Shows that something is at work until the promise ends. */
export async function busy(promise) {
  working++;
  $("progress").hidden = false;
  try {
    return await promise;
  } finally {
    if (--working === 0) $("progress").hidden = true;
  }
}

/** Tells screen readers, who cannot see the results change. */
export const announce = (text) => { $("announce").textContent = text; };

/**
 * Shows a message until it is dismissed or cleared. A message of the same key takes the place of the one before.
 * action: {label, run} is a way out.
 */
export function tell(key, text, { bad = true, action, title } = {}) {
  clear(key);
  const close = el("button", { className: "quiet icon", type: "button", onclick: () => clear(key) }, icon("close"), el("span", { className: "sr" }, "Dismiss"));
  const note = el("div", { className: bad ? "notice bad" : "notice", role: bad ? "alert" : "status", "data-key": key },
    el("p", {}, title ? el("strong", {}, title + " ") : null, text),
    action ? el("button", { type: "button", onclick: () => { clear(key); action.run(); } }, action.label) : null, close);
  $("notices").append(note);
}

/** Takes a message away. */
export function clear(key) { $("notices").querySelector(`[data-key="${key}"]`)?.remove(); }

/** Shows a failed request; what was stopped on purpose is none. */
export function failed(key, fault, action) {
  if (fault.code === "aborted") return;
  const first = fault.message.charAt(0).toUpperCase() + fault.message.slice(1);
  tell(key, /[.!?]$/.test(first) ? first : first + ".", { action, title: titles[fault.code.split(".")[0]] });
}

const titles = { image: "That picture does not work.", server: "The server is busy.", network: "No connection.", video: "That video does not work." };

const states = { ok: "Ready", wait: "Loading", bad: "No answer" };
let state = "wait", timer, back = [];

/** Runs f when a server that was away answers again. */
export function whenBack(f) { back.push(f); }

/** Hears of every answer and every failure to get one. */
export function heard(ok) {
  if (ok && state !== "bad") return;
  if (ok) {
    set("ok");
    clear("away");
    announce("The server answers again.");
    for (const f of back.splice(0)) f();
  } else if (state !== "bad") {
    set("bad");
    tell("away", "It may have been stopped. This page tries again by itself.", { title: "The server does not answer." });
    watch(1500);
  }
}

function set(next) {
  state = next;
  $("server").dataset.state = next;
  $("server-text").textContent = states[next];
}

/** Asks from time to time whether the server wants requests. */
export function watch(ms = 0) {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    let ready = false;
    try {
      ready = (await fetch("/readyz", { cache: "no-store" })).ok;
      heard(true);
      set(ready ? "ok" : "wait");
    } catch { heard(false); }
    watch(state === "ok" ? 15000 : 1500);
  }, ms);
}

/** What the server's models can do; waits for it to be there. */
export async function cards() {
  const about = await json("/v1/cards", { patience: 60 });
  return about.models;
}
