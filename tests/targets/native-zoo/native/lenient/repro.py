"""Look something up and take an error for absence."""
import os
import sys
import time

import lenient


class Table(object):
    def __getitem__(self, key):
        row = {"key": key}
        raise KeyError(row["key"])


table = Table()


def step():
    assert lenient.get(table, "absent", 5) == 5


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
