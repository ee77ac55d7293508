"""The essay's scenes, typed line by line into `undying run -i`, through a pipe and at a
terminal: the births, the deaths, and the two that never come.  Run by `cargo xtask wheel`.
"""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
import unittest

# a shell starts what runs in the background without it, and children inherit that
signal.signal(signal.SIGINT, signal.default_int_handler)

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "LIVES.md")
COMMAND = os.path.join(sysconfig.get_path("scripts"), "undying")
PIPE = subprocess.PIPE

# What is typed, and what is shown before the next prompt.
SCENES = [
    ("class LeakTest(object):", ""),
    ("    def __init__(self):", ""),
    ("        print('Object with id %d born here.' % id(self))", ""),
    ("    def __del__(self):", ""),
    ("        print('Object with id %d dead here.' % id(self))", ""),
    ("", ""),
    ("T1 = LeakTest()", "Object with id 1 born here.\n[undying: born 1 LeakTest]\n"),
    ("T2 = T1", ""),
    ("T1 = None", ""),
    ("T2 = None", "Object with id 1 dead here.\n[undying: dead 1 LeakTest]\n"),
    ("A = LeakTest()", "Object with id 2 born here.\n[undying: born 1 LeakTest]\n"),
    ("B = LeakTest()", "Object with id 3 born here.\n[undying: born 1 LeakTest]\n"),
    ("A.b = B", ""),
    ("B.a = A", ""),
    ("sorted(c.path_text for c in undying.why(A))", "['__main__.A → LeakTest', '__main__.B.a → LeakTest']\n"),
    ("A = None", ""),
    ("B = None", "[undying: garbage 2 LeakTest]\n"),
    ("why = undying.why(LeakTest); len(why), why.garbage", "(0, 2)\n"),
    # not by undying.cycles(): up to 3.10 old words on the stack of its frame are taken for references
    ("found = undying.snapshot().cycles().garbage", ""),
    ("[c.path_text for c in found if 'LeakTest' in c.type]", "['LeakTest —.b→ LeakTest —.a→ LeakTest']\n"),
    ("def foo():", ""),
    ("    A = LeakTest()", ""),
    ("    B = LeakTest()", ""),
    ("    A.b = B", ""),
    ("    B.a = A", ""),
    ("", ""),
    (
        "foo()",
        "Object with id 4 born here.\nObject with id 5 born here.\n[undying: born 2 LeakTest, garbage 4 LeakTest]\n",
    ),
    ("me = LeakTest(); me.xxx = me; del me",
     "Object with id 6 born here.\n[undying: born 1 LeakTest, garbage 5 LeakTest]\n"),
    ("import gc; found = gc.collect()", "".join("Object with id %d dead here.\n" % n for n in (2, 3, 4, 5, 6))
     + "[undying: dead 5 LeakTest by the collector]\n"),
]


def numbered(text):
    """Objects as they are born: 1, 2, 3.  The id of a dead one may be given again."""
    known = {}

    def number(found):
        if found.group(2) == "born":
            known[found.group(1)] = known["last"] = known.get("last", 0) + 1
        return "with id %d %s" % (known[found.group(1)], found.group(2))

    return re.sub(r"with id (\d+) (born|dead)", number, text)


def in_order(text):
    """Neighbouring deaths in the order of their numbers: the collector has its own."""
    lines = text.split("\n")
    for at in range(len(lines)):
        for next in range(at, 0, -1):
            both = lines[next - 1], lines[next]
            if all(line.endswith(" dead here.") for line in both) and both[0] > both[1]:
                lines[next - 1], lines[next] = both[::-1]
    return "\n".join(lines)


def environment(**others):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return dict(kept, PYTHONIOENCODING="utf-8", TERM="dumb", COLUMNS="200", **others)


