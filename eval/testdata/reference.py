"""Makes the figures that package eval is tested against, by the programs that define the metrics.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install pycocotools==2.0.11 pycocoevalcap==1.2 numpy
    git clone https://github.com/GT-Vision-Lab/VQA /tmp/VQA        # a013f00; Python 2, converted on the fly
    cd eval/testdata && /tmp/venv/bin/python reference.py --vqa /tmp/VQA [--captions coco_mini/annotations/captions_val.json]

It needs Python 3.11 or older (lib2to3) and, for captions, Java. It writes

    ../../testdata/fixtures/{cocoapi,mmpose_coco,vqa_small}/expected.json and the made-up files named *_synthetic*
    coco_random.json.gz, vqa_random.json.gz, captions.json

Random cases hold crowds, "ignore", equal scores, empty images, images with more than 100 results, results of unknown
categories, annotations numbered from 0, other skeletons, all three ways to write a mask.
"""
import argparse
import contextlib
import copy
import gzip
import importlib.util
import io
import json
import os
import random
import sys

import numpy as np
from pycocotools import mask as M
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../testdata/fixtures")
HERE = os.path.dirname(os.path.abspath(__file__))

BOX_NAMES = "AP AP50 AP75 APs APm APl AR1 AR10 AR100 ARs ARm ARl".split()
JOINT_NAMES = "AP AP50 AP75 APm APl AR AR50 AR75 ARm ARl".split()


def coco(gt, results, task, sigmas=None):
    """pycocotools' summary of results (a list) against gt (a dict)."""
    with contextlib.redirect_stdout(io.StringIO()):
        g = COCO()
        g.dataset = copy.deepcopy(gt)
        g.createIndex()
        e = COCOeval(g, g.loadRes(copy.deepcopy(results)), task)
        if sigmas is not None:
            e.params.kpt_oks_sigmas = np.array(sigmas)
        e.evaluate()
        e.accumulate()
        e.summarize()
    per_class = {}
    last = len(e.params.maxDets) - 1
    names = {c["id"]: c["name"] for c in gt["categories"]}
    for k, cat in enumerate(e.params.catIds):
        p = e.eval["precision"][:, :, k, 0, last]
        if p.max() > -1:
            per_class[names[cat]] = {"AP": float(p[p > -1].mean()), "AP50": float(p[0][p[0] > -1].mean())}
    metrics = dict(zip(JOINT_NAMES if task == "keypoints" else BOX_NAMES, map(float, e.stats)))
    return {"metrics": metrics, "groups": {"class": per_class}}


# Random COCO cases.

def ellipse(rng, h, w, box):
    y, x = np.mgrid[:h, :w]
    bx, by, bw, bh = box
    m = ((x + .5 - bx - bw / 2) / (bw / 2 + 1e-3)) ** 2 + ((y + .5 - by - bh / 2) / (bh / 2 + 1e-3)) ** 2 <= 1
    return np.asfortranarray(m.astype(np.uint8))


