"""Rows of numbers as somebody sends them, in the type and the shape of the run's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evoray.data import ShardDataset
from evoray.data.records import Records
from evoray.runtime.reading import kind_of, shown
from evoray.serving.plan import Limits, Refused
from evoray.tasks.inputs import INPUT

WHOLE = "int64"
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Numbers:
    """kind: the type of a record's numbers, ``float32`` or ``int64``. shape: of a record's, at least one side.

    columns: names of a row's numbers; empty where nobody gave them any. See ``Intake``.
    """

    kind: str
    shape: tuple[int, ...]
    columns: tuple[str, ...]
    classes: tuple[str, ...]
    key: str = "input"
    said: str = "input"
    bodies: str = "application/json"

    @property
    def may_fail(self) -> bool:
        return self.kind == WHOLE

    @property
    def example(self) -> str:
        return f'{{"inputs": [{"[" * len(self.shape)}…{"]" * len(self.shape)}, …]}}, {self._size} each'

    @property
    def _size(self) -> str:
        what = "whole numbers" if self.kind == WHOLE else "numbers"
        return f"{' x '.join(map(str, self.shape))} {what}"

    @property
    def facts(self) -> Mapping[str, Any]:
        named = f": {shown(', '.join(self.columns), 400)}" if self.columns else ""
        how = f"A record is {self._size}{named}."
        return {"takes": "numbers", "columns": list(self.columns), "shape": list(self.shape), "how": how}

    @property
    def blank(self) -> np.ndarray:
        return np.zeros(self.shape, dtype=self.kind)

    def takes(self, media: str) -> bool:
        return False

    def of_body(self, body: bytes) -> Any:
        raise AssertionError("no body is a record as it is")

    def several(self, value: Any) -> bool:
        return isinstance(value, list) and (not value or self._depth(value[0]) == len(self.shape))

    def of_value(self, value: Any, where: str) -> Any:
        """As it is: ``prepare`` reads it, which takes its time."""
        return value

    def prepare(self, given: Any, limits: Limits) -> np.ndarray:
        """An array of the run's type and shape. Raises Refused, naming the first value that does not fit."""
        row = self._row(given) if isinstance(given, dict) else given
        return np.fromiter(self._values(row, "", self.shape), dtype=self.kind).reshape(self.shape)

    def records(self, prepared: Sequence[np.ndarray]) -> Records:
        return Records(0, {INPUT: np.stack(prepared)}, [""] * len(prepared))

    def _depth(self, value: Any) -> int:
        """How many lists lie in each other; of a row by its columns' names as many as of one in their order."""
        if isinstance(value, dict):
            return len(self.shape)
        return 1 + self._depth(value[0]) if isinstance(value, list) and value else int(isinstance(value, list))

    def _row(self, value: Mapping[str, Any]) -> list[Any]:
        if not self.columns:
            raise Refused(422, f"An object, and the run's numbers have no names. Send {self.example}.")
        if other := sorted(value.keys() ^ set(self.columns)):
            what = "no such column" if other[0] in value else "is missing"
            known = shown(", ".join(self.columns), 200)
            raise Refused(422, f"{shown(other[0], 60)}: {what}. A record has {known}.")
        return [value[name] for name in self.columns]

    def _values(self, value: Any, where: str, shape: Sequence[int]) -> Iterator[float | int]:
        if not shape:
            yield self._number(value, where)
            return
        at_all = f"{where}: " if where else ""
        if not isinstance(value, list):
            raise Refused(422, f"{at_all}{kind_of(value)} where a list of {shape[0]} is expected.")
        if len(value) != shape[0]:
            raise Refused(422, f"{at_all}{len(value):,} values, and {shape[0]} are expected.")
        for at, one in enumerate(value):
            name = shown(self.columns[at], 60) if self.columns else f"{where}[{at}]"
            yield from self._values(one, name, shape[1:])

    def _number(self, value: Any, where: str) -> float | int:
        """True and false are 1 and 0, as in a table."""
        if not isinstance(value, int | float):
            raise Refused(422, f"{where}: {kind_of(value)} where a number is expected.")
        if self.kind == WHOLE:
            if value != int(value) or not -(2**63) <= value < 2**63:
                raise Refused(422, f"{where}: {shown(value, 40)} is no whole number of 64 bits.")
            return int(value)
        if not abs(value) <= LARGEST:
            raise Refused(422, f"{where}: {shown(value, 40)} is beyond what a network takes, 3.4e38.")
        return value


def numbers_of(dataset: ShardDataset) -> Numbers:
    """As the manifest of a run's data has them."""
    manifest: Any = getattr(dataset, "manifest", None)
    column, read = manifest.columns[INPUT], manifest.read
    shape = column.shape or (1,)
    columns, targets = (tuple(found) if _names(found := read.get(name)) else () for name in (INPUT, "target"))
    named = columns if len(shape) == 1 and len(columns) == shape[0] else ()
    return Numbers(column.type, shape, named, tuple(dataset.classes) or targets)


def _names(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(name, str) for name in found)
