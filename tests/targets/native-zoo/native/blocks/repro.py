"""Decode a block whose mark is wrong."""
import os
import sys
import time

import blocks


def step():
    try:
        blocks.decode(b"x", 40000)
    except ValueError:
        pass
    assert len(blocks.decode(b"b", 40000)) == 40000


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
