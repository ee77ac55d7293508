"""Plug-ins sign in with a class, a hook at exit and a place in a table, each once; there are fifteen."""
import atexit

names = {}


class Plugin:
    known = []

    def __init__(self, number):
        self.number = number
        names["plugin %d" % number] = self
        Plugin.known.append(self)
        atexit.register(self.close)

    def close(self):
        self.number = None


def step(i):
    if i % 10 == 0 and i < 150:
        Plugin(i)
