"""What happened, by day, for three days; the present one is always filling."""

DAY = 90
days = {}


class Visit:
    def __init__(self, number):
        self.page = "/page/%d" % number


def step(i):
    day = i // DAY
    if day not in days:
        days[day] = {}
        days.pop(day - 3, None)
    days[day]["visit %d" % i] = Visit(i)
