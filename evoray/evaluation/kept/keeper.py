"""Kept activations: children that change only the last part of a network begin where that part begins.

What lies before the first use of a child's first changed weight is its base's, and was computed already. So a worker
keeps the values that are alive there, batch by batch, and runs the rest alone: the same operations on the same values,
and so the same bits. That is checked once for every place a network is cut at, under a child of all weights behind it;
where it does not hold, or the network's operations change from batch to batch, children run the whole network, and
the worker says why.

An image's work falls to the share of the operations behind the cut (``Cut.share``); what is kept takes the place of
the images in memory, and is made anew for each unit where that place is too small.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map

from evoray.evaluation.host import ModelHost
from evoray.evaluation.kept.cut import WORTH, Cut, cut_before
from evoray.evaluation.kept.tape import (
    Mode,
    Network,
    Ref,
    Tape,
    Unrepeatable,
    made_here,
    record_opening,
    repeated,
    tensors_in,
)
from evoray.evaluation.passes import equal
from evoray.evaluation.probe import probe
from evoray.mutation import Entry, Lineage
from evoray.runtime.reading import reason_of
from evoray.tasks.base import Batch, Outputs, Task
from evoray.tasks.opening import Opening, opening_of

LOG = logging.getLogger("evoray")
REMEMBERED = 64
"""Units' children whose part is known."""
STRENGTHS = (0.1, 0.01)
"""Of the child that a cut is checked under; the second where the first gives infinities."""
REPEATS = "its task calls it many times for a batch, and keeps nothing between that children could have in common"

Shape = tuple[Any, ...]


@dataclass(frozen=True)
class Rest:
    """The part of a network behind a cut, for one shape of batches; run: from the alive values to the output's
    tensors."""

    cut: Cut
    run: Network

    def network(self, alive: Sequence[Tensor]) -> Network:
        """What a task may call in place of the network, once."""

        def network(*args: Any, **kwargs: Any) -> Any:
            tensors = iter(self.run(*alive))
            return tree_map(lambda one: next(tensors) if isinstance(one, Ref) else one, self.cut.tape.output)

        return network


@dataclass(frozen=True)
class Part:
    """The part of a network that some children change. first: the tensor of the space (by number) that is used first
    of those; share: of the work of a forward pass, what lies behind its first use."""

    first: int
    share: float


