#!/usr/bin/env python3
"""Audit the reference counts of real programs at rest; print a Markdown table.

    audit.py --undying BIN [--envs DIR] [--python NAME=PATH]... [--workload W]... [--keep DIR] [--json FILE]

For each interpreter an environment with the packages below is made once in DIR.  Each
program of workloads/ is started, does its work, rests, and is dumped; `undying refs`
says how many of its objects are referred to as often as they are counted.  With --keep
the snapshots stay, as DIR/PYTHON-WORKLOAD.undying, to look into.

Interpreters: --python, else pyenv's 3.8 to 3.13 and /usr/bin/python3.11.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from environments import environment, interpreters, minor

HERE = pathlib.Path(__file__).resolve().parent
WORKLOADS = ("django", "sympy", "pandas")
# The newest that still have wheels for that Python.
PACKAGES = {
    (3, 8): ["django==4.2.*", "sympy", "pandas==2.0.*"],
    (3, 9): ["django==4.2.*", "sympy", "pandas==2.3.*"],
    (3, 10): ["django==5.2.*", "sympy", "pandas==2.3.*"],
}
NEWER = ["django==5.2.*", "sympy", "pandas"]
LEAST = {(3, 8): 0.996}     # of the mortal objects, explained
LEAST_NEWER = 0.998


def dump(undying, python, workload, to):
    """Start the program, let it come to rest, and dump it."""
    program = subprocess.Popen([python, str(HERE / "workloads" / "at_rest.py"), workload],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        for line in program.stdout:
            if line.startswith("READY"):
                break
        else:
            raise RuntimeError("%s ended before it was READY" % workload)
        asleep(program.pid)
        subprocess.run([undying, "dump", str(program.pid), "-o", str(to), "-q", "--force"], check=True, capture_output=True)
    finally:
        program.kill()
        program.wait()


def asleep(pid):
    """Until every thread of the process waits for something."""
    while True:
        states = [(p / "stat").read_text().rsplit(")", 1)[1].split()[0] for p in pathlib.Path("/proc/%d/task" % pid).iterdir()]
        if set(states) == {"S"}:
            return


def audit(undying, snapshot):
    """What `refs` says; of an undying without it, what `report` says of references."""
    for command in ("refs", "report"):
        out = subprocess.run([undying, command, str(snapshot), "--format", "json", "-q"], capture_output=True, text=True)
        if out.returncode == 0:
            told = json.loads(out.stdout)
            return {"totals": told.get("totals") or told["ledgers"]["references"], "suspects": told["suspects"]}
    raise RuntimeError(out.stderr)


def row(name, workload, told):
    totals = told["totals"]
    counted = totals["mortal"] - totals["zero"]
    explained = totals["exact"] + totals["guessed"]
    high = sum(s["confidence"] == "high" for s in told["suspects"])
    orphans = totals.get("orphans", "?")
    cells = [name, workload, counted, "%.3f %%" % (100 * explained / counted), "%.3f %%" % (100 * totals["exact"] / counted),
             totals["excess"], orphans, totals["deficit"], high]
    return explained / counted, high, "| %s |" % " | ".join(map(str, cells))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--undying", required=True)
    ap.add_argument("--envs", type=pathlib.Path, default=pathlib.Path.home() / ".cache" / "undying-audit")
    ap.add_argument("--python", action="append")
    ap.add_argument("--workload", action="append", choices=WORKLOADS)
    ap.add_argument("--keep", type=pathlib.Path)
    ap.add_argument("--json", type=pathlib.Path)
    a = ap.parse_args()
    undying = shutil.which(a.undying) or os.path.abspath(a.undying)
    keep = a.keep or pathlib.Path(tempfile.mkdtemp())
    keep.mkdir(parents=True, exist_ok=True)
    a.envs.mkdir(parents=True, exist_ok=True)
    heads = "Python", "workload", "mortal objects", "explained", "without guesses and native words", "excess", "orphans", "deficit", "`high`"
    print("| %s |\n%s|" % (" | ".join(heads), "|---" * len(heads)))
    low, all_told = 0, {}
    for name, python in interpreters(a.python):
        version = minor(python)
        inside = environment(a.envs / name.replace("'s ", "-"), python, PACKAGES.get(version, NEWER))
        for workload in a.workload or WORKLOADS:
            snapshot = keep / ("%s-%s.undying" % (name.replace("'s ", "-"), workload))
            dump(undying, inside, workload, snapshot)
            told = audit(undying, snapshot)
            share, high, text = row(name, workload, told)
            low += share < LEAST.get(version, LEAST_NEWER) or high > 0
            all_told["%s %s" % (name, workload)] = {"totals": told["totals"], "suspects": told["suspects"]}
            print(text, flush=True)
    if not a.keep:
        shutil.rmtree(keep)
    if a.json:
        a.json.write_text(json.dumps(all_told, indent=1))
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
