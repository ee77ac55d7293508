"""A healthy program that uses much of what is written in C, at rest.

Prints READY when all is done and waits for the end of stdin.  Every reference that it
makes is either held by something that can be seen, or was given back.  CPython 3.8 to
3.13, no dependency.
"""
import array
import asyncio
import bz2
import collections
import contextvars
import ctypes
import datetime
import decimal
import functools
import hashlib
import io
import itertools
import json
import lzma
import mmap
import pickle
import queue
import random
import re
import select
import socket
import sqlite3
import struct
import sys
import threading
import weakref
import xml.etree.ElementTree
import zlib

kept = {}


class Point(ctypes.Structure):
    _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_double), ("name", ctypes.c_char_p)]


class Order(object):
    __slots__ = ("number", "lines", "__weakref__")

    def __init__(self, number):
        self.number = number
        self.lines = [{"article": "a%d" % i, "price": decimal.Decimal(i) / 7} for i in range(3)]


def texts():
    kept["json"] = json.loads(json.dumps({"list": [1, 2.5, None, "x" * 100], "deep": [[[{}]]]}))
    kept["pickle"] = pickle.loads(pickle.dumps([Order, (1, 2), {3: 4}, b"bytes", 1 << 70]))
    kept["matches"] = [re.match(r"(\w+)-(?P<n>\d+)", "order-%d" % i) for i in range(20)]
    kept["tree"] = xml.etree.ElementTree.fromstring("<a b='c'><d>text</d><d/></a>")
    kept["packed"] = zlib.compress(bz2.compress(lzma.compress(b"abc" * 1000)))
    kept["hash"] = hashlib.sha256(b"abc")
    kept["stream"] = io.TextIOWrapper(io.BytesIO(b"a\nb\nc\n"))
    kept["line"] = kept["stream"].readline()


def numbers():
    kept["decimals"] = [decimal.Decimal(i).sqrt() for i in range(50)]
    kept["dates"] = [datetime.datetime(2020, 1, 1) + datetime.timedelta(hours=i) for i in range(50)]
    kept["array"] = array.array("d", [i / 3 for i in range(1000)])
    kept["struct"] = struct.Struct("<IdQ")
    kept["random"] = random.Random(4)
    kept["memory"] = memoryview(bytearray(5000))[100:200]
    kept["map"] = mmap.mmap(-1, 8192)


def containers():
    kept["orders"] = [Order(i) for i in range(200)]
    kept["weak"] = weakref.WeakValueDictionary((o.number, o) for o in kept["orders"])
    kept["deque"] = collections.deque(kept["orders"][:20], maxlen=20)
    kept["counter"] = collections.Counter(o.number % 7 for o in kept["orders"])
    kept["ordered"] = collections.OrderedDict((o.number, o) for o in kept["orders"][:30])
    kept["chain"] = itertools.chain([1, 2], itertools.count())
    kept["tee"] = itertools.tee(iter(kept["orders"]))
    kept["group"] = itertools.groupby([1, 1, 2])
    next(kept["tee"][0]), next(kept["group"])
    kept["partial"] = functools.partial(max, key=abs)
    kept["cached"] = functools.lru_cache(maxsize=50)(lambda n: [n])
    for i in range(80):
        kept["cached"](i)


def foreign():
    kept["point"] = Point(1, 2.5, b"name")
    kept["points"] = (Point * 5)()
    kept["pointer"] = ctypes.pointer(kept["point"])
    kept["callback"] = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: n + 1)
    assert [kept["callback"](i) for i in range(100)][-1] == 100
    ctypes.pythonapi.Py_GetVersion.restype = ctypes.c_char_p
    kept["version"] = ctypes.pythonapi.Py_GetVersion()


def database():
    kept["connection"] = sqlite3.connect(":memory:")
    kept["connection"].execute("create table t(a integer, b text)")
    kept["connection"].executemany("insert into t values (?, ?)", [(i, "row %d" % i) for i in range(200)])
    kept["connection"].create_function("twice", 1, lambda n: n * 2)
    kept["rows"] = kept["connection"].execute("select twice(a), b from t").fetchall()
    kept["cursor"] = kept["connection"].execute("select a from t")
    kept["first"] = kept["cursor"].fetchone()
    try:
        kept["connection"].execute("select nothing from nowhere")
    except sqlite3.Error:
        pass


def network():
    kept["sockets"] = socket.socketpair()
    kept["sockets"][0].sendall(b"ping")
    kept["poll"] = select.poll()
    kept["poll"].register(kept["sockets"][1])
    kept["events"] = kept["poll"].poll(0)


async def chat(number, together):
    variable.set(number)
    together.append(asyncio.get_running_loop().create_future())
    await together[-1]


async def meet():
    together = []
    tasks = [asyncio.ensure_future(chat(i, together)) for i in range(20)]
    while len(together) < 20:
        await asyncio.sleep(0)
    for future in together:
        future.set_result(None)
    await asyncio.gather(*tasks)


variable = contextvars.ContextVar("variable")


def concurrent():
    kept["loop"] = asyncio.new_event_loop()
    kept["loop"].run_until_complete(meet())
    kept["queue"], ready = queue.Queue(), threading.Semaphore(0)

    def work(local):
        local.number = threading.get_ident()
        ready.release()
        kept["queue"].get()

    kept["threads"] = [threading.Thread(target=work, args=(threading.local(),), daemon=True) for _ in range(4)]
    for thread in kept["threads"]:
        thread.start()
    for thread in kept["threads"]:
        ready.acquire()


def main():
    for part in (texts, numbers, containers, foreign, database, network, concurrent):
        part()
    try:
        kept["nothing"]
    except KeyError as e:
        kept["failure"] = e
    print("READY", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
