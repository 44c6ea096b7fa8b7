// Questions about the picture, by the chat of OpenAI's API, whose answers stream in.
import { $, el, icon } from "./dom.js";
import { events, Fault, post } from "./api.js";
import { dataURL } from "./picture.js";
import { announce, busy } from "./notice.js";

const ideas = ["Describe the picture", "How many people are there?", "What colour is the biggest thing?", "Is anyone sitting?"];

export class Chat {
  /** here() gives {picture, lanes}: what questions are about and whom to ask. why(lane, about, target) shows what an answer rests on. */
  constructor(here, why) {
    this.here = here;
    this.why = why;
    this.turns = new Map(); // of each model about this picture: {role, content}
    $("ask").addEventListener("submit", (e) => {
      e.preventDefault();
      if (this.stopper) this.stopper.abort();
      else this.send($("question").value.trim());
    });
    $("suggest").append(...ideas.map((q) => el("button", { type: "button", onclick: () => this.send(q) }, q)));
    $("chat-clear").addEventListener("click", () => this.clear());
  }

  clear() {
    this.stopper?.abort();
    this.turns.clear();
    this.about = undefined;
    $("log").replaceChildren($("chat-hint"));
    $("chat-hint").hidden = false;
    $("chat-clear").hidden = true;
    $("suggest").hidden = false;
    $("question").focus();
  }

  /** Says that what follows is about another picture, so that no answer seems to be about this one. */
  turnTo(picture) {
    if (this.about === undefined || this.about === picture.id) return;
    this.stopper?.abort();
    const last = $("log").lastElementChild, text = "About " + picture.name;
    if (last.className === "sep") last.textContent = text;
    else this.add(el("p", { className: "sep" }, text));
    this.about = picture.id;
    this.turns.clear();
  }

  add(...nodes) {
    const log = $("log");
    log.append(...nodes);
    log.scrollTop = log.scrollHeight;
  }

  /** Puts a question to every lane's model, one after the other. */
  async send(question) {
    if (this.stopper || !question) return;
    const { picture, lanes } = this.here();
    $("chat-hint").hidden = true;
    if (!picture) {
      this.add(el("div", { className: "turn bot" }, "Open a picture first, then ask about it."));
      return;
    }
    this.turnTo(picture); // of a video, whose frames do not say so
    this.about = picture.id;
    $("question").value = "";
    $("chat-clear").hidden = false;
    $("suggest").hidden = true;
    this.add(el("div", { className: "turn user" }, question));
    this.stopper = new AbortController();
    $("send").replaceChildren(icon("stop"), el("span", { className: "sr" }, "Stop"));
    try {
      const url = await dataURL(picture);
      for (const lane of lanes) await busy(this.answer(lane, lanes.length > 1, picture, url, question));
    } finally {
      this.stopper = undefined;
      $("send").replaceChildren(icon("send"), el("span", { className: "sr" }, "Send"));
    }
  }

  async answer(lane, named, picture, url, question) {
    const words = el("span", { className: "words" });
    const turn = el("div", { className: "turn bot busy", "aria-busy": "true" }, named ? el("span", { className: "who" }, lane.model) : null, words);
    this.add(turn);
    const turns = this.turns.get(lane.model) ?? [];
    this.turns.set(lane.model, turns);
    turns.push({ role: "user", content: turns.length ? question : [{ type: "image_url", image_url: { url } }, { type: "text", text: question }] });
    try {
      const res = await post("/v1/chat/completions", { model: lane.model, stream: true, messages: turns }, { signal: this.stopper.signal });
      for await (const data of events(res)) {
        if (data === "[DONE]") break;
        const e = JSON.parse(data);
        if (e.error) throw new Fault(e.error.code, e.error.message);
        words.append(e.choices[0]?.delta?.content ?? "");
        $("log").scrollTop = $("log").scrollHeight;
      }
      if (!words.textContent) words.textContent = "(nothing)";
      announce((named ? lane.model + ": " : "") + words.textContent);
      turns.push({ role: "assistant", content: words.textContent });
      if (lane.card.tasks.includes("explain")) {
        turn.append(el("div", { className: "foot" }, el("button", { className: "quiet", type: "button", onclick: () => this.why(lane, { task: "ask", question }, "“" + words.textContent + "”", picture) }, icon("heat"), "Why?")));
        $("log").scrollTop = $("log").scrollHeight;
      }
    } catch (e) {
      if (!(e instanceof Fault)) throw e;
      turns.pop();
      if (e.code === "aborted") words.append(words.textContent ? " …" : "Stopped.");
      else {
        turn.classList.add("bad");
        turn.setAttribute("role", "alert");
        words.append((words.textContent ? " – " : "") + e.message);
      }
    } finally {
      turn.classList.remove("busy");
      turn.removeAttribute("aria-busy");
    }
  }
}
