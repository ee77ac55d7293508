"""Checks itself: threads, signals, children and waits that a tracer could upset.  Says
where an object is, runs when told for so many rounds, and says what it counted or what
went wrong."""
import os
import select
import signal
import subprocess
import sys
import threading
import time

ROUNDS = 8
THREADS = 4
shared = [object()]
wrong = []
counted = {"alarm": 0, "trap": 0, "thread": 0, "fork": 0, "command": 0, "wait": 0}
lock = threading.Lock()


def alarm(number, frame):
    counted["alarm"] += 1


def trap(number, frame):
    counted["trap"] += 1


def work(n):
    """Adds up what must add up, and holds the shared object all the time."""
    total = 0
    for i in range(100):
        held = [shared[0] for _ in range(3)]
        if held[0] is not held[2]:
            wrong.append("another object")
        total += i
    if total != 4950:
        wrong.append("sum %d" % total)
    with lock:
        counted["thread"] += 1


def fork():
    pid = os.fork()
    if pid == 0:
        # a debug register that came along would end this process
        held = [shared[0] for _ in range(10)]
        os._exit(7 if len(held) == 10 else 1)
    if os.waitpid(pid, 0)[1] != 7 << 8:
        wrong.append("a forked child")
    counted["fork"] += 1


def command():
    if subprocess.call(["/bin/sh", "-c", "exit 5"], close_fds=False) != 5:
        wrong.append("a command")
    counted["command"] += 1


def wait():
    """A wait of which nothing may come but the end of its time."""
    began = time.monotonic()
    poll = select.epoll()
    if poll.poll(0.02):
        wrong.append("an event from nowhere")
    poll.close()
    if time.monotonic() - began < 0.019:
        wrong.append("a wait was cut short")
    counted["wait"] += 1


def round(n):
    threads = [threading.Thread(target=work, args=(n,)) for _ in range(THREADS)]
    for t in threads:
        t.start()
    fork()
    os.kill(os.getpid(), signal.SIGTRAP)
    if n % 8 == 0:
        command()
    waiting = threading.Thread(target=wait)
    waiting.start()
    for t in threads + [waiting]:
        t.join()


def main():
    signal.signal(signal.SIGALRM, alarm)
    signal.signal(signal.SIGTRAP, trap)
    # one that is ignored must not end a wait
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    round(0)
    print("ready", flush=True)
    for line in sys.stdin:
        words = line.split()
        if words[0] == "at":
            print(id(shared[0]), flush=True)
        elif words[0] == "go":
            before = sys.getrefcount(shared[0])
            for name in counted:
                counted[name] = 0
            signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
            for n in range(ROUNDS):
                round(n)
            signal.setitimer(signal.ITIMER_REAL, 0)
            if counted["trap"] != ROUNDS:
                wrong.append("%d traps" % counted["trap"])
            if counted["thread"] != ROUNDS * THREADS:
                wrong.append("%d threads" % counted["thread"])
            if counted["alarm"] == 0:
                wrong.append("no alarm")
            if sys.getrefcount(shared[0]) != before:
                wrong.append("references %d, %d before" % (sys.getrefcount(shared[0]), before))
            print("wrong: %s" % sorted(set(wrong)) if wrong else "all well", flush=True)


main()
