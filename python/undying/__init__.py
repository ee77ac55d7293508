"""The heap debugger for Python: who keeps what alive, and which reference to make weak.

    import undying

    undying.why(obj)                 # who keeps it alive
    undying.refs(obj)                # who refers to it, by name
    undying.cycles()                 # reference cycles, garbage and held

    before = undying.snapshot()
    ...
    undying.snapshot().diff(before)  # what grew

No code of the objects runs, nothing is collected, no value is read.
"""

from typing import Any

from undying import _undying
from undying._answers import Answer, Cycles, Diff, Refs, Report, Row, Top, Why
from undying._undying import Error, Snapshot, __version__, open, snapshot

__all__ = [
    "Answer",
    "Cycles",
    "Diff",
    "Error",
    "Refs",
    "Report",
    "Row",
    "Snapshot",
    "Top",
    "Why",
    "__version__",
    "cycles",
    "open",
    "refs",
    "snapshot",
    "why",
]


def why(what: Any, *, limit: int = 20) -> Why:
    """Who keeps it alive, in this process, now.

    `what` is any object; a class stands for its instances, a str is a class's name, an
    int an address as `id()` gives it.
    """
    where = _undying.locate(what)
    # or this call would be one of those who hold it: the variable, and the place on the
    # evaluation stack where it was
    what = _undying.locate("")
    return snapshot().why(where, limit=limit)


def refs(what: Any, *, limit: int = 20) -> Refs:
    """Who refers to this object, in this process, now, each way with its name."""
    where = _undying.locate(what)
    what = _undying.locate("")
    return snapshot().refs(where, limit=limit)


def cycles(*, limit: int = 20) -> Cycles:
    """The reference cycles of this process, now, by shape."""
    return snapshot().cycles(limit=limit)
