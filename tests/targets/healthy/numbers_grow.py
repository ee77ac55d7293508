"""Nothing but numbers grows: totals, large integers, the text of a counter."""

total = 0
product = 1
state = {"requests": 0, "name": ""}


def step(i):
    global total, product
    total += i ** 3
    product = product * (i + 2) % (1 << 2000)
    state["requests"] += 1
    state["name"] = "request number %d" % i
