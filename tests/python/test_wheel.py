"""The installed wheel, asked as a user asks it.  Run by `cargo xtask wheel` in a fresh
environment of each interpreter: python -m unittest discover tests/python
"""

import collections
import gc
import importlib.metadata
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import types
import unittest
import weakref

import undying

COMMAND = os.path.join(sysconfig.get_path("scripts"), "undying")
HERE = __name__


class Node:
    pass


class Slotted:
    __slots__ = ("held", "__weakref__")


kept = Node()
kept_for_growth = []


def plant_cycles(n):
    for _ in range(n):
        a, b = Node(), Node()
        a.b, b.a = b, a


def run(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)


class WithoutCollector(unittest.TestCase):
    def setUp(self):
        gc.collect()
        gc.disable()
        self.addCleanup(gc.collect)
        self.addCleanup(gc.enable)


def ways(answer):
    return [chain.path_text for chain in answer]


class Command(unittest.TestCase):
    def test_the_command_is_of_the_version_of_the_module(self):
        self.assertEqual(undying.__version__, importlib.metadata.version("undying"))
        for words in [(COMMAND, "--version"), (sys.executable, "-m", "undying", "--version")]:
            done = run(*words)
            self.assertEqual((done.returncode, done.stdout.strip()), (0, "undying " + undying.__version__))

    def test_no_directory_of_the_machine_that_built_it_is_in_it(self):
        checkout = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        module = undying._undying.__file__
        for path in (COMMAND, module):
            with open(path, "rb") as file:
                compiled = file.read()
            self.assertTrue(b"crates/" in compiled, "paths within the checkout are told by panics")
            self.assertFalse(os.fsencode(checkout + "/") in compiled, path)
            # as .ci/run builds it; a build by hand names the places of its dependencies
            if "--remap-path-prefix" in os.environ.get("CARGO_ENCODED_RUSTFLAGS", ""):
                self.assertFalse(b"/registry/src/" in compiled, path)

    def test_the_command_finds_what_a_program_planted(self):
        code = (
            "import gc; gc.disable()\n"
            "class Lost: pass\n"
            "for _ in range(60):\n"
            "    a, b = Lost(), Lost(); a.b = b; b.a = a\n"
            "del a, b\n"
            "print('READY', flush=True); input()"
        )
        pipe = subprocess.PIPE
        with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, universal_newlines=True) as child:
            try:
                self.assertEqual(child.stdout.readline(), "READY\n")
                done = run(COMMAND, "report", str(child.pid))
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("__main__.Lost", done.stdout)
                there = undying.snapshot(child.pid)
                self.assertEqual(there.report()[0].type, "__main__.Lost")
                with self.assertRaises(undying.Error) as caught:
                    there.why(kept)
                self.assertIn("process %d" % child.pid, str(caught.exception))
            finally:
                child.communicate("\n")


class Garbage(WithoutCollector):
    def test_a_planted_cycle_is_the_suspect(self):
        plant_cycles(40)
        report = undying.snapshot().report()
        self.assertEqual((report[0].type, report[0].kind, report[0].count), (HERE + ".Node", "cycle", 80))
        self.assertIn(HERE + ".Node", repr(report))

    def test_cycles_names_the_references(self):
        plant_cycles(3)
        shapes = [c for c in undying.cycles().garbage if c.type == HERE + ".Node"]
        self.assertEqual([(c.count, c.instances) for c in shapes], [(3, 6)])
        self.assertEqual({step.label for step in shapes[0].path}, {"a", "b"})

    def test_of_a_class_exactly_its_instances_are_there(self):
        held = [Slotted() for _ in range(1234)]
        rows = {row.type: row.count for row in undying.snapshot().top().types}
        self.assertEqual(rows[HERE + ".Slotted"], len(held))


    def test_the_collector_knows_no_more_and_no_less(self):
        always_tracked = (types.FunctionType, types.ModuleType, types.GetSetDescriptorType, property, staticmethod)
        # each alone: a comprehension is a function too
        snapshot = undying.snapshot()
        objects = gc.get_objects()
        known = collections.Counter(type(o).__name__ for o in objects if type(o) in always_tracked)
        del objects
        rows = {row.type: row.count for row in snapshot.top()}
        self.assertEqual({name: rows.get(name) for name in known}, dict(known))
        self.assertGreater(known["function"], 1000)


