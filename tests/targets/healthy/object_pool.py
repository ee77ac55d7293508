"""Buffers that are given back and used again; the pool keeps at most 32 idle ones."""
import random

rnd = random.Random(3)
idle = []


class Buffer:
    def __init__(self):
        self.data = bytearray(512)


def step(i):
    taken = [idle.pop() if idle else Buffer() for _ in range(rnd.randrange(1, 2 + min(i, 60)))]
    for buffer in taken:
        if len(idle) < 32:
            idle.append(buffer)
