"""A table that finds objects while they are alive; they live for thirty steps."""
import collections
import weakref


class User:
    def __init__(self, name):
        self.name = name
        self.seen = []


users = weakref.WeakValueDictionary()
at_work = collections.deque(maxlen=30)


def step(i):
    user = User("user %d" % i)
    user.seen.append(i)
    users[user.name] = user
    at_work.append(user)
