"""The ledger of lives is exact: a generated program makes and drops known numbers of
instances of fifty classes in every way the language has, and says what it did."""

import json
import os
import random
import subprocess
import sys
import tempfile
import unittest

PROGRAM = '''
import abc, array, asyncio, collections, contextlib, copy, dataclasses, datetime, decimal, fractions
import gc, io, json, pickle, queue, random, sys, threading, typing, weakref
from undying import _undying
'''


class Plan:
    """What one class is, how its instances are made and how they go."""

    def __init__(self, name, code, make="{name}()", collectable=True):
        self.name, self.code, self.make, self.collectable = name, code, make, collectable


PLANS = [
    Plan("Plain", "class Plain: pass"),
    Plan("WithInit", "class WithInit:\n    def __init__(self): self.x = object()"),
    Plan("Slots", "class Slots:\n    __slots__ = ('me', '__weakref__')"),
    Plan("SlotsAndDict", "class SlotsAndDict(Slots):\n    __slots__ = ('__dict__',)"),
    Plan("Empty", "class Empty:\n    __slots__ = ()", collectable=False),
    Plan("Child", "class Child(Plain):\n    def __init__(self): super().__init__(); self.y = []"),
    Plan("Deep", "class Deep(Child): pass"),
    Plan("Two", "class Left: pass\nclass Right: pass\nclass Two(Left, Right): pass"),
    Plan("Meta", "class M(type):\n    def __call__(cls, *a): return super().__call__(*a)\nclass Meta(metaclass=M): pass"),
    Plan("Abstract", "class Abstract(abc.ABC): pass"),
    Plan("Generic", "T = typing.TypeVar('T')\nclass Generic(typing.Generic[T]): pass"),
    Plan("Made", "Made = type('Made', (), {})"),
    Plan("MyDict", "class MyDict(dict): pass", "MyDict(a=1)"),
    Plan("MyList", "class MyList(list): pass", "MyList('abc')"),
    Plan("MySet", "class MySet(set): pass", "MySet('abc')"),
    Plan("MyFrozen", "class MyFrozen(frozenset): pass", "MyFrozen('abc')"),
    Plan("MyTuple", "class MyTuple(tuple): pass", "MyTuple((1, 2, 3))"),
    Plan("MyInt", "class MyInt(int): pass", "MyInt(10 ** 40)"),
    Plan("MyFloat", "class MyFloat(float): pass", "MyFloat(1.5)"),
    Plan("MyStr", "class MyStr(str): pass", "MyStr('text')"),
    Plan("MyBytes", "class MyBytes(bytes): pass", "MyBytes(b'text')"),
    Plan("MyArray", "class MyArray(bytearray): pass", "MyArray(b'text')"),
    Plan("MyError", "class MyError(Exception): pass", "MyError('no')"),
    Plan("MyKeyError", "class MyKeyError(KeyError):\n    def __init__(self): super().__init__(1)"),
    Plan("MyOSError", "class MyOSError(OSError): pass", "MyOSError(2, 'no')"),
    Plan("Data", "@dataclasses.dataclass\nclass Data:\n    a: int = 0\n    b: list = dataclasses.field(default_factory=list)"),
    Plan("Frozen", "@dataclasses.dataclass(frozen=True)\nclass Frozen:\n    a: int = 0"),
    Plan("Named", "Named = collections.namedtuple('Named', 'a b')", "Named(1, [])", collectable=False),
    Plan("Typed", "class Typed(typing.NamedTuple):\n    a: int\n    b: list", "Typed(1, [])", collectable=False),
    Plan("MyOrdered", "class MyOrdered(collections.OrderedDict): pass", "MyOrdered(a=1)"),
    Plan("MyDefault", "class MyDefault(collections.defaultdict): pass", "MyDefault(list, a=1)"),
    Plan("MyCounter", "class MyCounter(collections.Counter): pass", "MyCounter('abc')"),
    Plan("MyDeque", "class MyDeque(collections.deque): pass", "MyDeque('abc')"),
    Plan("MyDate", "class MyDate(datetime.datetime): pass", "MyDate(2005, 1, 2)"),
    Plan("MyDecimal", "class MyDecimal(decimal.Decimal): pass", "MyDecimal('1.5')"),
    Plan("MyFraction", "class MyFraction(fractions.Fraction): pass", "MyFraction(1, 3)", collectable=False),
    Plan("MyPacked", "class MyPacked(array.array): pass", "MyPacked('d', [1.0])"),
    Plan("MyFile", "class MyFile(io.BytesIO): pass", "MyFile(b'abc')"),
    Plan("MyThread", "class MyThread(threading.Thread): pass"),
    Plan("MyRandom", "class MyRandom(random.Random): pass"),
    Plan("MyQueue", "class MyQueue(queue.SimpleQueue): pass"),
    Plan("Weak", "class Weak(weakref.ref): pass", "Weak(anchor)"),
    Plan("Callable_", "class Callable_:\n    def __call__(self): return 1"),
    Plan("Iterator", "class Iterator:\n    def __iter__(self): return self\n    def __next__(self): raise StopIteration"),
    Plan("Context", "class Context:\n    def __enter__(self): return self\n    def __exit__(self, *e): pass"),
    Plan("NewTrick", "class NewTrick:\n    def __new__(cls, other=None):\n        made = object.__new__(cls)\n        made.twin = None\n        return made"),
    Plan("Copied", "class Copied: pass", "copy.copy(Copied_first)"),
    Plan("Pickled", "class Pickled: pass", "pickle.loads(Pickled_text)"),
    Plan("Descriptor", "class Descriptor:\n    def __set_name__(self, owner, name): self.name = name"),
    Plan("Huge", "class Huge(list): pass", "Huge(range(5000))"),
]


