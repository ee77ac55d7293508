"""Make shapes in a function, and remember the last few."""
import collections
import os
import sys
import time

import shapes

recent = collections.deque(maxlen=50)


def step():
    made = shapes.unit(12)
    mine = shapes.Shape()
    mine.corners = made.corners
    recent.append((made, mine))


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
