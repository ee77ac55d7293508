"""Records of a Cython class.  Nothing leaks."""
import os
import sys
import time

import records

store = records.Store(64)


def step():
    data = bytearray(b"some bytes of a record")
    r = records.Record("name", data)
    assert r.checksum() > 0
    store.put(r)
    assert store.newest() is r
    assert list(records.numbers(5)) == [0, 1, 4, 9, 16]
    assert records.adder(3)(4) == 7
    try:
        records.Record(None, data)
    except TypeError:
        pass


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
