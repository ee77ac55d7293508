"""Runs one workload and rests: python at_rest.py django|sympy|pandas, READY, end of stdin.

Each uses its packages as programs do; what is left in memory is what they leave.
"""
import importlib
import os
import sys


def main():
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    importlib.import_module("use_" + sys.argv[1]).work()
    print("READY", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
