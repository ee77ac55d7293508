"""Counts the words of 200 letters, then waits for a line on standard input to count those
of 200 more.  Build its module first (docs/NATIVE.md)."""
import os
import sys

import tally

total = {"letters": 0, "words": 0}


def request(i):
    letter = "dear customer %d your order %d is on its way and will be with you on day %d" % (i, i * 7, i % 365)
    counts = tally.words(letter)
    total["letters"] += 1
    total["words"] += sum(counts.values())


def step():
    """One request, for undying hunt."""
    request(total["letters"])


def main():
    served = 0
    while True:
        for i in range(200):
            request(served + i)
        served += 200
        sys.stderr.write("process %d: %d letters counted, Enter for more\n" % (os.getpid(), served))
        sys.stderr.flush()
        if not sys.stdin.readline():
            break


if __name__ == "__main__":
    main()
