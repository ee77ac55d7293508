"""`undying.watching()`: which objects made in a block outlive it, and who holds them; what
only the collector could free; how all of them ended.
"""

from __future__ import annotations

import gc
import html
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, Callable, Dict, FrozenSet, Generic, Iterable, Iterator, List, Optional, Tuple, Type, TypeVar, Union

from undying import _births, _tracing
from undying._answers import Row
from undying._holders import Dead, Heap, Way
from undying._tracing import Newborn

# Objects of one class and birthplace whose holders are looked at.
LOOKED_AT = 200

Allowed = Iterable[Union[str, type]]


def dotted(what: Union[str, type]) -> str:
    """A class as the engine names it."""
    if isinstance(what, str):
        return what
    module = what.__module__
    return what.__qualname__ if module == "builtins" else "%s.%s" % (module, what.__qualname__)


def is_allowed(name: str, allowed: Iterable[str]) -> bool:
    """By whole name or its last parts: `Session` allows `app.db.Session`."""
    return any(name == one or name.endswith("." + one) for one in allowed)


T = TypeVar("T", bound=Row)


class Table(Generic[T]):
    """A sequence of rows that prints as a report."""

    __slots__ = ("rows", "_title", "_tell")

    def __init__(self, rows: List[T], title: str, tell: Callable[[T], str]) -> None:
        self.rows = rows
        self._title = title
        self._tell = tell

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[T]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> T:
        return self.rows[index]

    def __bool__(self) -> bool:
        return bool(self.rows)

    def text(self) -> str:
        if not self.rows:
            return "no %s" % self._title
        return "\n\n".join(self._tell(row) for row in self.rows)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        names = list(self.rows[0]) if self.rows else []
        head = "".join("<th>%s</th>" % html.escape(n) for n in names)
        body = "".join(
            "<tr>%s</tr>" % "".join("<td>%s</td>" % html.escape(str(row[n])) for n in names) for row in self.rows
        )
        if not names:
            return "<p>%s</p>" % html.escape(self.text())
        return "<table><thead><tr>%s</tr></thead><tbody>%s</tbody></table>" % (head, body)


def objects(count: int, name: str) -> str:
    return "%d %s" % (count, name)


def tell_leak(row: Row) -> str:
    lines = ["%s %s the block" % (objects(row.count, row.type), "outlives" if row.count == 1 else "outlive")]
    lines.append("   born at   %s" % row.born)
    lines.append("   held by   %s" % row.held)
    if row.with_it:
        more = ", ".join(objects(n, name) for name, n in sorted(row.with_it.items(), key=lambda i: (-i[1], i[0]))[:5])
        lines.append("   with it   %s" % more)
    if row.advice:
        lines.append("   advice    %s" % row.advice)
    return "\n".join(lines)


def tell_garbage(row: Row) -> str:
    lines = ["%s: only the collector could free %s" % (objects(row.count, row.type), "it" if row.count == 1 else "them")]
    lines.append("   born at   %s" % row.born)
    if row.cycle:
        lines.append("   cycle     %s" % row.cycle)
    if row.advice:
        lines.append("   advice    %s" % row.advice)
    return "\n".join(lines)


def tell_lives(row: Row) -> str:
    return "%s: born %d, dead by count %d, dead by the collector %d, alive %d" % (
        row.type,
        row.born,
        row.dead_by_count,
        row.dead_by_collector,
        row.alive,
    )


def advice_for(way: Way, holder: int) -> str:
    """How the step after the holder could be let go.  `holder` counts along the way's tail."""
    step, owner = way.tail[min(holder + 1, len(way.tail) - 1)], way.tail[holder]
    name = owner.type.rpartition(".")[2]
    if "_lru_cache_wrapper" in owner.type or any("_lru_cache_wrapper" in s.type for s in way.tail):
        return "Give the cache a bound (maxsize=…), or clear it with cache_clear() when its entries are done with."
    if step.kind == "atexit" or owner.kind == "atexit":
        return "Unregister it (atexit.unregister) when it is done with, or register a weak reference's method."
    if step.kind in ("closure", "cell") or owner.type in ("function", "cell"):
        return "Take the function that captured it out of where it is registered, or let it capture a weakref."
    if way.module == "threading":
        return "End the thread and join() it."
    if way.is_local:
        return "End the thread, or let its function drop the variable before it waits."
    if step.kind in ("item", "key", "as-key"):
        return "Take it out of the %s when it is done with, or hold it there weakly (weakref)." % name
    return ""


def threads() -> FrozenSet[Optional[int]]:
    return frozenset(thread.native_id for thread in threading.enumerate())


def is_of_other_thread(way: Way) -> bool:
    """A frame of a thread that is not the one that asks; where that can be told."""
    if way.is_of_main_thread:
        return threading.current_thread() is not threading.main_thread()
    if threading.current_thread() is threading.main_thread():
        return True
    label = way.steps[0].label or ""
    return label.startswith("thread ") and not label.startswith("thread %d " % threading.get_native_id())


