"""Large trees with the way back to the parent, one a step, for the collector to free."""


class Node:
    def __init__(self, parent, depth):
        self.parent = parent
        self.children = [Node(self, depth - 1) for _ in range(3)] if depth else []


def step(i):
    Node(None, i % 4)