class Keeper:
    """Where a worker's network is cut, and what is alive there.

    Args:
        whole: the network as it is run else (compiled, as a graph). make: does the same to a last part.
    """

    def __init__(self, host: ModelHost, task: Task, whole: Network, make: Callable[[Network], Network]) -> None:
        self._host, self._whole, self._make, self._task_opening = host, whole, make, opening_of(task)
        self._tapes: dict[Shape, Tape] = {}
        self._rests: dict[tuple[Shape, int], Rest] = {}
        self._parts: dict[int, Part | None] = {}
        self._asked: dict[tuple[tuple[Entry, ...], ...], Part | None] = {}
        parameters = {one.data_ptr(): one.numel() for one in host.model.parameters()}
        self._is_whole = sum(parameters.values()) == host.space.n
        self._last: tuple[Lineage, int, tuple[Entry, ...]] | None = None
        self.why_not = ""
        """Why the whole network is run, where it is."""

    def part(self, tails: Iterable[Sequence[Entry]], some: Callable[[], Batch]) -> Part | None:
        """Which part of the network these children change; None where all of it has to be run.

        some: gives any batch, on which the network may be recorded and the cut checked.
        """
        if self.why_not:
            return None
        asked = tuple(map(tuple, tails))
        if asked not in self._asked:  # a unit's children come again with every shard
            found = self._part(asked, some)
            if len(self._asked) >= REMEMBERED:
                self._asked.clear()
            self._asked[asked] = found
        return None if self.why_not else self._asked[asked]

    def _part(self, tails: Sequence[Sequence[Entry]], some: Callable[[], Batch]) -> Part | None:
        space = self._host.space
        changed = {number for tail in tails for entry in tail for number in entry.mutation.tensors(space)}
        if not changed or (self._is_whole and len(changed) == len(space.tensors)):
            return None
        try:
            if not self._tapes:
                self._tape(some())
            first = min(changed, key=lambda number: (self._order(number), number))
            if first not in self._parts:
                with torch.inference_mode():
                    self._parts[first] = self._checked(first, some())
            return self._parts[first]
        except Exception as error:
            self.give_up(error)
            return None

    def order(self, batch: Batch) -> list[int]:
        """The tensors of the space (by number) in the order of first use, without those that are never used.

        Raises Unrepeatable where the network cannot be recorded.
        """
        uses = self._tape(batch).first_use
        return sorted(uses, key=lambda number: (uses[number], number))

    def together(self, one: int, other: int) -> bool:
        """Whether two tensors are first used by the same operation."""
        return self._order(one) == self._order(other)

    def alive(self, part: Part, batch: Batch) -> list[Tensor]:
        """The values at the cut, of the network now in the host: its base. Runs what lies before the cut.

        Raises Unrepeatable where the network does something else for this batch than for the first one.
        """
        return self._follow(self._rest(part.first, batch).cut, batch)

    def outputs(self, part: Part, batch: Batch, alive: Sequence[Tensor]) -> Outputs:
        """The task's outputs on a batch of the network now in the host."""
        begun = self._opening.begin(self._rest(part.first, batch).network(alive), batch)
        return self._opening.outputs(self._whole, batch, begun)

    def before(self, part: Part, base: Lineage) -> tuple[Entry, ...]:
        """The base's entries that change weights before the cut: bases that agree in them agree in what is kept."""
        if self._last is None or self._last[0] is not base or self._last[1] != part.first:
            space, at = self._host.space, self._order(part.first)
            found = tuple(
                entry for entry in base.entries if any(self._order(one) < at for one in entry.mutation.tensors(space))
            )
            self._last = base, part.first, found
        return self._last[2]

    def give_up(self, error: Exception) -> None:
        """From here on children run the whole network."""
        self.why_not = str(error) if isinstance(error, Unrepeatable) else reason_of(error)
        LOG.warning("activations are not kept: %s", self.why_not)

    def kept_bytes(self, part: Part, batch: Batch) -> int:
        """Of a batch of this shape."""
        return self._rest(part.first, batch).cut.kept_bytes()

    def _order(self, number: int) -> float:
        """When a tensor of the space is first used, as the first tape says; inf for one that never is."""
        return next(iter(self._tapes.values())).first_use.get(number, math.inf)

    def _behind(self, first: int) -> list[int]:
        """The tensors that are first used there, or later, or never."""
        return [one for one in range(len(self._host.space.tensors)) if self._order(one) >= self._order(first)]

    def _checked(self, first: int, batch: Batch) -> Part | None:
        """None where a cut saves nothing. Raises Unrepeatable where it changes bits."""
        rest = self._rest(first, batch)
        if rest.cut.share > WORTH:
            return None
        # what was read off one batch's values shows on another's
        other, behind = made_here(batch, turned=True), self._behind(first)
        alive = self._follow(rest.cut, other)
        for strength in STRENGTHS:
            with self._host.child(probe(strength, behind)):
                expected = self._tried(other)
                found = [self._tried(other, rest.network(alive)) for _ in range(2)]
            if not equal(expected, found[0]) or not equal(expected, found[1]):
                raise Unrepeatable("the last part of the network alone gives other bits than the whole")
            if all(bool(torch.isfinite(one).all()) for one in expected):
                break
        return Part(first, rest.cut.share)

    @property
    def _opening(self) -> Opening:
        if self._task_opening is None:
            raise Unrepeatable(REPEATS)
        return self._task_opening

    def _tried(self, batch: Batch, opening: Network | None = None) -> tuple[Tensor, ...]:
        begun = None if opening is None else self._opening.begin(opening, batch)
        return tuple(one.clone() for one in self._opening.tried(self._whole, batch, begun))

    def _rest(self, first: int, batch: Batch) -> Rest:
        key = _shape(batch), first
        if key not in self._rests:
            cut = cut_before(self._tape(batch), self._behind(first))
            self._rests[key] = Rest(cut, self._make(cut.rest()))
        return self._rests[key]

    def _tape(self, batch: Batch) -> Tape:
        key = _shape(batch)
        if key not in self._tapes:
            first = not self._tapes  # whose shares are all tapes'
            self._tapes[key] = record_opening(
                self._opening, self._host.forward, batch, self._owner, self._host.device, first
            )
        return self._tapes[key]

    def _owner(self, tensor: Tensor) -> tuple[int, ...]:
        number = self._host.tensor_at(tensor)
        return () if number is None else (number,)

    def _follow(self, cut: Cut, batch: Batch) -> list[Tensor]:
        alive: list[Tensor] = []

        def followed(*args: Any, **kwargs: Any) -> Any:
            run = functools.partial(self._opening.of(self._host.forward), *args, **kwargs)
            alive.extend(follow(run, tensors_in((args, kwargs)), cut))
            raise _Done

        with contextlib.suppress(_Done), torch.inference_mode():
            self._opening.begin(followed, made_here(batch))
        return alive


class _Done(Exception):  # noqa: N818 (ends a task's call whose network has done what was wanted)
    pass


def _shape(batch: Batch) -> Shape:
    """What decides which operations a network does: shapes, types and how the tensors lie."""
    leaves, form = tree_flatten(batch.inputs)
    return str(form), tuple(
        (tuple(one.shape), one.dtype, one.stride()) if isinstance(one, Tensor) else one for one in leaves
    )


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
