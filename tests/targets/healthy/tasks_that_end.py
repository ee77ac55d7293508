"""Requests of an event loop: tasks, timeouts, locks and a queue, all done when the answer is."""
import asyncio
import threading

loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()


async def part(queue, number):
    await asyncio.sleep(0)
    await queue.put({"number": number})


async def request(number):
    queue = asyncio.Queue()
    tasks = [asyncio.ensure_future(part(queue, k)) for k in range(4)]
    got = [await asyncio.wait_for(queue.get(), 3600) for _ in tasks]
    await asyncio.gather(*tasks)
    return len(got) + number


def step(i):
    assert asyncio.run_coroutine_threadsafe(request(i), loop).result() == 4 + i
