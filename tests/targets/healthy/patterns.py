"""Regular expressions made from what users type: the module's own cache fills to its bound, then churns."""
import re


def step(i):
    for k in range(4):
        assert re.match("a%db" % (i * 4 + k), "a%db" % (i * 4 + k))