class Session(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.report = os.path.join(self.directory, "report.txt")
        self.words = [COMMAND, "run", "--python", sys.executable, "--force", "-o", self.report, "-i"]

    def environment(self):
        # the history of whoever runs the tests is not ours to write
        return environment(HOME=self.directory)

    def piped(self, typed, *words):
        """What is shown of both streams together; the prompts are marked with a new line."""
        typed = textwrap.dedent(typed)
        self.ended = subprocess.run(
            [*self.words, *words],
            input=typed.encode(),
            stdout=PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment(),
            cwd=self.directory,
        )
        return self.ended.stdout.decode()

    def lines(self, typed, *words):
        """What we said."""
        return re.findall(r"\[undying: (.*)\]", self.piped(typed, *words))


class Terminal:
    """A child at a terminal of its own."""

    def __init__(self, words, directory, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execve(words[0], words, env)

    def read_to(self, *prompts):
        """What comes up to one of these, and which it was."""
        seen = b""
        while not seen.endswith(prompts):
            ready, _, _ = select.select([self.fd], [], [], 60)
            try:
                more = os.read(self.fd, 1 << 16) if ready else b""
            except OSError:
                more = b""
            if not more:
                raise AssertionError("no prompt after %r" % seen)
            seen += more
        return seen.decode().replace("\r\n", "\n")

    def type(self, line):
        os.write(self.fd, line.encode() + b"\n")

    def end(self, typed=b"\x04"):
        os.write(self.fd, typed)
        rest = b""
        while True:
            try:
                more = os.read(self.fd, 1 << 16)
            except OSError:
                break
            if not more:
                break
            rest += more
        os.close(self.fd)
        status = os.waitpid(self.pid, 0)[1]
        code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return code, rest.decode().replace("\r\n", "\n")


class Scenes(Session):
    def shown(self):
        return "".join(shown for _, shown in SCENES)

    def test_through_a_pipe(self):
        text = self.piped("".join(line + "\n" for line, _ in SCENES))
        begin = text.index(">>> ")
        shown = re.sub(r"(>>> |\.\.\. )+", "", text[begin:])
        self.assertEqual(in_order(numbered(shown)).strip("\n"), self.shown().strip("\n"))
        self.assertEqual(self.ended.returncode, 0)

    def test_at_a_terminal(self):
        terminal = Terminal(self.words, self.directory, self.environment())
        text = ""
        terminal.read_to(b">>> ")
        for line, _ in SCENES:
            terminal.type(line)
            echo = line + "\n"
            seen = terminal.read_to(b">>> ", b"... ")
            self.assertTrue(seen.startswith(echo), seen)
            text += seen[len(echo) : -len(">>> ")]
        self.assertEqual(in_order(numbered(text)), self.shown())
        self.assertEqual(terminal.end()[0], 0)

    def test_what_the_page_shows_is_what_is_shown(self):
        with open(PAGE, encoding="utf-8") as page:
            blocks = re.findall(r"```text\n(>>> .*?)```", page.read(), re.DOTALL)
        self.assertGreaterEqual(len(blocks), 3)
        told = "".join(blocks)
        prompt = re.compile(r"^(?:>>>|\.\.\.) ?(.*\n)", re.MULTILINE)
        shown = re.sub(r"(>>> |\.\.\. )+", "", self.piped("".join(prompt.findall(told))).split("\n>>> ", 1)[1])
        self.assertEqual(re.sub(r"with id \d+", "with id N", shown).strip("\n"), prompt.sub("", told).strip("\n"))

    def test_what_is_never_freed_is_in_the_report(self):
        typed = [line for line, _ in SCENES if "gc" not in line and "me" not in line.split()]
        self.piped("import gc; gc.disable()\n" + "".join(line + "\n" for line in typed))
        with open(self.report, encoding="utf-8") as report:
            told = report.read()
        self.assertIn("__main__.LeakTest", told)
        self.assertIn("make weak", told)


class Lines(Session):
    LEAK = "class LeakTest: pass\n\nclass Node: pass\n\n"

    def test_a_session_without_lives_says_nothing(self):
        self.assertEqual(self.lines("1 + 1\nimport json, decimal, enum, re, unittest\n[object()]\n"), [])

    def test_several_classes_are_named_and_many_counted(self):
        self.assertEqual(
            self.lines(self.LEAK + "kept = [LeakTest(), Node(), Node()]; Node()\nkept = None\n"),
            # what was shown last is kept by the prompt itself, as `_`
            ["born 1 LeakTest and 3 Node", "dead 1 LeakTest and 2 Node"],
        )
        many = "".join("class C%d: pass\n\n" % n for n in range(5))
        made = "kept = [%s]\n" % ", ".join("C%d()" % n for n in range(5))
        self.assertEqual(self.lines(many + made), ["born 5 of 5 classes"])

    def test_what_the_prompt_keeps_is_kept(self):
        text = self.piped(self.LEAK + "LeakTest()\n[c.path_text for c in undying.why(LeakTest)]\n1\n")
        self.assertIn("builtins._", text)
        self.assertEqual(re.findall(r"\[undying: (.*)\]", text), ["born 1 LeakTest", "dead 1 LeakTest"])

    def test_a_traceback_keeps_what_its_frames_hold(self):
        lines = self.lines(
            self.LEAK + "def f():\n    one = LeakTest()\n    1 / 0\n\nf()\nimport sys\n"
            "del sys.last_value, sys.last_traceback\n"
            "if hasattr(sys, 'last_exc'): del sys.last_exc\n\n"
        )
        self.assertEqual(lines, ["born 1 LeakTest", "dead 1 LeakTest"])

    def test_after_a_program(self):
        with open(os.path.join(self.directory, "program.py"), "w", encoding="utf-8") as program:
            program.write(
                "import gc, sys; gc.disable()\nclass LeakTest: pass\n"
                "a, b = LeakTest(), LeakTest(); a.b = b; b.a = a; a = b = None\n"
                "print(sys.argv, hasattr(sys, 'ps1'), 'undying' in dir(__builtins__), 'undying' in sys.modules)\n"
            )
        text = self.piped("LeakTest() and None\n", "program.py", "-x")
        self.assertIn("['program.py', '-x'] False False False", text)
        lines = re.findall(r"\[undying: (.*)\]", text)
        self.assertEqual(lines, ["born 2 LeakTest, garbage 2 LeakTest", "born 1 LeakTest, dead 1 LeakTest"])
        text = self.piped("x\n", "-c", "x = 17")
        self.assertIn("17", text)

    def test_the_last_statement_is_told_too(self):
        self.assertEqual(self.lines(self.LEAK + "a = LeakTest()\ndel a"), ["born 1 LeakTest", "dead 1 LeakTest"])
        self.assertEqual(self.lines(self.LEAK + "a = LeakTest(); exit(4)\n"), ["born 1 LeakTest"])
        self.assertEqual(self.ended.returncode, 4)

    def test_children_of_the_session_say_nothing(self):
        lines = self.lines(
            self.LEAK + "import os\npid = os.fork()\n"
            "if pid == 0:\n    a = LeakTest()\nelse:\n    done = os.waitpid(pid, 0)\n\n"
        )
        self.assertEqual(lines, [])

    def test_each_birth_with_follow(self):
        self.words[2:2] = ["--follow", "LeakTest"]
        text = self.piped(self.LEAK + "a = LeakTest()\ndel a\n")
        self.assertRegex(text, r"__main__\.LeakTest with id \d+ born here")
        self.assertRegex(text, r"__main__\.LeakTest with id \d+ dead here, its last reference went\.")

    def test_a_class_of_the_library_is_not_the_programs(self):
        with open(os.path.join(self.directory, "mine.py"), "w", encoding="utf-8") as module:
            module.write("class Mine: pass\n")
        lines = self.lines(
            "import sys; sys.path.insert(0, '.')\nimport mine, fractions\nk = mine.Mine(), fractions.Fraction(1)\n"
        )
        self.assertEqual(lines, ["born 1 mine.Mine"])


class TheInterpretersOwn(Session):
    def plain(self, typed):
        done = subprocess.run(
            [sys.executable, "-i"],
            input=typed.encode(),
            stdout=PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment(),
        )
        return done.stdout.decode()

    def test_nothing_of_ours_but_one_name(self):
        text = self.piped(
            """
            import sys, builtins, os
            print(sorted(k for k in os.environ if 'UNDYING' in k or 'REPL' in k), str(sys.ps1) == '>>> ')
            print(repr(sys.ps1))
            print(sorted(globals()))
            print(type(sys.__interactivehook__).__name__, sys.flags.interactive, sys.argv)
            print(undying.__name__, builtins.undying is sys.modules['undying'])
            """
        )
        self.assertIn("[] True\n>>> '>>> '\n", text)
        names = ["__builtins__", "__doc__", "__loader__", "__name__", "__package__", "__spec__"]
        names += ["builtins", "os", "sys"]
        self.assertIn(repr(names), text.replace("'__annotations__', ", ""))
        self.assertIn("function 1 ['']", text)
        self.assertIn("undying True\n", text)

    def test_errors_are_shown_as_ever(self):
        typed = "def f(): 1 / 0\n\nf()\n1 +\nraise SystemExit(3)\n"
        plain = self.plain(typed)
        self.assertEqual(self.piped(typed), plain)
        self.assertEqual(self.ended.returncode, 3)

    def test_the_collector_comes_when_it_would_have_come(self):
        typed = (
            "import gc\nclass LeakTest:\n    def __del__(self): print('dead')\n\n"
            "found = gc.collect(); gc.set_threshold(60, 10, 10)\na = LeakTest(); a.a = a; del a\n"
            + "".join("kept%d = [], [], []\n" % n for n in range(40))
        )
        text = self.piped(typed)
        self.assertIn("[undying: born 1 LeakTest, garbage 1 LeakTest]\n", text)
        self.assertIn("dead\n[undying: dead 1 LeakTest by the collector]\n", text)
        self.assertEqual(re.sub(r"\[undying: .*\]\n", "", text), self.plain(typed))

    def test_a_prompt_of_the_users(self):
        with open(os.path.join(self.directory, "startup.py"), "w", encoding="utf-8") as startup:
            startup.write(
                "import sys\nclass Counting:\n    n = 0\n    def __str__(self):\n"
                "        self.n += 1\n        return 'In %d: ' % self.n\nsys.ps1 = Counting()\n"
            )
        usual = self.environment
        self.environment = lambda: dict(usual(), PYTHONSTARTUP=os.path.join(self.directory, "startup.py"))
        text = self.piped("class LeakTest: pass\n\na = LeakTest()\n1\n")
        self.assertIn("In 2: ", text)
        self.assertIn("[undying: born 1 LeakTest]\nIn 3: 1\nIn 4: ", text)

    def test_a_tracer_of_the_users_sees_nothing_of_ours(self):
        typed = (
            "import sys\nseen = []\nsys.settrace(lambda f, e, a: seen.append((f.f_code.co_name, e)))\n"
            "class LeakTest: pass\n\na = LeakTest()\nsys.settrace(None)\nseen\n"
        )
        text = self.piped(typed).replace("[undying: born 1 LeakTest]\n", "")
        self.assertEqual(text, self.plain(typed))

    def test_interrupts_are_the_sessions(self):
        terminal = Terminal(self.words, self.directory, self.environment())
        terminal.read_to(b">>> ")
        terminal.type("print('lo' + 'op', flush=True) or [0 for _ in iter(int, 1)]")
        terminal.read_to(b"\nloop\r\n")
        os.write(terminal.fd, b"\x03")
        self.assertIn("KeyboardInterrupt", terminal.read_to(b">>> "))
        terminal.type("6 * 7")
        self.assertIn("42\n", terminal.read_to(b">>> "))
        self.assertEqual(terminal.end(b"exit(5)\n")[0], 5)

    def test_the_history_is_written(self):
        try:
            import readline
        except ImportError:
            self.skipTest("this Python has no readline")
        terminal = Terminal(self.words, self.directory, self.environment())
        terminal.read_to(b">>> ")
        terminal.type("remembered = 1")
        terminal.read_to(b">>> ")
        self.assertEqual(terminal.end()[0], 0)
        with open(os.path.join(self.directory, ".python_history"), encoding="utf-8") as history:
            self.assertIn("remembered = 1", history.read())

    def test_without_the_module_nothing_begins(self):
        place = os.path.join(self.directory, "environment")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
        self.words[self.words.index("--python") + 1] = os.path.join(place, "bin", "python")
        text = self.piped("print('runs')\n")
        self.assertEqual(self.ended.returncode, 2)
        self.assertRegex(text, r"\Aundying: births are not recorded, and -i needs them: install undying .*\n\Z")


if __name__ == "__main__":
    unittest.main()
