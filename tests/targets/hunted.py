"""What crates/cli/tests/hunt.rs hunts in: callables that leak in one way each, and some
that only look as if they did.  The native ways are made with ctypes."""

import ctypes
import functools
import itertools
import queue
import random
import re
import sys
import threading

gain = ctypes.pythonapi.Py_IncRef
lose = ctypes.pythonapi.Py_DecRef
for function in gain, lose:
    function.argtypes = [ctypes.py_object]
    function.restype = None
allocate = ctypes.pythonapi.PyMem_Malloc
allocate.argtypes = [ctypes.c_size_t]
allocate.restype = ctypes.c_void_p
malloc = ctypes.CDLL(None).malloc
malloc.argtypes = [ctypes.c_size_t]
malloc.restype = ctypes.c_void_p


class Thing:
    pass


class Entry:
    pass


kept = []
number = itertools.count()
shared = Thing()
many = [Thing()] * 100_000
one_of_many = many[0]


# leaks


def keeps():
    kept.append(Thing())


def keeps_one_in_ten():
    if next(number) % 10 == 0:
        kept.append(Thing())


def keeps_nothing_new():
    kept.append(None)


def gains_a_reference():
    gain(shared)


def loses_a_reference():
    lose(one_of_many)


def orphans():
    gain(Thing())


def orphans_on_the_way_out():
    gain(Thing())
    raise ValueError("expected")


asked, answered = queue.Queue(), queue.Queue()


def works():
    while True:
        asked.get()
        gain(Thing())
        answered.put(True)


def waits_for_a_worker():
    # the thread lives on, so that a copy of the process does not have it
    if not workers:
        workers.append(threading.Thread(target=works, daemon=True))
        workers[0].start()
    asked.put(True)
    answered.get()


workers = []


def allocates():
    allocate(40)


def mallocs():
    malloc(100)


async def keeps_in_a_coroutine():
    kept.append(Thing())


def takes(size, name="x", *, more=None):
    assert (size, name, more) == (-3, "a b", [1, 2]), (size, name, more)
    kept.append(Thing())


class Service:
    @classmethod
    def handle(cls):
        kept.append(Entry())


# no leaks


def nothing():
    pass


def raises():
    raise ValueError("as it is meant")


def makes_cycles():
    a, b = Thing(), Thing()
    a.other, b.other = b, a


@functools.lru_cache(maxsize=128)
def cached(_):
    return Entry()


def fills_an_lru_cache():
    cached(next(number))


table = {}


def fills_600_entries():
    if len(table) < 600:
        table[next(number)] = Entry()


def compiles_patterns():
    re.compile("a%d" % next(number))


def interns():
    sys.intern("word %d" % (next(number) % 300))


pool = []


def fills_a_pool():
    if len(pool) < 50:
        pool.append(Entry())


def imports_late():
    if next(number) == 30:
        import email.message  # noqa: F401
        import xml.dom.minidom  # noqa: F401


chance, drawn = random.Random(1), {}


def draws_coupons():
    drawn.setdefault(chance.randrange(3000), Entry())


series, room = [], [0]


def doubles_its_storage():
    room[0] += 1
    if room[0] % 500 == 0 and len(series) < 4000:
        series.extend(series or [0])


def prints():
    print("a word of the program")


# ends


def leaves():
    sys.exit(5)


def crashes():
    ctypes.string_at(1)