class Why(WithoutCollector):
    def test_a_variable_of_a_module_is_named(self):
        way = HERE + ".kept → Node"
        for what in (kept, Node, HERE + ".Node", id(kept)):
            answer = undying.why(what)
            self.assertEqual((ways(answer)[0], answer.count), (way, 1), what)

    def test_a_local_variable_is_named(self):
        here = Slotted()
        (way,) = ways(undying.why(here))
        self.assertIn("local here", way)
        self.assertIn("test_a_local_variable_is_named", way)

    def test_who_asks_is_not_among_the_holders(self):
        self.assertEqual(ways(undying.why(kept)), [HERE + ".kept → Node"])
        here = Slotted()
        (way,) = ways(undying.why(here))
        self.assertNotIn("frame why local", way)
        self.assertNotIn("evaluation stack", way)
        del here

    def test_what_only_the_call_holds_is_told_so(self):
        names = []
        try:
            names = ways(undying.why(Slotted()))
        except undying.Error as e:
            self.assertIn("not in this snapshot", str(e))
            self.assertEqual(e.exit_code, 2)
        # up to 3.10 the calling frame has it in hand until the call is over
        self.assertTrue(all("frame" in name or "native" in name for name in names), names)

    def test_garbage_is_said_to_be_garbage(self):
        node = Node()
        node.self = node
        seen, at = weakref.ref(node), id(node)
        del node
        why = undying.why(at)
        self.assertEqual((len(why), why.garbage), (0, 1))
        self.assertIsNotNone(seen())

    def test_a_wrong_name_is_answered_with_what_there_is(self):
        with self.assertRaises(undying.Error) as caught:
            undying.why("Slotte")
        self.assertIn(HERE + ".Slotted", str(caught.exception))
        self.assertEqual(caught.exception.exit_code, 2)

    def test_an_object_made_later_is_not_taken_for_an_older_one(self):
        before = undying.snapshot()
        fresh = [Slotted() for _ in range(1000)]
        told = 0
        for one in fresh:
            try:
                before.why(one)
            except undying.Error:
                told += 1
        self.assertEqual(told, len(fresh))


class Refs(WithoutCollector):
    def test_each_reference_is_there_with_its_name(self):
        one = Node()
        listed, keyed, owner, slotted = [None, one], {"key": one}, Node(), Slotted()
        owner.attribute = one
        slotted.held = one
        refs = undying.refs(one)
        texts = sorted(r.text for r in refs)
        self.assertEqual(len(texts), 5, texts)
        for text in ["list[1]", "dict['key']", "Node.attribute", "Slotted.held"]:
            self.assertIn(text, texts)
        self.assertEqual(sum("local one" in text for text in texts), 1, texts)
        holders = {r.text: r.holder.address for r in refs if r.holder}
        self.assertEqual(holders["list[1]"], id(listed))
        self.assertEqual(holders["dict['key']"], id(keyed))
        self.assertEqual(holders["Node.attribute"], id(owner))
        self.assertEqual(holders["Slotted.held"], id(slotted))

    def test_a_variable_of_a_module_reads_as_it_is_written(self):
        self.assertEqual([r.text for r in undying.refs(kept)], [HERE + ".kept"])

    def test_weak_references_do_not_count(self):
        weak = [weakref.ref(kept, lambda _: None) for _ in range(3)]
        refs = undying.refs(kept)
        self.assertEqual((len(refs), refs.weak), (1, len(weak)))


class Growth(WithoutCollector):
    def test_what_grows_is_found_and_we_are_not(self):
        snapshots, answers = [], []
        for _ in range(4):
            snapshots.append(undying.snapshot())
            answers.append(snapshots[-1].report())
            answers.append(snapshots[-1].cycles())
            kept_for_growth.extend(Slotted() for _ in range(500))
        self.addCleanup(kept_for_growth.clear)
        last = undying.snapshot()
        diff = last.diff(snapshots)
        self.assertIn(HERE + ".Slotted", [s.type for s in diff])
        self.assertIn("kept_for_growth", diff[0].path_text)
        self.assertEqual(len(diff.intervals), 4)
        self.assertFalse([s.type for s in diff if s.type.startswith("undying.")])
        self.assertEqual([s.type for s in last.diff(snapshots[-1])], [s.type for s in diff])

    def test_snapshots_of_nothing_in_common_are_refused(self):
        with self.assertRaises(undying.Error):
            undying.snapshot().diff([])
        first = undying.snapshot()
        second = undying.snapshot()
        with self.assertRaises(undying.Error) as caught:
            first.diff(second)
        self.assertIn("oldest first", str(caught.exception))


