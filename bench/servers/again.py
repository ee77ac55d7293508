"""Runs another program again and again, each time as if it were started anew.

    python again.py PROGRAM

Prints READY; a line with a number on stdin is so many runs, then DONE.  CPython 3.8 and
later, no dependency.
"""
import contextlib
import io
import runpy
import sys


def main(program):
    print("READY", flush=True)
    for line in sys.stdin:
        for _ in range(int(line)):
            with contextlib.redirect_stdout(io.StringIO()):
                runpy.run_path(program, run_name="__main__")
        print("DONE", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
