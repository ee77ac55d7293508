"""An executor starts its threads one by one, as work comes in at the same time, up to eight."""
import concurrent.futures
import threading

executor = concurrent.futures.ThreadPoolExecutor(max_workers=8)
local = threading.local()


def work(number, gate):
    gate.wait()
    local.last = {"number": number}
    return number * 2


def step(i):
    gate = threading.Event()
    futures = [executor.submit(work, k, gate) for k in range(1 + i // 30)]
    gate.set()
    assert sum(f.result() for f in futures) >= 0
