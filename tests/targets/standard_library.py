"""Imports the whole standard library, says READY, waits for the end of stdin.

Modules that do something when imported (games, GUIs, tests) are left out.
CPython 3.8 and later, no dependency.
"""
import importlib
import os
import pkgutil
import sys
import warnings

warnings.simplefilter("ignore")
LEFT_OUT = {"antigravity", "this", "idlelib", "test", "turtle", "turtledemo", "tkinter", "__main__", "msilib", "lib2to3"}


def names():
    stdlib = os.path.dirname(os.__file__)
    places = [stdlib, os.path.join(stdlib, "lib-dynload")]
    found = {m.name for m in pkgutil.iter_modules(places)} | set(sys.builtin_module_names)
    return sorted(n for n in found if n not in LEFT_OUT and not n.startswith(("_test", "_xxtest", "xx")) and n != "site-packages")


def main():
    done = 0
    for name in names():
        try:
            importlib.import_module(name)
            done += 1
        except (ImportError, AttributeError, OSError, SystemExit):
            pass  # not on this platform, or not built
    print("READY", done, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
