"""A pool makes a connection when all are busy, up to 24; by and by it has all of them."""
import random

rnd = random.Random(1)


class Connection:
    def __init__(self, pool):
        self.pool = pool
        self.buffer = bytearray(256)


class Pool:
    def __init__(self, size):
        self.size = size
        self.made = []
        self.idle = []

    def take(self):
        if not self.idle and len(self.made) < self.size:
            self.made.append(Connection(self))
            self.idle.append(self.made[-1])
        return self.idle.pop() if self.idle else None


pool = Pool(24)


def step(i):
    at_once = [pool.take() for _ in range(rnd.randrange(1, min(30, 3 + i // 5)))]
    pool.idle.extend(c for c in at_once if c is not None)
