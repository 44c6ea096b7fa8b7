"""What every peer has in common: the worker's side of the protocol that README.md describes."""
import argparse
import json
import os
import sys
import time


def arguments(engines):
    p = argparse.ArgumentParser()
    p.add_argument("--prepare", metavar="FILE", help="write what all engines read, and end")
    p.add_argument("--engine", choices=engines)
    p.add_argument("--case", required=True)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--file", help="what --prepare wrote")
    p.add_argument("--cold", action="store_true", help="be ready before every item was done once")
    return p.parse_args()


def serve(version, items, cold=False, **more):
    """Answers each line "KEY SECONDS MINREPS" with the seconds of every repetition of items[KEY](), after one that does not count. `more` is said besides when ready."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever libraries print goes to standard error
    for f in items.values():
        if not cold:
            f()
    print(json.dumps({"ready": True, "version": version, **more}), file=out)
    for line in sys.stdin:
        if not line.strip():
            continue
        key, seconds, least = line.split()
        f, times = items[key], []
        f()
        start = time.perf_counter()
        while len(times) < max(int(least), 1) or time.perf_counter() - start < float(seconds):
            t = time.perf_counter()
            f()
            times.append(time.perf_counter() - t)
        print(json.dumps({"times_s": times}), file=out)
