"""Rows gather until a batch of 150 is written; it happens to be fuller at each look (20, 70, 120)."""
# allowed: medium


class Row:
    def __init__(self, number):
        self.number = number
        self.columns = [number, str(number)]


class Writer:
    def __init__(self):
        self.rows = []
        self.written = 0

    def add(self, row):
        self.rows.append(row)
        if len(self.rows) == 150:
            self.written += len(self.rows)
            self.rows.clear()


writer = Writer()


def step(i):
    writer.add(Row(i))
