"""Ways from roots to an object, with the address of each object on the way, and what sort
of holder stands where the old world ends and the new begins.  Reads a snapshot; judges
nothing: what a holder means is decided in _watching.py and _judging.py.
"""

from __future__ import annotations

import gc
from types import ModuleType
from typing import Any, Callable, List, NamedTuple, Optional, Set, Tuple

from undying import _births, _undying

# Steps that say which container or slot is meant; positions and keys vary.
_NAMED = ("module", "attr", "slot", "closure", "local", "base")
# Steps from a function or a frame into the module it is of.
_GLOBALS = ("__globals__", "f_globals")

# Holders that are tried for one way where it forks.
TRIES = 64


class Step(NamedTuple):
    """One object of a way: how the one before holds it.  `address` is 0 where not known."""

    kind: str
    label: Optional[str]
    type: str
    address: int


class Way:
    """From a root to an object.  `tail` begins at the module it hangs from, if there is one:
    who else reaches that module says nothing.
    """

    __slots__ = ("steps", "tail", "text")

    def __init__(self, steps: List[Step], text: str, is_namespace: Callable[[int], bool]) -> None:
        self.steps = steps
        self.text = text
        # the module itself may be the object
        modules = [
            n
            for n, s in enumerate(steps[:-1])
            if s.type == "module" or (s.label in _GLOBALS and is_namespace(s.address))
        ]
        self.tail = steps[modules[-1] if modules else 0 :]

    @property
    def root(self) -> Step:
        return self.tail[0]

    @property
    def module(self) -> Optional[str]:
        """The module it hangs from; empty where that has no name."""
        root = self.root
        if root.type != "module":
            # a way begins with such a step only where that is a module's namespace
            return "" if root.label in _GLOBALS else None
        return root.label or ""

    @property
    def signature(self) -> Tuple[Any, ...]:
        """Equal for ways that differ in positions, keys and addresses only."""
        return tuple((s.kind, s.label if s.kind in _NAMED else None, s.type) for s in self.tail)

    def boundary(self, is_new: Callable[[Step], bool]) -> int:
        """Which step of the tail is the first new object: the one before is old and holds it."""
        for n, step in enumerate(self.tail):
            if n and is_new(step):
                return n
        return len(self.tail) - 1

    @property
    def is_local(self) -> bool:
        """Held by a frame that runs, and by what hangs from it."""
        return self.root.kind == "frame" and self.module is None

    @property
    def is_of_main_thread(self) -> bool:
        return (self.steps[0].label or "").startswith("main thread")

    @property
    def is_handled(self) -> bool:
        """Held by an exception that is being handled somewhere up the stack."""
        return self.root.kind == "thread" and "handled" in (self.root.label or "")

    @property
    def rank(self) -> int:
        """Which of several ways tells most, the lowest first."""
        if self.module is not None:
            return 1 if self.is_in_stdlib else 0
        return 3 if self.root.kind in ("native", "stack", "interned") else 2

    @property
    def is_context(self) -> bool:
        return any(s.label == "ctx_vars" or s.type.rpartition(".")[2] == "Context" for s in self.tail)

    @property
    def is_runners(self) -> bool:
        """Passes through something of the test runner."""
        if self.module and _births.is_runner(self.module):
            return True
        return any(_births.is_runner(s.type) for s in self.tail if not _births.is_builtin(s.type))

    @property
    def is_of_sys(self) -> bool:
        """Such as sys.last_value, the exception seen last, and warnings that are recorded."""
        return self.module in ("sys", "warnings")

    @property
    def is_in_stdlib(self) -> bool:
        return bool(self.module) and _births.is_stdlib(self.module or "")

    def __repr__(self) -> str:
        return "<way %s>" % self.text


class Dead(NamedTuple):
    """Held by cyclic garbage only."""

    # The cycle, and the advice to cut it; `None` where no cycle was told.
    shape: Optional[Any]


class Heap:
    """One snapshot of this process, asked about many addresses."""

    def __init__(self) -> None:
        self._snapshot = _undying.snapshot()
        self._namespaces: Optional[Set[int]] = None

    def _is_namespace(self, address: int) -> bool:
        """Whether a function's globals are a module's: code that was compiled from a text has
        a dict of its own.  A step whose address is not known is taken for a module."""
        if self._namespaces is None:
            # not only those in sys.modules: pytest can import without
            modules = (o for o in gc.get_objects() if issubclass(type(o), ModuleType))
            self._namespaces = {id(ModuleType.__getattribute__(one, "__dict__")) for one in modules}
        return not address or address in self._namespaces

    def ways(self, address: int, limit: int = 8) -> Tuple[List[Way], Optional[Dead]]:
        """The ways to it, nearest first; whether it is garbage.  Both empty where it is
        held by something that no capture tells of, or gone."""
        try:
            why = self._snapshot.why(address, limit=limit)
        except _undying.Error:
            return [], None
        data = why.data
        ways = [Way(self._addressed(address, row["path"]), row["path_text"], self._is_namespace) for row in data["chains"]]
        dead = None
        if data["garbage"]:
            dead = Dead(data["cycles"][0] if data["cycles"] else None)
        return ways, dead

    def _addressed(self, address: int, path: List[Any]) -> List[Step]:
        """Climbs from the object along the path.  Where several objects could be the holder
        that is meant, one is taken from which the rest of the path can be climbed too."""
        budget = [TRIES]
        climbed = self._climb(address, path, len(path) - 1, budget)
        known = [0] * (len(path) - len(climbed)) + climbed
        return [Step(step["kind"], step["label"], step["type"], at) for step, at in zip(path, known)]

    def _climb(self, address: int, path: List[Any], n: int, budget: List[int]) -> List[int]:
        """Addresses of the longest end of `path[: n + 1]` that could be climbed."""
        best: List[int] = []
        if n > 0:
            for holder in self._holders(address, path[n], path[n - 1]):
                budget[0] -= 1
                found = self._climb(holder, path, n - 1, budget)
                if len(found) > len(best):
                    best = found
                if len(best) == n or budget[0] <= 0:
                    break
        return [*best, address]

    def _holders(self, address: int, step: Any, holder: Any) -> List[int]:
        if step.get("times", 1) != 1:
            return []
        try:
            rows = self._snapshot.refs(address, limit=100).data["references"]
        except _undying.Error:
            return []
        found = {
            row["holder"]["address"]: None
            for row in rows
            if row["holder"] is not None
            and row["kind"] == step["kind"]
            and row["holder"]["type"] == holder["type"]
            and (step["label"] is None or row["label"] == step["label"])
        }
        return list(found)
