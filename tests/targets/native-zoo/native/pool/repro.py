"""Add two vectors; the sum comes from a free list."""
import os
import sys
import time

import pool

kept = [pool.Vec(i, i) for i in range(50000)]


def step():
    v = pool.Vec(1, 2)
    assert v.x == 1.0
    del v
    assert pool.Vec(3, 4).y == 4.0


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
