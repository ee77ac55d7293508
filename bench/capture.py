#!/usr/bin/env python3
"""What a capture costs, held against yardsticks taken in the same run.

    python3 bench/capture.py --undying target/release/undying -n 1e7

Starts a heap, then takes turns, several rounds:
  walk     one native pass over the same heap from inside (onepass.c): W, in CPU seconds
  copy     a bare stop and copy of all private writable memory (barecopy.c): seconds stopped
  dump     `undying dump`: CPU of it and of the target, wall, peak memory, pause, bytes written
  report   `undying report` on that snapshot: CPU, wall, peak memory
and prints a Markdown table, smallest, median and largest of the rounds.  A ratio is taken
within a round.  Builds nothing of undying; compiles the two yardsticks with `cc`.

Python 3.8 and later, Linux, no dependency.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
LIMITS = {"dump CPU / W": 5.0, "pause / copy": 1.5, "dump peak / RSS": 1.6}


def interpreter():
    """The newest 3.12 or 3.13 here."""
    root = pathlib.Path(os.environ.get("PYENV_ROOT") or pathlib.Path.home() / ".pyenv")
    found = [p for minor in (13, 12) for p in sorted(root.glob("versions/3.%d.*/bin/python" % minor), reverse=True)]
    found += filter(None, (shutil.which("python3.%d" % minor) for minor in (13, 12)))
    if not found:
        sys.exit("no Python 3.12 or 3.13 is here; name one with --python")
    return str(found[0])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--undying", required=True, help="the command to measure, built for release")
    parser.add_argument("--python", help="the target's interpreter, with its headers [newest 3.12 or 3.13 found]")
    parser.add_argument("-n", type=float, default=1e6, help="objects, about [1e6]")
    parser.add_argument("--kind", default="service", help="a kind that the generator knows [service]")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shared", metavar="DIR", help="another heap_gen.py, onepass.c and rawcopy.c instead of ours")
    parser.add_argument("--work", metavar="DIR", help="where snapshots and binaries go meanwhile [a temporary directory]")
    parser.add_argument("--no-report", action="store_true", help="leave `report` out")
    parser.add_argument("--json", action="store_true", help="every round's figures, for programs")
    return parser.parse_args()


class Kit:
    """Generator and yardsticks: ours, or another's of the same make."""

    def __init__(self, python, shared, work):
        home = pathlib.Path(shared or HERE)
        self.python = python
        self.generator = str(home / ("heap_gen.py" if shared else "heap.py"))
        self.work = work
        code = "import sysconfig as s; print(s.get_paths()['include']); print(s.get_paths()['platinclude'])"
        headers = subprocess.check_output([python, "-c", code], universal_newlines=True).split()
        includes = ["-I" + h for h in sorted(set(headers))]
        self.compile(home / "onepass.c", "onepass.so", ["-shared", "-fPIC"] + includes)
        self.copier = self.compile(home / ("rawcopy.c" if shared else "barecopy.c"), "copy", [])

    def compile(self, source, name, options):
        out = os.path.join(self.work, name)
        subprocess.check_call(["cc", "-O2"] + options + [str(source), "-o", out])
        return out

    def heap(self, n, kind):
        return Child([self.python, self.generator, str(int(n)), kind])

    def walker(self, n, kind):
        return Child([self.python, str(HERE / "walk.py"), self.generator, self.work, str(int(n)), kind])

    def copy(self, pid):
        words = subprocess.check_output([self.copier, str(pid)], universal_newlines=True).split()
        told = dict(zip(words[::2], words[1::2]))
        return {"bytes": int(told["bytes"]), "stopped_s": float(told["stopped_s"]),
                "stopped_cpu_s": float(told["stopped_cpu_s"])}


class Child:
    """A process that has said READY and goes when its stdin ends, or when killed."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True)
        self.ready = self.process.stdout.readline().split()
        if self.ready[:1] != ["READY"]:
            sys.exit("%s ended before it was ready" % command[1])

    def ask(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def resident(pid):
    with open("/proc/%d/status" % pid) as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS:"))


def cpu_of(pid):
    """Seconds that the main thread of a process has run."""
    with open("/proc/%d/schedstat" % pid) as file:
        return int(file.read().split()[0]) / 1e9


def run(command):
    """CPU and wall seconds, and peak bytes, of a command that must succeed."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = status  # it is waited for
    if status:
        sys.exit("%s: status %d" % (" ".join(command), status))
    return {"cpu_s": usage.ru_utime + usage.ru_stime, "user_s": usage.ru_utime, "system_s": usage.ru_stime,
            "wall_s": wall, "peak": usage.ru_maxrss << 10, "faults": usage.ru_minflt}