class _Groups:
    """Newborn objects by class and birthplace."""

    def __init__(self, newborn: List[Newborn]) -> None:
        self.places: Dict[int, _births.Place] = {}
        self.stacks: Dict[int, List[_tracing.Frame]] = {}
        self.rows: Dict[Tuple[str, Tuple[str, str]], List[Newborn]] = {}
        for one in newborn:
            self.rows.setdefault((one.type, self.place(one).key), []).append(one)

    def place(self, one: Newborn) -> _births.Place:
        known = self.places.get(one.place)
        if known is None:
            frames = self.stacks[one.place] = _births.stack(one.place)
            known = self.places[one.place] = _births.of(frames)
        return known


class Watch:
    """What a block made, and what became of it."""

    def __init__(self) -> None:
        self._first = 0
        self._before: Dict[str, _tracing.Counted] = {}
        self._lost = 0
        self._module: Optional[str] = None
        self._names: Tuple[str, ...] = ()
        self._threads: FrozenSet[Optional[int]] = frozenset()
        self._finished = False
        none: List[Row] = []
        self.leaks: Table[Row] = Table(none, "leaks", tell_leak)
        self.garbage: Table[Row] = Table(none, "garbage", tell_garbage)
        self.lives: Table[Row] = Table(none, "lives", tell_lives)
        self.blind: Optional[str] = None

    def __enter__(self) -> Watch:
        _tracing.begin()
        self._enter_frame(sys._getframe(1))
        self._threads = threads()
        gc.collect()
        self._lost = _tracing.lost()
        self._before = _tracing.lives()
        self._first = _tracing.checkpoint()
        return self

    def _enter_frame(self, frame: FrameType) -> None:
        # the variables of a module whose body runs are local variables of a running frame
        if frame.f_code.co_name == "<module>":
            self._module = frame.f_globals.get("__name__")
            self._names = frame.f_code.co_names

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        del error, trace
        try:
            self._finish()
        finally:
            _tracing.end()

    def _finish(self) -> None:
        last = _tracing.checkpoint()
        self.blind = _tracing.blindness(self._lost)
        at_work = gc.isenabled()
        gc.disable()
        try:
            lives = [self._before, _tracing.lives()]
            newborn = _tracing.alive(self._first, last)
            garbage = self._garbage(newborn) if newborn else []
            lives.append(_tracing.lives())
            gc.collect()
            gc.collect()
            lives.append(_tracing.lives())
            self._tell_lives(*lives)
            remaining = _tracing.alive(self._first, last) if newborn else []
            self.leaks = Table(self._survivors(remaining), "leaks", tell_leak)
            self.garbage = Table(self._with_collected(garbage), "garbage", tell_garbage)
        finally:
            if at_work:
                gc.enable()
        self._finished = True

    def _garbage(self, newborn: List[Newborn]) -> List[Row]:
        """What is garbage now, before the collector comes."""
        heap = Heap()
        found: Dict[Tuple[Any, ...], Row] = {}
        groups = _Groups(newborn)
        for (name, key), rows in groups.rows.items():
            for one in rows[:LOOKED_AT]:
                _, dead = heap.ways(one.address, limit=1)
                if dead is None:
                    continue
                row = found.get((name, key))
                if row is None:
                    row = found[(name, key)] = garbage_row(name, groups.place(one), dead)
                row["count"] += 1
        return list(found.values())

    def _with_collected(self, garbage: List[Row]) -> List[Row]:
        """Adds what a collection freed in the block itself, of which only the number is known."""
        seen: Dict[str, int] = {}
        for row in garbage:
            seen[row.type] = seen.get(row.type, 0) + row.count
        for row in self.lives:
            more = row.dead_by_collector - seen.get(row.type, 0)
            if more > 0 and row.type in seen:
                next(r for r in garbage if r.type == row.type)["count"] += more
            elif more > 0:
                garbage.append(
                    Row(type=row.type, count=more, born="not kept: the collector came before the end", cycle="", advice="")
                )
        return sorted(garbage, key=lambda r: (-r.count, r.type))

    def _tell_lives(self, *at: Dict[str, _tracing.Counted]) -> None:
        """Between the first two, and between the last two: what lies between is our own."""
        rows = []
        for name in at[3]:
            if name.startswith("undying."):
                continue
            start, end, again, last = (lives.get(name, _tracing.Counted(0, 0, 0)) for lives in at)
            by_count = end.by_count - start.by_count + last.by_count - again.by_count
            by_collector = end.by_collector - start.by_collector + last.by_collector - again.by_collector
            alive = end.alive - start.alive + last.alive - again.alive
            born = by_count + by_collector + alive
            if born > 0 or by_count or by_collector:
                rows.append(
                    Row(type=name, born=born, dead_by_count=by_count, dead_by_collector=by_collector, alive=alive)
                )
        rows.sort(key=lambda r: (-r.born, r.type))
        self.lives = Table(rows, "lives", tell_lives)

    def _survivors(self, newborn: List[Newborn]) -> List[Row]:
        groups = _Groups([one for one in newborn if not one.type.startswith("undying.")])
        if not groups.rows:
            return []
        heap = Heap()
        addresses = {one.address for rows in groups.rows.values() for one in rows}
        has_new_threads = bool(threads() - self._threads)
        found: Dict[Tuple[Any, ...], Row] = {}
        row_of: Dict[int, Row] = {}
        inner: List[Tuple[int, str, Tuple[Any, ...], Row]] = []
        for (name, key), rows in groups.rows.items():
            if _births.in_import(groups.stacks[rows[0].place]):
                continue
            for one in rows[:LOOKED_AT]:
                way = self._way(heap, one, has_new_threads)
                if way is None:
                    continue
                first = way.boundary(lambda step: step.address in addresses)
                row = Row(
                    type=name,
                    count=0,
                    born=groups.place(one).text,
                    held=way.text,
                    with_it={},
                    advice=advice_for(way, max(first - 1, 0)),
                )
                if way.tail[first].address != one.address and first < len(way.tail) - 1:
                    inner.append((way.tail[first].address, name, (name, key, way.signature), row))
                    continue
                row = row_of[one.address] = found.setdefault((name, key, way.signature), row)
                row["count"] += 1
            self._scale(found, name, key, len(rows))
        for top, name, signature, row in inner:
            if top in row_of:
                with_it = row_of[top].with_it
                with_it[name] = with_it.get(name, 0) + 1
            else:
                found.setdefault(signature, row)["count"] += 1
        return sorted(found.values(), key=lambda r: (-r.count, r.type, r.born))

    def _scale(self, found: Dict[Tuple[Any, ...], Row], name: str, key: Tuple[str, str], total: int) -> None:
        """The first ones stand for the others."""
        if total <= LOOKED_AT:
            return
        for signature, row in found.items():
            if signature[:2] == (name, key):
                row["count"] = round(row.count * total / LOOKED_AT)

    def _way(self, heap: Heap, one: Newborn, has_new_threads: bool) -> Optional[Way]:
        """The way that says most; `None` where nothing that outlives the block holds it."""
        ways, dead = heap.ways(one.address)
        held = [way for way in ways if not self._is_running(way, has_new_threads)]
        return min(held, key=lambda way: way.rank) if held and dead is None else None

    def _is_running(self, way: Way, has_new_threads: bool) -> bool:
        """Held by what runs still: local variables, the runner of tests, the exception under way."""
        if way.is_local:
            return not (has_new_threads and is_of_other_thread(way))
        variable = way.tail[1:2] if len(way.tail) == 2 else []
        if variable and self._module is not None and way.module in (self._module, ""):
            return variable[0].kind in ("attr", "key") and variable[0].label in self._names
        return way.is_of_sys or way.is_runners or way.is_handled

    def report(self, leaks: Optional[Iterable[Row]] = None) -> str:
        rows = list(self.leaks if leaks is None else leaks)
        return "\n\n".join(tell_leak(row) for row in rows) or "no leaks"

    def assert_no_leaks(self, allow: Union[str, type, Allowed] = ()) -> None:
        """Raises AssertionError with the report if objects made in the block outlive it.

        `allow` are classes, their names, or the last parts of their names.
        """
        if not self._finished:
            raise RuntimeError("assert_no_leaks() is for after the block of `with undying.watching()`")
        if self.blind is not None:
            raise AssertionError("what outlives the block could not be seen: %s" % self.blind)
        allowed = [dotted(one) for one in ([allow] if isinstance(allow, (str, type)) else allow)]
        rows = [row for row in self.leaks if not is_allowed(row.type, allowed)]
        if rows:
            raise AssertionError("objects outlive the block that made them\n\n" + self.report(rows))

    def __repr__(self) -> str:
        if not self._finished:
            return "<watching>"
        parts = [repr(self.leaks)]
        if self.garbage:
            parts.append(repr(self.garbage))
        if self.blind is not None:
            parts.insert(0, "not to be trusted: %s" % self.blind)
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        return "%s%s" % (self.leaks._repr_html_(), self.garbage._repr_html_() if self.garbage else "")


def garbage_row(name: str, place: _births.Place, dead: Dead) -> Row:
    shape = dead.shape
    advice = shape["cut"]["cure"] if shape is not None and shape.get("cut") else ""
    return Row(
        type=name, count=0, born=place.text, cycle=shape["path_text"] if shape is not None else "", advice=advice
    )


def watching() -> Watch:
    """Watches what a block makes.

        with undying.watching() as w:
            work()
        w.assert_no_leaks(allow=["app.Config"])

    A leak is an object made in the block, of a class made at run time, that is alive after
    it and held by something other than local variables of functions that still run.
    """
    return Watch()
