// Starts servers for the scripts beside it.
import { spawn } from "node:child_process";

/** Starts FOVEA serve with some flags: {url, stop()}. It ends with this process, also when that fails. */
export function serve(fovea, ...flags) {
  const child = spawn(fovea, ["serve", "--addr", "127.0.0.1:0", "--quiet", ...flags], { stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => child.kill());
  return new Promise((done, fail) => {
    child.stdout.on("data", (b) => { const m = String(b).match(/https?:\/\/\S+/); if (m) done({ url: m[0], stop: () => new Promise((r) => { child.on("exit", r); child.kill(); }) }); });
    child.on("exit", (c) => fail(new Error("the server ended with " + c)));
  });
}

/** Waits until everything that was asked of the models is answered. */
export const idle = (p) => p.waitForFunction(() => document.querySelector("#progress").hidden && document.querySelector("#found").getAttribute("aria-busy") !== "true" && document.querySelector("#found").childElementCount > 0);
