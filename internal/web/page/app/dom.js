// Shorthand for the document.

/** The element with an id. */
export const $ = (id) => document.getElementById(id);

/** Makes an element: properties, listeners (onclick), data- and aria- attributes, and children, texts among them. */
export function el(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props)) {
    if (v === undefined || v === null) continue;
    if (k.includes("-") || k === "role" || k === "for") e.setAttribute(k, v);
    else e[k] = v;
  }
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

/** An icon of the page's sprite. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", "#i-" + name);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** A share as people read it. */
export const percent = (x) => (x >= .9995 ? "100" : x > 0 && x < .005 ? "<1" : String(Math.round(100 * x))) + " %";

/** A time as people read it. */
export const duration = (ms) => (ms >= 1000 ? (ms / 1000).toFixed(1) + " s" : ms >= 10 ? Math.round(ms) + " ms" : ms.toFixed(1) + " ms");

/** "1 object", "2 objects". */
export const count = (n, one, many = one + "s") => n + " " + (n === 1 ? one : many);

/** Calls f once things have been quiet for a while. */
export function settled(f, ms) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => f(...args), ms);
  };
}
