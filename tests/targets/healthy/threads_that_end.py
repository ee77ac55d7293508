"""A thread for each request, with variables of its own, waited for."""
import threading

local = threading.local()
lock = threading.Lock()
done = [0]


def work(number):
    local.request = {"number": number, "parts": [bytearray(50) for _ in range(3)]}
    with lock:
        done[0] += 1


def step(i):
    threads = [threading.Thread(target=work, args=(i,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
