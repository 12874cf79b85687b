"""The part of a network before a cut: run once for a base, for what its children have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from evoray.evaluation.kept.cut import Cut
from evoray.evaluation.kept.tape import Mode, Unrepeatable, repeated


class _Reached(BaseException):
    """Raised inside the network once the cut is reached: the rest is not needed."""


def follow(run: Callable[[], Any], inputs: Sequence[Tensor], cut: Cut) -> list[Tensor]:
    """Runs a network up to a cut, and gives the values that are alive there, in order. Raises Unrepeatable."""
    follower = _Follower(cut, inputs)
    try:
        with follower:
            run()
    except _Reached:
        pass
    if len(follower.values) < len(cut.alive):
        raise Unrepeatable("it ends sooner for some batches than for others")
    return [follower.values[number] for number in cut.alive]


class _Follower(Mode):  # type: ignore[no-untyped-call]
    def __init__(self, cut: Cut, inputs: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._operations, self._at = cut.tape.operations[: cut.at], 0
        self._alive = frozenset(cut.alive)
        self.values = {number: one for number, one in enumerate(inputs) if number in self._alive}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self._at == len(self._operations):
            raise _Reached
        expected, func = self._operations[self._at], repeated(func)
        if expected.function is not func:
            raise Unrepeatable(f"{func} for one batch, {expected.function} for another")
        self._at += 1
        result = func(*args, **(kwargs or {}))
        for number, one in zip(expected.gives, result if expected.several else [result], strict=True):
            if number in self._alive:
                self.values[number] = one
        return result
