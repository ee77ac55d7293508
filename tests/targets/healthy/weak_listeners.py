"""Listeners sign up and are forgotten when they die, after twenty steps."""
import collections
import weakref


class Signal:
    def __init__(self):
        self.listeners = weakref.WeakSet()

    def send(self, value):
        for listener in self.listeners:
            listener.hear(value)


class Listener:
    def __init__(self, signal):
        self.heard = collections.deque(maxlen=5)
        signal.listeners.add(self)

    def hear(self, value):
        self.heard.append([value])


changed = Signal()
windows = collections.deque(maxlen=20)


def step(i):
    windows.append(Listener(changed))
    changed.send(i)
