// A video file or a camera, frame by frame: the newest frame is looked at as soon as the one before has been answered.
import { pictureFrom } from "./picture.js";
import { Fault } from "./api.js";

const side = 960; // the longer side of a frame that is sent, pixels
const tick = 1 / 25; // seconds between two frames that are stepped through by hand

export class Live {
  /** look(picture) returns when a frame has been answered; changed() is called when fps, time or playing has. */
  constructor(name, camera, look, changed) {
    Object.assign(this, { name, camera, look, changed, playing: true, fps: 0, over: false, n: 0 });
    this.video = document.createElement("video");
    Object.assign(this.video, { muted: true, playsInline: true, loop: true });
  }

  static async ofFile(file, look, changed) {
    const live = new Live(file.name, false, look, changed);
    live.url = URL.createObjectURL(file);
    live.video.src = live.url;
    await live.start("video.corrupt", "The browser cannot play this video. MP4 with H.264 and WebM work in most.");
    return live;
  }

  static async ofCamera(look, changed) {
    if (!navigator.mediaDevices) throw new Fault("camera.insecure", "Browsers give the camera only to pages of this machine and to those over https.");
    const live = new Live("camera.jpg", true, look, changed);
    try {
      live.stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, facingMode: "environment" } });
    } catch (e) {
      throw new Fault("camera.refused", e.name === "NotAllowedError" ? "The camera was not allowed. Allow it beside the page's address, and try again." : "There is no camera that works.");
    }
    live.video.srcObject = live.stream;
    await live.start("camera.refused", "The camera gives no picture.");
    return live;
  }

  async start(code, message) {
    try {
      await new Promise((done, fail) => {
        this.video.onloadeddata = done;
        this.video.onerror = fail;
      });
      await this.video.play();
    } catch {
      this.stop();
      throw new Fault(code, message);
    }
    this.ended = this.run();
  }

  async run() {
    let before = performance.now();
    while (!this.over) {
      if (!this.playing) {
        await new Promise((wake) => { this.wake = wake; });
        before = performance.now();
        continue;
      }
      await this.once();
      const now = performance.now(), fps = 1000 / Math.max(now - before, 1);
      this.fps = this.fps ? .8 * this.fps + .2 * fps : fps;
      before = now;
      this.changed();
      await new Promise(requestAnimationFrame);
    }
  }

  /** Looks at the frame that the video shows. */
  async once() {
    const { videoWidth: w, videoHeight: h } = this.video;
    if (!w || this.over) return;
    const scale = Math.min(side / Math.max(w, h), 1);
    const canvas = new OffscreenCanvas(Math.max(Math.round(w * scale), 1), Math.max(Math.round(h * scale), 1));
    canvas.getContext("2d").drawImage(this.video, 0, 0, canvas.width, canvas.height);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: .88 });
    await this.look(pictureFrom(canvas.transferToImageBitmap(), blob, this.camera ? this.name : this.name.replace(/\.[^.]*$/, "") + "-" + this.n + ".jpg"));
    this.n++;
  }

  play(on) {
    this.playing = on;
    if (on) this.video.play().catch(() => {});
    else this.video.pause();
    this.wake?.();
    this.changed();
  }

  /** Goes to a time, seconds, and looks at it. */
  async seek(time) {
    await new Promise((done) => {
      this.video.onseeked = done;
      this.video.currentTime = Math.min(Math.max(time, 0), this.video.duration || 0);
    });
    if (!this.playing) await this.once();
    this.changed();
  }

  step() {
    this.play(false);
    return this.seek(this.video.currentTime + tick);
  }

  stop() {
    this.over = true;
    this.wake?.();
    this.video.pause();
    this.stream?.getTracks().forEach((t) => t.stop());
    this.video.removeAttribute("src");
    this.video.srcObject = null;
    if (this.url) URL.revokeObjectURL(this.url);
  }
}
