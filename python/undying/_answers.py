"""Answers as Python objects.  Their content is the JSON that the command line prints with
--format json; it becomes Python objects only when it is looked at.
"""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any, Dict, Iterator, List

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from undying._undying import Told


class Row(Dict[str, Any]):
    """A dict whose keys are attributes too: `row.type` is `row["type"]`."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __dir__(self) -> List[str]:
        return [*super().__dir__(), *(key for key in self if key.isidentifier())]


class Answer:
    """What a question came to: its `repr` is the report, `data` what the report is made of.

    It is a sequence of its rows: the suspects of a report, the chains of a why.
    """

    __slots__ = ("_told", "_data")

    # Which list of the data are the rows.
    _rows: str = ""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._data: Any = None

    @property
    def data(self) -> Row:
        """All of it, as `undying COMMAND --format json` prints it."""
        if self._data is None:
            self._data = json.loads(self._told.json(), object_hook=Row)
        data: Row = self._data
        return data

    @property
    def rows(self) -> List[Row]:
        rows: List[Row] = self.data[self._rows]
        return rows

    def text(self, width: int = 100) -> str:
        """The report as text of so many columns."""
        return self._told.text(width=width)

    def to_json(self) -> str:
        return self._told.json()

    def to_arrow(self) -> pyarrow.Table:
        """The rows as a pyarrow.Table (needs pyarrow)."""
        import pyarrow

        return pyarrow.Table.from_pylist([dict(row) for row in self.rows])

    def to_pandas(self) -> pandas.DataFrame:
        """The rows as a pandas.DataFrame (needs pandas)."""
        import pandas

        table: pandas.DataFrame = pandas.DataFrame.from_records([dict(row) for row in self.rows])
        return table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __getattr__(self, name: str) -> Any:
        # data's own names: `report.ledgers`, `top.shallow_bytes`
        if not name.startswith("_"):
            try:
                return self.data[name]
            except KeyError:
                pass
        raise AttributeError("%r has no %r" % (type(self).__name__, name))

    def __dir__(self) -> List[str]:
        return [*super().__dir__(), *self.data]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> Row:
        return self.rows[index]

    def __bool__(self) -> bool:
        return bool(self.rows)

    def __repr__(self) -> str:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        width = shutil.get_terminal_size((100, 24)).columns
        return self._told.text(width=width, unicode=encoding.lower().startswith("utf"))

    def _repr_html_(self) -> str:
        return self._told.html()

    def __reduce__(self) -> Any:
        raise TypeError("an answer cannot be pickled; pickle its data, or to_json()")


class Report(Answer):
    """What stands out in one heap; its rows are the suspects, the first to look at first."""

    __slots__ = ()
    _rows = "suspects"


class Diff(Answer):
    """What grew between snapshots; its rows are the suspects."""

    __slots__ = ()
    _rows = "suspects"


class Why(Answer):
    """Who keeps objects alive; its rows are the distinct chains from roots, counted."""

    __slots__ = ()
    _rows = "chains"


class Cycles(Answer):
    """Reference cycles; its rows are their shapes, garbage first."""

    __slots__ = ()
    _rows = "cycles"

    @property
    def garbage(self) -> List[Row]:
        """The shapes that only the collector can free."""
        return [shape for shape in self.rows if shape.state == "garbage"]


class Lives(Answer):
    """Births and deaths; its rows are classes, those with most births first."""

    __slots__ = ()
    _rows = "types"


class Top(Answer):
    """The biggest; its rows are classes, or by dominator the objects that retain most."""

    __slots__ = ()

    @property
    def rows(self) -> List[Row]:
        rows: List[Row] = self.data["retainers"] if "retainers" in self.data else self.data["types"]
        return rows


class References(Answer):
    """The ledger of references; its rows are the suspects, `data.types` the classes of which
    something is counted too often or too rarely.
    """

    __slots__ = ()
    _rows = "suspects"


class Refs(Answer):
    """Who refers to one object; its rows are the references."""

    __slots__ = ()
    _rows = "references"
