"""A heap as a web shop's process has it, of about N objects, standing still.

    heap.py N [service] [--seed S]

Customers with settings and orders, orders with lines, baskets in a cache with
callbacks that close over them, sessions in a tree with links both ways, an audit log
of events of which a few are never let go.  Instances with and without `__slots__`,
dicts, lists, tuples, sets, str, int, float, bytes, closures and cycles.

Prints one line, `READY pid=PID kind=KIND objects=N rss_kib=KIB python=VERSION`, and
stays until stdin ends.  CPython 3.8 and later, no dependency.
"""
import argparse
import gc
import os
import random
import sys


class Customer:
    def __init__(self, number, town):
        self.number = number
        self.name = "customer %d" % number
        self.mail = "%d@shop.example" % number
        self.town = town
        self.settings = {"language": "en", "columns": 300 + number % 700, "seen": number * 0.5}
        self.orders = []


class Order:
    def __init__(self, number, customer):
        self.number = number
        self.customer = customer
        self.lines = []
        self.state = ("new", "paid", "sent")[number % 3]
        self.notes = {}


class Line:
    __slots__ = ("article", "amount", "price", "order")

    def __init__(self, article, amount, price, order):
        self.article = article
        self.amount = amount
        self.price = price
        self.order = order


class Session:
    def __init__(self, key, customer, parent):
        self.key = key
        self.customer = customer
        self.parent = parent
        self.opened = []
        self.at_end = None


class Event:
    def __init__(self, number, body):
        self.number = number
        self.body = body
        self.seen_by = None


class AuditLog:
    """Every hundredth event is subscribed to and never let go."""

    def __init__(self):
        self.kept = []
        self.by_number = {}

    def subscribe(self, event, customer):
        event.seen_by = (event, customer)
        self.kept.append(event)
        self.by_number["event-%d" % event.number] = event


def closing(session, orders):
    """A callback that holds what it closes; it is held by what it closes."""
    def close(reason="left"):
        session.opened.clear()
        return orders, reason
    return close


class Shop:
    def __init__(self, chance):
        self.chance = chance
        self.customers = {}
        self.sessions = []
        self.recent = {}
        self.log = AuditLog()
        self.towns = ["town %d" % n for n in range(400)]
        self.made = 410

    def grow(self, wanted):
        while self.made < wanted:
            customer = self.add_customer()
            for _ in range(1 + self.chance(3)):
                self.add_order(customer)
            if self.chance(2):
                self.add_session(customer)
            self.add_event(customer)

    def add_customer(self):
        number = 100000 + len(self.customers)
        customer = Customer(number, self.towns[self.chance(400)])
        self.customers[customer.mail] = customer
        self.made += 9  # with its dict, number, two strings, settings with two numbers, list
        return customer

    def add_order(self, customer):
        order = Order(customer.number * 4 + len(customer.orders), customer)
        customer.orders.append(order)
        self.made += 5
        for n in range(1 + self.chance(4)):
            order.lines.append(Line("article-%d" % self.chance(9000), 257 + n, self.chance(10 ** 6) / 100, order))
            self.made += 4
        order.notes["sent to"] = ("street %d" % self.chance(9999), self.chance(90000) + 10000, customer.town)
        order.notes["history"] = [(order.number + 0.25, "new"), (order.number + 0.75, order.state)]
        order.notes["tags"] = {order.state, "tag-%d" % self.chance(50)}
        order.notes["text"] = "remark " * self.chance(9)
        self.made += 12
        if not self.chance(4):
            self.recent["recent/%d" % order.number] = order
            self.made += 1

    def add_session(self, customer):
        parent = self.sessions[self.chance(len(self.sessions))] if self.sessions and self.chance(3) else None
        session = Session("%032x" % self.chance(1 << 128), customer, parent)
        session.at_end = closing(session, customer.orders)
        if parent is not None:
            parent.opened.append(session)
        self.sessions.append(session)
        self.made += 8  # with its dict, key, list, callback, its cells and their tuple

    def add_event(self, customer):
        event = Event(customer.number * 7, {"who": customer.number + 1, "raw": b"\0" * (40 + self.chance(80))})
        if not self.chance(100):
            self.log.subscribe(event, customer)
            self.made += 8


KINDS = {"service": Shop}


def build(wanted, kind="service", seed=1):
    """The root to hold, and about how many objects hang on it."""
    collecting = gc.isenabled()
    gc.disable()
    root = KINDS[kind](random.Random(seed).randrange)
    root.grow(wanted)
    gc.collect()  # as in a process that has run for long: all old, plain tuples and dicts untracked
    if collecting:
        gc.enable()
    return root, root.made


def resident_kib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("n", type=float)
    parser.add_argument("kind", nargs="?", choices=sorted(KINDS), default="service")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    root, made = build(arguments.n, arguments.kind, arguments.seed)
    print("READY pid=%d kind=%s objects=%d rss_kib=%d python=%s"
          % (os.getpid(), arguments.kind, made, resident_kib(), sys.version.split()[0]), flush=True)
    sys.stdin.read()
    os._exit(0)  # no need to take it all apart


if __name__ == "__main__":
    main()
