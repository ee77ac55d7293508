"""A table in memory with a bound, asked with more statements than sqlite3 keeps prepared."""
import sqlite3

db = sqlite3.connect(":memory:", check_same_thread=False)
db.execute("create table events (number integer primary key, text text)")


def step(i):
    with db:
        db.execute("insert into events values (?, ?)", (i, "event %d" % i))
        db.execute("delete from events where number < ?", (i - 50,))
    for k in range(3):
        rows = db.execute("select *, %d from events where number > ?" % (i * 3 + k), (i - 10,)).fetchall()
        assert len(rows) <= 10
