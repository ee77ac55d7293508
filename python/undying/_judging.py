"""Whether what a test made outlives it.  A trial has one round for each run of the test; at
its end the objects that are left are told apart: leaks, what one run cannot tell from a
cache, and what is none of the test's.  Knows no test runner's hooks.

The rules, which docs/TESTING.md tells users:

* One round: a leak is what hangs from a container that was there before and has no bound
  (an element of a list, a deque, a set), or from a thread that the test left running.  An
  entry of a dict, an attribute, a captured variable may as well be a cache: suspicious.
* Several rounds: a leak is what each round after the first left behind in equal number.
"""

from __future__ import annotations

import gc
import threading
from typing import Any, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Set, Tuple

from undying import _births, _tracing, _undying
from undying._familiar import Familiar, Holders, old_holders
from undying._holders import Heap, Step, Way
from undying._tracing import Newborn
from undying._watching import LOOKED_AT, advice_for, is_allowed, is_of_other_thread

# Collections by themselves would blur which containers are new: they rest while a test
# runs, unless it makes as many objects as this.
THRESHOLD = 200_000

# Py_TPFLAGS_HEAPTYPE: classes made at run time.
_HEAP_TYPE = 1 << 9

_GROWING = {
    "list": "a list that only grows",
    "collections.deque": "a deque without bound",
    "set": "a set that only grows",
}
_POOLS = ("concurrent/futures/", "multiprocessing/", "anyio/_backends/", "asyncio/", "/trio/")


class Finding(NamedTuple):
    """Objects of one class, born at one place and held in one way."""

    type: str
    count: int  # type: ignore[assignment]
    born: str
    # What a baseline knows it by: a class, and a function without line.
    function: str
    held: str
    advice: str
    why: str
    # By round, where there was more than one.
    rounds: Tuple[int, ...]

    def text(self) -> str:
        lines = ["%d %s: %s" % (self.count, self.type, self.why), "   born at   %s" % self.born]
        if self.held:
            lines.append("   held by   %s" % self.held)
        if self.advice:
            lines.append("   advice    %s" % self.advice)
        return "\n".join(lines)


class Verdict(NamedTuple):
    leaks: List[Finding]
    suspicious: List[Finding]
    garbage: List[Finding]
    # Why it cannot be trusted; `None` where it can.
    blind: Optional[str]


class _Round:
    """One run of the test: its epochs, without those that belong to others."""

    __slots__ = ("first", "last", "excluded")

    def __init__(self) -> None:
        self.first = _tracing.checkpoint()
        self.last = 0
        self.excluded: List[Tuple[int, int]] = []

    def has(self, epoch: int) -> bool:
        return self.first <= epoch < self.last and not any(a <= epoch < b for a, b in self.excluded)


def _collections() -> int:
    return sum(stat["collections"] for stat in gc.get_stats())


def _name(cls: type) -> str:
    """As the tracer names it."""
    module = cls.__dict__.get("__module__")
    return "%s.%s" % (module if isinstance(module, str) else "?", cls.__qualname__)


def _can_be_judged(name: str, with_stdlib: bool) -> bool:
    if _births.is_builtin(name) or _births.is_runner(name):
        return False
    return with_stdlib or not _births.is_stdlib(name)


