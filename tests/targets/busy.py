"""A program that does much at once and checks itself all the while.

Whoever looks into it from outside must leave no trace: no system call may fail that
would not fail alone, no signal may be lost, no child may appear.  Prints READY; at a
line on stdin (or its end) it finishes and prints OK, or what went wrong.  With the
argument --repeat a system call that fails with EINTR is repeated, as Python itself does
(PEP 475), and counted.

Each activity is a thread with all signals blocked, so that no system call of it can be
cut short by a signal of its own.  CPython 3.8 and later, no dependency.
"""
import ctypes
import errno
import gc
import hashlib
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings

warnings.simplefilter("ignore")  # fork in a program with threads: on purpose

LIBC = ctypes.CDLL(None, use_errno=True)
STOP = threading.Event()
ERRORS = []
TURNS = {}
CHILDREN = [0]
CHILDREN_LOCK = threading.Lock()
SEEN = {"alarm": 0, "child": 0}
PATIENCE = 120  # seconds: only for what would otherwise never come
TICK = 0.015


class Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


REPEAT = "--repeat" in sys.argv
REPEATED = [0]


def raw(name, *arguments):
    """A system call as C sees it, which nobody repeats after EINTR."""
    while True:
        ctypes.set_errno(0)
        got = getattr(LIBC, name)(*arguments), ctypes.get_errno()
        if not (REPEAT and got == (-1, errno.EINTR)):
            return got
        REPEATED[0] += 1


def expect(found, wanted, what):
    if found != wanted:
        raise AssertionError("%s: %r and not %r" % (what, found, wanted))


def tick():
    return Timespec(0, int(TICK * 1e9))


# ------------------------------------------------------------------ system calls
def raw_epoll():
    fd, _ = raw("epoll_create1", 0)
    try:
        room = ctypes.create_string_buffer(64)
        while not STOP.is_set():
            expect(raw("epoll_wait", fd, room, 1, int(TICK * 1000)), (0, 0), "epoll_wait")
            yield
    finally:
        os.close(fd)


def raw_semaphore():
    ident, _ = raw("semget", 0, 1, 0o600)
    if ident < 0:
        return
    operation = (ctypes.c_short * 3)(0, -1, 0)
    try:
        while not STOP.is_set():
            got = raw("semtimedop", ident, operation, 1, ctypes.byref(tick()))
            expect(got, (-1, errno.EAGAIN), "semtimedop")
            yield
    finally:
        raw("semctl", ident, 0, 0)  # IPC_RMID


def raw_signal_wait():
    wanted = ctypes.create_string_buffer(128)
    raw("sigemptyset", wanted)
    raw("sigaddset", wanted, signal.SIGRTMIN + 5)
    while not STOP.is_set():
        got = raw("sigtimedwait", wanted, None, ctypes.byref(tick()))
        expect(got, (-1, errno.EAGAIN), "sigtimedwait")
        yield


def raw_receive():
    a, b = socket.socketpair()
    limit = (ctypes.c_long * 2)(0, int(TICK * 1e6))
    a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, bytes(limit))
    room = ctypes.create_string_buffer(8)
    while not STOP.is_set():
        expect(raw("recv", a.fileno(), room, 8, 0), (-1, errno.EAGAIN), "recv with a time limit")
        yield
    a.close()
    b.close()


def raw_restarted():
    """Calls that the kernel itself begins again."""
    while not STOP.is_set():
        expect(raw("poll", None, 0, int(TICK * 1000)), (0, 0), "poll")
        expect(raw("nanosleep", ctypes.byref(tick()), None), (0, 0), "nanosleep")
        limit = (ctypes.c_long * 2)(0, int(TICK * 1e6))
        expect(raw("select", 0, None, None, None, limit), (0, 0), "select")
        yield


# ------------------------------------------------------------------ Python's own
def hashing():
    block = bytes(range(256)) * 64
    wanted = hashlib.sha256(block * 8).hexdigest()
    while not STOP.is_set():
        h = hashlib.sha256()
        for _ in range(8):
            h.update(block)
        expect(h.hexdigest(), wanted, "sha256")
        yield


def containers():
    while not STOP.is_set():
        numbers = list(range(2000))
        table = {n: str(n) for n in numbers}
        for n in range(0, 2000, 3):
            del table[n]
        left = [n for n in numbers if n % 3]
        expect(sorted(table), left, "dict")
        expect(sum(map(int, table.values())), sum(left), "values")
        yield


def cycles():
    while not STOP.is_set():
        for _ in range(200):
            a, b = [], []
            a.append(b)
            b.append(a)
        gc.collect(0)
        yield


def ping_pong():
    a, b = socket.socketpair()

    def answer():
        while True:
            data = b.recv(64)
            if not data:
                return
            b.sendall(data)

    other = threading.Thread(target=answer)
    other.start()
    n = 0
    while not STOP.is_set():
        n += 1
        message = b"%063d" % n
        a.sendall(message)
        got = b""
        while len(got) < 63:
            got += a.recv(64)
        expect(got, message, "echo")
        yield
    a.shutdown(socket.SHUT_WR)
    other.join()


