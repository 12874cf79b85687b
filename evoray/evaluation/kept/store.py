"""What is kept of a base on a shard, in the worker's memory beside the shards themselves.

It is found again by the shard, the place of the cut and the base's mutations before that: bases that differ only
behind a cut have it in common. Its bytes count against the budget of the shards (``ShardCache``). What is larger than
the whole budget is not kept: the first part is then run once for each batch and unit, for all its children together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from evoray.backends.base import Counters
from evoray.errors import EvaluationError
from evoray.evaluation.host import ModelHost
from evoray.evaluation.kept.keeper import Keeper, Part
from evoray.evaluation.kept.tape import Unrepeatable
from evoray.evaluation.shard_cache import Prepared, ShardCache
from evoray.mutation import Entry, Lineage
from evoray.tasks.base import Batch, Outputs


class Worker(Protocol):
    """What is asked of the evaluator."""

    host: ModelHost
    counters: Counters

    def prepared(self, split: str, shard: int) -> Prepared: ...

    def targets(self, split: str, shard: int) -> Any: ...


@dataclass(frozen=True)
class Kept:
    """batches: each with the values that are alive at the cut; iterable again and again. rows: records in all.
    streams: whether those values are made as they are asked for, because there is no room for them."""

    part: Part
    batches: Iterable[tuple[Batch, Sequence[Tensor]]]
    rows: int
    nbytes: int
    streams: bool
    outputs: Callable[[Batch, Sequence[Tensor]], Outputs]


class KeptActivations:
    """Gives what is kept for children of a base on a shard; required: refuses a network that nothing is kept of."""

    def __init__(self, keeper: Keeper, cache: ShardCache, worker: Worker, required: bool = False) -> None:
        self._keeper, self._cache, self._worker, self._required = keeper, cache, worker, required

    def of(self, base: Lineage, tails: Sequence[Sequence[Entry]], split: str, shard: int) -> Kept | None:
        """None where these children have to run the whole network.

        Raises:
            EvaluationError: where activations have to be kept, and this network's cannot be.
        """
        part = self._keeper.part(tails, lambda: self._first_batch(split, shard))
        if part is not None:
            key = (split, shard, part.first, self._keeper.before(part, base))
            kept: Kept | None = self._cache.made(key)
            if kept is not None:
                return kept
            try:
                kept = self._make(part, base, split, shard)
            except Unrepeatable as error:
                self.give_up(error)
            else:
                if not kept.streams:
                    self._cache.keep(key, kept)
                return kept
        self._say()
        return None

    def give_up(self, error: Exception) -> None:
        """From here on children run the whole network, which is said. Raises as ``of``."""
        self._keeper.give_up(error)
        self._say()

    def _say(self) -> None:
        why = self._keeper.why_not
        if not why:
            return
        self._worker.counters.note = f"children run the whole network, no activations are kept: {why}"
        if self._required:
            raise EvaluationError(f'compute.keep_activations = true: {why}. Set it to "auto".')

    def _make(self, part: Part, base: Lineage, split: str, shard: int) -> Kept:
        """With the base in the host."""
        self._worker.host.set_base(base.entries)
        rows, nbytes = len(self._worker.targets(split, shard)), 0
        prepared = self._worker.prepared(split, shard)

        def outputs(batch: Batch, alive: Sequence[Tensor]) -> Outputs:
            return self._keeper.outputs(part, batch, alive)

        expected = self._expected(part, next(iter(prepared.batches)), rows)
        if expected > self._cache.budget:
            return Kept(part, _Again(partial(self._alive, part, prepared.batches)), rows, 0, True, outputs)
        batches = self._with_room(expected, prepared, (split, shard))
        del prepared
        made: list[tuple[Batch, list[Tensor]]] = []
        for batch, alive in self._alive(part, batches):
            nbytes += self._keeper.kept_bytes(part, batch) + _held_bytes(batch)
            made.append((_without_values(batch), alive))
        return Kept(part, tuple(made), rows, nbytes, False, outputs)

    def _expected(self, part: Part, first: Batch, rows: int) -> int:
        """Bytes of what will be kept."""
        return -(-(self._keeper.kept_bytes(part, first) + _held_bytes(first)) * rows // first.count)

    def _with_room(self, nbytes: int, prepared: Prepared, key: tuple[str, int]) -> Iterable[Batch]:
        """A shard's batches, with room for so many bytes that are made of them: together they stay within the budget.
        Where that is too small for both, each batch is let go once it was asked for."""
        if nbytes + prepared.nbytes <= self._cache.budget:
            self._cache.make_room(nbytes)  # the shard was used last, and stays
            return prepared.batches
        if not prepared.nbytes:  # made one by one anyway
            self._cache.make_room(nbytes)
            return prepared.batches
        self._cache.forget(key)
        self._cache.make_room(max(nbytes, prepared.nbytes))
        return _let_go(list(prepared.batches))

    def _alive(self, part: Part, batches: Iterable[Batch]) -> Iterator[tuple[Batch, list[Tensor]]]:
        for batch in batches:
            alive = self._keeper.alive(part, batch)
            self._worker.counters.passes += batch.count * (1 - part.share)
            yield batch, alive

    def _first_batch(self, split: str, shard: int) -> Batch:
        return next(iter(self._worker.prepared(split, shard).batches))


def _let_go(batches: list[Batch]) -> Iterator[Batch]:
    while batches:
        yield batches.pop(0)


class _Again:
    """Made anew for every pass."""

    def __init__(self, make: Callable[[], Iterator[tuple[Batch, list[Tensor]]]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[tuple[Batch, list[Tensor]]]:
        return self._make()


def _without_values(batch: Batch) -> Batch:
    """A batch of the same form whose images hold no memory: they are behind the cut already. Whole numbers stay, tokens
    and what hides them: a task asks the batch for them once the network has answered."""
    inputs = tree_map(lambda one: one.to("meta") if _is_image(one) else one, batch.inputs)
    return Batch(inputs, batch.count, batch.beside)


def _held_bytes(batch: Batch) -> int:
    """What a batch holds without its values."""
    kept = [one for one in tree_leaves(batch.inputs) if not _is_image(one)] + tree_leaves(batch.beside)
    return sum(one.nbytes for one in kept if isinstance(one, Tensor))


def _is_image(one: Any) -> bool:
    return isinstance(one, Tensor) and one.is_floating_point()
