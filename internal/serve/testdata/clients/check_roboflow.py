"""inference-sdk: infer for the four tasks, several pictures, and errors."""
import sys
from inference_sdk import InferenceConfiguration, InferenceHTTPClient
from inference_sdk.http.errors import HTTPCallErrorError

url, path = sys.argv[1], sys.argv[2]
c = InferenceHTTPClient(api_url=url, api_key="none")
c.configure(InferenceConfiguration(confidence_threshold=.05, max_detections=5))
models = {m.model_id: m.task_type for m in c.list_loaded_models().models}
name = next(iter(models))
for task, key in [("", "x"), ("/detect", "class_id"), ("/segment", "points"), ("/pose", "keypoints"), ("/classify", "class")]:
    r = c.infer(path, model_id=name + task)
    assert r["image"]["width"] > 0, r
    for p in r["predictions"]:
        assert key in p and "confidence" in p, p
assert len(c.infer([path, path], model_id=name)) == 2
try:
    c.infer(path, model_id="nothing/1")
except Exception as err:
    print("as expected:", type(err).__name__)
else:
    raise SystemExit("no error")
try:
    c.configure(InferenceConfiguration(confidence_threshold=7))
    c.infer(path, model_id=name)
except HTTPCallErrorError as err:
    assert err.status_code == 400 and err.api_message, err
else:
    raise SystemExit("no error")
print("inference-sdk ok")
