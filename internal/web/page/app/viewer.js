// A picture on the page with what was found in it, and the pointer over it.
import { above, inWords, shapeOf } from "./items.js";
import { el } from "./dom.js";
import { paint } from "./paint.js";

const probe = new OffscreenCanvas(1, 1).getContext("2d");

export class Viewer {
  /** view: {picture, items, threshold, show, active, heat, tag} is asked for whenever the viewer draws. hover(id or null) and pin(id or null) are told of the pointer. */
  constructor(view, hover, pin) {
    this.view = view;
    this.canvas = el("canvas", { role: "img" });
    this.tag = el("p", { className: "tag" });
    this.root = el("div", { className: "view" }, this.canvas, this.tag);
    this.canvas.addEventListener("pointermove", (e) => { if (e.pointerType === "mouse") hover(this.at(e)); });
    this.canvas.addEventListener("pointerleave", () => hover(null));
    this.canvas.addEventListener("click", (e) => pin(this.at(e)));
    this.ctx = this.canvas.getContext("2d");
  }

  /** Gives the canvas its size on the page, as large as the space allows. */
  fit(width, height) {
    const { picture } = this.view();
    if (!picture || !width) return;
    const scale = Math.min(width / picture.width, height / picture.height);
    const w = Math.max(Math.round(picture.width * scale), 1), h = Math.max(Math.round(picture.height * scale), 1);
    this.dpr = Math.min(window.devicePixelRatio || 1, 3);
    this.canvas.style.width = w + "px";
    this.canvas.style.height = h + "px";
    this.canvas.width = Math.round(w * this.dpr);
    this.canvas.height = Math.round(h * this.dpr);
    this.draw();
  }

  /** Draws at the next frame, once, however often it is called. */
  draw() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = undefined;
      this.now();
    });
  }

  now() {
    const v = this.view();
    if (!v.picture) return;
    const items = above(v.items, v.threshold);
    paint(this.ctx, v.picture, items, { unit: this.dpr, show: v.show, active: v.active, heat: v.heat });
    this.tag.hidden = !v.tag;
    this.tag.textContent = v.tag;
    this.canvas.setAttribute("aria-label", v.picture.name + (items.length ? " with " + inWords(items) : ""));
  }

  /** The smallest thing under the pointer, or null. */
  at(e) {
    const v = this.view(), r = this.canvas.getBoundingClientRect();
    if (!v.picture) return null;
    const x = (e.clientX - r.left) / r.width * v.picture.width, y = (e.clientY - r.top) / r.height * v.picture.height;
    let best = null;
    for (const i of above(v.items, v.threshold)) {
      if (x < i.box[0] || x > i.box[2] || y < i.box[1] || y > i.box[3]) continue;
      const shape = shapeOf(i), size = shape && probe.isPointInPath(shape, x, y, "evenodd") ? i.size / 4 : i.size;
      if (!best || size < best.size) best = { id: i.id, size };
    }
    return best?.id ?? null;
  }
}
