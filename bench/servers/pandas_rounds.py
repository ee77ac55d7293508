"""Tables made, joined, grouped, written and read with pandas, again and again.

Prints READY; a line with a number on stdin is so many rounds, then DONE.  Needs pandas.
"""
import io
import sys

import numpy as np
import pandas as pd

rnd = np.random.default_rng(1)
CITIES = np.array(["Amsterdam", "Bratislava", "Copenhagen", "Dubrovnik", "Edinburgh"])
last = None


def table(number):
    size = 100 + number % 50
    return pd.DataFrame({
        "number": np.arange(size), "city": CITIES[rnd.integers(0, 5, size)], "price": rnd.normal(size=size),
        "day": pd.date_range("2024-01-01", periods=size, freq="D"), "text": ["row %d of %d" % (k, number) for k in range(size)]})


def turn(number):
    global last
    orders = table(number)
    prices = orders.groupby("city")["price"].agg(["sum", "mean", "max"]).reset_index()
    both = orders.merge(prices, on="city").sort_values(["city", "number"])
    both["share"] = both["price"] / both["sum"].where(both["sum"] != 0)
    both["month"] = both["day"].dt.month.astype("category")
    wide = both.pivot_table(index="month", columns="city", values="price", aggfunc="mean", observed=False)
    text = io.StringIO()
    both.to_csv(text, index=False)
    again = pd.read_csv(io.StringIO(text.getvalue()), parse_dates=["day"])
    again["words"] = again["text"].str.upper().str.split(" ").str[0]
    assert again["price"].rolling(5).mean().shape == both["price"].shape
    if number % 10 == 0:
        try:
            both["no such column"]
        except KeyError:
            pass
    last = pd.concat([wide, wide.T]) if number % 2 else again.describe(include="all")


def main():
    done = 0
    print("READY", flush=True)
    for line in sys.stdin:
        for number in range(done, done + int(line)):
            turn(number)
        done += int(line)
        print("DONE", flush=True)


if __name__ == "__main__":
    main()
