"""The pytest plugin, run as a user runs it: which tests fail, what the failure says, and
that a run which saw nothing is not green.
"""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import unittest

PLUGINS = {"xdist": "xdist", "asyncio": "pytest_asyncio", "cov": "pytest_cov", "reruns": "pytest_rerunfailures"}
HAS = {name: importlib.util.find_spec(module) is not None for name, module in PLUGINS.items()}

COMMON = """
    import functools, threading, pytest
    class Thing: pass
    class Node: pass
    LEAKED, BY_KEY = [], {}
    class Shelf:
        items = []
        last = None
    def make(): return Thing()
"""

PLANTED = """
    def test_fine(): mine = make()
    def test_list(): LEAKED.append(make())
    def test_class_list(): Shelf.items.append(make())
    def test_class_attribute(): Shelf.last = make()
    def test_dict_once(): BY_KEY["a"] = make()
    def test_dict_growing(): BY_KEY[len(BY_KEY)] = make()
    @functools.lru_cache(maxsize=None)
    def unbounded(key): return make()
    @functools.lru_cache(maxsize=2)
    def bounded(key): return make()
    def test_cache(): unbounded(1)
    def test_bounded_cache(): bounded(len(BY_KEY))
    def test_closure():
        thing = make()
        LEAKED.append(lambda: thing)
    def test_thread():
        ready = threading.Event()
        def run():
            thing = make()
            ready.set()
            threading.Event().wait()
        threading.Thread(target=run, daemon=True).start()
        ready.wait()
    def test_cycle():
        one = Node()
        one.node = one
    def test_raises():
        thing = make()
        with pytest.raises(KeyError) as caught: {}["x"]
    @pytest.mark.parametrize("n", [1, 2])
    def test_parametrised(n):
        if n == 2: LEAKED.append(make())
    def test_rebound():
        global LEAKED
        LEAKED = [make()]
"""


def leaking(*names):
    return {"test_" + name for name in names}


