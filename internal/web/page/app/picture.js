// Brings pictures and videos in: a file that is chosen, dropped or pasted.
import { $ } from "./dom.js";

let last = 0;

/** A picture of a file. bitmap is null for formats that the server may know and the browser cannot show. */
export async function pictureOf(blob, name = blob.name || "pasted.png") {
  const p = { id: ++last, name, blob, bitmap: null, width: 0, height: 0 };
  try {
    p.bitmap = await createImageBitmap(blob);
    p.width = p.bitmap.width;
    p.height = p.bitmap.height;
  } catch { /* the server says what is wrong with it */ }
  return p;
}

/** A picture of pixels that are at hand, as those of a video's frame. */
export const pictureFrom = (bitmap, blob, name) => ({ id: ++last, name, blob, bitmap, width: bitmap.width, height: bitmap.height });

/** The picture as a data URL, for requests of JSON; it is made once. */
export function dataURL(picture) {
  picture.url ??= new Promise((done, fail) => {
    const r = new FileReader();
    r.onload = () => done(r.result);
    r.onerror = () => fail(r.error);
    r.readAsDataURL(picture.blob);
  });
  return picture.url;
}

/** Calls take(file) for every file that a visitor gives the page. */
export function intake(take) {
  const file = $("file");
  for (const b of document.querySelectorAll(".pick-file")) b.addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    if (file.files[0]) take(file.files[0]);
    file.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("paste", (e) => {
    const f = [...(e.clipboardData?.files ?? [])][0];
    if (!f) return;
    e.preventDefault();
    take(f);
  });
  let depth = 0;
  const over = (on) => { $("drop").hidden = !on; };
  const holds = (e) => [...(e.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragenter", (e) => {
    if (!holds(e)) return;
    e.preventDefault();
    depth++;
    over(true);
  });
  document.addEventListener("dragover", (e) => { if (holds(e)) e.preventDefault(); });
  document.addEventListener("dragleave", () => {
    depth = Math.max(depth - 1, 0);
    if (!depth) over(false);
  });
  document.addEventListener("drop", (e) => {
    depth = 0;
    over(false);
    if (!holds(e)) return;
    e.preventDefault();
    if (e.dataTransfer.files[0]) take(e.dataTransfer.files[0]);
  });
}
