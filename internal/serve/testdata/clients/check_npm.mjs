// openai and ollama from npm: chat, streaming, embeddings, list, errors.
import fs from "node:fs";
import assert from "node:assert";
import OpenAI from "openai";
import { Ollama } from "ollama";

const [url, path] = process.argv.slice(2);
const base64 = fs.readFileSync(path).toString("base64");
const data = "data:image/jpeg;base64," + base64;

const c = new OpenAI({ baseURL: url + "/v1", apiKey: "none", maxRetries: 0 });
const name = (await c.models.list()).data[0].id;
const messages = [{ role: "user", content: [{ type: "text", text: "describe the picture" }, { type: "image_url", image_url: { url: data } }] }];
const whole = (await c.chat.completions.create({ model: name, messages })).choices[0].message.content;
let text = "", usage;
for await (const chunk of await c.chat.completions.create({ model: name, messages, stream: true, stream_options: { include_usage: true } })) {
  text += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
assert.ok(whole);
assert.equal(text, whole);
assert.ok(usage.total_tokens > 0);
const e = await c.embeddings.create({ model: name, input: ["a circle", data] });
assert.equal(e.data.length, 2);
assert.ok(Math.abs(e.data[1].embedding.reduce((s, x) => s + x * x, 0) - 1) < 1e-3);
await assert.rejects(c.chat.completions.create({ model: "gpt-4o", messages }), OpenAI.NotFoundError);

const o = new Ollama({ host: url });
const model = (await o.list()).models[0].name;
const chat = [{ role: "user", content: "describe the picture", images: [base64] }];
const answer = (await o.chat({ model, messages: chat })).message.content;
let streamed = "";
for await (const part of await o.chat({ model, messages: chat, stream: true })) streamed += part.message.content;
assert.ok(answer);
assert.equal(streamed, answer);
assert.ok((await o.show({ model })).capabilities.includes("vision"));
assert.equal((await o.embed({ model, input: ["a"] })).embeddings.length, 1);
await assert.rejects(o.chat({ model: "llava", messages: chat }), { status_code: 404 });
console.log("openai and ollama from npm ok");
