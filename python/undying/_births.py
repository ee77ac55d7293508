"""Where an object was born, as a person would say it, and whose a class is: the standard
library's, the test runner's, or the program's.  Looks at names and files only.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from typing import Dict, FrozenSet, List, NamedTuple, Optional, Tuple

from undying import _tracing, _undying

# Packages that run tests or look at them: what they keep is not the test's.
RUNNERS = frozenset(
    "_pytest pytest py pluggy iniconfig xdist execnet coverage memray undying unittest doctest "
    "pytest_asyncio pytest_cov pytest_memray pytest_forked pytest_rerunfailures pytest_timeout pytest_mock "
    "pytest_html pytest_metadata pytest_benchmark pytest_randomly pytest_subtests pytest_twisted pytest_trio "
    "flaky nose hypothesis allure_pytest _hypothesis_pytestplugin _hypothesis_globals pydevd _pydevd_bundle "
    "faulthandler pdb bdb cmd codeop code IPython ipykernel".split()
)

_STDLIB: Dict[str, bool] = {}
_NAMES: FrozenSet[str] = getattr(sys, "stdlib_module_names", frozenset())
_LIBRARY = tuple(
    os.path.realpath(path) + os.sep
    for path in {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    if path
)


def _top(name: str) -> str:
    return name.partition(".")[0]


def is_file_of_stdlib(file: str) -> bool:
    if file.startswith("<"):
        return file.startswith("<frozen ")
    if "site-packages" in file or "dist-packages" in file:
        return False
    return os.path.realpath(file).startswith(_LIBRARY)


def is_stdlib(name: str) -> bool:
    """Whether a class or module of this dotted name is the standard library's."""
    top = _top(name)
    known = _STDLIB.get(top)
    if known is None:
        known = _STDLIB[top] = top in _NAMES if _NAMES else _is_stdlib_by_file(top)
    # a project may have a package `test` or `this` of its own
    return known and not _is_shadowed(top)


def _is_stdlib_by_file(top: str) -> bool:
    if top in sys.builtin_module_names or top == "builtins":
        return True
    file = getattr(sys.modules.get(top), "__file__", None)
    return isinstance(file, str) and is_file_of_stdlib(file)


def _is_shadowed(top: str) -> bool:
    file = getattr(sys.modules.get(top), "__file__", None)
    return isinstance(file, str) and file.endswith(".py") and not is_file_of_stdlib(file)


def is_runner(name: str) -> bool:
    """Whether a class or module of this dotted name is a test runner's."""
    return _top(name) in RUNNERS


def is_builtin(name: str) -> bool:
    return "." not in name


class Place(NamedTuple):
    """Where something was born.  `function` has no line: it lasts while a file is edited."""

    file: str
    line: int
    function: str
    # The nearest frame of the program itself, where the birth was in somebody's library.
    called: Optional[_tracing.Frame]

    @property
    def text(self) -> str:
        if not self.file:
            return "place not known"
        text = "%s:%d in %s" % (shown(self.file), self.line, self.function)
        if self.called is not None:
            text += ", called from %s:%d in %s" % (shown(self.called[0]), self.called[1], self.called[2])
        return text

    @property
    def key(self) -> Tuple[str, str]:
        return (self.file, self.function.rpartition(".")[2])


NOWHERE = Place("", 0, "", None)

_stacks: Dict[int, List[_tracing.Frame]] = {}


def shown(file: str) -> str:
    """Relative to where we are, if that is below."""
    if file.startswith("<"):
        return file
    try:
        relative = os.path.relpath(file)
    except (ValueError, OSError):
        return file
    return file if relative.startswith("..") else relative


def stack(place: int) -> List[_tracing.Frame]:
    """Innermost frame first.  Numbers of places hold while the tracer runs."""
    return _undying.trace_stack(place)


def _makes(function: str) -> bool:
    """Frames that make an object on behalf of who asked for it."""
    return function.rpartition(".")[2] in ("__new__", "__call__")


def of(frames: List[_tracing.Frame]) -> Place:
    """The frame that asked for the object, and the nearest of the program's own."""
    if not frames:
        return NOWHERE
    first = 0
    while first + 1 < len(frames) and (_makes(frames[first][2]) or frames[first][0].startswith("<string>")):
        first += 1
    own = [f for f in frames[first:] if is_own_file(f[0])]
    file, line, function = frames[first]
    called = own[0] if own and own[0] != frames[first] else None
    return Place(file, line, function, called)


def is_own_file(file: str) -> bool:
    """The program's, neither a library's nor the interpreter's."""
    return not (file.startswith("<") or "site-packages" in file or "dist-packages" in file or is_file_of_stdlib(file))


def in_import(frames: List[_tracing.Frame]) -> bool:
    """Whether it was born while a module was imported."""
    return any(file.startswith("<frozen importlib") for file, _, _ in frames)