class Form(WithoutCollector):
    def test_data_is_what_the_command_prints(self):
        plant_cycles(30)
        with tempfile.TemporaryDirectory() as directory:
            place = os.path.join(directory, "heap")
            snapshot = undying.snapshot()
            snapshot.save(place)
            again = undying.open(place)
            self.assertEqual((len(again), again.pid, again.path), (len(snapshot), os.getpid(), place))
            done = run(COMMAND, "report", place, "--format", "json")
            self.assertEqual(done.returncode, 0, done.stderr)
            import json

            printed = json.loads(done.stdout)
            for name in ("ignored", "known", "cured"):
                del printed[name]
            self.assertEqual(again.report().data, printed)
            ours, theirs = snapshot.report().data, dict(printed)
            self.assertIsNone(ours.snapshots[0].path)
            self.assertEqual({**ours, "snapshots": 0}, {**theirs, "snapshots": 0})
            with self.assertRaises(undying.Error) as caught:
                snapshot.save(place)
            self.assertEqual(caught.exception.exit_code, 2)
            snapshot.save(place, force=True)

    def test_names_are_escaped_in_notebooks(self):
        odd = type("<script>odd</script>", (), {})()
        odd.self = odd
        html = undying.why(odd)._repr_html_()
        self.assertNotIn("<script>", html)
        self.assertIn("&lt;script&gt;", html)

    def test_an_answer_is_a_sequence_with_attributes(self):
        top = undying.snapshot().top()
        self.assertEqual(len(top), len(top.types))
        self.assertEqual(top[0].count, top[0]["count"])
        self.assertIn("shallow_bytes", dir(top))
        with self.assertRaises(AttributeError):
            top.nothing
        self.assertEqual(max(len(line) for line in top.text(width=60).splitlines()) <= 60, True)

    def test_rows_become_tables_where_the_library_is_there(self):
        top = undying.snapshot().top()
        missing = []
        for name, made in [("pandas", top.to_pandas), ("pyarrow", top.to_arrow)]:
            try:
                __import__(name)
            except ImportError:
                missing.append(name)
                self.assertRaises(ImportError, made)
            else:
                self.assertEqual(len(made()), len(top))
        if missing:
            print("without %s: that they raise was tested" % " and ".join(missing), file=sys.stderr)


class Circumstances(WithoutCollector):
    def test_other_threads_do_not_disturb(self):
        stop, ready = threading.Event(), threading.Barrier(4)

        def churn():
            held = {}
            ready.wait()
            n = 0
            while not stop.is_set():
                held[n % 100] = [Slotted() for _ in range(20)]
                n += 1

        threads = [threading.Thread(target=churn) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            ready.wait()
            for _ in range(10):
                origin = undying.snapshot().top().snapshots[0]
                self.assertTrue(origin.at_rest)
                self.assertEqual(origin.defects, {})
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def test_a_child_of_a_fork_sees_itself(self):
        undying.snapshot()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            try:
                mine = Slotted()
                snapshot = undying.snapshot()
                said = "%d %d" % (snapshot.pid, len(snapshot.why(mine)))
            except BaseException as e:
                said = repr(e)
            os.write(writer, said.encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            self.assertEqual(pipe.read(), "%d 1" % child)
        os.waitpid(child, 0)

    def test_during_a_collection_it_is_said(self):
        seen = []
        callback = lambda phase, info: phase == "start" and seen.append(undying.snapshot())
        gc.callbacks.append(callback)
        self.addCleanup(gc.callbacks.remove, callback)
        gc.collect()
        self.assertEqual(len(seen), 1)

    def knock(self, answer):
        """Has signals sent to us from now on, the next one when `answer` to the last has
        returned or raised."""
        stop, answered = threading.Event(), threading.Event()

        def handler(*_):
            try:
                answer()
            finally:
                answered.set()

        def send():
            while not stop.is_set():
                os.kill(os.getpid(), signal.SIGUSR1)
                answered.wait()
                answered.clear()

        before = signal.signal(signal.SIGUSR1, handler)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        thread = threading.Thread(target=send)
        self.addCleanup(thread.join)
        self.addCleanup(stop.set)
        thread.start()

    def test_a_signal_handler_may_ask(self):
        snapshot = undying.snapshot()
        asked = []
        self.knock(lambda: asked or asked.append(snapshot.report()))
        while not asked:
            snapshot.cycles()
        self.assertEqual(asked[0].data, snapshot.report().data)

    def test_what_a_signal_handler_raises_ends_the_question(self):
        class Enough(Exception):
            pass

        # so many that to name each takes much longer than from one look at signals to the next
        held = [Slotted() for _ in range(200_000)]
        snapshot = undying.snapshot()
        asking, left = [], []

        def answer():
            if asking:
                asking.clear()
                raise Enough

        def watch(frame, event, function):
            if event == "c_exception":
                left.append(function.__name__)

        def ended():
            """Whether the exception came out of the question, and not of one of the Python
            instructions before and after."""
            left.clear()
            try:
                asking.append(True)
                sys.setprofile(watch)
                snapshot.why(Slotted)
                asking.clear()
            except Enough as e:
                return left == ["why"] and e.__traceback__.tb_next.tb_frame.f_code.co_name == "handler"
            return False

        self.knock(answer)
        self.addCleanup(sys.setprofile, sys.getprofile())
        self.assertTrue(any(ended() for _ in range(50)))
        sys.setprofile(None)
        self.assertEqual(snapshot.why(Slotted).count, len(held))


if __name__ == "__main__":
    unittest.main()
