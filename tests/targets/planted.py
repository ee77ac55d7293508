"""References lost on purpose, through the C API, and the truth about them.

Prints READY when all is planted and waits for the end of stdin.  With --truth prints what
is planted, one `name=value` a line, as the first lines.  CPython 3.8 to 3.13, no dependency.
"""
import ctypes
import gc
import os
import sys

LOST = 7            # Lost, one reference each, no holder: orphans
LOST_BYTES = 5      # bytes of 50 KB likewise
BYTES_SIZE = 50000
CYCLES = 9          # Pair <-> Pair, dead, from make_cycles(); the collector is off
OVER = 1            # Over: held by the list `held`, and counted once too often
UNDER = 1           # Under: held UNDER_HELD times by a list, counted once too seldom
UNDER_HELD = 20

increase = ctypes.pythonapi.Py_IncRef
decrease = ctypes.pythonapi.Py_DecRef
for call in (increase, decrease):
    call.argtypes = [ctypes.py_object]
    call.restype = None


class Lost(object):
    __slots__ = ("number",)


class Pair(object):
    pass


class Over(object):
    __slots__ = ()


class Under(object):
    __slots__ = ()


held = []
shared = []


def lose_objects(count):
    for number in range(count):
        lost = Lost()
        lost.number = number
        increase(lost)


def lose_bytes(count):
    for number in range(count):
        lost = bytes(bytearray([65 + number])) * BYTES_SIZE
        increase(lost)


def make_cycles(count):
    for _ in range(count):
        one, other = Pair(), Pair()
        one.other, other.other = other, one


def count_too_often(count):
    for _ in range(count):
        over = Over()
        held.append(over)
        increase(over)


def count_too_seldom(count):
    for _ in range(count):
        under = Under()
        shared.append([under] * UNDER_HELD)
        decrease(under)


def plant():
    lose_objects(LOST)
    lose_bytes(LOST_BYTES)
    make_cycles(CYCLES)
    count_too_often(OVER)
    count_too_seldom(UNDER)


def main():
    gc.collect()
    gc.disable()
    if "--truth" in sys.argv:
        for name in ("LOST", "LOST_BYTES", "BYTES_SIZE", "CYCLES", "OVER", "UNDER", "UNDER_HELD"):
            print("%s=%d" % (name, globals()[name]))
    plant()
    print("READY", flush=True)
    sys.stdin.read()
    os._exit(0)     # the end of an interpreter would free what is counted too seldom twice


if __name__ == "__main__":
    main()
