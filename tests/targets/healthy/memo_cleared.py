"""A memo that is thrown away when it is too large; it happens to be fuller at each look (20, 40, 60)."""
# allowed: medium


class Answer:
    def __init__(self, question):
        self.text = "the answer to %d" % question


memo = {}


def step(i):
    if len(memo) >= 180:
        memo.clear()
    memo[i] = Answer(i)
