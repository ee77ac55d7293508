"""Stands still in functions within functions and tells the line that each is at: file,
line and function as the interpreter says it, from the inside out."""

import os
import sys
import threading


def tell():
    frame = sys._getframe(1)
    rows = []
    while frame is not None:
        rows.append("%d:%s" % (frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    os.write(1, (" ".join(rows) + "\n").encode())


def last(waits):
    kept = object()
    for _ in range(3):
        kept = [kept]
    tell(); waits()
    return kept


def generates(waits):
    held = object()

    yield held
    yield last(
        waits,
    )


def middle(waits):
    local = object()
    try:
        return [x for x in generates(waits)], local
    finally:
        local = None


def main():
    block = threading.Event()
    one = object()
    thread = threading.Thread(target=middle, args=(block.wait,), daemon=True)
    thread.start()
    two = (one, middle(
        sys.stdin.read))
    block.set()
    return two


main()
