"""Snapshots at a moment that was named beforehand."""

import os
import subprocess
import sys
import tempfile
import unittest

import undying

HEAD = """
import os, signal, sys, threading, time
from undying._arming import arm
class Node: pass
kept = [Node() for _ in range(321)]
"""


class Arming(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.to = os.path.join(directory.name, "moment")

    def run_program(self, text, **given):
        words = [sys.executable, "-c", HEAD + text, self.to]
        pipe = subprocess.PIPE
        return subprocess.run(words, stdout=pipe, stderr=pipe, universal_newlines=True, timeout=120, **given)

    def snapshot(self, at):
        # standard error is open until the child ends: who has read it to its end need not wait
        self.assertTrue(os.path.isdir(at), at)
        return undying.open(at)

    def nodes(self, snapshot):
        return next((row.count for row in snapshot.top(limit=10000) if row.type == "__main__.Node"), 0)

    def test_a_signal(self):
        done = self.run_program(
            """
heard = []
signal.signal(signal.SIGUSR2, lambda *a: heard.append(a[0]))
arm(on="SIGUSR2", to=sys.argv[1])
print(os.getpid())
os.kill(os.getpid(), signal.SIGUSR2)
kept.extend([Node() for _ in range(79)])
os.kill(os.getpid(), signal.SIGUSR2)
kept.clear()
print(len(heard))
"""
        )
        pid, heard = map(int, done.stdout.split())
        self.assertEqual((done.returncode, heard), (0, 2))
        first, second = self.snapshot(self.to), self.snapshot(self.to + ".2")
        self.assertEqual((self.nodes(first), self.nodes(second)), (321, 400))
        self.assertEqual((first.pid, second.pid), (pid, pid))
        self.assertIn("SIGUSR2: process %d as it was is in %s\n" % (pid, self.to), done.stderr)
        self.assertIn("kept", repr(second.why("__main__.Node")))
        self.assertEqual([s for s in second.diff(first).suspects if s.count == 79][0].type, "__main__.Node")

    def test_memory_that_could_not_be_had(self):
        done = self.run_program(
            """
arm(on=["MemoryError"], to=sys.argv[1])
try:
    mine = Node()
    bytearray(1 << 60)
except MemoryError:
    print("caught")
"""
        )
        self.assertEqual((done.returncode, done.stdout), (0, "caught\n"))
        self.assertEqual(self.nodes(self.snapshot(self.to)), 322)
        self.assertFalse(os.path.exists(self.to + ".2"))

    def test_memory_under_a_limit(self):
        done = self.run_program(
            """
import resource
arm(on=["MemoryError"], to=sys.argv[1])
now = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (now + (64 << 20), resource.RLIM_INFINITY))
def grow():
    while True:
        kept.append(Node()); kept.append(bytearray(100000))
grow()
"""
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("MemoryError", done.stderr)
        self.assertGreater(self.nodes(self.snapshot(self.to)), 321)

    def test_a_memory_error_nobody_caught(self):
        done = self.run_program('arm(on=["MemoryError"], to=sys.argv[1])\nraise MemoryError("mine")')
        self.assertIn("MemoryError: mine", done.stderr)
        self.assertEqual(self.nodes(self.snapshot(self.to)), 321)

    def test_a_size(self):
        done = self.run_program(
            """
now = int(open("/proc/self/statm").read().split()[1]) * 4096
arm(on="rss > %dM" % ((now >> 20) + 100), to=sys.argv[1])
more = bytes(range(256)) * (1 << 20)
deadline = time.monotonic() + 60
while not os.path.exists(sys.argv[1]) and time.monotonic() < deadline:
    time.sleep(0.05)
"""
        )
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.nodes(self.snapshot(self.to)), 321)
        self.assertFalse(os.path.exists(self.to + ".2"))

    def test_with_threads_at_work(self):
        done = self.run_program(
            """
arm(to=sys.argv[1], limit=3)
going = True
def work():
    while going:
        a = [Node() for _ in range(100)]
        b = bytearray(1 << 20)
threads = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in threads]
for _ in range(6):
    os.kill(os.getpid(), signal.SIGUSR2)
    time.sleep(0.1)
going = False
[t.join() for t in threads]
"""
        )
        self.assertEqual(done.returncode, 0)
        for at in self.to, self.to + ".2", self.to + ".3":
            self.assertGreaterEqual(self.nodes(self.snapshot(at)), 321)
        self.assertFalse(os.path.exists(self.to + ".4"))

    def test_disarmed(self):
        done = self.run_program(
            """
with arm(on=["SIGUSR2", "MemoryError", "rss>1T"], to=sys.argv[1]):
    pass
print(signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL, sys.excepthook is sys.__excepthook__)
try: bytearray(1 << 60)
except MemoryError: pass
"""
        )
        self.assertEqual((done.stdout, done.stderr), ("True True\n", ""))
        self.assertFalse(os.path.exists(self.to))

    def test_moments_that_are_none(self):
        for on in "SIGNOT", "rss", "rss>many", []:
            with self.subTest(on), self.assertRaisesRegex(ValueError, "give"):
                undying.arm(on=on, to=self.to)


if __name__ == "__main__":
    unittest.main()
