"""The examples of docs/PYTHON.md: each program runs and prints what stands under it."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

PAGE = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "PYTHON.md")


class Page(unittest.TestCase):
    def test_each_example_prints_what_stands_under_it(self):
        with open(PAGE, encoding="utf-8") as page:
            examples = re.findall(r"```python\n(.*?)```\n```text\n(.*?)```", page.read(), re.DOTALL)
        self.assertGreaterEqual(len(examples), 4)
        for program, text in examples:
            with self.subTest(program), tempfile.TemporaryDirectory() as directory:
                path = os.path.join(directory, "example.py")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(program)
                environment = dict(os.environ, PYTHONIOENCODING="utf-8")
                pipe = subprocess.PIPE
                done = subprocess.run([sys.executable, path], stdout=pipe, stderr=pipe, env=environment)
                self.assertEqual(done.stderr.decode(), "")
                self.assertEqual(done.stdout.decode(), text)


if __name__ == "__main__":
    unittest.main()
