#!/usr/bin/env python3
"""Hunt in modules with one planted bug; hold the C function that `hunt --record` names
against the one at fault.  Needs Python 3.11 or later.

    native.py --undying BIN --zoo DIR [--case NAME]... [--envs DIR] [--guilty CASE=FUNCTION]... [-n CALLS]

DIR is like tests/targets/native-zoo.  Its cases of kind missing-decref and over-decref
are run, each in an environment that mkenv made (the `ready` ones in --envs, named
native-CASE-bad, else made here).  `guilty` in case.toml names the function at fault,
--guilty does where a case does not say; the line is the one that bears BUG.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tomllib

KINDS = ("missing-decref", "over-decref")


def environment(case, meta, envs):
    folder = envs / ("native-%s-bad" % case.name)
    inside = folder / "bin" / "python"
    if (folder / "ready").exists():
        return inside
    pattern = os.environ.get("PYTHONS", "~/.pyenv/versions/{}/bin/python")
    python = os.path.expanduser(pattern.format(meta["python"]))
    wanted = meta["requirements"]
    subprocess.run([python, "-m", "venv", "--clear", *([] if wanted else ["--without-pip"]), str(folder)], check=True)
    if wanted:
        subprocess.run([inside, "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted], check=True)
    find = "import sysconfig; print(sysconfig.get_paths()['platlib'])"
    out = subprocess.run([inside, "-c", find], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    subprocess.run(["sh", str(case / "build.sh"), str(inside), out], check=True, stdout=subprocess.DEVNULL)
    (folder / "ready").touch()
    return inside


def marked(case):
    """File and line of the guilty line."""
    for source in case.iterdir():
        if source.suffix in (".c", ".cpp", ".pyx", ".i"):
            for number, line in enumerate(source.read_text().splitlines(), 1):
                if "BUG" in line:
                    return source.name, number
    return None


def hunt(undying, python, case, calls):
    command = [undying, "hunt", "--script", "repro.py", "--record", "--python", str(python), "--format", "json", "-q"]
    out = subprocess.run(command + (["-n", str(calls)] if calls else []), cwd=case, capture_output=True, text=True)
    if out.returncode != 0:
        raise RuntimeError((out.stderr.strip().splitlines() or ["exit code %d" % out.returncode])[-1])
    return json.loads(out.stdout)


def sites(told):
    """The sites that a record accuses, wherever they stand in it: each a list of frames."""
    if isinstance(told, list):
        return [site for item in told for site in sites(item)]
    if not isinstance(told, dict):
        return []
    mine = [[s, *s.get("frames", [])] for s in told.get("sites") or []]
    return mine + [site for key, value in told.items() if key != "sites" for site in sites(value)]


def bare(function):
    """A C++ function without its arguments and namespaces."""
    return (function or "").replace("(anonymous namespace)::", "").split("(")[0].rsplit("::", 1)[-1]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--undying", required=True)
    ap.add_argument("--zoo", type=pathlib.Path, action="append", required=True)
    ap.add_argument("--case", action="append")
    ap.add_argument("--envs", type=pathlib.Path, default=pathlib.Path.home() / ".cache" / "undying-native")
    ap.add_argument("--guilty", action="append", default=[])
    ap.add_argument("-n", type=int)
    a = ap.parse_args()
    undying = shutil.which(a.undying) or os.path.abspath(a.undying)
    a.envs.mkdir(parents=True, exist_ok=True)
    given = dict(g.split("=", 1) for g in a.guilty)
    right = {"function": [], "line": []}
    for case in sorted(c.parent.resolve() for zoo in a.zoo for c in (zoo / "native").glob("*/case.toml")):
        meta = tomllib.loads((case / "case.toml").read_text())
        guilty = given.get(case.name, meta.get("guilty"))
        if meta["kind"] not in KINDS or not guilty or (a.case and case.name not in a.case):
            continue
        error, found = "", []
        try:
            # the first that is accused, each time that something was recorded
            found = sites(hunt(undying, environment(case, meta, a.envs), case, a.n).get("record"))[:1]
        except (RuntimeError, ValueError) as e:
            error = str(e)
        frames = [f for site in found for f in site]
        names = guilty if isinstance(guilty, list) else [guilty]
        marks = {"function": any(bare(f["function"]) in names for f in frames)}
        line = marked(case)
        if line:
            marks["line"] = any((f["file"] or "").endswith(line[0]) and f["line"] == line[1] for f in frames)
        for what, ok in marks.items():
            right[what].append(ok)
        first = ["%s %s:%s" % (f["function"], f["file"], f["line"]) for f in frames[:1]]
        words = " ".join("%s=%s" % (what, "yes" if ok else "NO") for what, ok in marks.items())
        print("%-24s %-8s %-15s %s | %s" % (case.name, meta["python"], meta["kind"], words, error or first), flush=True)
    for what, marks in right.items():
        print("%s %d/%d" % (what, sum(marks), len(marks)))
    return 0 if right["function"] and all(right["function"]) else 1


if __name__ == "__main__":
    sys.exit(main())
