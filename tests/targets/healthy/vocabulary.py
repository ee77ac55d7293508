"""Words are interned when first met; there are 500."""
import random
import sys

rnd = random.Random(2)
known = {}


def step(i):
    for k in range(12):
        word = sys.intern("word-%d" % (i * 6 + k if i < 84 else rnd.randrange(500)))
        if len(known) < 500:
            known.setdefault(word, len(known))
