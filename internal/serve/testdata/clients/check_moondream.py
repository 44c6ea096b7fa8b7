"""moondream: its five skills, streaming, and errors."""
import sys, urllib.error
import moondream
from moondream.cloud_vl import CloudVL
from PIL import Image

url, path = sys.argv[1], sys.argv[2]
img = Image.open(path)
for base in (url + "/v1", url + "/moondream/v1"):
    m = CloudVL(endpoint=base)
    caption = m.caption(img)["caption"]
    assert caption and "".join(m.caption(img, stream=True)["caption"]) == caption
    assert len(m.caption(img, length="short")["caption"].split()) <= 12
    answer = m.query(img, "what is it?")["answer"]
    assert answer and "".join(m.query(img, "what is it?", stream=True)["answer"]) == answer
    for o in m.detect(img, "circle")["objects"]:
        assert 0 <= o["x_min"] <= o["x_max"] <= 1
    for p in m.point(img, "circle")["points"]:
        assert 0 <= p["x"] <= 1
    s = m.segment(img, "circle")
    assert "path" in s and (not s["path"] or s["path"].startswith("M "))
    assert list(m.segment(img, "circle", stream=True))[-1]["completed"]
    assert m.query(question="hello")["answer"]
    try:
        m.detect(img, "")
    except urllib.error.HTTPError as err:
        assert err.code == 400
    else:
        raise SystemExit("no error")
print("moondream", moondream.__version__ if hasattr(moondream, "__version__") else "", "ok")
