"""Values of a context variable are set and reset, in contexts that are copied and dropped."""
import contextvars

request = contextvars.ContextVar("request", default=None)
user = contextvars.ContextVar("user")


class Request:
    def __init__(self, number, outer):
        self.number = number
        self.outer = outer


def inner(number):
    user.set({"name": "user %d" % number})
    return request.get().number


def step(i):
    token = request.set(Request(i, request.get()))
    try:
        assert contextvars.copy_context().run(inner, i) == i
    finally:
        request.reset(token)
