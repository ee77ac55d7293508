"""The tracer leaves the program as it is, and says when it is blind."""

import os
import subprocess
import sys
import unittest

HEAD = """
import gc, os, sys, threading
from undying import _undying as u

class Node:
    pass

def counted(name="__main__.Node"):
    rows = [row[3:] for row in u.trace_lives() if row[0] == name]
    return tuple(map(sum, zip(*rows))) or (0, 0, 0)
"""


def run(text, *switches, **variables):
    environment = dict(os.environ, **variables)
    done = subprocess.run(
        [sys.executable, *switches, "-c", HEAD + text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        env=environment,
        timeout=120,
    )
    return done


class Tracer(unittest.TestCase):
    def check(self, text, expected, *switches, **variables):
        done = run(text, *switches, **variables)
        self.assertEqual((done.stderr, done.returncode), ("", 0))
        self.assertEqual(done.stdout.strip(), expected.strip())

    def test_threads(self):
        self.check(
            """
sys.setswitchinterval(1e-5)
u.trace_start()
kept = []
def work():
    mine = [Node() for _ in range(2000)]
    for _ in range(3000):
        a = Node(); a.me = a
    kept.append(mine[:500])
threads = [threading.Thread(target=work) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
del threads
gc.collect()
# a cycle that is collected by another thread's collection is collected all the same
count, collector, alive = counted()
print(count + collector + alive, collector, alive)
""",
            "40000 24000 4000",
        )

    def test_a_fork_counts_its_own(self):
        self.check(
            """
u.trace_start()
kept = [Node() for _ in range(10)]
[Node() for _ in range(5)]
pid = os.fork()
if not pid:
    del kept[:4]
    told = counted(), sum(a[0] == '__main__.Node' for a in u.trace_alive(0)), u.trace_born(kept[0])[-1][1] > 0
    os.write(1, (repr(told) + "\\n").encode())
    os._exit(0)
os.waitpid(pid, 0)
print(counted())
""",
            "((4, 0, 6), 6, True)\n(5, 0, 10)",
        )

    def test_leaving_at_once(self):
        done = run("u.trace_start()\nkept = Node()\nos._exit(7)")
        self.assertEqual((done.returncode, done.stderr), (7, ""))

    def test_deep_recursion(self):
        self.check(
            """
u.trace_start(depth=1024)
def down(n):
    return [Node()] if n == 0 else down(n - 1)
sys.setrecursionlimit(6000)
it = down(5000)
print(len(u.trace_born(it[0])))
def forever(n):
    return forever(n + 1), Node()
try:
    forever(0)
except RecursionError:
    print("too deep")
""",
            "1024\ntoo deep",
        )

    def test_objects_that_die_at_shutdown(self):
        text = """
class Last:
    def __del__(self, make=Node, write=os.write):
        made = [make() for _ in range(10)]
        write(1, b"last ")
it = Last()
sys.it = Last()
threading.it = Last()
on_cycle = Last(); on_cycle.me = on_cycle
"""
        plain, traced = run(text), run("u.trace_start()" + text)
        self.assertIn("last", plain.stdout)
        self.assertEqual((traced.stdout, traced.stderr, traced.returncode), (plain.stdout, "", 0))

    def test_another_interpreter(self):
        self.check(
            """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
u.trace_start()
kept = [Node() for _ in range(10)]
other = interpreters.create()
interpreters.run_string(other, "class Node: pass\\nkept = [Node() for _ in range(20)]; del kept[:7]")
def work():
    for _ in range(200):
        interpreters.run_string(other, "kept = [Node() for _ in range(20)]")
t = threading.Thread(target=work); t.start()
for _ in range(20000): Node()
t.join()
interpreters.destroy(other)
# an older interpreter shares lock, allocator and ledger with the main one
count, collector, alive = counted()
print(count >= 20000, alive)
""",
            "True 10",
        )

    def test_allocators_of_others(self):
        text = """
u.trace_start()
kept = [Node() for _ in range(10)]
[Node() for _ in range(5)]
print(u.trace_state()[:2], counted())
u.trace_stop()
del kept
print(u.trace_state()[0])
"""
        expected = "('every', True) (5, 0, 10)\noff"
        for allocator in "malloc", "debug", "pymalloc", "malloc_debug":
            with self.subTest(allocator):
                self.check(text, expected, PYTHONMALLOC=allocator)
        with self.subTest("dev"):
            self.check(text, expected, "-X", "dev")
        with self.subTest("tracemalloc"):
            self.check(text, expected, PYTHONTRACEMALLOC="5")

    def test_tracemalloc_comes_and_goes(self):
        self.check(
            """
import tracemalloc
u.trace_start()
a = Node()
tracemalloc.start()
b = Node()
print(u.trace_state()[:2], counted())
u.trace_stop()
c = Node()
u.trace_start()
d = Node()
print(u.trace_state()[:2], counted())
tracemalloc.stop()
e = Node()
print(u.trace_state()[:2], counted())
u.trace_stop()
""",
            "('every', True) (0, 0, 2)\n('every', True) (0, 0, 1)\n('every', True) (0, 0, 2)",
        )

    def test_blindness_is_said(self):
        self.check(
            """
import tracemalloc
tracemalloc.start()
u.trace_start()
a = Node()
tracemalloc.stop()
b = Node()
print(u.trace_state()[:2], counted())
""",
            "('every', False) (0, 0, 1)",
        )

    def test_code_and_classes_that_come_and_go(self):
        self.check(
            """
u.trace_start()
for n in range(3000):
    space = {}
    exec(compile("class Node%d:\\n pass\\ndef make():\\n" % n + " \\n" * (n % 50) + " return Node%d()" % n, "f%d.py" % n, "exec"), space)
    it = space["make"]()
    (file, line, function), *_ = u.trace_born(it)
    if (file, line, function) != ("f%d.py" % n, n % 50 + 4, "make"):
        print("wrong", n, file, line, function)
    del it
    space.clear()
    if n % 100 == 0:
        gc.collect()
gc.collect()
made = [row for row in u.trace_lives() if row[0].startswith("builtins.Node") or row[0].startswith("Node")]
print(len(made), {row[3:] for row in made})
""",
            "3000 {(1, 0, 0)}",
        )

    def test_births_out_of_the_interpreters_lists(self):
        if sys.version_info < (3, 13):
            self.skipTest("no reference tracer before 3.13")
        self.check(
            """
def first(): return [[n] for n in range(50)]
def second(): return [[n] for n in range(50)]
u.trace_start()
def churn():
    a = first()
    del a
    b = second()
    return {u.trace_born(x)[0][2] for x in b}
print([churn() for _ in range(3)])
""",
            "[{'second'}, {'second'}, {'second'}]",
        )

    def test_a_sample_is_not_biased(self):
        self.check(
            """
u.trace_start(sample=16384)
class Small:
    __slots__ = ("a",)
class Large:
    __slots__ = tuple("a%d" % n for n in range(50))
kept = [Small() for _ in range(200000)]
large = [Large() for _ in range(20000)]
for _ in range(200000): Small()
kept = large = None
told = {row[0]: row[3:] for row in u.trace_lives()}
small, large = told["__main__.Small"], told["__main__.Large"]
# 3 to 5 standard deviations of so many samples
print(abs(small[0] - 400000) < 40000, small[2], abs(large[0] - 20000) < 3000, large[2])
""",
            "True 0 True 0",
        )

    def test_a_sample_in_threads_and_forks(self):
        self.check(
            """
u.trace_start(sample=256)
def work():
    for n in range(20000):
        a = Node(); a.text = "x" * (n % 700); a.more = [n] * (n % 90); a.text += "yz"
threads = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in threads]
for _ in range(5):
    pid = os.fork()
    if not pid:
        work()
        os._exit(0)
    os.waitpid(pid, 0)
[t.join() for t in threads]
u.trace_stop()
del threads
print("well")
""",
            "well",
            "-W",
            "ignore",
        )

    def test_bad_questions(self):
        done = run("u.trace_start(depth=0)")
        self.assertIn("depth=0 is no depth", done.stderr)
        done = run("u.trace_start(); u.trace_start()")
        self.assertIn("runs already", done.stderr)
        done = run("u.trace_start(sample=0)", PYTHONMALLOC="debug")
        self.assertIn("keep every birth instead", done.stderr)
        self.check("u.trace_stop(); print(u.trace_lives(), u.trace_checkpoint(), u.trace_born(u))", "[] 0 None")

    def test_following(self):
        done = run(
            """
class LeakTest:
    def __init__(self): print("Object with id %d born here." % id(self), flush=True)
    def __del__(self): print("Object with id %d dead here." % id(self), flush=True)
u.trace_start(follow=["LeakTest"])
a = LeakTest()
b = a
a = None
b = None
c = LeakTest(); c.me = c
del c
gc.collect()
u.trace_stop()
"""
        )
        import re

        mine = re.findall(r"id (\d+) (\w+) here", done.stdout)
        told = re.findall(r"__main__.LeakTest with id (\d+) (\w+) here, (.*)\.$", done.stderr, re.M)
        self.assertEqual([t[:2] for t in told], mine)
        self.assertEqual(
            [t[2] for t in told],
            ["<string>:16 in <module>", "its last reference went", "<string>:20 in <module>", "the collector found it"],
        )


if __name__ == "__main__":
    unittest.main()
