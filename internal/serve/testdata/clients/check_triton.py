"""tritonclient[http]: health, metadata, infer with JSON and binary tensors, and errors."""
import json, sys
import numpy as np
import tritonclient.http as http
from PIL import Image
from tritonclient.utils import InferenceServerException

url, path = sys.argv[1].removeprefix("http://"), sys.argv[2]
c = http.InferenceServerClient(url)
assert c.is_server_live() and c.is_server_ready()
name = c.get_model_repository_index()[0]["name"]
assert c.is_model_ready(name) and not c.is_model_ready("nothing")
assert "binary_tensor_data" in c.get_server_metadata()["extensions"]
assert c.get_model_metadata(name)["inputs"][0]["name"] == "image"
file = np.array([open(path, "rb").read()], dtype=object)
pixels = np.asarray(Image.open(path).convert("RGB"))


def image(a, kind):
    i = http.InferInput("image", list(a.shape), kind)
    i.set_data_from_numpy(a)
    return i


def text(name, *s):
    i = http.InferInput(name, [len(s)], "BYTES")
    i.set_data_from_numpy(np.array([x.encode() for x in s], dtype=object), binary_data=False)
    return i


r = c.infer(name, [image(file, "BYTES"), text("task", "detect")], request_id="7")
assert r.get_response()["id"] == "7" and r.as_numpy("boxes").shape == (len(r.as_numpy("scores")), 4)
assert json.loads(r.as_numpy("result")[0])["task"] == "detect"
a = c.infer(name, [image(file, "BYTES"), text("task", "embed")], outputs=[http.InferRequestedOutput("vector", binary_data=True)]).as_numpy("vector")
b = c.infer(name, [image(np.stack([pixels, pixels]), "UINT8"), text("task", "embed")], outputs=[http.InferRequestedOutput("vector", binary_data=False)]).as_numpy("vector")
assert a.shape[0] == 1 and b.shape[0] == 2 and np.abs(a - b).max() < .05, np.abs(a - b).max()
r = c.infer(name, [image(file, "BYTES"), text("task", "ask"), text("text", "what is it?", "what color?")])
assert r.as_numpy("answers").shape == (2,)
for call in [lambda: c.infer(name, [image(np.array([b"no"], dtype=object), "BYTES")]), lambda: c.infer("nothing", [image(file, "BYTES")]),
             lambda: c.infer(name, [image(file, "BYTES")], outputs=[http.InferRequestedOutput("x")])]:
    try:
        call()
    except InferenceServerException as err:
        assert err.message(), err
    else:
        raise SystemExit("no error")
print("tritonclient ok")
