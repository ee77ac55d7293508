"""The ledger of a process, read from outside: births, places and deaths are those that the
tracer tells inside."""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import unittest

COMMAND = os.path.join(sysconfig.get_path("scripts"), "undying")

PROGRAM = """
import gc, json, sys
from undying import _undying as u
u.trace_start()

class Plain: pass
class Slot: __slots__ = ("a",)
class Rows(list): pass
class Wrong(Exception): pass

def make_plain():
    return Plain()

def make_slot():
    made = Slot()
    made.a = None
    return made

def make_cycle():
    one = Plain()
    one.me = one

class Factory:
    def build(self, depth):
        return self.build(depth - 1) if depth else [Rows([1]), Wrong("x")]

kept = [make_plain() for _ in range(1000)]
u.trace_checkpoint("warm")
kept += [make_slot() for _ in range(2000)]
for _ in range(300):
    make_plain()
kept += [x for i in range(50) for x in Factory().build(i % 7)]
gc.collect()
gc.disable()
for _ in range(77):
    make_cycle()
gc.collect()
for _ in range(33):
    make_cycle()
told = kept[:5] + kept[1000:1005] + kept[3000:3020] + [Plain, Slot, Rows]
stacks = {id(x): ["%s:%d in %s" % frame for frame in u.trace_born(x)] for x in told}
lives = [row for row in u.trace_lives() if row[0].startswith("__main__.")]
print(json.dumps({"stacks": stacks, "lives": lives}), flush=True)
sys.stdin.read()
"""


def ask(*words):
    done = subprocess.run([COMMAND, *words], stdout=subprocess.PIPE, universal_newlines=True, check=True)
    return json.loads(done.stdout) if "json" in words else None


class Born(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        program = os.path.join(self.dir.name, "program.py")
        with open(program, "w") as f:
            f.write(PROGRAM)
        self.target = subprocess.Popen(
            [sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True
        )
        self.addCleanup(self.end)
        self.told = json.loads(self.target.stdout.readline())
        self.snapshot = os.path.join(self.dir.name, "snapshot")
        ask("dump", str(self.target.pid), "-q", "-o", self.snapshot)

    def end(self):
        self.target.kill()
        self.target.wait()
        self.target.stdin.close()
        self.target.stdout.close()

    def test_each_stack_is_the_one_told_inside(self):
        self.assertEqual(len(self.told["stacks"]), 33)
        for address, stack in self.told["stacks"].items():
            self.assertTrue(stack)
            self.assertEqual(ask("why", self.snapshot, address, "--format", "json")["stack"], stack)

    def test_the_lives_are_those_told_inside(self):
        told = ask("lives", self.snapshot, "--format", "json")
        self.assertEqual((told["recorder"], told["estimates"]), ("undying, every block", False))
        rows = {row["type"]: row for row in told["types"]}
        for name, _, _, by_count, by_collector, alive in self.told["lives"]:
            row = rows[name]
            self.assertEqual((row["dead_by_count"], row["dead_by_collector"], row["alive"]), (by_count, by_collector, alive))
            self.assertEqual(row["born"], by_count + by_collector + alive)
            self.assertEqual(row["birth_unseen"], 0)
        plain = rows["__main__.Plain"]
        self.assertEqual((plain["born"], plain["dead_by_count"], plain["dead_by_collector"]), (1410, 300, 77))
        self.assertEqual(plain["garbage"], 33)
        places = {place["place"].rsplit(" ", 1)[-1]: place for place in plain["places"]}
        self.assertEqual((places["make_plain"]["born"], places["make_cycle"]["born"]), (1300, 110))
        self.assertEqual([c["name"] for c in told["checkpoints"]], ["warm"])
        self.assertEqual(plain["alive_by_interval"], [1000, 33])

    def test_a_suspect_is_born_where_its_members_were(self):
        told = ask("report", self.snapshot, "--format", "json")
        suspect = [s for s in told["suspects"] if s["type"] == "__main__.Plain"][0]
        self.assertEqual([place.rsplit(" ", 1)[-1] for place in suspect["born"]], ["make_cycle"])
        row = [r for r in told["ledgers"]["lives"]["by_type"] if r["type"] == "__main__.Plain"][0]
        self.assertEqual((row["born"], row["dead_by_count"], row["dead_by_collector"]), (1410, 300, 77))


if __name__ == "__main__":
    unittest.main()
