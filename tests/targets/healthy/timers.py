"""Timers are set and go off: a heap of about eighty, never the same."""
import heapq
import random

rnd = random.Random(7)
timers = []
fired = 0


class Timer:
    def __init__(self, number):
        self.action = lambda: number


def step(i):
    global fired
    heapq.heappush(timers, (i + rnd.randrange(1, 160), i, Timer(i)))
    while timers and timers[0][0] <= i:
        fired += heapq.heappop(timers)[2].action() >= 0
