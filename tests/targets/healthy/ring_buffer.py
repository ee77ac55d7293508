"""The last 150 events, for a status page: full before half time."""
import collections


class Event:
    def __init__(self, number):
        self.number = number
        self.text = "event %d" % number


events = collections.deque(maxlen=150)


def step(i):
    events.append(Event(i))
