#!/usr/bin/env python3
"""Hold `undying dump` against what interpreters say inside; print a Markdown table.

    accuracy.py EXACT --undying BIN [--envs DIR] [--python NAME=PATH]... [--workload W]...

EXACT is an examiner with the interface of accept/exact.py: it starts a program under
a given Python, dumps it with a given undying, and prints shares as JSON (--json).
For each interpreter an environment with the packages below is made once in DIR.
The examiner needs pyarrow: it runs in an environment of its own.

Interpreters: --python, else pyenv's 3.8 to 3.13 and /usr/bin/python3.11.
"""
import argparse
import json
import pathlib
import subprocess
import sys

from environments import environment, interpreters, minor

# Django is held at 5.0: later ones change while the examiner looks at them (asking a lazy
# object for its class makes it, and signals drop receivers), so that their own account
# contradicts itself by up to 0.1 %.
NEW = ["sympy", "django==5.0.*", "pandas"]
OLD = ["sympy"]
SHARES = ("objects", "types", "sizes", "recall", "precision")
LEAST = {"objects": 0.999, "types": 0.999, "sizes": 0.995, "recall": 0.9999, "precision": 0.995}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("exact", type=pathlib.Path)
    ap.add_argument("--undying", required=True)
    ap.add_argument("--envs", type=pathlib.Path, default=pathlib.Path.home() / ".cache" / "undying-accuracy")
    ap.add_argument("--python", action="append")
    ap.add_argument("--workload", action="append")
    a = ap.parse_args()
    a.envs.mkdir(parents=True, exist_ok=True)
    examiner = environment(a.envs / "examiner", sys.executable, ["pyarrow"])
    print("| interpreter | workload | objects known | references known | " + " | ".join(SHARES) + " |")
    print("|---" * (4 + len(SHARES)) + "|")
    low = 0
    for name, python in interpreters(a.python):
        new = minor(python) >= (3, 10)
        inside = environment(a.envs / name.replace("'s ", "-"), python, NEW if new else OLD)
        for workload in a.workload or ["seed", "stdlib", "threads", "sympy"] + (["django", "pandas"] if new else []):
            command = [examiner, str(a.exact), "--undying", a.undying, "--python", inside, "--workload", workload, "--json"]
            out = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
            told = json.loads(out.strip().splitlines()[-1])
            cells = []
            for share in SHARES:
                least = 0.999 if (share, workload) == ("recall", "pandas") else LEAST[share]
                low += told[share] < least
                cells.append("%.3f %%%s" % (100 * told[share], "" if told[share] >= least else " **low**"))
            print("| %s | %s | %d | %d | %s |" % (name, workload, told["objects_known"], told["edges_known"], " | ".join(cells)), flush=True)
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
