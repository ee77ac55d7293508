"""Who is logged in: a random walk between forty and a hundred and twenty, all faces new in the end."""
import random

rnd = random.Random(8)
present = set()


class Visitor:
    def __init__(self, number):
        self.number = number
        self.name = "visitor %d" % number


def step(i):
    for k in range(4):
        present.add(Visitor(i * 4 + k))
    while len(present) > 40 + 80 * (i * i % 97) // 97:
        present.remove(min(present, key=lambda v: v.number + rnd.randrange(30)))
