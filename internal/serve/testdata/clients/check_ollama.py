"""ollama: list, show, ps, chat, generate, embed, pull, and errors."""
import sys
import ollama

url, path = sys.argv[1], sys.argv[2]
c = ollama.Client(host=url)
name = c.list().models[0].model
show = c.show(name)
assert "vision" in show.capabilities and show.modelinfo, show
assert c.ps().models[0].model == name
message = [{"role": "user", "content": "describe the picture", "images": [path]}]
whole = c.chat(model=name, messages=message)
assert whole.message.content and whole.done and whole.done_reason == "stop" and whole.total_duration > 0, whole
assert "".join(p.message.content for p in c.chat(model=name, messages=message, stream=True)) == whole.message.content
g = c.generate(model=name, prompt="what is it?", images=[open(path, "rb").read()])
assert g.response, g
assert "".join(p.response for p in c.generate(model=name, prompt="what is it?", images=[path], stream=True)) == g.response
assert c.chat(model=name, messages=[{"role": "user", "content": "what is it?", "images": [path]}], format="json").message.content.startswith("{")
assert len(c.embed(model=name, input=["a", "b"]).embeddings) == 2
assert c.pull(name).status == "success" and [p.status for p in c.pull(name, stream=True)][-1] == "success"
for call, status in [(lambda: c.chat(model="llava", messages=message), 404), (lambda: c.generate(model=name, prompt="x", images=["AAAA"]), 400), (lambda: c.delete(name), 403)]:
    try:
        call()
    except ollama.ResponseError as err:
        assert err.status_code == status and err.error, err
    else:
        raise SystemExit(f"no error {status}")
print("ollama ok")