def rle(mask, compressed):
    r = M.encode(mask)
    if compressed:
        return {"size": r["size"], "counts": r["counts"].decode()}
    flat = mask.flatten(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    if flat[0]:
        runs = [0] + runs
    return {"size": list(mask.shape), "counts": runs}


def polygon(box, k, rng):
    x, y, w, h = box
    out = []
    for a in np.linspace(0, 2 * np.pi, k, endpoint=False):
        out += [round(x + w / 2 * (1 + np.cos(a)), 2), round(y + h / 2 * (1 + np.sin(a)), 2)]
    return out


def random_case(seed, task):
    rng = random.Random(seed)
    h, w = (300, 400) if task != "segm" else (rng.choice([90, 260]), rng.choice([120, 300]))
    images = [{"id": i, "height": h, "width": w} for i in rng.sample(range(1, 500), rng.randint(1, 7))]
    joints = rng.choice([17, 17, 5]) if task == "keypoints" else 0
    sigmas = [round(rng.uniform(.02, .12), 3) for _ in range(5)] if joints == 5 else None
    n_cats = 1 if task == "keypoints" else rng.randint(1, 4)
    categories = [{"id": c, "name": "class %d" % c} for c in rng.sample(range(1, 90), n_cats)]
    if joints == 17:
        categories[0]["keypoints"] = ["joint %d" % i for i in range(17)]
    whole = rng.random() < .5  # whole coordinates make many equal IoUs
    steps = rng.choice([3, 10, 10**6])  # few different scores
    crowded = rng.random() < .1

    def r(v):
        return round(v) if whole else round(v, 2)

    def size():
        return rng.choice([rng.uniform(2, 20), rng.uniform(15, 60), rng.uniform(50, 250)])

    def random_box():
        bw, bh = min(size(), w - 1), min(size(), h - 1)
        return [r(rng.uniform(0, w - bw)), r(rng.uniform(0, h - bh)), max(r(bw), 1), max(r(bh), 1)]

    annotations, results = [], []
    first = 0 if rng.random() < .2 else rng.randint(1, 10)
    boxes_too = rng.random() < .3
    for im in images:
        if rng.random() < .15:
            continue  # nothing there; perhaps nothing found
        for _ in range(rng.choice([0, 1, 3, 8])):
            a = {"id": first + len(annotations), "image_id": im["id"], "category_id": rng.choice(categories)["id"], "bbox": random_box(),
                 "iscrowd": int(rng.random() < .15)}
            if rng.random() < .1:
                a["ignore"] = 1
            a["area"] = a["bbox"][2] * a["bbox"][3] * (1 if rng.random() < .5 else .6)
            if task == "segm":
                form = rng.choice(["polygon", "two", "rle", "counts"])
                m = ellipse(rng, h, w, a["bbox"])
                if form == "polygon":
                    a["segmentation"] = [polygon(a["bbox"], rng.choice([3, 4, 9]), rng)]
                elif form == "two":
                    a["segmentation"] = [polygon(a["bbox"], 5, rng), polygon(random_box(), 3, rng)]
                else:
                    a["segmentation"] = rle(m, form == "rle")
                a["area"] = float(M.area(M.merge(M.frPyObjects(a["segmentation"], h, w))) if form in ("polygon", "two") else m.sum())
            if task == "keypoints":
                ks = []
                x, y, bw, bh = a["bbox"]
                none = rng.random() < .2
                for _ in range(joints):
                    v = 0 if none else rng.choice([0, 1, 2, 2])
                    ks += [r(rng.uniform(x, x + bw)), r(rng.uniform(y, y + bh)), v] if v else [0, 0, 0]
                a["keypoints"], a["num_keypoints"] = ks, sum(v > 0 for v in ks[2::3])
            annotations.append(a)

    def result(image, cat, box, near=None):
        d = {"image_id": image, "category_id": cat, "score": rng.randint(0, steps) / steps}
        if task == "bbox" or boxes_too:
            d["bbox"] = box
        if task == "segm":
            d["segmentation"] = rle(ellipse(rng, h, w, box), True)
        if task == "keypoints":
            ks = []
            for i in range(joints):
                if near and near["keypoints"][3 * i + 2]:
                    s = rng.choice([0, 1, 4, 15])
                    ks += [r(near["keypoints"][3 * i] + rng.gauss(0, s)), r(near["keypoints"][3 * i + 1] + rng.gauss(0, s)), 1]
                else:
                    ks += [r(rng.uniform(box[0], box[0] + box[2])), r(rng.uniform(box[1], box[1] + box[3])), 1]
            d["keypoints"] = ks
        return d

    for a in annotations:
        for _ in range(rng.choice([0, 1, 1, 2, 3])):
            s = rng.choice([0, 0, .03, .1, .3])
            x, y, bw, bh = a["bbox"]
            box = [r(x + rng.gauss(0, s) * bw), r(y + rng.gauss(0, s) * bh), max(r(bw * (1 + rng.gauss(0, s))), 0), max(r(bh * (1 + rng.gauss(0, s))), 0)]
            cat = a["category_id"] if rng.random() < .9 else rng.choice(categories)["id"]
            results.append(result(a["image_id"], cat, box, a))
    for im in images:
        for _ in range(rng.choice([0, 0, 2, 5]) if not crowded else 130):
            results.append(result(im["id"], rng.choice(categories)["id"], random_box()))
    if results and task == "bbox" and rng.random() < .3:
        results.append(dict(results[0], category_id=99))
    rng.shuffle(results)
    gt = {"images": images, "categories": categories, "annotations": annotations}
    if not results:
        return None
    case = {"seed": seed, "task": task, "gt": gt, "pred": results}
    if sigmas:
        case["sigmas"] = sigmas
    case.update(coco(gt, results, task, sigmas))
    return case


# VQA.

def load_vqa_eval(path):
    from lib2to3.refactor import RefactoringTool, get_fixers_from_package
    source = open(os.path.join(path, "PythonEvaluationTools/vqaEvaluation/vqaEval.py"), encoding="utf8").read().expandtabs(4)
    tool = RefactoringTool(get_fixers_from_package("lib2to3.fixes"))
    scope = {}
    exec(compile(str(tool.refactor_string(source + "\n", "vqaEval")), "vqaEval", "exec"), scope)
    return scope["VQAEval"]


class Questions:
    def __init__(self, entries):
        self.qa = {e["question_id"]: e for e in entries}

    def getQuesIds(self):
        return list(self.qa)


def vqa(VQAEval, annotations, results):
    gts = copy.deepcopy(annotations)
    for a in gts:
        a.setdefault("question_type", "")
        a.setdefault("answer_type", "")
    with contextlib.redirect_stdout(io.StringIO()):
        e = VQAEval(Questions(gts), Questions(copy.deepcopy(results)), n=12)
        e.evaluate()
    groups = {}
    for name, key in (("question_type", "perQuestionType"), ("answer_type", "perAnswerType")):
        g = {k: {"vqa_accuracy": v / 100} for k, v in e.accuracy[key].items() if k}
        if g:
            groups[name] = g
    tool = e

    def normal(s):
        return tool.processDigitArticle(tool.processPunctuation(s.replace("\n", " ").replace("\t", " ").strip()))

    by_id = {r["question_id"]: r["answer"] for r in results}
    exact = 0
    for a in annotations:
        answers = [x["answer"] for x in a["answers"]]
        exact += normal(by_id[a["question_id"]]) == normal(max(answers, key=answers.count))
    return {"metrics": {"vqa_accuracy": e.accuracy["overall"] / 100, "exact": exact / len(annotations)}, "groups": groups}, normal, tool


def random_answers(rng, tool):
    words = ["yes", "no", "Yes", "a dog", "the red one", "two", "2", "ten", "none", "1,000", "1,000 cats", "3.5", "p.m.", "p. m.", "U.S.A.", "t-shirt",
             "t shirt", "black and white", "black & white", "left/right", "left / right", "what?", "stop !", "(left)", "it's", "its", "don't", "dont", "isnt",
             "half-full", "a", "the", "", "  spaced   out ", "tab\there", "new\nline", "\u00e9clair", "10:30", "10.30", "9 a.m", "one; two", "$5", "50%", "@home",
             "one,two", "rock 'n' roll", "men's", "mens", "...", "1.2.3.", "x" * 40 + "." * 40, "Oclock", "I'm", "Im", "yall", "y'allll", "She'd've", "shed've"]
    words += list(tool.contractions) + list(tool.contractions.values()) + [p + "x " + p for p in tool.punct] + ["x" + p + "y" for p in tool.punct]
    return rng.choice(words)


def random_vqa(VQAEval, tool, seed, n):
    rng = random.Random(seed)
    annotations, results = [], []
    for q in range(n):
        pool = [random_answers(rng, tool) for _ in range(rng.choice([1, 2, 3, 6]))]
        annotations.append({"question_id": 100 + q, "image_id": q // 3, "question_type": rng.choice(["what is", "is the", "how many"]),
                            "answer_type": rng.choice(["yes/no", "number", "other"]),
                            "answers": [{"answer": rng.choice(pool), "answer_id": i + 1} for i in range(rng.choice([10, 10, 10, 4]))]})
        results.append({"question_id": 100 + q, "answer": rng.choice(pool) if rng.random() < .8 else random_answers(rng, tool)})
    rng.shuffle(results)
    return {"task": "vqa", "gt": {"annotations": annotations}, "pred": results, **vqa(VQAEval, annotations, results)[0]}


# Captions.

def captions(gt, results):
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer
    ids = sorted({r["image_id"] for r in results})
    refs = {i: [{"caption": a["caption"]} for a in gt["annotations"] if a["image_id"] == i] for i in ids}
    hyps = {i: [{"caption": r["caption"]} for r in results if r["image_id"] == i] for i in ids}
    with contextlib.redirect_stdout(io.StringIO()):
        refs, hyps = PTBTokenizer().tokenize(refs), PTBTokenizer().tokenize(hyps)
        bleu, _ = Bleu(4).compute_score(refs, hyps, verbose=0)
        cider, _ = Cider().compute_score(refs, hyps)
    return {"metrics": {**{"BLEU%d" % (i + 1): float(b) for i, b in enumerate(bleu)}, "CIDEr": float(cider)}}


def worn(rng, caption):
    """A caption with words lost, doubled and swapped."""
    words = caption.split()
    out = []
    for w in words:
        p = rng.random()
        if p < .1:
            continue
        out.append(w)
        if p > .95:
            out.append(w)
    if len(out) > 2 and rng.random() < .3:
        i = rng.randrange(len(out) - 1)
        out[i], out[i + 1] = out[i + 1], out[i]
    return " ".join(out)


# Files.

def read(*path):
    with open(os.path.join(*path), encoding="utf8") as f:
        return json.load(f)


def write(value, *path, lines=False):
    name = os.path.join(*path)
    if lines:
        text = "[\n" + ",\n".join(json.dumps(v, separators=(",", ":")) for v in value) + "\n]\n"
    else:
        text = json.dumps(value, indent=1) + "\n"
    if name.endswith(".gz"):
        with open(name, "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="") as z:
            z.write(text.encode())
    else:
        with open(name, "w", encoding="utf8") as f:
            f.write(text)


def make_cocoapi():
    d = os.path.join(FIXTURES, "cocoapi")
    rng = random.Random(7)
    gt = read(d, "instances_val2014_100.json")
    joints = read(d, "person_keypoints_val2014_fakekeypoints100_results.json")
    # The ground truth of the keypoint results is not in the folder: bend the results into one.
    annotations = []
    for i, r in enumerate(joints):
        if rng.random() < .15:
            continue
        k = list(r["keypoints"])
        for j in range(0, len(k), 3):
            if k[j + 2]:
                s = rng.choice([0, 2, 6, 20])
                k[j], k[j + 1] = round(k[j] + rng.gauss(0, s), 1), round(k[j + 1] + rng.gauss(0, s), 1)
            else:
                k[j] = k[j + 1] = 0
        xs, ys = k[0::3], k[1::3]
        box = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
        annotations.append({"id": 1000 + i, "image_id": r["image_id"], "category_id": 1, "iscrowd": int(rng.random() < .05), "bbox": box,
                            "area": round(box[2] * box[3] * .5, 2), "keypoints": k, "num_keypoints": sum(v > 0 for v in k[2::3])})
    person = {"images": [{"id": im["id"], "width": im["width"], "height": im["height"]} for im in gt["images"]],
              "categories": [{"id": 1, "name": "person", "keypoints": read(FIXTURES, "mmpose_coco", "test_coco.json")["categories"][0]["keypoints"]}],
              "annotations": annotations}
    write(person, d, "person_keypoints_synthetic.json")
    caps = read(d, "captions_val2014_fakecap_results.json")
    refs = {"annotations": []}
    for i, c in enumerate(caps):
        for text in (worn(rng, c["caption"]), worn(rng, c["caption"]), caps[i - 1]["caption"]):
            refs["annotations"].append({"id": len(refs["annotations"]) + 1, "image_id": c["image_id"], "caption": text})
    write(refs, d, "captions_synthetic.json.gz")
    cases = []
    for task, g, name in (("bbox", "instances_val2014_100.json", "instances_val2014_fakebbox100_results.json"),
                          ("segm", "instances_val2014_100.json", "instances_val2014_fakesegm100_results.json"),
                          ("bbox", "instances_val2014_100.json", "instances_val2014_fakesegm100_results.json"),
                          ("segm", "instances_val2014_100.json", "instances_val2014_fakebbox100_results.json"),
                          ("keypoints", "person_keypoints_synthetic.json", "person_keypoints_val2014_fakekeypoints100_results.json")):
        cases.append({"task": task, "gt": g, "pred": name, **coco(read(d, g), read(d, name), task)})
    cases.append({"task": "caption", "gt": "captions_synthetic.json.gz", "pred": "captions_val2014_fakecap_results.json", **captions(refs, caps)})
    write({"made_by": "eval/testdata/reference.py with pycocotools 2.0.11, pycocoevalcap 1.2", "cases": cases}, d, "expected.json")


def make_mmpose():
    d = os.path.join(FIXTURES, "mmpose_coco")
    rng = random.Random(8)
    gt, det = read(d, "test_coco.json"), read(d, "test_coco_det_AP_H_56.json")
    results = []
    for a in gt["annotations"]:
        if not a["num_keypoints"]:
            continue
        for _ in range(rng.choice([1, 1, 2])):
            s = rng.choice([1, 4, 12])
            k = [v + rng.gauss(0, s) if i % 3 < 2 else rng.random() for i, v in enumerate(a["keypoints"])]
            results.append({"image_id": a["image_id"], "category_id": 1, "keypoints": [round(v, 3) for v in k], "score": round(rng.random(), 4)})
    write(results, d, "keypoints_synthetic_results.json", lines=True)
    cases = []
    known = {im["id"] for im in gt["images"]}
    assert all(r["image_id"] in known for r in det)
    for task, name, r in (("bbox", "test_coco_det_AP_H_56.json", det), ("keypoints", "keypoints_synthetic_results.json", results)):
        cases.append({"task": task, "gt": "test_coco.json", "pred": name, **coco(gt, r, task)})
    write({"made_by": "eval/testdata/reference.py with pycocotools 2.0.11", "cases": cases}, d, "expected.json")


def make_vqa(VQAEval):
    d = os.path.join(FIXTURES, "vqa_small")
    annotations = read(d, "vqav2_annotations.json")["annotations"]
    for a in annotations:
        a.setdefault("image_id", 458752)
    variants = {"vqav2_right_results.json": ["net", "Pitcher.", "the orange"], "vqav2_partly_results.json": ["netting", "catcher", "orange"],
                "vqav2_wrong_results.json": ["window", "", "2"]}
    cases = []
    for name, answers in variants.items():
        results = [{"question_id": a["question_id"], "answer": s} for a, s in zip(annotations, answers)]
        write(results, d, name, lines=True)
        score, _, tool = vqa(VQAEval, annotations, results)
        cases.append({"task": "vqa", "gt": "vqav2_annotations.json", "pred": name, **score})
    write({"made_by": "eval/testdata/reference.py with GT-Vision-Lab/VQA a013f00", "cases": cases,
           "not_scored": {"gqa_questions.json": "questions in GQA's layout, not VQA v2's", "vqav2_questions.json": "questions; the answers are in vqav2_annotations.json"}},
          d, "expected.json")
    normal = vqa(VQAEval, annotations, results)[1]
    forms = sorted({random_answers(random.Random(i), tool) for i in range(4000)})
    write({"normal": {s: normal(s) for s in forms}, "cases": [random_vqa(VQAEval, tool, i, 60) for i in range(20)]}, HERE, "vqa_random.json.gz")


def make_captions(path):
    """Real captions of COCO (CC BY 4.0, COCO Consortium): the first of each image against the others."""
    gt = read(path)
    first, rest, results = set(), [], []
    for a in gt["annotations"]:
        if a["image_id"] not in first:
            first.add(a["image_id"])
            results.append({"image_id": a["image_id"], "caption": a["caption"]})
        else:
            rest.append({"id": a["id"], "image_id": a["image_id"], "caption": a["caption"]})
    gt = {"annotations": rest}
    write({"task": "caption", "gt": gt, "pred": results, **captions(gt, results)}, HERE, "captions.json")


def make_random():
    cases = []
    for seed in range(180):
        case = random_case(seed, ["bbox", "segm", "keypoints"][seed % 3])
        if case:
            cases.append(case)
    write(cases, HERE, "coco_random.json.gz", lines=True)


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--vqa", required=True)
    p.add_argument("--captions")
    args = p.parse_args()
    make_random()
    make_vqa(load_vqa_eval(args.vqa))
    make_mmpose()
    make_cocoapi()
    if args.captions:
        make_captions(args.captions)
