"""Temporary things with a finalizer each, which fires when they are dropped, ten steps later."""
import collections
import weakref

removed = [0]
in_use = collections.deque(maxlen=10)


class Temporary:
    def __init__(self, number):
        self.path = "/nowhere/%d" % number
        weakref.finalize(self, remove, self.path)


def remove(path):
    removed[0] += len(path) > 0


def step(i):
    in_use.append(Temporary(i))
