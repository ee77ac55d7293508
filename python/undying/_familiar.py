"""Holders that were found harmless before: where every way to an object ends at one of
them, the costly look at the whole heap is not needed again.  Climbs with the collector's
own lists, so it sees containers only; what it cannot climb it leaves to the snapshot.
"""

from __future__ import annotations

import gc
import os
from types import FrameType
from typing import Any, Dict, FrozenSet, List, Optional, Set, Tuple

# Objects that are climbed through for one test.
MOST = 400
LEVELS = 8

Group = Tuple[Any, ...]
# Holders by address and class: another object may come to lie there.
Holders = FrozenSet[Tuple[int, str]]

_HERE = os.path.dirname(os.path.abspath(__file__))


def old_holders(addresses: Set[int], young: Set[int]) -> Optional[Dict[int, Holders]]:
    """By object: the holders that were there before, through whatever new ones.  `None`
    where not all can be told."""
    # as a rule a collection of the youngest has just moved them there
    wanted = [o for o in gc.get_objects(generation=1) if id(o) in addresses]
    if len(wanted) != len(addresses):
        wanted = [o for o in gc.get_objects() if id(o) in addresses]
    if len(wanted) != len(addresses) or len(wanted) > MOST:
        return None
    parents: Dict[int, Set[int]] = {}
    old: Dict[int, str] = {}
    level: List[Any] = wanted
    for _ in range(LEVELS):
        above = _above(level, parents, old, young, [wanted])
        level = above
        if not level:
            return {one: _ends(one, parents, old) for one in addresses}
        if len(parents) > MOST:
            return None
    return None


def _above(
    level: List[Any], parents: Dict[int, Set[int]], old: Dict[int, str], young: Set[int], ours: List[Any]
) -> List[Any]:
    """Notes who holds these; gives those of the holders that are new themselves."""
    own = {id(level), id(ours), *map(id, ours)}
    known = {id(o) for o in level}
    for one in known:
        parents.setdefault(one, set())
    above: List[Any] = []
    for holder in gc.get_referrers(*level):
        at = id(holder)
        if at in own or (isinstance(holder, FrameType) and holder.f_code.co_filename.startswith(_HERE)):
            continue
        if type(holder) is tuple and at not in young:
            # an older tuple holds nothing new: this one is of the call itself
            continue
        for held in {id(o) for o in gc.get_referents(holder)} & known:
            parents[held].add(at)
        if at in young:
            if at not in parents:
                above.append(holder)
        else:
            old[at] = type(holder).__name__
    return above


def _ends(one: int, parents: Dict[int, Set[int]], old: Dict[int, str]) -> Holders:
    seen: Set[int] = set()
    ends: Set[Tuple[int, str]] = set()
    ahead = [one]
    while ahead:
        for holder in parents.get(ahead.pop(), ()):
            if holder in old:
                ends.add((holder, old[holder]))
            elif holder not in seen:
                seen.add(holder)
                ahead.append(holder)
    return frozenset(ends)


class Familiar:
    """What was found harmless, and how it was told.  For one run of tests."""

    def __init__(self) -> None:
        self._known: Dict[Tuple[Group, Tuple[int, str]], Any] = {}

    def told(self, group: Group, holders: Holders) -> Optional[List[Any]]:
        """What was said of objects of this group with these holders; `None` where one of the
        holders is new to us."""
        if not holders:
            return None
        found = [self._known.get((group, holder), self) for holder in holders]
        return None if any(one is self for one in found) else [one for one in found if one is not None]

    def learn(self, group: Group, holders: Holders, told: Any) -> None:
        """`told` is `None` where there was nothing to say."""
        for holder in holders:
            self._known[(group, holder)] = told
