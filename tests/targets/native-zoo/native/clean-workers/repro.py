"""Threads that wait in C for what they are given.  Nothing leaks."""
import os
import sys
import threading
import time

import workers

boxes = [workers.Box() for _ in range(8)]
done = threading.Semaphore(0)


def work(box, number):
    while box.wait(lambda item: done.release(), ["kept by thread", number], "name %d" % number):
        pass


threads = [threading.Thread(target=work, args=(b, n), daemon=True) for n, b in enumerate(boxes)]
for thread in threads:
    thread.start()


def step():
    for number, box in enumerate(boxes):
        box.put({"number": number})
    for _ in boxes:
        done.acquire()


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    for _ in range(20):
        step()
    print("READY")
    sys.stdout.flush()
    time.sleep(float(os.environ.get("PAUSE", "0")))
    for _ in range(n):
        step()
    print("DONE")
    sys.stdout.flush()
    while os.environ.get("HOLD") == "1":
        time.sleep(1)


if __name__ == "__main__":
    main()
