"""A graph of C++ whose nodes call Python.  Nothing leaks."""
import os
import sys
import time

import graph


class Named(graph.Node):
    def __init__(self, name):
        graph.Node.__init__(self)
        self.name = name

    def weight(self):
        return float(len(self.name))


kept = graph.Graph()
for number in range(100):
    kept.add(Named("node %d" % number))
    kept.tag("tag %d" % number, ["tag", number])
kept.on_visit(lambda node: setattr(node, "visited", True))


def step():
    g = graph.Graph()
    found = []
    g.on_visit(found.append)
    g.add(Named("a"))
    g.add(graph.Node())
    g.tag("t", {"x": found})
    assert g.total() == 1.0 + 0.5
    assert len(found) == 2 and g.tagged("t")["x"] is found
    found.clear()
    assert kept.tagged("tag 9") == ["tag", 9]
    try:
        g.tagged("absent")
    except KeyError:
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
