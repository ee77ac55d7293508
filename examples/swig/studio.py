"""A drawing service: 200 requests, then it waits for a line on standard input to serve
200 more.  Build its module first (docs/SWIG.md)."""
import collections
import os
import sys

import sketch

history = collections.deque(maxlen=100)  # what the last requests drew
canvases = [sketch.Canvas() for _ in range(100)]
backgrounds = [canvas.background() for canvas in canvases]


def request(i):
    circle = sketch.make_circle(64)
    ink = sketch.mix("ultramarine")
    history.append((circle, ink))
    return circle.corners()


def main():
    served = 0
    while True:
        for i in range(200):
            request(served + i)
        served += 200
        sys.stderr.write("process %d: %d requests served, Enter for more\n" % (os.getpid(), served))
        sys.stderr.flush()
        if not sys.stdin.readline():
            break


if __name__ == "__main__":
    main()
