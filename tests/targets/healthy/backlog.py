"""Work comes faster than it is done, then slower: the backlog rises to 150 and stays about there."""
import collections


class Job:
    def __init__(self, number):
        self.number = number
        self.data = {"number": number}


waiting = collections.deque()


def step(i):
    waiting.append(Job(i))
    if len(waiting) > 150 + i % 7:
        waiting.popleft()
        waiting.popleft()
