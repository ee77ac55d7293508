"""The references of planted.py, lost a few in each step, so that what grows can be told.

Prints READY before the first step and after each; a line on stdin is a step, its end the
end.  With --healthy the same is done with every count in order.  CPython 3.8 to 3.13.
"""
import gc
import os
import sys

import planted

# What a step adds: per kind, this many.
LOST = 70
LOST_BYTES = 5
CYCLES = 9
OVER = 25           # each a new object, held by planted.held
OVER_AGAIN = 40     # more references on one object that was there before: planted.held[0]
UNDER = 1           # a new object
UNDER_AGAIN = 30    # references fewer on one object held by many lists: `common`

common = planted.Under()
users = [[common] * 100 for _ in range(100)]


def step():
    planted.lose_objects(LOST)
    planted.lose_bytes(LOST_BYTES)
    planted.make_cycles(CYCLES)
    planted.count_too_often(OVER)
    for _ in range(OVER_AGAIN):
        planted.increase(planted.held[0])
    planted.count_too_seldom(UNDER)
    for _ in range(UNDER_AGAIN):
        planted.decrease(common)


def main():
    if "--healthy" in sys.argv:
        pairs = planted.increase, planted.decrease

        def up(thing):
            pairs[0](thing)
            pairs[1](thing)

        planted.increase = planted.decrease = up
        planted.make_cycles = lambda count: None
    gc.collect()
    gc.disable()
    planted.count_too_often(3)      # of the last of them a register or a stack may tell
    print("READY", flush=True)
    for _ in sys.stdin:
        step()
        print("READY", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
