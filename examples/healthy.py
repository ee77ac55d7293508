"""A healthy program: a tree whose children know their parent weakly, a queue
that is worked off, a cache with a bound.  There is nothing to report."""
from __future__ import print_function

import collections
import weakref


class Node(object):
    def __init__(self, name, parent=None):
        self.name = name
        self.children = []
        self._parent = weakref.ref(parent) if parent is not None else None
        if parent is not None:
            parent.children.append(self)

    @property
    def parent(self):
        return self._parent() if self._parent is not None else None


class Recent(object):
    """Keeps the last few results."""

    def __init__(self, size):
        self.size = size
        self.results = collections.OrderedDict()

    def keep(self, key, result):
        self.results[key] = result
        if len(self.results) > self.size:
            self.results.popitem(last=False)


tree = Node("root")
for i in range(10):
    branch = Node("branch %d" % i, tree)
    for j in range(10):
        Node("leaf %d.%d" % (i, j), branch)

recent = Recent(16)
queue = collections.deque(tree.children)
seen = 0
while queue:
    node = queue.popleft()
    queue.extend(node.children)
    recent.keep(node.name, node.parent.name)
    seen += 1

print("%d nodes seen, the last %d kept" % (seen, len(recent.results)))
