"""Forty generators half way through their work; one is done at each step, and another is begun."""


def work(number):
    rows = []
    for k in range(40):
        rows.append({"number": number, "row": k})
        yield rows


at_work = []


def step(i):
    at_work.append(work(i))
    at_work[:] = [g for g in at_work if next(g, None) is not None]
