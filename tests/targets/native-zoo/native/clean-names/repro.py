"""Names made at import, and a cache with a bound.  Nothing leaks."""
import os
import sys
import time

import names

count = 0


def step():
    global count
    count += 1
    assert names.label(count % 1000).endswith("!")
    assert names.Point(1, 2).x == 1
    try:
        names.refuse(count)
    except names.Refused as e:
        assert e.args == (count,)


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
