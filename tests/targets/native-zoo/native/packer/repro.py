"""Split numbers into odd and even."""
import os
import sys
import time

import packer


def step():
    odd, even = packer.split([1, 2, 3, 4, 5])
    assert odd == [1, 3, 5] and even == {2: None, 4: None}


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
