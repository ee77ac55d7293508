"""A program that says what its heap is, then stands still.

    truth.py OUT

Lines of OUT, written from inside while the collector is off:

    object ID TYPE BYTES KIND      KIND: class, traversed (its type is collectable), plain
    holds ID ID COUNT              what gc.get_referents reports
    expect ID ID KIND LABEL        what a reader should call the reference (any KIND of
                                   a list separated by |; LABEL - is none)
    mine ID...                     of this bookkeeping: leave out

Then READY on stdout.  CPython 3.8 and later, no dependency.
"""
import asyncio
import atexit
import collections
import contextvars
import ctypes
import datetime
import decimal
import enum
import functools
import gc
import itertools
import os
import re
import sqlite3
import sys
import threading
import types
import weakref
import xml.etree.ElementTree as ElementTree

EXPECTED = []


def expect(holder, held, kind, label="-"):
    EXPECTED.append((id(holder), id(held), kind, label))
    return held


class Plain:
    pass


class Slotted:
    __slots__ = ("first", "second", "__weakref__")


class Grown(Slotted):
    __slots__ = ("third",)


class Mapped(dict):
    pass


class Listed(list):
    __slots__ = ("extra",)


class Numbered(int):
    pass


class Named(str):
    pass


class Paired(tuple):
    pass


class Colour(enum.Enum):
    RED = 1


class Failed(Exception):
    pass


class Structure(ctypes.Structure):
    _fields_ = [("a", ctypes.c_int), ("b", ctypes.c_void_p)]


def attributes(keep):
    for shape in range(40):
        one, held = Plain(), Plain()
        one.held = expect(one, held, "attr|value", "held") if shape % 2 else held
        if shape % 4 == 0:
            vars(one)["other name"] = held      # a dictionary, and no identifier
            expect(one, held, "attr|value")
        if shape % 8 == 1:
            del one.held
            one.held = held
        if shape % 16 == 3:
            for n in range(40):
                setattr(one, "attribute_%d" % n, [n])
        keep.append(one)
    slotted, grown = Slotted(), Grown()
    slotted.first = expect(slotted, Plain(), "slot", "first")
    grown.second = expect(grown, Plain(), "slot", "second")
    grown.third = expect(grown, Plain(), "slot", "third")
    listed, mapped = Listed([Plain()]), Mapped(a=Plain())
    listed.extra = expect(listed, Plain(), "slot", "extra")
    expect(mapped, mapped["a"], "value", "a")
    mapped.more = Plain()
    number, name, pair = Numbered(3), Named("x"), Paired([Plain(), 1])
    number.held, name.held, pair.held = Plain(), Plain(), Plain()
    expect(number, number.__dict__, "attr", "__dict__")
    expect(pair, pair[0], "item")
    keep += [slotted, grown, listed, mapped, number, name, pair, Colour.RED]


def containers(keep):
    x = Plain()
    twice = [x, x]
    mapping = {"name": x, 1: x, (2, 3): [x], x: "as key"}
    expect(mapping, x, "value", "name")
    expect(mapping, x, "key")
    shrunk = {i: [i] for i in range(1000)}
    for i in range(0, 1000, 3):
        del shrunk[i]
    ring = collections.deque([Plain() for _ in range(300)], maxlen=400)
    for i in range(50):
        ring.rotate(7)
        ring.popleft()
    expect(ring, ring[0], "item")
    ordered = collections.OrderedDict((str(i), Plain()) for i in range(20))
    ordered.move_to_end("3")
    del ordered["5"]
    ordered.note = x
    holes = set(range(500)) | {Plain() for _ in range(20)}
    for i in range(0, 500, 2):
        holes.discard(i)
    keep += [twice, mapping, shrunk, ring, ordered, holes, frozenset([Plain(), "a"]), {}, set(), [], (), bytearray(99),
             collections.defaultdict(Plain), collections.Counter("abca"), collections.ChainMap({}, {}), bytes(50),
             "ascii", "caf\xe9", "\u1234\u5678", "\U0001f600", 10 ** 40, -1, True, 0, 1.5, 2j, memoryview(b"abc"),
             types.MappingProxyType({"a": x}), types.SimpleNamespace(a=x), sys.version_info, sys.flags,
             os.stat("/"), re.compile("(a)b"), re.match("a", "a"), decimal.Decimal(10) ** 60, object()]


def callables(keep):
    def outer(value):
        def inner(other=value):
            return value, other
        return inner

    held = Plain()
    inner = outer(held)
    cell = inner.__closure__[0]
    expect(cell, held, "cell")
    expect(inner, inner.__closure__, "attr", "__closure__")
    expect(inner, inner.__defaults__, "attr", "__defaults__")
    expect(inner, inner.__code__, "attr", "__code__")

    def lines():
        local = Plain()
        yield local
        yield local

    def delegate():
        yield from lines()

    gen, outer_gen = lines(), delegate()
    expect(gen, next(gen), "local", "local") if sys.version_info >= (3, 11) else next(gen)
    next(outer_gen)
    done = lines()
    list(done)

    async def waiting():
        thing = Plain()
        await asyncio.sleep(0)
        return thing

    coro = waiting()
    method = [].append
    bound = Failed().with_traceback
    partial = functools.partial(expect, held, 1, key=held)
    expect(partial, partial.args, "attr")
    cached = functools.lru_cache(maxsize=10)(lambda *a: Plain())
    unbounded = functools.lru_cache(maxsize=None)(lambda *a: Plain())
    for i in range(20):
        cached(i, "k%d" % i)
        unbounded(i)
    prop = property(inner, doc="text")
    expect(prop, inner, "attr", "fget")
    keep += [inner, gen, outer_gen, done, lines(), coro, method, bound, partial, cached, unbounded, prop, staticmethod(inner),
             classmethod(inner), super(Grown, Grown()), print, Plain().__init__, Plain.__init__, slice(1, [2]), range(10 ** 20),
             types.MethodType(inner, held), functools.cmp_to_key(inner)(1), functools.singledispatch(inner)]


