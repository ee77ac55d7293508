"""The tracer, used by several at once: it runs while somebody needs it, and is left alone
where somebody else started it.  Knows births and places, not who holds what.
"""

from __future__ import annotations

import sys
import threading
from typing import Dict, List, NamedTuple, Optional, Tuple

from undying import _undying

Frame = Tuple[str, int, str]


class Newborn(NamedTuple):
    """A living object whose birth was seen."""

    type: str
    address: int
    epoch: int
    place: int


class Counted(NamedTuple):
    """Lives of one class, of those whose birth was seen."""

    by_count: int
    by_collector: int
    alive: int


_lock = threading.Lock()
_users = 0
_ours = False


def begin() -> None:
    """Every birth is kept from now on, until as many `end` as `begin`."""
    global _users, _ours
    with _lock:
        mode = _undying.trace_state()[0]
        if mode == "sample":
            raise _undying.Error(
                "the tracer of this process keeps a sample, and watching needs every birth; run without --sample"
            )
        if mode == "off":
            _undying.trace_start()
            _ours = True
        _users += 1


def end() -> None:
    global _users, _ours
    with _lock:
        _users -= 1
        if _users == 0 and _ours:
            _ours = False
            _undying.trace_stop()


def blindness(lost_before: int = 0) -> Optional[str]:
    """Why births do not reach us; `None` while they do."""
    mode, in_place, _, lost, _ = _undying.trace_state()
    if mode != "every":
        return "the tracer does not run (%s)" % mode
    if not in_place:
        return "another tool has put its own allocator in place of the tracer's (tracemalloc, memray)"
    if lost > lost_before:
        return "%d births were lost, since the tracer had no memory for them" % (lost - lost_before)
    return None


def lost() -> int:
    return _undying.trace_state()[3]


def checkpoint() -> int:
    return _undying.trace_checkpoint()


def alive(first: int, last: Optional[int] = None, builtin: bool = False) -> List[Newborn]:
    """Living objects of classes made at run time that were born in these epochs."""
    rows = (
        _undying.trace_alive(first, builtin=builtin)
        if last is None
        else _undying.trace_alive(first, last, builtin=builtin)
    )
    return [Newborn(name, address, epoch, place) for name, _, address, epoch, place in rows]


def lives() -> Dict[str, Counted]:
    """By class, of those made at run time."""
    found: Dict[str, Counted] = {}
    for name, at_run_time, _, by_count, by_collector, living in _undying.trace_lives():
        if at_run_time:
            before = found.get(name, Counted(0, 0, 0))
            found[name] = Counted(
                before.by_count + by_count, before.by_collector + by_collector, before.alive + living
            )
    return found


def sees_builtin() -> bool:
    """Whether births of lists, dicts and tuples are seen without exception (3.13 on)."""
    return sys.version_info >= (3, 13) and _undying.trace_state()[2]
