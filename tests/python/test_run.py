"""`undying run` with the tracer: the program is the program under plain python, and what it
was asked to tell of births and deaths is told.  Run by `cargo xtask wheel`.
"""

import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import unittest

# a shell starts what runs in the background without it, and children inherit that
signal.signal(signal.SIGINT, signal.default_int_handler)

COMMAND = os.path.join(sysconfig.get_path("scripts"), "undying")
PIPE = subprocess.PIPE

LEAK_TEST = """
class LeakTest(object):
    def __init__(self):
        print("Object with id", "N" if quiet else id(self), "born here.")
    def __del__(self):
        print("Object with id", "N" if quiet else id(self), "dead here.")
quiet = True
"""


class Program(unittest.TestCase):
    """A program in a directory of its own."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.report = os.path.join(self.directory, "report.txt")

    def write(self, text, name="program.py"):
        with open(os.path.join(self.directory, name), "w", encoding="utf-8") as file:
            file.write(text)

    def run_it(self, before, words, stdin="", environment=()):
        env = dict(os.environ, PYTHONIOENCODING="utf-8", **dict(environment))
        done = subprocess.run(
            [*before, *words], input=stdin.encode(), stdout=PIPE, stderr=PIPE, env=env, cwd=self.directory
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def plain(self, words, **others):
        return self.run_it([sys.executable], words, **others)

    def traced(self, words, options=(), **others):
        before = [COMMAND, "run", "--python", sys.executable, "--force", "-o", self.report, *options]
        return self.run_it(before, words, **others)

    def same(self, text, words=("program.py",), **others):
        """The program does the same under each way to trace; gives what it did."""
        self.write(text)
        plain = self.plain(words, **others)
        for options in ([], ["--sample=4K"], ["--depth", "1"], ["--follow", "NoSuchClass"]):
            with self.subTest(options=options, words=words):
                code, out, err = self.traced(words, options, **others)
                # which allocator must not be asked for with it is told on the way
                added = r"(?m)^undying: (no report|births are not recorded: a sample needs).*\n"
                err = re.sub(added, "", err)
                self.assertEqual((code, out, err), plain)
        return plain


class TheProgramIsTheSame(Program):
    def test_what_it_sees_of_itself(self):
        self.same(
            "import sys, os, __main__\n"
            "print(sys.argv, __name__, __file__, __package__, sys.path, sorted(vars(__main__)))\n"
            "print(sorted(set(sys.modules) - {'atexit', 'errno'}), sys.flags, getattr(sys, 'orig_argv', None))\n"
            "print(sorted(k for k in os.environ if 'UNDYING' in k or k.startswith('PYTHON')))\n"
            "print(sys.gettrace(), sys.getprofile(), len(sys.meta_path), len(sys.path_hooks), sys.displayhook)\n"
            "print(hasattr(sys, 'ps1'), hasattr(__builtins__, 'undying'))\n",
            ["program.py", "a b", "--sample", "-i"],
        )

    def test_exit_codes_and_tracebacks(self):
        for text, code in [
            ("import sys; sys.exit(7)", 7),
            ("import sys; sys.exit('text')", 1),
            ("import sys; sys.exit()", 0),
            ("raise SystemExit(256 + 3)", 3),
            ("def f(n):\n    return 1 // n if n == 0 else f(n - 1)\nf(3)", 1),
            ("try:\n    {}['x']\nexcept KeyError:\n    raise ValueError('second')", 1),
            ("def f(:\n", 1),
            ("import os; os._exit(9)", 9),
            ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
            ("import os, sys; os.execv('/bin/sh', ['sh', '-c', 'exit 5'])", 5),
            ("import signal, os; os.kill(os.getpid(), signal.SIGINT)\nwhile True: pass", -signal.SIGINT),
        ]:
            self.assertEqual(self.same(text)[0], code, text)

    def test_modules_code_and_streams(self):
        self.same("import sys; print(sys.argv[1:], __name__); sys.exit(3)", ["-m", "program", "-m", "x"])
        self.same("", ["-c", "import sys; print(sys.argv, sys.path[0]); 1/0", "-c"])
        text = "import sys\nfor line in sys.stdin: sys.stdout.write(line.upper())"
        self.assertEqual(self.same(text, stdin="one\ntwo\n")[1], "ONE\nTWO\n")

    def test_recursion_to_the_limit(self):
        self.same(
            "import sys\n"
            "def f(n):\n    return 1 + f(n + 1)\n"
            "for limit in (200, 1000, 5000):\n"
            "    sys.setrecursionlimit(limit)\n"
            "    try: f(0)\n"
            "    except RecursionError as e: print(e)\n"
            "class L:\n    def __repr__(self): return repr(self)\n"
            "try: repr(L())\n"
            "except RecursionError as e: print(e)\n"
            "f(0)\n"
        )

    def test_memory_errors(self):
        self.same(
            "import sys\n"
            "try: b'x' * (1 << 62)\n"
            "except MemoryError: print('MemoryError')\n"
            "try: [0] * (1 << 60)\n"
            "except MemoryError: print('MemoryError')\n"
        )

    def test_threads(self):
        self.same(
            "import threading\n"
            "class Node: pass\n"
            "def work(n):\n"
            "    held = []\n"
            "    for i in range(20000):\n"
            "        a, b = Node(), Node(); a.b = b; b.a = a\n"
            "        held.append(a if i % 3 else {})\n"
            "        if len(held) > 50: held.clear()\n"
            "threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]\n"
            "for t in threads: t.start()\n"
            "for t in threads: t.join()\n"
            "def late():\n"
            "    threading.main_thread().join(); print('late', flush=True)\n"
            "threading.Thread(target=late).start()\n"
            "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
            "def busy():\n"
            "    while True: [object() for _ in range(100)]\n"
            "for _ in range(3): threading.Thread(target=busy, daemon=True).start()\n"
            "print('last line')\n"
        )

    def test_fork_and_children(self):
        self.same(
            "import os, subprocess, sys, gc\n"
            "class Node: pass\n"
            "kept = [Node() for _ in range(1000)]\n"
            "for n in range(5):\n"
            "    child = os.fork()\n"
            "    if child == 0:\n"
            "        more = [Node() for _ in range(5000)]\n"
            "        for node in more: node.self = node\n"
            "        del more[::2]; kept.clear(); gc.collect()\n"
            "        if n % 2: os._exit(n)\n"
            "        sys.exit(n)\n"
            "    print(os.waitpid(child, 0)[1] >> 8)\n"
            "see = 'import os, sys; print(sorted(k for k in os.environ if \"UNDYING\" in k), '\\\n"
            "      '[m for m in sys.modules if \"undying\" in m], '\\\n"
            "      '[l for l in open(\"/proc/self/maps\") if \"_undying\" in l])'\n"
            "sys.stdout.flush()\n"
            "subprocess.check_call([sys.executable, '-c', see], close_fds=False)\n"
            "sys.stdout.flush()\n"
            "os.execv(sys.executable, [sys.executable, '-c', see])\n"
        )

    def test_multiprocessing(self):
        for method in ("fork", "spawn", "forkserver"):
            out = self.same(
                "import multiprocessing\n"
                "def square(n): return n * n\n"
                "if __name__ == '__main__':\n"
                "    with multiprocessing.get_context(%r).Pool(2) as pool:\n"
                "        print(pool.map(square, range(20)))\n" % method
            )
            self.assertIn("361]", out[1])

    def test_exceptions_at_the_end(self):
        self.same(
            "import atexit, sys, weakref, threading\n"
            "class Late:\n"
            "    def __del__(self):\n"
            "        self.again = [Late2() for _ in range(10)]; raise ValueError('late')\n"
            "class Late2:\n"
            "    def __init__(self): self.me = self\n"
            "late, late2 = Late(), Late2()\n"
            "late2.late = Late()\n"
            "weakref.finalize(late2, print, 'finalized')\n"
            "sys.unraisablehook = lambda u: print('unraisable', u.exc_type.__name__, u.exc_value)\n"
            "def raising(): raise KeyError('at exit')\n"
            "atexit.register(raising)\n"
            "sys.modules['kept'] = Late()\n"
            "raise RuntimeError('main')\n"
        )

    def test_the_collector_switched_frozen_and_called(self):
        self.same(
            "import gc\n"
            "class Node:\n"
            "    def __del__(self): dead.append(1)\n"
            "dead = []\n"
            "def tie(n):\n"
            "    for _ in range(n):\n"
            "        a, b = Node(), Node(); a.b = b; b.a = a\n"
            "gc.disable(); tie(100); print(len(dead), gc.collect() > 0, len(dead))\n"
            "tie(50); gc.freeze(); print(gc.collect() >= 0, len(dead)); gc.unfreeze(); gc.collect(); print(len(dead))\n"
            "gc.enable(); gc.set_threshold(5, 2, 2); tie(1000); gc.collect(); print(len(dead))\n"
            "gc.set_debug(gc.DEBUG_SAVEALL); tie(3); gc.collect(); print(len([n for n in gc.garbage if type(n) is Node]))\n"
            "gc.set_debug(0); gc.garbage.clear()\n"
            "seen = []\n"
            "gc.callbacks.append(lambda phase, info: seen.append([phase, Node()]))\n"
            "gc.collect(); print([s[0] for s in seen]); gc.callbacks.clear()\n"
        )

    def test_tracing_and_profiling(self):
        self.same(
            "import sys, threading, tracemalloc, cProfile\n"
            "events = []\n"
            "def trace(frame, event, arg):\n"
            "    events.append((frame.f_code.co_name, event)); return trace\n"
            "def f():\n    return [object() for _ in range(3)]\n"
            "sys.settrace(trace); f(); sys.settrace(None)\n"
            "sys.setprofile(trace); f(); sys.setprofile(None)\n"
            "print(events)\n"
            "profile = cProfile.Profile(); profile.runcall(f); print(len(profile.getstats()) > 1)\n"
            "tracemalloc.start(); x = [object() for _ in range(1000)]\n"
            "print(tracemalloc.get_object_traceback(x[5])[0].lineno)\n"
            "tracemalloc.stop(); x.clear(); f()\n"
            "tracemalloc.start(); f(); print(tracemalloc.is_tracing())\n"
        )

    def test_other_allocators(self):
        text = (
            "import sys\n"
            "class Node: pass\n"
            "nodes = [Node() for _ in range(5000)]\n"
            "for n in nodes: n.self = n\n"
            "nodes.clear(); big = [bytearray(n) for n in range(1, 5000, 7)]; big = None\n"
            "import json, decimal; print(json.dumps({'a': [1.5, None]}), decimal.Decimal(1) / 7)\n"
        )
        for malloc in ("malloc", "debug", "malloc_debug", "pymalloc", "pymalloc_debug"):
            self.same(text, environment={"PYTHONMALLOC": malloc})
        self.same(text, environment={"PYTHONDEVMODE": "1"})
        self.same(text, environment={"PYTHONTRACEMALLOC": "5"})
        self.same(text, environment={"PYTHONDEVMODE": "1", "PYTHONTRACEMALLOC": "1"})

    def test_a_program_that_imports_us(self):
        self.same(
            "import sys, undying\n"
            "from undying import _undying\n"
            "class Node: pass\n"
            "one = Node()\n"
            "print([chain.path_text for chain in undying.why(one)], _undying.__spec__.name, undying.__spec__.name)\n"
            "print(isinstance(undying.snapshot(), undying.Snapshot), 'undying._undying' in sys.modules)\n"
            "try: undying.why('Nothing at all')\n"
            "except undying.Error as e: print(e.exit_code)\n"
        )

    def test_a_file_of_ours_name_is_the_programs(self):
        self.write("print('mine'); name = 'theirs'", "undying.py")
        self.assertEqual(self.same("import undying; print(undying.name)")[1], "mine\ntheirs\n")

    def test_subinterpreters(self):
        self.same(
            "import threading\n"
            "try:\n    import _interpreters as interpreters\n"
            "except ImportError:\n    import _xxsubinterpreters as interpreters\n"
            "code = 'class Node: pass\\nkept = [Node() for _ in range(3000)]\\nfor n in kept: n.self = n\\n' \\\n"
            "       'import json; json.dumps([1]); del kept[::2]; import gc; gc.collect()'\n"
            "class Node: pass\n"
            "def run():\n"
            "    for _ in range(3):\n"
            "        one = interpreters.create(); interpreters.run_string(one, code); interpreters.destroy(one)\n"
            "run()\n"
            "threads = [threading.Thread(target=run) for _ in range(3)]\n"
            "for t in threads: t.start()\n"
            "nodes = [Node() for _ in range(3000)]\n"
            "for t in threads: t.join()\n"
            "left = interpreters.create(); interpreters.run_string(left, code)\n"
            "print(len(nodes))\n"
        )

    def test_generators_coroutines_and_contexts(self):
        self.same(
            "import asyncio, contextvars, types\n"
            "async def child(n):\n    await asyncio.sleep(0); return [object() for _ in range(n)]\n"
            "async def main():\n    print([len(x) for x in await asyncio.gather(*(child(n) for n in range(50)))])\n"
            "asyncio.run(main())\n"
            "def generator():\n    try:\n        while True: yield [object()]\n    finally: print('closed')\n"
            "g = generator(); next(g); del g\n"
            "kept = generator(); next(kept)\n"
        )

    def test_classes_and_code_that_come_and_go(self):
        self.same(
            "import gc\n"
            "for n in range(300):\n"
            "    name = 'C%d' % n\n"
            "    space = {}\n"
            "    exec('class %s:\\n  __slots__ = (\"x\",)\\n  def f(self): return [self for _ in range(3)]\\n"
            "objects = [%s() for _ in range(5)]\\nr = objects[0].f()' % (name, name), space)\n"
            "    if n % 10 == 0: gc.collect()\n"
            "space = None; gc.collect()\n"
            "print('done')\n"
        )


class Followed(Program):
    def follow(self, text, *classes):
        self.write(LEAK_TEST + text)
        options = [word for name in classes for word in ("--follow", name)]
        code, out, err = self.traced(["program.py"], options)
        self.assertEqual(code, 0, err)
        return out.splitlines(), [line for line in err.splitlines() if not line.startswith("undying: ")]

    def test_each_birth_and_death_is_told_with_the_id(self):
        out, err = self.follow(
            "quiet = False\n"
            "def make():\n    return LeakTest()\n"
            "t1 = make()\nt2 = t1\nt1 = None\nt2 = None\n"
            "a, b = LeakTest(), LeakTest(); a.b = b; b.a = a; a = b = None\n"
            "import gc; gc.collect()\n",
            "LeakTest",
        )
        told = [re.search(r"__main__\.LeakTest with id (\d+) (born|dead) here(.*)", line).groups() for line in err]
        said = [re.search(r"Object with id (\d+) (born|dead) here", line).groups() for line in out]
        self.assertEqual(sorted((i, what) for i, what, _ in told), sorted(said))
        self.assertEqual([what for _, what, _ in told][:2], ["born", "dead"])
        births = [how for _, what, how in told if what == "born"]
        self.assertRegex(births[0], r"program\.py:\d+ in make\.$")
        deaths = [how for _, what, how in told if what == "dead"]
        self.assertEqual(deaths, [", its last reference went."] + [", the collector found it."] * 2)

    def test_several_classes_by_any_end_of_their_names(self):
        _, err = self.follow(
            "class Outer:\n    class Inner: pass\n    class Other: pass\n"
            "Outer.Inner(); Outer.Other(); LeakTest(); Outer()\n",
            "Inner",
            "__main__.LeakTest",
        )
        named = [line.split(" with id ")[0] for line in err]
        self.assertEqual(named, ["__main__.Outer.Inner"] * 2 + ["__main__.LeakTest"] * 2)


class Told(Program):
    def test_a_name_for_a_moment(self):
        self.write(
            "import undying, warnings\n"
            "from undying import _undying\n"
            "before = _undying.trace_state()[4]\n"
            "print(undying.checkpoint('warm'), undying.checkpoint('hot'), _undying.trace_state()[4] - before)\n"
        )
        code, out, err = self.traced(["program.py"])
        self.assertEqual((code, out), (0, "None None 2\n"), err)
        self.write("import undying\nprint(undying.checkpoint('warm'))\nundying.checkpoint('again')\n")
        code, out, err = self.plain(["-W", "always", "program.py"])
        self.assertEqual((code, out), (0, "None\n"), err)
        self.assertEqual(err.count("RuntimeWarning"), 1, err)
        self.assertIn("program.py:2", err)

    def test_a_tracer_that_cannot_start_is_said_and_the_program_runs(self):
        self.write("print('runs')")
        environment = {"PYTHONMALLOC": "malloc"}
        code, out, err = self.traced(["program.py"], ["--sample"], environment=environment)
        self.assertEqual((code, out), (0, "runs\n"))
        self.assertRegex(err, r"^undying: births are not recorded: .*PYTHONMALLOC")

    def test_a_virtual_environment_without_the_module(self):
        place = os.path.join(self.directory, "environment")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
        python = os.path.join(place, "bin", "python")
        self.write("print('runs')")
        before = [COMMAND, "run", "--python", python, "-o", self.report, "program.py"]
        code, out, err = self.run_it(before, [])
        self.assertEqual((code, out), (0, "runs\n"))
        install = "install undying for this Python, %s -m pip install undying\n" % python
        self.assertEqual(err, "undying: births are not recorded: " + install)


if __name__ == "__main__":
    unittest.main()
