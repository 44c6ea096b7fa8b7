"""tritonclient[grpc]: health, metadata, infer with files and pixels, asynchronous infer, and errors."""
import json, queue, sys
import numpy as np
import tritonclient.grpc as grpc
from PIL import Image
from tritonclient.utils import InferenceServerException

url, path = sys.argv[1].removeprefix("http://"), sys.argv[2]
c = grpc.InferenceServerClient(url)
assert c.is_server_live() and c.is_server_ready()
name = c.get_model_repository_index().models[0].name
assert c.is_model_ready(name) and c.is_model_ready(name, "1") and not c.is_model_ready("nothing")
assert c.get_server_metadata(as_json=True)["name"] == "fovea"
assert c.get_model_metadata(name).inputs[0].name == "image"
file = np.array([open(path, "rb").read()], dtype=object)
pixels = np.asarray(Image.open(path).convert("RGB"))


def image(a, kind):
    i = grpc.InferInput("image", list(a.shape), kind)
    i.set_data_from_numpy(a)
    return i


def text(name, *s):
    i = grpc.InferInput(name, [len(s)], "BYTES")
    i.set_data_from_numpy(np.array([x.encode() for x in s], dtype=object))
    return i


r = c.infer(name, [image(file, "BYTES"), text("task", "detect")], request_id="7")
assert r.get_response().id == "7" and r.as_numpy("boxes").shape == (len(r.as_numpy("scores")), 4)
assert json.loads(r.as_numpy("result")[0])["task"] == "detect"
a = c.infer(name, [image(file, "BYTES"), text("task", "embed")], outputs=[grpc.InferRequestedOutput("vector")]).as_numpy("vector")
b = c.infer(name, [image(np.stack([pixels, pixels]), "UINT8"), text("task", "embed")]).as_numpy("vector")
assert a.shape[0] == 1 and b.shape[0] == 2 and np.abs(a - b).max() < .05, np.abs(a - b).max()
r = c.infer(name, [image(file, "BYTES")], parameters={"task": "caption"})
assert r.as_numpy("answers").shape == (1,)
assert c.infer(name, [image(file, "BYTES")], compression_algorithm="gzip").as_numpy("boxes").shape[1] == 4
answers = queue.Queue()
c.async_infer(name, [image(file, "BYTES"), text("task", "ask"), text("text", "what is it?", "what color?")], lambda result, error: answers.put((result, error)))
r, error = answers.get(timeout=60)
assert error is None and r.as_numpy("answers").shape == (2,), error
for call, code in [(lambda: c.infer(name, [image(np.array([b"no"], dtype=object), "BYTES")]), "INVALID_ARGUMENT"), (lambda: c.infer("nothing", [image(file, "BYTES")]), "NOT_FOUND"),
                   (lambda: c.infer(name, [image(file, "BYTES")], outputs=[grpc.InferRequestedOutput("x")]), "INVALID_ARGUMENT"),
                   (lambda: c.get_model_config(name), "UNIMPLEMENTED")]:
    try:
        call()
    except InferenceServerException as err:
        assert code in err.status() and err.message(), (code, err)
    else:
        raise SystemExit(f"no error {code}")
print("tritonclient[grpc] ok")