def iterators(keep):
    tee_a, tee_b = itertools.tee(iter([Plain() for _ in range(100)]))
    for _ in range(70):
        next(tee_a)
    keep += [tee_a, tee_b, iter([1]), reversed([1]), iter((1,)), iter("a"), iter({1: 2}), iter({1}), enumerate([1]), zip([1], "a"),
             map(str, [1]), filter(None, [1]), itertools.chain([1], [2]), itertools.count(10 ** 20), itertools.cycle([1]),
             itertools.repeat([1]), itertools.product("ab", [1, 2]), itertools.permutations([1, 2]), itertools.groupby([1]),
             itertools.islice([1], 1), itertools.accumulate([1]), iter(int, 1), {1: 2}.keys(), {1: 2}.items(),
             collections.OrderedDict(a=1).keys(), iter(collections.deque([1])), iter(collections.OrderedDict(a=1))]


def failures(keep):
    def fail(depth):
        local = Plain()
        if depth:
            fail(depth - 1)
        raise Failed("kept", local)

    for kind in (Failed, OSError, KeyError, SystemExit, ImportError, UnicodeDecodeError, StopIteration):
        try:
            try:
                fail(3)
            except Failed as first:
                raise kind("ascii", b"x", 1, 2, "why") if kind is UnicodeDecodeError else kind("a", "b") from first
        except BaseException as e:
            expect(e, e.__traceback__, "attr", "__traceback__")
            expect(e, e.__cause__, "attr", "__cause__")
            e.note = Plain()
            keep.append(e)


def waiting_things(keep):
    loop = asyncio.new_event_loop()
    for i in range(20):
        future = loop.create_future()
        future.add_done_callback(functools.partial(expect, i))
        keep.append(future)

    async def sleeper():
        mine = Plain()
        await asyncio.sleep(3600)
        return mine

    async def start():
        tasks = [asyncio.ensure_future(sleeper()) for _ in range(5)]
        await asyncio.sleep(0)
        return tasks

    keep.append(loop.run_until_complete(start()))
    variable = contextvars.ContextVar("variable", default=[1])
    context = contextvars.copy_context()
    context.run(variable.set, Plain())
    for i in range(40):
        context.run(contextvars.ContextVar("v%d" % i).set, Plain())
    local = threading.local()
    local.held = Plain()
    keep += [loop, variable, context, local, variable.set([2])]


def foreign_things(keep):
    root = ElementTree.fromstring("<a>" + "<b c='1'>t<d/></b>" * 30 + "</a>")
    connection = sqlite3.connect(":memory:")
    connection.create_function("f", 1, lambda v: v)
    connection.row_factory = lambda c, r: r
    cursor = connection.execute("select 1 union select 2")
    now = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=1)))
    structure = Structure(1, None)
    target = Plain()
    ref = weakref.ref(target, lambda r: None)
    table = weakref.WeakKeyDictionary({target: [1]})
    values = weakref.WeakValueDictionary(a=target)
    keep += [root, connection, cursor, now, now.time(), now.timetz(), structure, ctypes.pointer(structure), ctypes.c_char_p(b"x"),
             target, ref, table, values, weakref.proxy(target), weakref.finalize(target, print, 1), threading.Lock(), threading.RLock(),
             open(__file__), open(__file__, "rb")]


def running_threads(keep):
    go = threading.Event()

    def work(n, payload):
        inside = {"n": n, "payload": payload}
        go.wait()
        return inside

    workers = [threading.Thread(target=work, args=(n, [n]), daemon=True) for n in range(5)]
    for w in workers:
        w.start()
    keep += [workers, go]


def build():
    keep = []
    for part in (attributes, containers, callables, iterators, failures, waiting_things, foreign_things, running_threads):
        part(keep)
    atexit.register(functools.partial(len, [Plain()]))
    os.register_at_fork(before=functools.partial(len, [Plain()]))
    return keep


def tell(path):
    """Only numbers are kept on the way, and left out at the end."""
    gc.collect()
    gc.disable()
    queue = gc.get_objects()
    seen, rows, holds = set(), [], []
    here = sys._getframe()
    mine = {id(queue), id(seen), id(rows), id(holds), id(here), id(here.f_back), id(EXPECTED)}
    mine.add(id(mine))
    while queue:
        o = queue.pop()
        i = id(o)
        if i in seen or i in mine:
            continue
        seen.add(i)
        kind = "class" if issubclass(type(o), type) else "traversed" if type(o).__flags__ >> 14 & 1 else "plain"
        try:
            rows.append((i, type(o).__name__, sys.getsizeof(o), kind))
        except Exception:
            rows.append((i, type(o).__name__, -1, kind))
        counts = collections.Counter()
        for r in gc.get_referents(o):
            if id(r) not in mine:
                counts[id(r)] += 1
                if id(r) not in seen:
                    queue.append(r)
        holds.extend((i, j, n) for j, n in counts.items())
        r = counts = None
    o = None
    with open(path, "w") as out:
        for row in rows:
            out.write("object %d %s %d %s\n" % row)
        for row in holds:
            out.write("holds %d %d %d\n" % row)
        for row in EXPECTED:
            out.write("expect %d %d %s %s\n" % row)
        out.write("mine " + " ".join(map(str, mine)) + "\n")


def main():
    keep = build()
    tell(sys.argv[1])
    print("READY", flush=True)
    sys.stdin.read()
    return keep


if __name__ == "__main__":
    main()
