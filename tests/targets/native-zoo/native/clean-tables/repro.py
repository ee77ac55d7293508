"""A symbol table in memory of the module's own.  Nothing leaks."""
import os
import sys
import time

import tables

table = tables.Table()
for number in range(300):
    table.set("name %d" % number, [number])
seen = []


def step():
    t = tables.Table()
    t.set("a", "b")
    t.set("a", {"c": t})
    assert t.get("a")["c"] is t
    assert table.get("name 7") == [7]
    table.set("name 8", [8, len(seen)])
    assert tables.pair(t, "x") == (t, "x", tables.pair)
    nodes = [tables.Node(i) for i in range(12)]
    assert nodes[3].value == 3


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
