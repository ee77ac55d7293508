"""The heap debugger for Python: who keeps what alive, and which reference to make weak.

    import undying

    undying.why(obj)                 # who keeps it alive
    undying.refs(obj)                # who refers to it, by name
    undying.cycles()                 # reference cycles, garbage and held

    before = undying.snapshot()
    ...
    undying.snapshot().diff(before)  # what grew

    with undying.watching() as w:    # what was made here and outlives it
        ...
    w.assert_no_leaks()

No code of the objects runs, and no value is read.  The native module is loaded by the
first question: the plugin of pytest is imported in every run of it, asked for or not
(PYTEST_DONT_REWRITE: it has no assertions).
"""

from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    from undying._answers import Answer, Cycles, Diff, Lives, References, Refs, Report, Row, Top, Why
    from undying._arming import Armed, arm
    from undying._undying import Error, Snapshot, __version__, cycles, lives, open, snapshot
    from undying._watching import Watch, watching
    from undying.testing import LeakTestCase, NoLeaks

__all__ = [
    "Answer",
    "Armed",
    "Cycles",
    "Diff",
    "Error",
    "LeakTestCase",
    "Lives",
    "NoLeaks",
    "References",
    "Refs",
    "Report",
    "Row",
    "Snapshot",
    "Top",
    "Watch",
    "Why",
    "__version__",
    "arm",
    "checkpoint",
    "cycles",
    "lives",
    "open",
    "refs",
    "snapshot",
    "watching",
    "why",
]

# Where the names are that are looked up when they are first asked for.
_ANSWERS = ("Answer", "Cycles", "Diff", "Lives", "References", "Refs", "Report", "Row", "Top", "Why")
# What can be a function without a frame is one: a frame of ours would be in the heap that
# is looked at.
_NATIVE = ("Error", "Snapshot", "__version__", "cycles", "lives", "open", "snapshot")
_HOMES = {
    **{name: "undying._answers" for name in _ANSWERS},
    **{name: "undying._undying" for name in _NATIVE},
    **{name: "undying._arming" for name in ("Armed", "arm")},
    **{name: "undying._watching" for name in ("Watch", "watching")},
    **{name: "undying.testing" for name in ("LeakTestCase", "NoLeaks")},
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    import importlib

    found = getattr(importlib.import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})


def why(what: Any, *, limit: int = 20) -> "Why":
    """Who keeps it alive, in this process, now.

    `what` is any object; a class stands for its instances, a str is a class's name, an
    int an address as `id()` gives it.
    """
    from undying import _undying

    where = _undying.locate(what)
    # or this call would be one of those who hold it: the variable, and the place on the
    # evaluation stack where it was
    what = _undying.locate("")
    return _undying.snapshot().why(where, limit=limit)


def refs(what: Any, *, limit: int = 20) -> "Refs":
    """Who refers to this object, in this process, now, each way with its name."""
    from undying import _undying

    where = _undying.locate(what)
    what = _undying.locate("")
    return _undying.snapshot().refs(where, limit=limit)


def checkpoint(name: str) -> None:
    """Names this moment, for a program whose births are recorded (`undying run`): what is
    born from now on is told apart.  Elsewhere it does nothing, and warns once of that.
    """
    from undying import _undying

    if _undying.trace_state()[0] != "off":
        _undying.trace_checkpoint(name)
        return
    global _told
    if not _told:
        import warnings

        _told = True
        sentence = "checkpoint() does nothing here, for births are not recorded; run the program with undying run"
        warnings.warn(sentence, RuntimeWarning, stacklevel=2)


_told = False