def waiting():
    r, w = os.pipe()
    poller = select.epoll()
    poller.register(r, select.EPOLLIN)
    while not STOP.is_set():
        expect(poller.poll(TICK), [], "epoll")
        expect(select.select([r], [], [], TICK), ([], [], []), "select")
        os.write(w, b"x")
        expect(poller.poll(PATIENCE), [(r, select.EPOLLIN)], "epoll of a full pipe")
        expect(os.read(r, 2), b"x", "pipe")
        yield
    poller.close()
    os.close(r)
    os.close(w)


def sleeping():
    while not STOP.is_set():
        before = time.monotonic()
        time.sleep(TICK)
        if time.monotonic() - before < TICK * 0.99:
            raise AssertionError("sleep returned early")
        yield


def queues():
    box = queue.Queue()
    lock = threading.Lock()
    lock.acquire()
    while not STOP.is_set():
        try:
            box.get(timeout=TICK)
            raise AssertionError("an empty queue gave something")
        except queue.Empty:
            pass
        expect(lock.acquire(timeout=TICK), False, "lock")
        box.put(7)
        expect(box.get(timeout=PATIENCE), 7, "queue")
        yield


def real_time_signals():
    """Signals that queue: each must come, in order."""
    numbers = [signal.SIGRTMIN + 2, signal.SIGRTMIN + 3]
    me = threading.get_ident()
    while not STOP.is_set():
        for n in numbers:
            signal.pthread_kill(me, n)
        for n in numbers:
            got = signal.sigtimedwait(numbers, PATIENCE)
            expect(got and got.si_signo, n, "queued signal")
        yield


def programs():
    while not STOP.is_set():
        with CHILDREN_LOCK:
            CHILDREN[0] += 1
        done = subprocess.run(["/bin/sh", "-c", "exit 3"], stdin=subprocess.DEVNULL)
        expect(done.returncode, 3, "program")
        yield


def forks():
    while not STOP.is_set():
        with CHILDREN_LOCK:
            CHILDREN[0] += 1
        pid = os.fork()
        if pid == 0:
            os._exit(5)
        got, status = os.waitpid(pid, os.WUNTRACED | os.WCONTINUED)
        expect((got, status), (pid, 5 << 8), "forked child")
        yield


ACKNOWLEDGED = threading.Semaphore(0)


def handled_signals():
    """Signals for the main thread, one after the other: a lost one is waited for."""
    main = threading.main_thread().ident
    numbers = [signal.SIGUSR2, signal.SIGRTMIN + 4]
    n = 0
    while not STOP.is_set():
        n += 1
        signal.pthread_kill(main, numbers[n % 2])
        if not ACKNOWLEDGED.acquire(timeout=PATIENCE):
            raise AssertionError("signal %d was lost" % numbers[n % 2])
        yield


ACTIVITIES = [
    raw_epoll, raw_semaphore, raw_signal_wait, raw_receive, raw_restarted,
    hashing, containers, cycles, ping_pong, waiting, sleeping, queues,
    real_time_signals, programs, forks, handled_signals,
]


def run(activity):
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        for _ in activity():
            TURNS[activity.__name__] += 1
    except BaseException as e:
        ERRORS.append("%s: %r" % (activity.__name__, e))
        print(ERRORS[-1], file=sys.stderr, flush=True)  # the others may hang now
        STOP.set()


def count(name):
    def handler(number, frame):
        SEEN[name] += 1
    return handler


def main():
    signal.signal(signal.SIGALRM, count("alarm"))
    signal.signal(signal.SIGCHLD, count("child"))
    for n in (signal.SIGUSR2, signal.SIGRTMIN + 4):
        signal.signal(n, lambda number, frame: ACKNOWLEDGED.release())
    threads = []
    for activity in ACTIVITIES:
        TURNS[activity.__name__] = 0
        threads.append(threading.Thread(target=run, args=(activity,)))
    for t in threads:
        t.start()
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    print("READY", flush=True)
    poller = select.poll()
    poller.register(0, select.POLLIN)
    while not STOP.is_set() and not poller.poll(20):
        pass
    STOP.set()
    for t in threads:
        t.join()
    signal.setitimer(signal.ITIMER_REAL, 0)
    check()
    TURNS["repeated"] = REPEATED[0]
    turns = " ".join("%s=%d" % i for i in sorted(TURNS.items()))
    print("\n".join(ERRORS) if ERRORS else "OK " + turns, flush=True)
    return 1 if ERRORS else 0


def check():
    """What holds when all is over."""
    try:
        ERRORS.append("an unexpected child: %r" % (os.waitpid(-1, os.WNOHANG),))
    except ChildProcessError:
        pass
    if SEEN["child"] > CHILDREN[0]:
        ERRORS.append("%d SIGCHLD for %d children" % (SEEN["child"], CHILDREN[0]))
    if not SEEN["alarm"]:
        ERRORS.append("the timer never rang")


if __name__ == "__main__":
    sys.exit(main())
