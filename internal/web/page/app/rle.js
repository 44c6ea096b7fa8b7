// Masks: COCO's compressed run lengths (pycocotools, maskApi.c: rleFrString), and outlines of them.

/** The run lengths of a compressed string: off, on, off, …, column by column. */
export function runs(text) {
  const out = [];
  for (let at = 0; at < text.length;) {
    let x = 0, k = 0, more = true;
    while (more) {
      const c = text.charCodeAt(at++) - 48;
      x |= (c & 31) << (5 * k++);
      more = (c & 32) !== 0;
      if (!more && c & 16) x |= -1 << (5 * k);
    }
    if (out.length > 2) x += out[out.length - 2];
    out.push(x);
  }
  return out;
}

/** The mask inside a box of pixels [x0, y0, x1, y1], every step-th pixel each way so that at most `most` are kept. */
export function bitmap(mask, box, most = 1 << 19) {
  const [height, width] = mask.size;
  const x0 = Math.max(Math.floor(box[0]), 0), y0 = Math.max(Math.floor(box[1]), 0);
  const x1 = Math.min(Math.ceil(box[2]), width), y1 = Math.min(Math.ceil(box[3]), height);
  const step = Math.max(Math.ceil(Math.sqrt(Math.max(x1 - x0, 0) * Math.max(y1 - y0, 0) / most)), 1);
  const w = Math.max(Math.ceil((x1 - x0) / step), 0), h = Math.max(Math.ceil((y1 - y0) / step), 0);
  const bits = new Uint8Array(w * h);
  let at = 0, on = false;
  for (const n of runs(mask.counts)) {
    if (on) {
      for (let from = at; from < at + n;) {
        const x = Math.floor(from / height), top = from - x * height, bottom = Math.min(top + at + n - from, height);
        if (x >= x0 && x < x1 && (x - x0) % step === 0) {
          for (let y = Math.max(Math.ceil((Math.max(top, y0) - y0) / step), 0); y < h && y0 + y * step < bottom; y++) bits[y * w + (x - x0) / step] = 1;
        }
        from += bottom - top;
      }
    }
    at += n;
    on = !on;
  }
  return { x: x0, y: y0, w, h, step, bits };
}

/** The outline of a bitmap in the picture's pixels, through the middles of the pixels' edges: holes wind the other way. */
export function outline({ x, y, w, h, step, bits }) {
  const path = new Path2D(), stride = w + 1;
  const next = [new Int32Array(stride * (h + 1)).fill(-1), new Int32Array(stride * (h + 1)).fill(-1)];
  const edge = (from, to) => { (next[0][from] < 0 ? next[0] : next[1])[from] = to; };
  const on = (i, j) => i >= 0 && j >= 0 && i < w && j < h && bits[j * w + i] === 1;
  for (let j = 0; j < h; j++) {
    for (let i = 0; i < w; i++) {
      if (!bits[j * w + i]) continue;
      const c = j * stride + i;
      if (!on(i, j - 1)) edge(c, c + 1);
      if (!on(i + 1, j)) edge(c + 1, c + stride + 1);
      if (!on(i, j + 1)) edge(c + stride + 1, c + stride);
      if (!on(i - 1, j)) edge(c + stride, c);
    }
  }
  const take = (from) => {
    const list = next[1][from] >= 0 ? next[1] : next[0];
    const to = list[from];
    list[from] = -1;
    return to;
  };
  for (let start = 0; start < next[0].length; start++) {
    while (next[0][start] >= 0) {
      let from = start, first = true;
      for (let to = take(from); to >= 0; from = to, to = take(from)) {
        const px = x + step * ((from % stride) + (to % stride)) / 2, py = y + step * (Math.floor(from / stride) + Math.floor(to / stride)) / 2;
        if (first) path.moveTo(px, py);
        else path.lineTo(px, py);
        first = false;
      }
      path.closePath();
    }
  }
  return path;
}
