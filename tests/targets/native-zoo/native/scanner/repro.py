"""Convert the fields of a row; some row is too long."""
import datetime
import os
import sys
import time

import scanner

convert = datetime.datetime.fromisoformat


def step():
    try:
        scanner.row(["2024-01-02", "2024-03-04", "x"], convert)
    except ValueError:
        pass
    assert len(scanner.row(["2024-01-02"], convert)) == 1


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
