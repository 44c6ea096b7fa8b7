// Requests to the server that the page came from: failures with their codes, tokens, and patience with a busy server.

/** A request that failed: code as docs/reference/http.md lists them, or "network", or "aborted". */
export class Fault extends Error {
  constructor(code, message, status = 0, retry = 0) {
    super(message);
    this.code = code;
    this.status = status;
    this.retry = retry; // milliseconds after which it may work
  }
}

const tokenKey = "fovea-token";
let token = sessionStorage.getItem(tokenKey) || "";
export const hasToken = () => token !== "";

const hooks = { token: async () => "", waiting: () => {}, network: () => {} };

/** Says who asks for a token (a promise of one), who tells that the server is busy, and who hears of the connection. */
export function configure(given) { Object.assign(hooks, given); }

const sleep = (ms, signal) => new Promise((done, fail) => {
  const timer = setTimeout(done, ms);
  signal?.addEventListener("abort", () => {
    clearTimeout(timer);
    fail(new Fault("aborted", "stopped"));
  }, { once: true });
});

/** One request. A busy or loading server is asked again, at most `patience` times; a missing token is asked for. */
export async function request(path, { method = "GET", body, headers = {}, signal, patience = 4 } = {}) {
  for (let tries = 0; ; tries++) {
    let res;
    try {
      res = await fetch(path, { method, body, signal, cache: "no-store", headers: token ? { ...headers, Authorization: "Bearer " + token } : headers });
    } catch (e) {
      if (signal?.aborted || e.name === "AbortError") throw new Fault("aborted", "stopped");
      hooks.network(false);
      throw new Fault("network", "The server does not answer.");
    }
    hooks.network(true);
    if (res.ok) return res;
    const fault = await faultOf(res);
    if (fault.status === 401 && tries < 5) {
      token = await hooks.token();
      sessionStorage.setItem(tokenKey, token);
      continue;
    }
    if (!fault.retry || tries >= patience) throw fault;
    hooks.waiting(fault);
    await sleep(fault.retry, signal);
  }
}

async function faultOf(res) {
  let code = "http." + res.status, message = "The server answered with status " + res.status + ".";
  try {
    const { error } = await res.json();
    code = error.code ?? code;
    message = error.message ?? (typeof error === "string" ? error : message);
  } catch { /* it is no JSON; the status says enough */ }
  const after = Number(res.headers.get("Retry-After-Ms")) || 1000 * Number(res.headers.get("Retry-After")) || 0;
  return new Fault(code, message, res.status, Math.min(after, 15000));
}

export const json = async (path, options) => (await request(path, options)).json();

/** Sends JSON. */
export const post = (path, value, options = {}) =>
  request(path, { ...options, method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });

/** The data of each server-sent event of an answer. */
export async function* events(res) {
  const reader = res.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
        const data = text.slice(0, end).split("\n").filter((l) => l.startsWith("data:")).map((l) => l.slice(5).trimStart());
        if (data.length) yield data.join("\n");
      }
    }
  } catch (e) {
    if (e.name === "AbortError") throw new Fault("aborted", "stopped");
    hooks.network(false);
    throw new Fault("network", "The server went away in the middle of its answer.");
  } finally {
    reader.cancel().catch(() => {});
  }
}
