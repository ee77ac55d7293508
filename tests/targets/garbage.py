"""A program with garbage that only the collector can free, and the collector's verdict.

Prints READY; at a line on stdin it collects, keeping what is found (DEBUG_SAVEALL), and
prints the ids; then it lets all of that die and prints id:type of every tracked object
that is left.  The collector is off from the first line on.  CPython 3.8 and later, no
dependency.
"""
import gc
gc.disable()
import asyncio  # noqa: E402
import collections  # noqa: E402
import dataclasses  # noqa: E402
import enum  # noqa: E402
import functools  # noqa: E402
import random  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
import typing  # noqa: E402
import weakref  # noqa: E402


class Node:
    def __init__(self):
        self.links = []


class Slotted:
    __slots__ = ("one", "two", "__weakref__")


class Closing:
    def __del__(self):
        pass


def graph(rnd, size, held):
    """A random digraph, of which `held` of a hundred nodes are kept."""
    nodes = [Node() for _ in range(size)]
    for n in nodes:
        for _ in range(rnd.randrange(4)):
            n.links.append(nodes[rnd.randrange(size)])
        if rnd.randrange(5) == 0:
            n.by_name = {"other": nodes[rnd.randrange(size)], 1: (n,)}
    return [n for n in nodes if rnd.randrange(100) < held]


def shapes():
    a, b = Slotted(), Slotted()
    a.one, b.one = b, a
    me = Closing()
    me.me = me
    caller = Node()
    caller.callback = caller.__init__
    owner = Node()
    owner.later = lambda: owner
    try:
        raise ValueError("kept")
    except ValueError as e:
        error = e
        error.again = error

    def walker():
        mine = yield
        yield mine

    w = walker()
    next(w)
    w.send([w])
    ring = collections.deque()
    ring.append(ring)
    table = collections.OrderedDict()
    table["self"] = table
    part = functools.partial(print)
    part.self = part
    for i in range(3):
        type("Made%d" % i, (Node,), {"number": i})
        dataclasses.make_dataclass("Data%d" % i, ["x"])
        enum.Enum("Colour%d" % i, "A B")
        collections.namedtuple("Pair%d" % i, "a b")
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    future.add_done_callback(lambda f: future)
    loop.close()
    watched = Node()
    watched.ref = weakref.ref(watched, lambda r: watched)
    cached = functools.lru_cache()(lambda x: Node())
    cached(cached)
    local = threading.local()
    local.me = local


def main():
    rnd = random.Random(int(sys.argv[1]))
    kept = [graph(rnd, 300, held) for held in (0, 1, 10, 50)]
    for _ in range(5):
        shapes()
    kept.append(typing.Dict[str, int])
    line = "READY"
    print(line, flush=True)
    sys.stdin.readline()
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    for o in gc.garbage:
        sys.stdout.write("%d " % id(o))
    o = None
    print(flush=True)
    gc.set_debug(0)
    gc.garbage.clear()
    gc.collect()
    for o in gc.get_objects():
        sys.stdout.write("%d:%s " % (id(o), type(o).__name__))
    print(flush=True)
    return kept


if __name__ == "__main__":
    main()