def program(seed):
    """The program's text, and for each class: born, dead by count, by the collector, alive."""
    rnd = random.Random(seed)
    lines, truth = [PROGRAM, "class Anchor: pass", "anchor = Anchor()"], {}
    lines += [plan.code for plan in PLANS]
    lines += ["Copied_first = Copied()", "Pickled_text = pickle.dumps(Pickled())"]
    lines += ["def step():", "    pass", "gc.disable()", "gc.collect()", "_undying.trace_start()", "kept = []"]
    for plan in PLANS:
        make = plan.make.format(name=plan.name)
        alive, gone, threaded, thrown = (rnd.randrange(1, 40) for _ in range(4))
        cyclic = rnd.randrange(1, 30) if plan.collectable else 0
        lines += [
            f"kept += [{make} for _ in range({alive})]",
            f"for _ in range({gone}): {make}",
            f"def work():\n    for _ in range({threaded}): {make}",
            "t = threading.Thread(target=work); t.start(); t.join(); del t, work",
            f"def throw():\n    mine = {make}\n    raise ValueError(mine)",
            f"for _ in range({thrown}):\n    try: throw()\n    except ValueError: pass",
            "del throw",
        ]
        # a cycle through a list: every class can be on one
        if cyclic:
            lines.append(f"for _ in range({cyclic}):\n    on = [{make}]; on.append(on)\ndel on")
            lines.append("gc.collect()")
        truth[plan.name] = (alive + gone + threaded + thrown + cyclic, gone + threaded + thrown, cyclic, alive)
    lines += SPECIAL
    truth.update(SPECIAL_TRUTH)
    lines.append(
        "import json as j\n"
        "print(j.dumps({n: (c + g + a, c, g, a) for n, heap, exact, c, g, a in _undying.trace_lives() if heap}))"
    )
    return "\n".join(lines), truth


SPECIAL = ['''
class Phoenix:
    nest = []
    def __del__(self):
        if len(Phoenix.nest) < 5: Phoenix.nest.append(self)
for _ in range(12): Phoenix()
Phoenix.nest.clear()

class Ash:
    "rises from a cycle, and dies by count when nobody wants it any more"
    again = []
    def __del__(self): Ash.again.append(self)
for _ in range(6):
    a = Ash(); a.me = a
del a
gc.collect()
for a in Ash.again: a.me = None
del a
Ash.again.clear()

class Temporary: pass
class Finalizer:
    "makes and drops others while the collector works"
    def __del__(self):
        for _ in range(3): Temporary()
for _ in range(4):
    f = Finalizer(); f.me = f
del f
gc.collect()

class Held: pass
class Holder: pass
for _ in range(7):
    h = Holder(); h.me = h; h.held = [Held(), Held()]
del h
gc.collect()

class Auto: pass
gc.enable()
for _ in range(5000):
    a = Auto(); a.me = a
del a
gc.disable(); gc.collect()

def local():
    class Local: pass
    return [Local() for _ in range(9)]
local()
gc.collect()

class Once:
    it = None
    def __new__(cls):
        if cls.it is None: cls.it = super().__new__(cls)
        return cls.it
for _ in range(5): Once()

class Failing:
    def __init__(self): raise RuntimeError
for _ in range(8):
    try: Failing()
    except RuntimeError: pass

class Mutant: pass
class Other: pass
m = Mutant(); m.__class__ = Other; del m

async def coroutine():
    await asyncio.sleep(0)
    return [InTask() for _ in range(3)]
class InTask: pass
asyncio.run(coroutine())

def generator():
    yield InGenerator()
    yield InGenerator()
class InGenerator: pass
for _ in generator(): pass
del _
g = generator(); next(g)
''']

# born, dead by count, dead by the collector, alive
SPECIAL_TRUTH = {
    "Phoenix": (12, 12, 0, 0),
    "Ash": (6, 6, 0, 0),
    "Temporary": (12, 12, 0, 0),
    "Finalizer": (4, 0, 4, 0),
    "Held": (14, 0, 14, 0),
    "Holder": (7, 0, 7, 0),
    "Auto": (5000, 0, 5000, 0),
    "local.<locals>.Local": (9, 9, 0, 0),
    "Once": (1, 0, 0, 1),
    "Failing": (8, 8, 0, 0),
    "Other": (1, 1, 0, 0),
    "InTask": (3, 3, 0, 0),
    "InGenerator": (3, 3, 0, 0),
}


class Counts(unittest.TestCase):
    def test_fifty_classes_are_counted_exactly(self):
        for seed in range(3):
            text, truth = program(seed)
            with self.subTest(seed=seed), tempfile.TemporaryDirectory() as directory:
                path = os.path.join(directory, "program.py")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                pipe = subprocess.PIPE
                done = subprocess.run([sys.executable, path], stdout=pipe, stderr=pipe, universal_newlines=True)
                self.assertEqual(done.stderr, "")
                told = json.loads(done.stdout)
                for name, expected in truth.items():
                    with self.subTest(name):
                        self.assertEqual(tuple(told.get("__main__." + name, ())), expected)


if __name__ == "__main__":
    unittest.main()
