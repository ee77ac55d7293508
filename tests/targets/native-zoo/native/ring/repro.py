"""Keep the last 500 readings in a ring."""
import os
import sys
import time

import ring


class Reading(object):
    def __init__(self, value):
        self.value = value


slots = [None] * 500
count = 0


def step():
    global count
    ring.put(slots, count % 500, Reading(count))
    count += 1


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
