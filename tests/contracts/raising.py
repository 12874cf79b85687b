"""Units that raise on the worker, where a contract says what becomes of it; in a module that workers can import."""

from __future__ import annotations

from dataclasses import dataclass

from evoray.errors import DataError


@dataclass(frozen=True)
class Raises:
    """``kind``: a name of RAISED."""

    kind: str
    shard: int

    def run(self, evaluator):
        raise RAISED[self.kind]


RAISED = {
    "user": ZeroDivisionError("of the user"),
    "memory": MemoryError("no more of it"),
    "own": DataError("shard 3 is damaged"),
}