class Trial:
    """One test under judgement.  `allow` are names of classes, as `is_allowed` takes them."""

    def __init__(
        self, allow: Iterable[str] = (), strict: bool = False, familiar: Optional[Familiar] = None
    ) -> None:
        self.allow = list(allow)
        self.familiar = familiar
        self.strict = strict
        self.rounds: List[_Round] = []
        self._lost = 0
        self._collections = 0
        self._thresholds: Optional[Tuple[int, int, int]] = None
        self._threads: FrozenSet[threading.Thread] = frozenset()
        self._judged: Dict[str, bool] = {}
        # addresses of what holds for the test's own time, such as the instance of its class
        self.transient: Set[int] = set()

    def begin_round(self) -> None:
        """Right before the test is set up."""
        if not self.rounds:
            self._lost = _tracing.lost()
            self._threads = frozenset(threading.enumerate())
        if self.strict:
            gc.collect()
        else:
            # what is young from here on is the test's
            gc.collect(1)
        if self._thresholds is None:
            self._thresholds = gc.get_threshold()
            if self._thresholds[0] and gc.isenabled():
                gc.set_threshold(THRESHOLD, *self._thresholds[1:])
        self._collections = _collections()
        self.rounds.append(_Round())

    def forget_round(self) -> None:
        """The run did not count, such as one that failed and is tried again."""
        if self.rounds:
            self.rounds.pop()

    def begin_others(self) -> int:
        """What is born from here on is not the test's."""
        return _tracing.checkpoint()

    def end_others(self, since: int) -> None:
        if self.rounds:
            self.rounds[-1].excluded.append((since, _tracing.checkpoint()))

    def end_round(self) -> None:
        """The test and what was set up for it alone are gone."""
        self.rounds[-1].last = _tracing.checkpoint()

    def stop(self) -> None:
        """Gives the collector its pace back."""
        thresholds, self._thresholds = self._thresholds, None
        if thresholds is not None and gc.get_threshold()[0] == THRESHOLD:
            gc.set_threshold(*thresholds)

    def blindness(self) -> Optional[str]:
        return _tracing.blindness(self._lost)

    def judge(self) -> Verdict:
        """After the last round."""
        blind = self.blindness()
        if blind is not None:
            return Verdict([], [], [], blind)
        at_work = gc.isenabled()
        gc.disable()
        try:
            if not self._may_have_left(0):
                return Verdict([], [], [], None)
            if not self.strict and self._is_undisturbed():
                # moves what is left into the next generation
                young = self._young()
                gc.collect(0)
                if not self._may_have_left(1):
                    return Verdict([], [], [], None)
            else:
                young = self._young()
            newborn = self._newborn()
            garbage = self._garbage(newborn) if self.strict else []
            if self.strict or self.is_repeated or young is None:
                gc.collect()
                newborn = self._newborn()
            again = _Judge(self, newborn, young).familiar() if newborn else []
            if again is not None:
                return Verdict([], again, garbage, None)
            gc.collect()
            newborn = self._newborn()
            leaks, suspicious = _Judge(self, newborn, young).findings()
            return Verdict(leaks, suspicious, garbage, None)
        finally:
            if at_work:
                gc.enable()

    def _is_undisturbed(self) -> bool:
        """One round, and no collection in it: what the collector calls young is the test's."""
        return not self.is_repeated and _collections() == self._collections

    def _may_have_left(self, generation: int) -> bool:
        """Whether the tracer need be asked, which looks at all that lives.  Objects that no
        collector tracks, of classes with empty `__slots__`, are not worth it in one round."""
        if generation == 0 and not self._is_undisturbed():
            return True
        classes = set(map(type, gc.get_objects(generation=generation)))
        return any(cls.__flags__ & _HEAP_TYPE and self._is_judged(_name(cls)) for cls in classes)

    @property
    def is_repeated(self) -> bool:
        return len(self.rounds) > 1

    def round_of(self, epoch: int) -> int:
        for n, one in enumerate(self.rounds):
            if one.has(epoch):
                return n
        return -1

    def new_threads(self) -> List[threading.Thread]:
        return [t for t in threading.enumerate() if t not in self._threads]

    def _newborn(self) -> List[Newborn]:
        """Living objects of the rounds of which the test may be accused."""
        first = self.rounds[0].first
        rows = _tracing.alive(first, self.rounds[-1].last)
        return [one for one in rows if self._is_judged(one.type) and self.round_of(one.epoch) >= 0]

    def _is_judged(self, name: str) -> bool:
        known = self._judged.get(name)
        if known is None:
            known = _can_be_judged(name, self.is_repeated) and not is_allowed(name, self.allow)
            self._judged[name] = known
        return known

    def _young(self) -> Optional[Set[int]]:
        """Addresses of all containers born in the last round; `None` where that is not known."""
        if self._is_undisturbed():
            return set(map(id, gc.get_objects(generation=0)))
        if _tracing.sees_builtin():
            rows = _tracing.alive(self.rounds[0].first, self.rounds[-1].last, builtin=True)
            return {one.address for one in rows if self.round_of(one.epoch) >= 0}
        return None

    def _garbage(self, newborn: List[Newborn]) -> List[Finding]:
        """What is garbage before the collector comes."""
        heap = Heap()
        found: Dict[Tuple[Any, ...], List[Any]] = {}
        last = len(self.rounds) - 1
        for one in newborn[: 10 * LOOKED_AT]:
            if self.round_of(one.epoch) != last:
                continue
            _, dead = heap.ways(one.address, limit=1)
            if dead is None or dead.shape is None or not _is_own_cycle(dead.shape):
                continue
            place = _births.of(_births.stack(one.place))
            row = found.setdefault((one.type, place.key), [0, place, dead.shape])
            row[0] += 1
        return [
            Finding(
                type=name,
                count=count,
                born=place.text,
                function=place.key[1],
                held=shape["path_text"],
                advice=shape["cut"]["cure"] if shape.get("cut") else "",
                why="a cycle that only the collector could free",
                rounds=(),
            )
            for (name, _), (count, place, shape) in found.items()
        ]


