"""Closures and partials made for each of forty routes when first asked for, then used again."""
import functools

handlers = {}


def make(route):
    seen = []

    def handler(number, log):
        seen[:] = [number]
        return log(route)

    return functools.partial(handler, log=lambda text: len(text))


def step(i):
    route = "/route/%d" % (i % 40 if i % 3 else i % 20)
    if route not in handlers:
        handlers[route] = make(route)
    assert handlers[route](i) > 0