def one_round(args, kit, target, walker):
    pid = target.process.pid
    out = os.path.join(kit.work, "snapshot")
    shutil.rmtree(out, ignore_errors=True)
    objects, edges, walk = walker.ask()
    figures = {"load": os.getloadavg()[0], "walk": {"objects": int(objects), "edges": int(edges), "cpu_s": float(walk)},
               "copy": kit.copy(pid), "rss": resident(pid)}
    before = cpu_of(pid)
    dump = run([args.undying, "dump", "-q", str(pid), "-o", out])
    dump["target_cpu_s"] = cpu_of(pid) - before
    dump["cpu_s"] += dump["target_cpu_s"]
    with open(os.path.join(out, "meta.json")) as file:
        meta = json.load(file)
    dump["paused_s"] = meta["paused_seconds"]
    dump["counts"] = meta["counts"]
    dump["defects"] = meta["defects"]
    dump["bytes"] = sum(entry.stat().st_size for entry in os.scandir(out))
    figures["dump"] = dump
    if not args.no_report:
        figures["report"] = run([args.undying, "report", "-q", "--format", "json", out])
    return figures


def rows(rounds):
    """Name, unit and each round's value."""
    def row(name, value, unit=""):
        return name, unit, [value(r) for r in rounds]

    def objects(r):
        return r["dump"]["counts"]["objects"]

    out = [
        row("W: native pass, CPU", lambda r: r["walk"]["cpu_s"], "s"),
        row("bare copy, target stopped", lambda r: r["copy"]["stopped_s"] * 1e3, "ms"),
        row("target's RSS", lambda r: r["rss"] / 2**20, "MiB"),
        row("dump: CPU", lambda r: r["dump"]["cpu_s"], "s"),
        row("dump: CPU per object", lambda r: r["dump"]["cpu_s"] * 1e9 / objects(r), "ns"),
        row("dump: wall", lambda r: r["dump"]["wall_s"], "s"),
        row("dump: target stopped", lambda r: r["dump"]["paused_s"] * 1e3, "ms"),
        row("dump: peak memory", lambda r: r["dump"]["peak"] / 2**20, "MiB"),
        row("dump: bytes per object", lambda r: r["dump"]["bytes"] / objects(r)),
        row("**dump CPU / W**", lambda r: r["dump"]["cpu_s"] / r["walk"]["cpu_s"]),
        row("**pause / copy**", lambda r: r["dump"]["paused_s"] / r["copy"]["stopped_s"]),
        row("**dump peak / RSS**", lambda r: r["dump"]["peak"] / r["rss"]),
    ]
    if "report" in rounds[0]:
        out += [
            row("report: CPU", lambda r: r["report"]["cpu_s"], "s"),
            row("report: CPU per object", lambda r: r["report"]["cpu_s"] * 1e9 / objects(r), "ns"),
            row("report: wall", lambda r: r["report"]["wall_s"], "s"),
            row("report: peak memory", lambda r: r["report"]["peak"] / 2**20, "MiB"),
            row("report: peak per object", lambda r: r["report"]["peak"] / objects(r)),
            row("report CPU / W", lambda r: r["report"]["cpu_s"] / r["walk"]["cpu_s"]),
        ]
    return out


def digits(value):
    return "%.0f" % value if value >= 100 else "%.3g" % value


def markdown(told, rounds):
    last = rounds[-1]
    counts = last["dump"]["counts"]
    loads = [r["load"] for r in rounds]
    lines = [
        "CPython %s, %s, %s objects asked for; captured %d objects, %d references, %d defects; "
        "the native pass saw %d and %d.  %d rounds, load %.1f to %.1f." % (
            told["python"], told["kind"], told["n"], counts["objects"], counts["edges"],
            sum(last["dump"]["defects"].values()), last["walk"]["objects"], last["walk"]["edges"],
            len(rounds), min(loads), max(loads)),
        "",
        "| | min | median | max | limit |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, unit, values in rows(rounds):
        limit = LIMITS.get(name.strip("*"))
        cells = [digits(v) + (" " + unit if unit else "") for v in (min(values), statistics.median(values), max(values))]
        lines.append("| %s | %s | %s |" % (name, " | ".join(cells), "%g" % limit if limit else ""))
    return "\n".join(lines)


def main():
    args = arguments()
    python = args.python or interpreter()
    with tempfile.TemporaryDirectory(dir=args.work) as work:
        kit = Kit(python, args.shared, work)
        with kit.heap(args.n, args.kind) as target, kit.walker(args.n, args.kind) as walker:
            rounds = [one_round(args, kit, target, walker) for _ in range(args.rounds)]
            told = {"python": subprocess.check_output(
                [python, "-c", "import platform; print(platform.python_version())"], universal_newlines=True).strip(),
                "kind": args.kind, "n": "%g" % args.n, "generator": os.path.basename(kit.generator)}
    if args.json:
        json.dump(dict(told, rounds=rounds), sys.stdout, indent=1)
        print()
    else:
        print(markdown(told, rounds))


if __name__ == "__main__":
    main()
