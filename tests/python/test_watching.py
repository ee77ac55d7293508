"""`undying.watching()` and the test cases for unittest: what outlives a block is told with
who holds it, and what does not is not.
"""

import functools
import threading
import unittest

import undying

HERE = __name__
kept = []
by_key = {}


class Thing:
    pass


class Node:
    pass


class Shelf:
    items = []


def make():
    return Thing()


@functools.lru_cache(maxsize=None)
def cached(key):
    return make()


class Watching(unittest.TestCase):
    def setUp(self):
        for one in (kept, by_key, Shelf.items):
            one.clear()
        cached.cache_clear()

    def one(self, w):
        self.assertEqual(len(w.leaks), 1, w)
        return w.leaks[0]

    def test_what_is_left_in_a_list_is_told_with_its_birthplace_and_holder(self):
        with undying.watching() as w:
            kept.extend(make() for _ in range(3))
        leak = self.one(w)
        self.assertEqual((leak.type, leak.count), (HERE + ".Thing", 3))
        self.assertIn("in make", leak.born)
        self.assertIn("test_watching.py:", leak.born)
        self.assertIn("kept[", leak.held)
        self.assertTrue(leak.advice)
        with self.assertRaises(AssertionError) as caught:
            w.assert_no_leaks()
        for part in (HERE + ".Thing", "in make", "kept["):
            self.assertIn(part, str(caught.exception))
        self.assertIn("kept[", repr(w))
        self.assertIn("<table>", w.leaks._repr_html_())

    def test_each_holder_is_named(self):
        ways = [
            (lambda: Shelf.items.append(make()), "Shelf.items[0]"),
            (lambda: by_key.update(a=make()), "by_key['a']"),
            (lambda: cached(1), "cached.cache"),
            (lambda: kept.append((lambda thing: lambda: thing)(make())), "closure thing"),
        ]
        for plant, holder in ways:
            with self.subTest(holder):
                self.setUp()
                with undying.watching() as w:
                    plant()
                self.assertIn(holder, self.one(w).held)

    def test_what_dies_and_what_local_variables_hold_is_no_leak(self):
        with undying.watching() as w:
            mine = make()
            make()
        self.assertEqual(list(w.leaks), [])
        w.assert_no_leaks()
        del mine

    def test_lives_and_garbage_are_exact(self):
        with undying.watching() as w:
            for _ in range(7):
                make()
            kept.append(make())
            for _ in range(5):
                a, b = Node(), Node()
                a.b, b.a = b, a
            del a, b
        lives = {row.type: row for row in w.lives}
        thing, node = lives[HERE + ".Thing"], lives[HERE + ".Node"]
        self.assertEqual((thing.born, thing.dead_by_count, thing.dead_by_collector, thing.alive), (8, 7, 0, 1))
        self.assertEqual((node.born, node.dead_by_count, node.dead_by_collector, node.alive), (10, 0, 10, 0))
        self.assertEqual(sum(row.count for row in w.garbage if row.type == HERE + ".Node"), 10)

    def test_a_tuple_that_begins_with_a_class_is_no_instance(self):
        with undying.watching() as w:
            kept.append(make())
            # so many classes that what is known of tuples is forgotten in between
            others = [(type("C%d" % n, (), {})(), (Thing, n)) for n in range(3000)]
        lives = {row.type: row for row in w.lives}
        self.assertEqual((lives[HERE + ".Thing"].born, lives[HERE + ".Thing"].alive), (1, 1))
        self.assertEqual(self.one(w).count, 1)
        del others

    def test_what_is_allowed_may_stay(self):
        with undying.watching() as w:
            kept.append(make())
        for allow in (Thing, "Thing", HERE + ".Thing", [Thing], ["nothing", "Thing"]):
            w.assert_no_leaks(allow=allow)
        for allow in ((), "hing", [Node]):
            self.assertRaises(AssertionError, w.assert_no_leaks, allow)

    def test_what_hangs_from_a_leak_is_told_with_it(self):
        with undying.watching() as w:
            thing = make()
            thing.nodes = [Node(), Node()]
            kept.append(thing)
            del thing
        leak = self.one(w)
        self.assertEqual((leak.type, leak.with_it), (HERE + ".Thing", {HERE + ".Node": 2}))

    def test_it_nests_and_an_exception_goes_through(self):
        with self.assertRaises(KeyError):
            with undying.watching() as outer:
                kept.append(Node())
                with undying.watching() as inner:
                    kept.append(make())
                    raise KeyError
        self.assertEqual([row.type for row in inner.leaks], [HERE + ".Thing"])
        self.assertEqual({row.type for row in outer.leaks}, {HERE + ".Thing", HERE + ".Node"})

    def test_it_works_in_a_thread(self):
        watches = []

        def run():
            with undying.watching() as w:
                mine = make()
                kept.append(make())
            watches.append(w)
            del mine

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        leak = self.one(watches[0])
        self.assertEqual((leak.type, leak.count), (HERE + ".Thing", 1))

    def test_a_thread_that_still_runs_holds(self):
        ready, stop = threading.Event(), threading.Event()

        def run():
            mine = make()
            ready.set()
            stop.wait()
            del mine

        thread = threading.Thread(target=run)
        with undying.watching() as w:
            thread.start()
            ready.wait()
        stop.set()
        thread.join()
        self.assertIn(HERE + ".Thing", [row.type for row in w.leaks])

    def test_before_its_end_there_is_no_answer(self):
        with undying.watching() as w:
            self.assertRaises(RuntimeError, w.assert_no_leaks)


def outcome(case, **attributes):
    """What a test case comes to: its failures' texts and how many tests passed."""
    made = type(case.__name__, (case,), attributes)
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(made).run(result)
    return result


class Leaking(undying.LeakTestCase):
    def setUp(self):
        self.thing = make()

    def leak(self):
        kept.append(make())

    def cache(self):
        by_key["a"] = make()

    def grow(self):
        by_key[len(by_key)] = make()

    def cycle(self):
        node = Node()
        node.node = node

    def fine(self):
        self.other = make()


def case_of(name, base=Leaking):
    return type("One", (base,), {"test_" + name: getattr(Leaking, name)})


class ForUnittest(unittest.TestCase):
    def failures(self, name, **attributes):
        kept.clear()
        by_key.clear()
        result = outcome(case_of(name), **attributes)
        self.assertEqual((result.errors, result.testsRun), ([], 1))
        return [text for _, text in result.failures]

    def test_a_leak_fails_and_is_told(self):
        (text,) = self.failures("leak")
        for part in (HERE + ".Thing", "in make", "kept["):
            self.assertIn(part, text)

    def test_what_the_test_case_holds_is_no_leak(self):
        self.assertEqual(self.failures("fine"), [])
        self.assertEqual(self.failures("fine", undying_repeat=3), [])

    def test_only_repeats_tell_a_cache_from_growth(self):
        for repeat, name, fails in [(1, "cache", 0), (3, "cache", 0), (1, "grow", 0), (3, "grow", 1)]:
            with self.subTest(repeat=repeat, name=name):
                self.assertEqual(len(self.failures(name, undying_repeat=repeat)), fails)

    def test_strict_fails_on_garbage(self):
        self.assertEqual(self.failures("cycle"), [])
        (text,) = self.failures("cycle", undying_strict=True)
        self.assertIn("Node —.node→ Node", text)

    def test_what_is_allowed_may_stay(self):
        self.assertEqual(self.failures("leak", undying_allow=[Thing]), [])


if __name__ == "__main__":
    unittest.main()