def _is_own_cycle(shape: Any) -> bool:
    """A cycle that the program tied: not through the runner, an exception's traceback, or a
    class, all of which are cyclic by nature."""
    types = [step["type"] for step in shape["path"]]
    if any(name in ("traceback", "frame") or _births.is_runner(name) for name in types):
        return False
    if any(name in ("type", "mappingproxy", "module") for name in types):
        return False
    return any(_can_be_judged(name, True) for name in types)


class _Judge:
    """What is left, looked at by who holds it."""

    def __init__(self, trial: Trial, newborn: List[Newborn], young: Optional[Set[int]]) -> None:
        self.trial = trial
        self.newborn = newborn
        self.young = young
        self.addresses = {one.address for one in newborn}
        self.stacks: Dict[int, List[_tracing.Frame]] = {}
        self.threads = trial.new_threads()

    def _groups(self) -> Dict[Tuple[Any, ...], List[Newborn]]:
        groups: Dict[Tuple[Any, ...], List[Newborn]] = {}
        for one in self.newborn:
            frames = self.stacks.get(one.place)
            if frames is None:
                frames = self.stacks[one.place] = _births.stack(one.place)
            if not _births.in_import(frames):
                groups.setdefault((one.type, _births.of(frames).key), []).append(one)
        return {key: group for key, group in groups.items() if self._may_grow(group)}

    def familiar(self) -> Optional[List[Finding]]:
        """What was said before, where all is held by what was looked at before."""
        groups = self._groups()
        return self._familiar(groups, self._old_holders(groups)) if groups else []

    def findings(self) -> Tuple[List[Finding], List[Finding]]:
        """Leaks, and what is suspicious."""
        groups = self._groups()
        if not groups:
            return [], []
        rows: Dict[Tuple[Any, ...], _Row] = {}
        holders = self._old_holders(groups)
        heap = Heap()
        for (name, key), group in groups.items():
            step = max(1, len(group) // LOOKED_AT)
            for one in group[::step]:
                self._enter(rows, heap, one, (name, key), step)
        told = [(row, row.judge(self.trial)) for row in rows.values()]
        leaks = [row.finding(why, self.trial) for row, (is_leak, why) in told if is_leak]
        suspicious = [row.finding(why, self.trial) for row, (is_leak, why) in told if not is_leak and why]
        if not leaks and holders is not None:
            self._learn(groups, holders, suspicious)
        return leaks, suspicious

    def _old_holders(self, groups: Dict[Tuple[Any, ...], List[Newborn]]) -> Optional[Dict[int, Holders]]:
        """With one round only: with several the counts are what is judged."""
        if self.trial.familiar is None or self.trial.is_repeated or self.young is None or self.threads:
            return None
        addresses = {one.address for group in groups.values() for one in group}
        return old_holders(addresses, self.young | self.addresses)

    def _familiar(
        self, groups: Dict[Tuple[Any, ...], List[Newborn]], holders: Optional[Dict[int, Holders]]
    ) -> Optional[List[Finding]]:
        """What was said of all of these before; `None` where one is not known."""
        if holders is None or self.trial.familiar is None:
            return None
        found: Dict[Tuple[Any, ...], Finding] = {}
        for key, group in groups.items():
            for one in group:
                held = holders[one.address]
                lasting = frozenset(h for h in held if h[0] not in self.trial.transient)
                told = self.trial.familiar.told(key, lasting) if lasting or not held else []
                if told is None:
                    return None
                for finding in told[:1]:
                    before = found.get(key)
                    found[key] = finding._replace(count=before.count + 1 if before else 1)
        return list(found.values())

    def _learn(
        self, groups: Dict[Tuple[Any, ...], List[Newborn]], holders: Dict[int, Holders], told: List[Finding]
    ) -> None:
        if self.trial.familiar is None:
            return
        for key, group in groups.items():
            finding = next((f for f in told if f.type == key[0] and f.function == key[1][1]), None)
            for one in group:
                self.trial.familiar.learn(key, holders[one.address], finding)

    def _may_grow(self, group: List[Newborn]) -> bool:
        """With several rounds: whether each but the first left some."""
        if not self.trial.is_repeated:
            return True
        return all(_by_round(self.trial, group)[1:])

    def _enter(self, rows: Dict[Tuple[Any, ...], _Row], heap: Heap, one: Newborn, key: Tuple[Any, ...], weight: int) -> None:
        ways, dead = heap.ways(one.address)
        ways = [way for way in ways if not self._is_others(way)]
        if dead is not None or not ways:
            return
        judged = [(self._judge_way(way, one), -way.rank, way) for way in ways]
        (verdict, why), _, way = max(judged, key=lambda j: (j[0][0], j[1]))
        first = way.boundary(self._is_new)
        if 0 < first < len(way.tail) - 1 and way.tail[first].address in self.addresses:
            # held by another object that is told
            if way.tail[first].address != one.address:
                return
        signature = (*key, way.signature)
        row = rows.get(signature)
        if row is None:
            place = _births.of(self.stacks[one.place])
            row = rows[signature] = _Row(key[0], place, way, advice_for(way, max(first - 1, 0)), verdict, why)
        row.members.append(one)
        row.weight = weight

    def _is_new(self, step: Step) -> bool:
        if not step.address:
            return False
        return step.address in self.addresses or (self.young is not None and step.address in self.young)

    def _is_others(self, way: Way) -> bool:
        """Held by what is none of the test's: frames that run, the runner, contexts."""
        if way.is_local:
            return not (self.threads and is_of_other_thread(way))
        return way.is_runners or way.is_of_sys or way.is_handled or way.is_context

    def _judge_way(self, way: Way, one: Newborn) -> Tuple[int, str]:
        """How sure one round is: 2 a leak, 1 suspicious, 0 a cache with a bound; and why."""
        first = way.boundary(self._is_new)
        step, holder = way.tail[first], way.tail[max(first - 1, 0)]
        if any("_lru_cache_wrapper" in s.type for s in way.tail[:first]):
            bounded = _is_bounded_cache(way)
            return (0, "") if bounded else (1, "a cache without bound (lru_cache(maxsize=None)) keeps it")
        if way.is_local:
            return self._judge_thread()
        if _is_bounded_deque(holder):
            return 0, ""
        if way.is_in_stdlib:
            return 1, "something of %s holds it" % way.module
        if way.rank > 2:
            return 1, "something outside of Python's objects holds it"
        if holder.type in _GROWING and step.kind == "item":
            if self.young is None or not all(s.address for s in way.tail[1:first]):
                return 1, "a %s holds it, and whether that is new cannot be told" % holder.type
            return 2, "left in %s" % _GROWING[holder.type]
        if holder.kind == "thread" or "_thread._local" in (s.type for s in way.tail):
            return 1, "a thread's own variable holds it"
        return 1, "one run cannot tell whether its holder is a cache"

    def _judge_thread(self) -> Tuple[int, str]:
        """By where the threads that were started were made."""
        for thread in self.threads:
            frames = _undying.trace_born(thread) or []
            inner = [f for f in frames if not f[0].endswith("threading.py")]
            if inner and not any(pool in inner[0][0] for pool in _POOLS):
                return 2, "the thread %r, which the test started, still runs" % thread.name
        return 1, "a thread of a pool holds it"


def _is_bounded_deque(holder: Step) -> bool:
    if not holder.type.endswith("deque") or not holder.address:
        return False
    found = [o for o in gc.get_objects() if id(o) == holder.address]
    return bool(found) and getattr(found[0], "maxlen", None) is not None


def _is_bounded_cache(way: Way) -> bool:
    """Not unbounded, as far as can be told: an accusation wants certainty."""
    addresses = {s.address for s in way.tail if "_lru_cache_wrapper" in s.type}
    found = [o for o in gc.get_objects() if id(o) in addresses]
    return len(found) < len(addresses) or any(o.cache_info().maxsize is not None for o in found)


def _by_round(trial: Trial, members: List[Newborn]) -> List[int]:
    counts = [0] * len(trial.rounds)
    for one in members:
        counts[trial.round_of(one.epoch)] += 1
    return counts


class _Row:
    """Objects that are told as one."""

    def __init__(self, name: str, place: _births.Place, way: Way, advice: str, verdict: int, why: str) -> None:
        self.type = name
        self.place = place
        self.way = way
        self.advice = advice
        self.verdict = verdict
        self.why = why
        self.members: List[Newborn] = []
        self.weight = 1

    def judge(self, trial: Trial) -> Tuple[bool, str]:
        """Whether it is a leak, and why; no reason where it is nothing at all."""
        if not trial.is_repeated:
            return self.verdict == 2, self.why if self.verdict else ""
        counts = _by_round(trial, self.members)
        later = counts[1:]
        if not all(later) or (len(later) == 1 and counts[0] < later[0]) or self.verdict == 0:
            return False, ""
        grew = "%s left by each of the %d runs" % (", ".join(map(str, counts)), len(counts))
        if _births.is_stdlib(self.type) and self.way.is_in_stdlib and self.way.module != "threading":
            return False, grew + ", held by the standard library"
        if len(set(later)) == 1 or self.verdict == 2:
            return True, grew
        return False, grew + ", not in equal number"

    def finding(self, why: str, trial: Trial) -> Finding:
        count = len(self.members) * self.weight
        return Finding(
            type=self.type,
            count=count,
            born=self.place.text,
            function=self.place.key[1],
            held=self.way.text,
            advice=self.advice,
            why=why,
            rounds=tuple(_by_round(trial, self.members)) if trial.is_repeated else (),
        )
