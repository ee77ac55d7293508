"""Sessions end fifty steps after they were last used; some are used again."""
import random

rnd = random.Random(6)
sessions = {}


class Session:
    def __init__(self, key):
        self.key = key
        self.used = 0
        self.basket = []


def step(i):
    key = rnd.choice(list(sessions)) if sessions and rnd.random() < 0.4 else "session %d" % i
    session = sessions.setdefault(key, Session(key))
    session.used = i
    session.basket = session.basket[-3:] + [i]
    for old in [s for s in sessions.values() if i - s.used > 50]:
        del sessions[old.key]
