"""Makes coco.json: masks as pycocotools 2.0.11 draws, codes and compares them. Run: python coco.py > coco.json

Polygons of many kinds: whole and fractional corners, outside the picture, self-crossing, repeated corners, two
corners. Masks: noise, blobs, empty, full. For pairs of masks: union, intersection, IoU plain and with crowd.
"""
import json
import random

import numpy as np
from pycocotools import mask as M

rng = random.Random(1)
nrng = np.random.default_rng(1)


def text(r):
    return r["counts"].decode()


polygons = []
for i in range(400):
    h, w = rng.randint(1, 60), rng.randint(1, 60)
    if i % 20 == 0:
        h, w = rng.randint(200, 500), rng.randint(200, 500)
    lo, hi = rng.choice([(0, 1), (-0.3, 1.3), (-3, 4), (0.4, 0.6)])
    step = rng.choice([None, 1, 0.5, 0.1, 0.01])
    polys = []
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        k = rng.choice([3, 3, 4, 5, 8, 20])
        p = []
        for _ in range(k):
            for side in (w, h):
                v = rng.uniform(lo * side, hi * side)
                p.append(v if step is None else round(round(v / step) * step, 6))
        if rng.random() < 0.2:
            p += p[-2:]  # a corner twice
        if rng.random() < 0.1:
            p += p[:2]  # closed by hand
        polys.append(p)
    if i % 10 == 9:
        polys.append(polys[0][:4])
    r = M.merge(M.frPyObjects(polys, h, w))
    polygons.append(dict(h=h, w=w, polygons=polys, counts=text(r)))


def random_mask(h, w):
    kind = rng.choice(["noise", "sparse", "blob", "blob", "empty", "full", "columns"])
    if kind == "noise":
        m = nrng.random((h, w)) < 0.5
    elif kind == "sparse":
        m = nrng.random((h, w)) < 0.03
    elif kind == "empty":
        m = np.zeros((h, w))
    elif kind == "full":
        m = np.ones((h, w))
    elif kind == "columns":
        m = np.broadcast_to(nrng.random((1, w)) < 0.5, (h, w))
    else:
        y, x = np.mgrid[:h, :w]
        cy, cx, ry, rx = nrng.random(4) * [h, w, h, w]
        m = ((y - cy) / (ry + 1)) ** 2 + ((x - cx) / (rx + 1)) ** 2 < 1
    return np.asfortranarray(m.astype(np.uint8))


pairs = []
for _ in range(200):
    h, w = rng.randint(1, 40), rng.randint(1, 40)
    a, b = M.encode(random_mask(h, w)), M.encode(random_mask(h, w))
    box = M.toBbox(a).tolist()
    pairs.append(dict(
        h=h, w=w, a=text(a), b=text(b), area=int(M.area(a)), box=[box[0], box[1], box[0] + box[2], box[1] + box[3]],
        union=text(M.merge([a, b])), intersect=text(M.merge([a, b], intersect=True)),
        iou=float(M.iou([a], [b], [0])[0, 0]), crowd=float(M.iou([a], [b], [1])[0, 0]),
        rows=["".join(map(str, row)) for row in M.decode(a).tolist()] if h * w < 150 else None))

print("{\"polygons\": [")
print(",\n".join(json.dumps(p, separators=(",", ":")) for p in polygons))
print("], \"pairs\": [")
print(",\n".join(json.dumps(p, separators=(",", ":")) for p in pairs))
print("]}")
