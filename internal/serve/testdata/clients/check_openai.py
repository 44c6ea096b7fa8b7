"""openai: chat, streaming, forms, embeddings, models and errors."""
import base64, json, sys
import openai

url, path = sys.argv[1], sys.argv[2]
data = "data:image/jpeg;base64," + base64.b64encode(open(path, "rb").read()).decode()
c = openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0)
models = c.models.list()
name = models.data[0].id
assert c.models.retrieve(name).id == name


def ask(text, **more):
    content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": data}}]
    return c.chat.completions.create(model=name, messages=[{"role": "user", "content": content}], **more)


whole = ask("describe the picture", max_completion_tokens=100, seed=1, temperature=0)
text = whole.choices[0].message.content
assert text and whole.choices[0].finish_reason == "stop" and whole.usage.total_tokens > 0, whole
pieces, usage = [], None
for chunk in ask("describe the picture", stream=True, stream_options={"include_usage": True}):
    usage = chunk.usage or usage
    if chunk.choices:
        pieces.append(chunk.choices[0].delta.content or "")
assert "".join(pieces) == text and usage.total_tokens > 0, (pieces, text)
schema = {"type": "object", "properties": {"answer": {"type": "string"}, "indoors": {"type": "boolean"}}, "required": ["answer", "indoors"], "additionalProperties": False}
form = json.loads(ask("what is it?", response_format={"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}).choices[0].message.content)
assert isinstance(form["answer"], str) and isinstance(form["indoors"], bool), form
assert c.chat.completions.create(model=name, messages=[{"role": "user", "content": "hello"}]).choices[0].message.content
e = c.embeddings.create(model=name, input=["a circle", data])
assert len(e.data) == 2 and abs(sum(x * x for x in e.data[1].embedding) - 1) < 1e-3
for call, wrong in [
    (lambda: c.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "x"}]), openai.NotFoundError),
    (lambda: ask("what?", temperature=9), openai.BadRequestError),
    (lambda: c.chat.completions.create(model=name, messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]), openai.BadRequestError),
    (lambda: c.models.retrieve("nothing"), openai.NotFoundError),
]:
    try:
        call()
    except wrong as err:
        assert err.body["message"], err.body
    else:
        raise SystemExit(f"no {wrong.__name__}")
print("openai", openai.__version__, "ok")
