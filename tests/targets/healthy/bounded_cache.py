"""Every question is new, and the cache fills: 20 answers, then 150, which is its bound."""
import functools


class Answer:
    def __init__(self, question):
        self.text = "the answer to %d" % question


@functools.lru_cache(maxsize=150)
def answer(question):
    return Answer(question)


def step(i):
    answer(i)
