#!/usr/bin/env python3
"""Healthy servers under steady load: undying must not accuse them.

    python3 bench/steady.py --undying target/release/undying --envs DIR
    python3 bench/steady.py --undying … --envs DIR --seconds 5 --requests 200     # the short form

For each interpreter and each program of bench/servers: start it as a process of its own,
warm it up, `undying dump`, so many requests spread over so many seconds, `undying dump`,
`undying diff`.  A suspect of medium or high confidence is an accusation.  Prints a row a
case and version; exits with 1 when something healthy was accused or could not be judged.

DIR/VERSION (3.12.1, or 3.12) is the virtual environment of that interpreter; what it
lacks is installed there, and it is made when it is not there.  Python 3.8 and later.
"""
import argparse
import concurrent.futures
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
SERVERS = HERE / "servers"
EXAMPLES = HERE.parent / "examples"
LOUD = ("high", "medium")
# the program, what it needs, and whether it is asked over HTTP
CASES = {
    "flask": (["flask_shop.py"], "flask", True),
    "django": (["django_shop.py"], "django", True),
    "aiohttp": (["aiohttp_shop.py"], "aiohttp", True),
    "worker": (["worker.py"], None, False),
    "pandas": (["pandas_rounds.py"], "pandas", False),
    "example healthy": (["again.py", str(EXAMPLES / "healthy.py")], None, False),
    "example born_and_dead": (["again.py", str(EXAMPLES / "born_and_dead.py")], None, False),
}
# what pip is told, where that is more than the name
REQUIREMENTS = {"django": "django<5.3"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--undying", required=True, help="the command, built for release")
    parser.add_argument("--python", action="append", help="an interpreter [the newest of each version found]")
    parser.add_argument("--envs", type=pathlib.Path, help="where virtual environments are or shall be [a temporary directory]")
    parser.add_argument("--case", action="append", choices=sorted(CASES), help="only this one")
    parser.add_argument("--seconds", type=float, default=60, help="for the steady load [60]")
    parser.add_argument("--requests", type=int, default=1000, help="of the steady load [1000]")
    parser.add_argument("--warm-up", type=int, default=300, help="requests before the first snapshot [300]")
    parser.add_argument("--jobs", type=int, default=2, help="cases at the same time [2]")
    parser.add_argument("--keep", type=pathlib.Path, help="keep the snapshots and the answers here")
    return parser.parse_args()


def interpreters(named):
    """Those named, else the newest of each version from 3.8 to 3.13: pyenv's, then the PATH's."""
    if named:
        return named
    root = pathlib.Path(os.environ.get("PYENV_ROOT") or pathlib.Path.home() / ".pyenv")
    found = []
    for minor in range(8, 14):
        ours = sorted(root.glob("versions/3.%d.*/bin/python" % minor), key=lambda p: int(re.findall(r"\d+", p.parts[-3])[-1]))
        one = str(ours[-1]) if ours else shutil.which("python3.%d" % minor)
        found += [one] if one else []
    return found or sys.exit("no Python from 3.8 to 3.13 is here; name one with --python")


def version(python):
    code = "import sys; print('%d.%d.%d' % sys.version_info[:3])"
    return subprocess.run([python, "-c", code], check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout.strip()


def environment(python, full, envs, needed):
    """An interpreter of this version that has what is needed; why not, as an OSError."""
    short = full.rpartition(".")[0]
    folder = next((envs / v for v in (full, short) if (envs / v / "bin" / "python").exists()), envs / full)
    inside = folder / "bin" / "python"
    run = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    if not inside.exists():
        made = subprocess.run([python, "-m", "venv", str(folder)], **run)
        if made.returncode:
            raise OSError(last_line(made))
    for package in needed:
        if subprocess.run([str(inside), "-c", "import " + package], **run).returncode:
            pip = [str(inside), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            done = subprocess.run(pip + [REQUIREMENTS.get(package, package)], **run)
            if done.returncode:
                raise OSError("%s cannot be installed: %s" % (package, last_line(done)))
    return str(inside)


def last_line(done):
    return ((done.stderr or done.stdout).strip().splitlines() or ["exit status %d" % done.returncode])[-1]


class Browser:
    """A client with cookies and a connection it keeps for a while."""

    def __init__(self, port, seed):
        self.port = port
        self.rnd = random.Random(seed)
        self.cookies = {}
        self.connection = None

    def ask(self, method, path, body=None, kind=None):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Cookie": "; ".join("%s=%s" % c for c in self.cookies.items())} if self.cookies else {}
        if kind:
            headers["Content-Type"] = kind
        try:
            self.connection.request(method, path, body, headers)
            answer = self.connection.getresponse()
            answer.read()
        except (http.client.HTTPException, ConnectionError):
            self.close()  # the server may close a kept connection at any time
            return None
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        if self.rnd.random() < 0.1 or answer.will_close:
            self.close()
        return answer.status

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def request(self):
        """One of what visitors do, by chance, now and then as somebody new."""
        rnd, number = self.rnd, self.rnd.randrange(1, 500)
        if rnd.random() < 0.05:
            self.cookies.clear()
        form = urllib.parse.urlencode({"number": number, "note": "please"})
        what = [
            (20, ("GET", "/")), (20, ("GET", "/item/%d" % number)), (15, ("GET", "/search?q=%d" % rnd.randrange(10**6))),
            (10, ("GET", "/search?q=item+%d" % (number % 9))), (10, ("GET", "/static/site.css")),
            (10, ("POST", "/order", form, "application/x-www-form-urlencoded")), (5, ("GET", "/item/99999")),
            (5, ("POST", "/upload", os.urandom(rnd.randrange(30000)), "application/octet-stream")),
            (3, ("GET", "/nowhere/%d" % rnd.randrange(10**6))), (2, ("GET", "/broken")),
        ]
        return self.ask(*rnd.choices([w for _, w in what], [n for n, _ in what])[0])


class Web:
    """A server, its port and its visitors."""

    def __init__(self, process, port):
        self.process = process
        self.browsers = [Browser(port, seed) for seed in range(6)]
        for browser in self.browsers:
            for _ in range(20):
                browser.request()
        told = [self.browsers[0].ask("GET", path) for path in ("/", "/item/3", "/search?q=item", "/nowhere", "/broken")]
        if told != [200, 200, 200, 404, 500]:
            raise OSError("it does not serve as it should: %s" % told)

    def load(self, requests, seconds):
        start, lock, todo = time.monotonic(), threading.Lock(), iter(range(requests))

        def visit(browser):
            while True:
                with lock:
                    turn = next(todo, None)
                if turn is None:
                    return
                time.sleep(max(0.0, start + turn * seconds / requests - time.monotonic()))
                browser.request()

        with concurrent.futures.ThreadPoolExecutor(len(self.browsers)) as threads:
            list(threads.map(visit, self.browsers))


class Piped:
    """A program that works off numbers from its stdin."""

    def __init__(self, process):
        self.process = process

    def load(self, requests, seconds):
        start, size = time.monotonic(), max(1, requests // 100)
        for done in range(0, requests, size):
            time.sleep(max(0.0, start + done * seconds / requests - time.monotonic()))
            self.process.stdin.write("%d\n" % size)
            self.process.stdin.flush()
            if self.process.stdout.readline().strip() != "DONE":
                raise OSError("it ended under load")


def start(python, command, web, errors):
    process = subprocess.Popen([python, str(SERVERS / command[0])] + command[1:], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=errors, universal_newlines=True)
    for line in process.stdout:
        if line.startswith("READY"):
            return Web(process, int(line.split()[1])) if web else Piped(process)
    raise OSError("it ended before it was ready")


def undying(options, *words):
    done = subprocess.run([options.undying] + [str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True)
    if done.returncode:
        raise OSError("undying %s: %s" % (words[0], last_line(done)))
    return done.stdout


def judge(options, python, case, folder):
    """The answer of diff for one case."""
    command, _, web = CASES[case]
    with open(folder / "errors.txt", "w") as errors:
        target = start(python, command, web, errors)
        try:
            target.load(options.warm_up, 0)
            undying(options, "dump", target.process.pid, "-o", folder / "A", "-q")
            target.load(options.requests, options.seconds)
            undying(options, "dump", target.process.pid, "-o", folder / "B", "-q")
        finally:
            target.process.kill()
            target.process.wait()
    answer = json.loads(undying(options, "diff", folder / "A", folder / "B", "--format", "json"))
    (folder / "diff.json").write_text(json.dumps(answer, indent=1))
    return answer


def objects(folder):
    return json.loads((folder / "meta.json").read_text())["counts"]["objects"]


def row(options, python, full, case, folder):
    """Whether it was left in peace, and a line that says so."""
    head = "%-9s %-22s" % (full, case)
    try:
        python = environment(python, full, options.envs, [CASES[case][1]] if CASES[case][1] else [])
        answer = judge(options, python, case, folder)
    except (OSError, ValueError, KeyError) as why:
        return False, "%s not judged: %s" % (head, why)
    loud = [s for s in answer["suspects"] if s["confidence"] in LOUD]
    told = "; ".join("%s %s %s +%d %s" % (s["confidence"], s["kind"], s["type"], s["count"], s["path_text"]) for s in loud)
    size, grown = objects(folder / "A"), objects(folder / "B") - objects(folder / "A")
    return not loud, "%s %8d objects %+7d %3d low  %s" % (
        head, size, grown, len(answer["suspects"]) - len(loud), "ACCUSED: " + told if loud else "quiet")


def main():
    options = arguments()
    options.undying = os.path.abspath(shutil.which(options.undying) or options.undying)
    with tempfile.TemporaryDirectory() as temporary:
        options.envs = options.envs or pathlib.Path(temporary) / "envs"
        keep = options.keep or pathlib.Path(temporary) / "kept"
        pythons = [(python, version(python)) for python in interpreters(options.python)]
        # one after the other for each interpreter, since they share an environment
        todo = [[(p, v, c) for c in CASES if c in (options.case or CASES)] for p, v in pythons]

        def all_of(cases):
            fine = True
            for python, full, case in cases:
                folder = keep / full / case.replace(" ", "-")
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                quiet, line = row(options, python, full, case, folder)
                fine &= quiet
                print(line, flush=True)
            return fine

        with concurrent.futures.ThreadPoolExecutor(options.jobs) as threads:
            return 0 if all(list(threads.map(all_of, todo))) else 1


if __name__ == "__main__":
    sys.exit(main())
