"""A snapshot at a moment that is named beforehand, without any right to debug."""

import os
import re
import signal
import sys
import threading
from typing import Any, Callable, Iterable, Optional, Union

from undying import _undying

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Armed:
    """What `arm` began; `disarm()` ends it.  Also a context manager."""

    def __init__(self) -> None:
        self._undo: "list[Callable[[], None]]" = []

    def disarm(self) -> None:
        _undying.arm_end()
        while self._undo:
            self._undo.pop()()

    def __enter__(self) -> "Armed":
        return self

    def __exit__(self, *_: Any) -> None:
        self.disarm()


def arm(
    on: Union[str, Iterable[str]] = ("SIGUSR2",),
    to: Union[str, "os.PathLike[str]"] = "undying-armed",
    *,
    limit: int = 8,
) -> Armed:
    """Writes a snapshot at each of these moments, at most `limit` in all.

    `on`: a signal's name ("SIGUSR2"), "MemoryError" (an allocation of the interpreter
    failed, or nobody caught one), "rss>2G" (the resident size passed that).  The first
    snapshot is the directory `to`, the next ones `to.2`, `to.3`…; each appears whole or
    not at all, and a line on standard error says so.  The process forks for it and goes on
    at once; for a few seconds the child takes as much memory again as is in use.
    """
    moments = [on] if isinstance(on, str) else list(on)
    plans = [_plan(moment) for moment in moments]
    if not plans:
        raise ValueError('arm(on=[]) would never fire; give "SIGUSR2", "MemoryError" or "rss>2G"')
    if limit < 1:
        raise ValueError("limit=%r would never fire; give 1 or more" % (limit,))
    _undying.arm_begin(os.fspath(to), limit)
    armed = Armed()
    try:
        for plan in plans:
            undo = plan()
            if undo is not None:
                armed._undo.append(undo)
    except BaseException:
        armed.disarm()
        raise
    return armed


_Plan = Callable[[], Optional[Callable[[], None]]]


def _plan(moment: str) -> _Plan:
    if moment == "MemoryError":
        return _memory
    size = re.fullmatch(r"\s*rss\s*>\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", moment, re.IGNORECASE)
    if size:
        limit = int(float(size[1]) * _UNITS[size[2].upper()])
        return lambda: _undying.arm_resident(limit)
    number = getattr(signal, moment, None) if moment.startswith("SIG") else None
    if not isinstance(number, signal.Signals):
        raise ValueError('%r is no moment; give a signal\'s name, "MemoryError" or "rss>2G"' % (moment,))
    return lambda: _signal(number)


def _signal(number: signal.Signals) -> Callable[[], None]:
    previous = signal.getsignal(number)

    def handler(*given: Any) -> None:
        _undying.arm_now(number.name)
        if callable(previous):
            previous(*given)

    signal.signal(number, handler)

    def undo() -> None:
        if signal.getsignal(number) is handler:
            signal.signal(number, previous if previous is not None else signal.SIG_DFL)

    return undo


def _memory() -> Callable[[], None]:
    _undying.arm_memory()
    was, was_in_threads = sys.excepthook, threading.excepthook

    # The error's own frames are alive now: what they hold is in the snapshot.
    def uncaught(kind: Any, *rest: Any) -> None:
        if issubclass(kind, MemoryError):
            _undying.arm_starved()
        was(kind, *rest)

    def uncaught_in_thread(args: Any) -> None:
        if issubclass(args.exc_type, MemoryError):
            _undying.arm_starved()
        was_in_threads(args)

    sys.excepthook, threading.excepthook = uncaught, uncaught_in_thread

    def undo() -> None:
        if sys.excepthook is uncaught:
            sys.excepthook = was
        if threading.excepthook is uncaught_in_thread:
            threading.excepthook = was_in_threads

    return undo
