"""Ways from roots to an object, with the address of each object on the way, and what sort
of holder stands where the old world ends and the new begins.  Reads a snapshot; judges
nothing: what a holder means is decided in _watching.py and _judging.py.
"""

from __future__ import annotations

from typing import Any, Callable, List, NamedTuple, Optional, Tuple

from undying import _births, _undying

# Steps that say which container or slot is meant; positions and keys vary.
_NAMED = ("module", "attr", "slot", "closure", "local", "base")
# Steps from a function or a frame into the module it is of.
_GLOBALS = ("__globals__", "f_globals")


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

    def __init__(self, steps: List[Step], text: str) -> None:
        self.steps = steps
        self.text = text
        # the module itself may be the object
        modules = [n for n, s in enumerate(steps[:-1]) if s.type == "module" or s.label in _GLOBALS]
        self.tail = steps[modules[-1] if modules else 0 :]

    @property
    def root(self) -> Step:
        return self.tail[0]

    @property
    def module(self) -> Optional[str]:
        """The module it hangs from; empty where that has no name."""
        root = self.root
        if root.type != "module":
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
        """Such as sys.last_value: the exception seen last."""
        return self.module == "sys"

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

    def ways(self, address: int, limit: int = 8) -> Tuple[List[Way], Optional[Dead]]:
        """The ways to it, nearest first; whether it is garbage.  Both empty where it is
        held by something that no capture tells of, or gone."""
        try:
            why = self._snapshot.why(address, limit=limit)
        except _undying.Error:
            return [], None
        data = why.data
        ways = [Way(self._addressed(address, row["path"]), row["path_text"]) for row in data["chains"]]
        dead = None
        if data["garbage"]:
            dead = Dead(data["cycles"][0] if data["cycles"] else None)
        return ways, dead

    def _addressed(self, address: int, path: List[Any]) -> List[Step]:
        """Climbs from the object along the path, as far as references can be told apart."""
        steps: List[Step] = []
        at = address
        for n in range(len(path) - 1, -1, -1):
            step = path[n]
            steps.append(Step(step["kind"], step["label"], step["type"], at))
            if at and n:
                at = self._holder(at, step, path[n - 1])
        steps.reverse()
        return steps

    def _holder(self, address: int, step: Any, holder: Any) -> int:
        if step.get("times", 1) != 1:
            return 0
        try:
            rows = self._snapshot.refs(address, limit=100).data["references"]
        except _undying.Error:
            return 0
        found = [
            row["holder"]["address"]
            for row in rows
            if row["holder"] is not None
            and row["kind"] == step["kind"]
            and row["holder"]["type"] == holder["type"]
            and (step["label"] is None or row["label"] == step["label"])
        ]
        # several holders of one kind: which of them is meant cannot be told
        return found[0] if len(set(found)) == 1 else 0
