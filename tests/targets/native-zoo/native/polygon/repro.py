"""A polygon whose corners know it."""
import os
import sys
import time

import polygon


class Corner(object):
    def __init__(self, of):
        self.of = of


def step():
    p = polygon.Polygon()
    for _ in range(3):
        p.add(Corner(p))
    assert len(p) == 3


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
