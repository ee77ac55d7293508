"""Known leaks in a file: they do not fail, and the file may only shrink.  An entry is a
test, a class, the function where the objects are born, and how many; no line numbers, so
that it lasts while files are edited.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, NamedTuple, Tuple

if TYPE_CHECKING:
    from undying._judging import Finding

SCHEMA = 1


class Key(NamedTuple):
    test: str
    type: str
    function: str


class Baseline:
    def __init__(self, counts: Iterable[Tuple[Key, int]] = ()) -> None:
        self.counts: Dict[Key, int] = dict(counts)

    def split(self, test: str, findings: List[Finding]) -> Tuple[List[Finding], List[Finding]]:
        """Those that are new, and those that are known.  More objects than are known of make
        a finding new; entries for one key are counted together."""
        total: Dict[Key, int] = {}
        for one in findings:
            key = Key(test, one.type, one.function)
            total[key] = total.get(key, 0) + one.count
        known = [one for one in findings if _holds(self.counts, total, Key(test, one.type, one.function))]
        return [one for one in findings if one not in known], known


def _holds(counts: Dict[Key, int], total: Dict[Key, int], key: Key) -> bool:
    return key in counts and total[key] <= counts[key]


def read(path: str) -> Baseline:
    """A file that is not there yet has no entries."""
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except FileNotFoundError:
        return Baseline()
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise ValueError("%s is no baseline of this version of undying" % path)
    return Baseline((Key(e["test"], e["type"], e["function"]), int(e["count"])) for e in data["leaks"])


def write(path: str, counts: Dict[Key, int]) -> None:
    entries: List[Dict[str, Any]] = [{**key._asdict(), "count": counts[key]} for key in sorted(counts)]
    temporary = path + ".new"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump({"schema": SCHEMA, "leaks": entries}, file, indent=1)
        file.write("\n")
    os.replace(temporary, path)
