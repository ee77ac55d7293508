"""A worker: a queue, four threads, retries, results that expire, a schedule, messages as JSON and pickle.

Prints READY; a line with a number on stdin is so many messages to be worked off, then
DONE.  CPython 3.8 and later, no dependency.
"""
import collections
import heapq
import json
import logging
import pickle
import queue
import sys
import threading
import time
import uuid

log = logging.getLogger("worker")
log.addHandler(logging.NullHandler())
registry = {}


class Retry(Exception):
    pass


class Results:
    """Kept for a second, and two hundred at most."""

    def __init__(self):
        self.lock = threading.Lock()
        self.kept = collections.OrderedDict()

    def store(self, key, state, value):
        now = time.monotonic()
        with self.lock:
            self.kept[key] = (now, state, value)
            while self.kept and (len(self.kept) > 200 or now - next(iter(self.kept.values()))[0] > 1):
                self.kept.popitem(last=False)


class Worker:
    def __init__(self, threads):
        self.queue = queue.Queue()
        self.later = []
        self.results = Results()
        self.seen = collections.Counter()
        self.last_errors = collections.deque(maxlen=20)
        for number in range(threads):
            threading.Thread(target=self.run, name="worker-%d" % number, daemon=True).start()

    def send(self, name, *args):
        message = {"id": str(uuid.uuid4()), "task": name, "args": args, "tries": 0}
        self.queue.put(json.dumps(message) if len(args) % 2 else pickle.dumps(message))

    def run(self):
        while True:
            raw = self.queue.get()
            message = json.loads(raw) if isinstance(raw, str) else pickle.loads(raw)
            try:
                self.work(message)
            finally:
                self.queue.task_done()

    def work(self, message):
        self.seen[message["task"]] += 1
        try:
            value = registry[message["task"]](message["tries"], *message["args"])
            self.results.store(message["id"], "done", value)
        except Retry:
            message["tries"] += 1
            self.queue.put(json.dumps(message))
        except Exception as error:
            log.exception("%s failed", message["task"])
            self.last_errors.append((time.time(), message["task"], repr(error)))
            self.results.store(message["id"], "failed", repr(error))


def task(function):
    registry[function.__name__] = function
    return function


@task
def mail(tries, to):
    if tries < len(to) % 3:
        raise Retry()
    return {"to": to, "text": "dear %s" % to * 20}


@task
def thumbnail(tries, name, size):
    return {"name": name, "data": bytes(size)}


@task
def total(tries, numbers, *more):
    if len(numbers) % 7 == 0:
        raise ValueError("nothing to add for %r" % (numbers,))
    return sum(numbers)


def messages(worker, start, count):
    due = []
    for number in range(start, start + count):
        heapq.heappush(due, (number * 7919 % count, number))
    while due:
        _, number = heapq.heappop(due)
        worker.send("mail", "user%d" % number)
        worker.send("thumbnail", "picture%d" % number, 100 + number % 50)
        worker.send("total", list(range(number % 30)), "and", number)
    worker.queue.join()


def main():
    worker, done = Worker(4), 0
    print("READY", flush=True)
    for line in sys.stdin:
        messages(worker, done, int(line))
        done += int(line)
        print("DONE", flush=True)


if __name__ == "__main__":
    main()
