"""Pandas and numpy: groups, merges, resampling, JSON, CSV, strings, categories, arrays."""
import io

import numpy
import pandas


def work():
    rng = numpy.random.default_rng(1)
    size = 5000
    frame = pandas.DataFrame({
        "when": pandas.date_range("2024-01-01", periods=size, freq="h", tz="UTC"),
        "place": rng.choice(["north", "south", "east", "west"], size),
        "value": rng.normal(size=size),
        "count": rng.integers(0, 100, size),
        "note": ["note %d" % (i % 700) for i in range(size)],
    })
    frame["place"] = frame["place"].astype("category")
    places = pandas.DataFrame({"place": ["north", "south", "east", "west"], "code": [1, 2, 3, 4], "object": [[1], {"a": 2}, None, (3,)]})
    kept["groups"] = frame.groupby("place", observed=True)[["value", "count"]].agg(["mean", "sum", "max"])
    kept["merged"] = frame.merge(places, on="place", how="left")
    kept["days"] = frame.set_index("when")["value"].resample("D").mean()
    kept["rolling"] = kept["days"].rolling(7).std()
    kept["pivot"] = frame.pivot_table(index=frame["when"].dt.month, columns="place", values="value", aggfunc="sum", observed=True)
    text = frame.head(500).to_csv(index=False)
    kept["csv"] = pandas.read_csv(io.StringIO(text), parse_dates=["when"])
    kept["json"] = pandas.read_json(io.StringIO(frame.head(200).to_json(orient="records", date_format="iso")))
    kept["words"] = frame["note"].str.split(" ", expand=True).value_counts()
    kept["applied"] = frame.head(300).apply(lambda row: (row["place"], row["count"] % 7), axis=1)
    kept["periods"] = pandas.period_range("2024-01", periods=12, freq="M").astype(str).tolist()
    matrix = rng.normal(size=(200, 200))
    kept["solved"] = numpy.linalg.solve(matrix @ matrix.T + numpy.eye(200), matrix[0])
    kept["masked"] = numpy.ma.masked_less(matrix, 0).mean(axis=0)
    kept["records"] = numpy.array([(1, 2.5, "x")], dtype=[("a", "i4"), ("b", "f8"), ("c", "U5")])
    kept["objects"] = numpy.array([[1], "two", None, 4.0], dtype=object)
    kept["repr"] = repr(frame), repr(kept["groups"]), repr(kept["masked"])
    kept["frame"] = frame


kept = {}