@unittest.skipUnless(importlib.util.find_spec("pytest"), "pytest is not installed: its plugin is not tested")
class Plugin(unittest.TestCase):
    def run_pytest(self, source, *words, files=(), common=COMMON):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.place = directory.name
        for name, content in [("test_it.py", textwrap.dedent(common) + textwrap.dedent(source)), *files]:
            with open(os.path.join(self.place, name), "w", encoding="utf-8") as file:
                file.write(textwrap.dedent(content))
        return self.again(*words)

    def again(self, *words):
        plain = ["-p", "no:cacheprovider", "-rA", "--color=no"]
        # where the wheel is not installed, such as in a checkout
        plugin = [] if self.is_installed() else ["-p", "undying._pytest_plugin"]
        environment = dict(os.environ, COLUMNS="200", PYTHONDONTWRITEBYTECODE="1")
        environment.pop("PYTEST_ADDOPTS", None)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "pytest", *plugin, *plain, *words],
            cwd=self.place,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            env=environment,
        )
        done.failed = set(re.findall(r"^FAILED test_it\.py::(?:\w+::)?(\w+(?:\[.*?\])?)", done.stdout, re.MULTILINE))
        return done

    @staticmethod
    def is_installed():
        import importlib.metadata

        try:
            return any(e.name == "undying" for e in importlib.metadata.distribution("undying").entry_points)
        except importlib.metadata.PackageNotFoundError:
            return False

    def test_not_asked_for_it_changes_nothing_and_loads_nothing(self):
        files = [
            (
                "conftest.py",
                """
                import sys
                def pytest_sessionfinish(session): print("LOADED", [m for m in sys.modules if "_undying" in m])
                """,
            )
        ]
        done = self.run_pytest(PLANTED, "-s", files=files)
        self.assertEqual((done.returncode, done.failed), (0, set()), done.stdout)
        self.assertIn("LOADED []", done.stdout)
        self.assertNotIn("outlive", done.stdout)

    def test_one_run_fails_for_what_is_clear(self):
        done = self.run_pytest(PLANTED, "--undying", "test_it.py")
        expected = leaking("list", "class_list", "closure", "thread", "parametrised[2]")
        self.assertEqual((done.returncode, done.failed), (1, expected), done.stdout)
        for part in ("outlive", "1 test_it.Thing", "test_it.py:", "in make", "test_it.LEAKED[", "advice"):
            self.assertIn(part, done.stdout)
        self.assertIn("suspicious", done.stdout)
        self.assertIn("--undying=3x", done.stdout)
        self.assertIn("15 tests checked, 5 leak", done.stdout)
        self.assertIn("5 failed, 10 passed", done.stdout)

    def test_repeats_fail_for_what_grows(self):
        done = self.run_pytest(PLANTED, "--undying=3x")
        expected = leaking("list", "class_list", "dict_growing", "closure", "thread", "parametrised[2]")
        self.assertEqual((done.returncode, done.failed), (1, expected), done.stdout)
        self.assertIn("1, 1, 1 left by each of the 3 runs", done.stdout)

    def test_strict_fails_on_garbage_that_the_program_tied(self):
        done = self.run_pytest(PLANTED, "--undying-strict", "-k", "fine or cycle or raises")
        self.assertEqual((done.returncode, done.failed), (1, leaking("cycle")), done.stdout)
        self.assertIn("Node —.node→ Node", done.stdout)

    def test_the_marker_alone_turns_it_on_for_its_test(self):
        source = """
            @pytest.mark.undying
            def test_marked(): LEAKED.append(make())
            def test_unmarked(): LEAKED.append(make())
            @pytest.mark.undying(repeat=3)
            def test_repeated(): BY_KEY[len(BY_KEY)] = make()
            @pytest.mark.undying(strict=True)
            def test_strict():
                one = Node()
                one.node = one
            @pytest.mark.undying(allow=["Thing"])
            def test_allowed(): LEAKED.append(make())
        """
        done = self.run_pytest(source)
        self.assertEqual((done.returncode, done.failed), (1, leaking("marked", "repeated", "strict")), done.stdout)
        off = "@pytest.mark.undying(enabled=False)\ndef test_off(): LEAKED.append(make())\n"
        done = self.run_pytest(off, "--undying", "-p", "no:randomly")
        self.assertEqual(done.failed, set(), done.stdout)

    def test_fixtures_of_each_scope(self):
        source = """
            @pytest.fixture
            def own(): return Thing()
            @pytest.fixture
            def own_yield():
                LEAKED.append("x")
                yield Thing()
                LEAKED.pop()
            @pytest.fixture(scope="class")
            def of_class(): return Thing()
            @pytest.fixture(scope="module")
            def of_module():
                Shelf.items.append(make())
                return Shelf
            @pytest.fixture(scope="session")
            def of_session():
                thing = Thing()
                thing.seen = []
                return thing
            class TestAll:
                def test_all(self, own, own_yield, of_class, of_module, of_session): self.mine = make()
                def test_held_by_a_wider_one(self, of_session): of_session.seen.append(make())
                def test_own_leaked(self, own): LEAKED.append(own)
        """
        for words in (["--undying"], ["--undying=3x"]):
            with self.subTest(words):
                done = self.run_pytest(source, *words)
                self.assertEqual((done.returncode, done.failed), (1, leaking("own_leaked")), done.stdout)

    def test_what_pytest_keeps_for_its_report_is_no_leak(self):
        source = """
            import logging, warnings
            class Mine(UserWarning): pass
            def test_warning(): warnings.warn(Mine("x"))
            def test_record(caplog): logging.getLogger("x").error("%s", make())
            def test_tmp(tmp_path, monkeypatch, capsys): monkeypatch.setattr(Shelf, "last", make())
            def test_finalizer(request):
                thing = make()
                request.addfinalizer(lambda: thing)
        """
        for words in (["--undying"], ["--undying=3x"]):
            with self.subTest(words):
                done = self.run_pytest(source, *words)
                self.assertEqual((done.returncode, done.failed), (0, set()), done.stdout)
                self.assertNotIn("suspicious", done.stdout)

    def test_a_class_that_typing_remembers_is_no_leak(self):
        source = """
            import typing
            def test_generic():
                class Local:
                    shared = make()
                assert typing.List[Local]
        """
        done = self.run_pytest(source, "--undying=3x")
        self.assertEqual((done.returncode, done.failed), (0, set()), done.stdout)

    def test_unittest_classes(self):
        source = """
            import unittest
            class TestIt(unittest.TestCase):
                @classmethod
                def setUpClass(cls): cls.shared = Thing()
                def setUp(self): self.mine = make()
                def test_fine(self): self.other = make()
                def test_leak(self): LEAKED.append(make())
        """
        for words in (["--undying"], ["--undying=3x"]):
            with self.subTest(words):
                done = self.run_pytest(source, *words)
                self.assertEqual((done.returncode, done.failed), (1, leaking("leak")), done.stdout)

    def test_outcomes_that_are_no_pass_are_kept(self):
        source = """
            @pytest.mark.xfail
            def test_expected():
                LEAKED.append(make())
                assert False
            def test_skipped(): pytest.skip("no")
            def test_failing():
                LEAKED.append(make())
                assert False
        """
        done = self.run_pytest(source, "--undying")
        self.assertEqual(done.failed, leaking("failing"), done.stdout)
        self.assertIn("1 failed, 1 skipped, 1 xfailed", done.stdout)
        self.assertIn("was expected to fail, and leaks", done.stdout)
        self.assertIn("1 not checked: it failed", done.stdout)
        self.assertIn("1 not checked: it was skipped", done.stdout)

    def test_settings_come_from_files(self):
        leak = "def test_list(): LEAKED.append(make())\n"
        done = self.run_pytest(leak, files=[("pytest.ini", "[pytest]\nundying = true\n")])
        self.assertEqual(done.failed, leaking("list"), done.stdout)
        allow = "[pytest]\nundying = true\nundying_allow =\n    Thing\n"
        self.assertEqual(self.run_pytest(leak, files=[("pytest.ini", allow)]).failed, set())
        table = "[tool.undying]\nenabled = true\nrepeat = 3\n[tool.pytest.ini_options]\n"
        done = self.run_pytest(leak, files=[("pyproject.toml", table)])
        if sys.version_info >= (3, 11):
            self.assertEqual(done.failed, leaking("list"), done.stdout)
            self.assertIn("of the 3 runs", done.stdout)

    def test_a_baseline_may_only_shrink(self):
        leaks = "def test_a(): LEAKED.append(make())\ndef test_b(): LEAKED.append(make())\n"
        done = self.run_pytest(leaks, "--undying", "--undying-baseline=known.json", "--undying-baseline-update")
        self.assertEqual(done.returncode, 0, done.stdout)
        path = os.path.join(self.place, "known.json")
        with open(path, encoding="utf-8") as file:
            written = file.read()
        self.assertEqual(written.count('"test_it.Thing"'), 2)
        self.assertNotIn("line", written)
        done = self.again("--undying", "--undying-baseline=known.json")
        self.assertEqual((done.returncode, done.failed), (0, set()), done.stdout)
        self.assertIn("2 with known leaks", done.stdout)
        mended = "def test_a(): pass\ndef test_b(): LEAKED.extend([make(), make()])\n"
        with open(os.path.join(self.place, "test_it.py"), "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(COMMON) + mended)
        done = self.again("--undying", "--undying-baseline=known.json")
        self.assertEqual(done.failed, leaking("b"), done.stdout)
        self.assertIn("test_a: test_it.Thing is gone", done.stdout)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), written)

    def test_a_run_that_sees_nothing_is_not_green(self):
        # who began before us and ends after us puts back an allocator that knows nothing of us
        conftest = "import tracemalloc\ntracemalloc.start()\n"
        source = """
            import tracemalloc
            def test_hidden():
                tracemalloc.stop()
                LEAKED.append(make())
        """
        done = self.run_pytest(source, "--undying", files=[("conftest.py", conftest)])
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, "1 not checked: .*(allocator|tracer)")
        self.assertIn("NOTHING COULD BE CHECKED", done.stdout)

    def test_without_the_native_module_it_refuses(self):
        files = [
            (
                "conftest.py",
                """
                import sys
                sys.modules["undying._undying"] = None
                """,
            )
        ]
        done = self.run_pytest("def test_fine(): pass\n", "--undying", files=files)
        self.assertEqual(done.returncode, 4, done.stdout)
        self.assertIn("undying cannot check tests here", done.stdout)

    @unittest.skipUnless(HAS["xdist"], "pytest-xdist is not installed: not tested with it")
    def test_with_xdist(self):
        done = self.run_pytest(PLANTED, "--undying", "-n2")
        expected = leaking("list", "class_list", "closure", "thread", "parametrised[2]")
        self.assertEqual((done.returncode, done.failed), (1, expected), done.stdout)
        self.assertIn("15 tests checked, 5 leak", done.stdout)

    @unittest.skipUnless(HAS["asyncio"], "pytest-asyncio is not installed: not tested with it")
    def test_with_asyncio(self):
        source = """
            import asyncio
            @pytest.mark.asyncio
            async def test_fine():
                async def work():
                    thing = make()
                    await asyncio.sleep(0)
                    return thing
                await asyncio.gather(work(), work())
            @pytest.mark.asyncio
            async def test_leak():
                await asyncio.sleep(0)
                LEAKED.append(make())
        """
        for words in (["--undying"], ["--undying=3x"]):
            with self.subTest(words):
                done = self.run_pytest(source, *words)
                self.assertEqual((done.returncode, done.failed), (1, leaking("leak")), done.stdout)

    @unittest.skipUnless(HAS["cov"] and HAS["reruns"], "pytest-cov or -rerunfailures is not installed: not tested")
    def test_beside_other_plugins(self):
        source = "def test_fine(): make()\ndef test_list(): LEAKED.append(make())\n"
        for words in (["--cov=."], ["--reruns=1"], ["-x"], ["--maxfail=1"]):
            with self.subTest(words):
                done = self.run_pytest(source, "--undying", *words)
                self.assertEqual((done.returncode, done.failed), (1, leaking("list")), done.stdout)


if __name__ == "__main__":
    unittest.main()
