"""Counts by hour and status: 120 keys, all seen by half time."""
import collections

seen = collections.Counter()
slowest = collections.defaultdict(list)


def step(i):
    key = (i // 5 % 24, (200, 302, 404, 500, 503)[i % 5])
    seen[key] += 1
    slowest[key] = sorted(slowest[key] + [i * 37 % 1001])[-3:]
