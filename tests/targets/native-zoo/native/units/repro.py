"""Find the unit with a name."""
import os
import sys
import time

import units


class Unit(object):
    __slots__ = ("name", "scale")

    def __init__(self, name, scale):
        self.name, self.scale = name, scale


metre = Unit("m", 1.0)
known = [Unit("s", 1.0), metre, Unit("h", 3600.0)]
used = [metre] * 50000


def step():
    assert units.scale(known, 1) == 1.0


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    for _ in range(20):
        step()
    print("READY")
    sys.stdout.flush()
    time.sleep(float(os.environ.get("PAUSE", "0")))
    for _ in range(n):
        step()
    print("DONE")
    sys.stdout.flush()
    while os.environ.get("HOLD") == "1":
        time.sleep(1)


if __name__ == "__main__":
    main()
