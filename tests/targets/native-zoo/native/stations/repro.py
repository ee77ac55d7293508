"""Find the first station that is far enough."""
import os
import sys
import time

import stations


class Station(object):
    def __init__(self, km):
        self.km = km


line = [Station(km) for km in range(100)]


def step():
    assert stations.beyond(line, 4) is line[5]


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
