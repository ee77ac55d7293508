"""The last ten errors with their tracebacks, of different depths, so that what they hold comes and goes."""
import collections

errors = collections.deque(maxlen=10)


def deep(levels, body):
    if levels == 0:
        raise ValueError("no header in %d bytes" % len(body))
    return deep(levels - 1, body)


def step(i):
    try:
        deep(i * 7 % 13, bytearray(1000))
    except ValueError as error:
        errors.append(error)
