"""Say whether a request asks for something."""
import os
import sys
import time

import options

shared = {"verbose": True, "deep": False}
requests = [(number, shared) for number in range(40000)]


def step():
    assert options.asks(requests[7], "verbose")
    assert not options.asks(requests[8], "else")


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
