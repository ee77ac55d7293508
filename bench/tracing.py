#!/usr/bin/env python3
"""What tracing costs: CPU of three workloads under a tracer over the same without, in turn.

    tracing.py --workloads PATH/workloads.py --python ENV/bin/python [--undying ENV/bin/undying]
               [--runs 5] [--scale 1] [--only undying,memray] [--workload json,objects,text]

`workloads.py json|objects|text --scale S` prints "NAME checksum seconds", the CPU of the
workload itself, all threads; so a tool's start and its report do not count, nor does the
load of the machine in full.  One row a pair of workload and tool: the median of the pairs'
ratios, and the least and most; peak resident size over the plain one's.  Tools that are
not installed in ENV are left out and named.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile

SCALES = {"json": 1.0, "objects": 0.6, "text": 2.4}


def run(words, directory, name):
    """CPU seconds inside of the workload, peak resident size in KiB."""
    out = os.path.join(directory, "out")
    with open(out, "wb") as file:
        child = subprocess.Popen(words, stdout=file, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd=directory)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = status
    with open(out, errors="replace") as file:
        for line in file:
            words_of = line.split()
            if len(words_of) == 3 and words_of[0] == name:
                return float(words_of[2]), used.ru_maxrss
    return None, used.ru_maxrss


def tools(python, undying):
    memray = [python, "-m", "memray", "run", "-q", "-f", "-o", "out.bin"]
    run_ = [undying, "run", "-q", "--python", python, "-o", "report.txt", "--force"]
    return {
        "noise (plain)": [python],
        "undying, every object": run_,
        "undying, a sample (512 KiB)": [*run_, "--sample"],
        "tracemalloc, 1 frame": [python, "-X", "tracemalloc=1"],
        "tracemalloc, 25 frames": [python, "-X", "tracemalloc=25"],
        "memray": memray,
        "memray --trace-python-allocators": [*memray, "--trace-python-allocators"],
    }


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--workloads", required=True)
    ask.add_argument("--python", required=True, help="an interpreter with the wheel installed, and memray")
    ask.add_argument("--undying", help="the command (default: beside the interpreter)")
    ask.add_argument("--runs", type=int, default=5)
    ask.add_argument("--scale", type=float, default=1.0)
    ask.add_argument("--only", default="")
    ask.add_argument("--workload", default="json,objects,text")
    given = ask.parse_args()
    workloads = os.path.abspath(given.workloads)
    undying = given.undying or os.path.join(os.path.dirname(given.python), "undying")
    for name in given.workload.split(","):
        scale = SCALES[name] * given.scale
        program = [workloads, name, "--scale", str(scale)]
        for tool, words in tools(given.python, undying).items():
            if given.only and not any(part in tool for part in given.only.split(",")):
                continue
            ratios, sizes = [], []
            for _ in range(given.runs):
                with tempfile.TemporaryDirectory() as directory:
                    plain, plain_size = run([given.python, "-B", *program], directory, name)
                    traced, size = run([*words, *program], directory, name)
                if traced is None:
                    break
                ratios.append(traced / plain)
                sizes.append(size / plain_size)
            if not ratios:
                print(json.dumps({"workload": name, "tool": tool, "left_out": "it did not run"}))
                continue
            row = {
                "workload": name,
                "tool": tool,
                "runs": len(ratios),
                "cpu": round(statistics.median(ratios), 3),
                "least": round(min(ratios), 3),
                "most": round(max(ratios), 3),
                "peak": round(statistics.median(sizes), 2),
            }
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
