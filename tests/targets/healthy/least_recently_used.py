"""A hand-made cache at its bound: every step one comes and one goes."""
import collections


class Recent:
    def __init__(self, size):
        self.size = size
        self.results = collections.OrderedDict()

    def keep(self, key, result):
        self.results[key] = result
        self.results.move_to_end(key)
        if len(self.results) > self.size:
            self.results.popitem(last=False)


recent = Recent(100)


def step(i):
    recent.keep("key %d" % (i * 7919 % 1000), {"number": i, "rows": [i] * 5})
