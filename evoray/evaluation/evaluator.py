"""The hot loop: children x one shard, in one process.

A worker holds one Evaluator: the model laid over a flat buffer, and the shards it has met, decoded and normalised.
Batches are cut inside a shard's split, never across shards or per worker, so a result depends on (child, shard)
alone. Costs of a child on a shard of n images: n forward passes, plus O(mutated weights) to write it and to undo it;
where a core is free or the network runs on a GPU, the next child is drawn while this one is evaluated.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from evoray.backends.base import Counters
from evoray.data import Shard
from evoray.data.splits import Splits
from evoray.evaluation.forward import make_forward
from evoray.evaluation.host import Drawn, ModelHost
from evoray.evaluation.kept.keeper import Keeper
from evoray.evaluation.kept.store import Kept, KeptActivations
from evoray.evaluation.kept.tape import Unrepeatable
from evoray.evaluation.program import DTYPES, Program
from evoray.evaluation.shard_cache import Prepared, ShardCache
from evoray.fitness import Fitness, record_scores
from evoray.mutation import Entry, Lineage
from evoray.runtime.importing import import_function, make_importable
from evoray.runtime.prefetch import one_ahead
from evoray.tasks.base import Outputs, Preparation
from evoray.tasks.outputs import Collected
from evoray.tasks.registry import done_with, make_task, of_run

KEPT_SCORES = 4096
"""Bases, each on some rows of a shard, whose scores a worker remembers."""


def of_guard(name: str, split: str) -> str:
    """Under which name a worker holds shards of a guard's split."""
    return f"guard/{name}/{split}"


class Evaluator:
    """Evaluates lineages on shards. Takes the model over: give a copy of one that is still needed.

    run: whose network this one shares, where it evaluates a guard of the run.

    The process is set by whoever owns it: see ``settings.py``.
    """

    def __init__(self, model: nn.Module, program: Program, run: Evaluator | None = None) -> None:
        config_dir = Path(program.config_dir) if program.config_dir else None
        make_importable(config_dir)  # recipes of a user's own kind arrive by the name of their class
        self.program = program
        self.device = torch.device(program.device)
        self.splits = Splits(program.data, program.seed, config_dir)
        task = make_task(program.task, config_dir, program.task_settings)
        self.task = of_run(task, self.splits.described["select"].classes, program.of_parent)
        self.fitness: Fitness = program.fitness.make(self.task, lambda name: import_function(name, config_dir))
        channels_last = program.layout == "channels-last"
        dtype = DTYPES[program.dtype]
        self.host: ModelHost = run.host if run else ModelHost(model, program.space, self.device, dtype, channels_last)
        self.counters: Counters = run.counters if run else Counters()
        self._guards: dict[str, Evaluator] = {}
        fixed = program.compile or program.cuda_graphs
        longest = max((len(rows) for rows in self.splits.rows["select"]), default=1)
        width = min(program.batch_size, longest) if fixed else program.batch_size
        # a graph replays what it captured, and would go on with what the network kept at eval() of another child
        graphs = program.cuda_graphs and not self.host.renews
        make = functools.partial(make_forward, compiled=program.compile, cuda_graphs=graphs)
        self.network = make(self.host.forward)
        self.preparation = Preparation(self.device, dtype, channels_last, program.mean, program.std)
        how = dataclasses.replace(self.preparation, width=width if fixed else None)
        self._shard_cache = ShardCache(self._read, self.task, how, width, program.resident_gib)
        share = self._shard_cache.budget // (1 + len(program.guards))
        self._shard_cache.budget = run._shard_cache.budget if run else share
        self.keeper = Keeper(self.host, self.task, self.network, make)
        keep = program.keep_activations
        self._kept = None if keep is False else KeptActivations(self.keeper, self._shard_cache, self, keep is True)
        self._base_scores: dict[tuple[Lineage, str, int], np.ndarray] = {}
        self._targets: dict[tuple[str, int], Any] = {}

    @property
    def device_name(self) -> str:
        """What decides last bits: the GPU's name, or the CPU's vector instructions."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"CPU {torch.backends.cpu.get_cpu_capability()}"

    def held(self) -> tuple[tuple[str, int], ...]:
        """(split, shard) of what is in memory."""
        of_guards = ((name, guard.held()) for name, guard in self._guards.items())
        there = ((of_guard(name, split), shard) for name, held in of_guards for split, shard in held)
        return (*self._shard_cache.held(), *there)

    def close(self) -> None:
        """Ends the processes of its task and of its guards'."""
        for one in (self, *self._guards.values()):
            done_with(one.task)

    def on_guard(self, name: str) -> Evaluator:
        """The same network on a guard's data and task; made when it is first asked for."""
        if name not in self._guards:
            self._guards[name] = Evaluator(self.host.model, self.program.guards[name], self)
        return self._guards[name]

    def prepared(self, split: str, shard: int) -> Prepared:
        """The split's records of a shard, as batches; read at most once while they fit in memory."""
        self.splits.rows[split]  # raises while ``test`` is sealed, also for what is in memory
        cache = self._shard_cache
        loads, seconds = cache.loads, cache.seconds
        prepared = cache.get(split, shard)
        self.counters.loads += cache.loads - loads
        self.counters.loading += cache.seconds - seconds
        return prepared

    def targets(self, split: str, shard: int) -> Any:
        """Targets of the split's records of a shard, [n, ...]; small, and so never read twice."""
        self.splits.rows[split]  # as above
        key = (split, shard)
        if key not in self._targets:
            self._targets[key] = self.prepared(split, shard).targets
        return self._targets[key]

    def outputs(self, split: str, shard: int) -> Outputs:
        """The task's outputs (floating ones in float32) of the network now in the host, records in row order."""
        collected = Collected(len(self.targets(split, shard)))
        with torch.inference_mode():
            for batch in self.prepared(split, shard).batches:
                collected.add(self.task.outputs(self.network, batch), batch.count)
        self._count(collected.done)
        return collected.outputs

    def outputs_of(
        self,
        base: Lineage,
        tails: Sequence[Sequence[Entry]],
        split: str,
        shard: int,
        about: Callable[[int], AbstractContextManager[None]] = lambda number: nullcontext(),
    ) -> Iterator[Outputs]:
        """Outputs of base + each tail, in order; what all have in common is run once (``evaluation/kept``).

        about: entered, with its number, around what is done for one of them.
        """
        with about(0):
            kept = self.kept(base, tails, split, shard)
        if kept is not None and kept.streams:
            with about(0):
                collected = self._by_batches(kept, base, tails, about)
            if collected is not None:
                yield from (one.outputs for one in collected)
                return
            kept = None
        for number, ready in enumerate(self.drawn(tails)):
            with about(number):
                self.host.set_base(base.entries)
                with self.host.child(ready):
                    found = self.outputs(split, shard) if kept is None else self._rest(kept)
            yield found

    def kept(self, base: Lineage, tails: Sequence[Sequence[Entry]], split: str, shard: int) -> Kept | None:
        """What is kept of a base for such children, made now where it is not there; None where nothing is."""
        return self._kept.of(base, tails, split, shard) if self._kept else None

    def _rest(self, kept: Kept) -> Outputs:
        """What the network now in the host makes of what is kept."""
        collected = Collected(kept.rows)
        with torch.inference_mode():
            for batch, alive in kept.batches:
                collected.add(kept.outputs(batch, alive), batch.count)
        self._count(collected.done, kept.part.share)
        return collected.outputs

    def _by_batches(
        self,
        kept: Kept,
        base: Lineage,
        tails: Sequence[Sequence[Entry]],
        about: Callable[[int], AbstractContextManager[None]],
    ) -> list[Collected] | None:
        """Every child on a batch before the next: what is kept of one batch at a time is little.

        None: the network is not the same for every batch.
        """
        collected = [Collected(kept.rows) for _ in tails]
        self.host.set_base(base.entries)
        try:
            for batch, alive in kept.batches:
                for number, tail in enumerate(tails):
                    with about(number), self.host.child(tail), torch.inference_mode():
                        collected[number].add(kept.outputs(batch, alive), batch.count)
        except Unrepeatable as error:
            assert self._kept is not None
            self._kept.give_up(error)
            return None
        self._count(kept.rows * len(tails), kept.part.share)
        return collected

    def _count(self, images: int, share: float = 1.0) -> None:
        self.counters.images += images
        self.counters.passes += images * share

    def drawn(self, tails: Iterable[Sequence[Entry]]) -> Iterator[Drawn]:
        """The random parts of children, each ready when its turn comes where that costs no other work its time."""
        idle = self.device.type == "cuda" or len(os.sched_getaffinity(0)) > self.program.threads
        return one_ahead(self.host.draw, tails) if idle else map(self.host.draw, tails)

    def evaluate(
        self, base: Lineage, tail: Sequence[Entry], split: str, shard: int, *, paired: bool = False
    ) -> np.ndarray:
        """Sums of one child on one shard, as in ``row``."""
        (outputs,) = self.outputs_of(base, [tail], split, shard)
        return self.row(base, outputs, split, shard, paired=paired)

    def row(self, base: Lineage, outputs: Outputs, split: str, shard: int, *, paired: bool = False) -> np.ndarray:
        """Sums of one child on one shard: a row of ``fitness.layout``, with its paired sums where ``paired``."""
        targets = self.targets(split, shard)
        sums = self.task.sums(outputs, targets), self.fitness.sums(outputs, targets)
        if not paired:
            return self.fitness.layout.row(*sums)
        own = record_scores(self.fitness, self.task, outputs, targets)
        return self.fitness.layout.row(*sums, own - self.base_scores(base, split, shard))

    def base_scores(self, base: Lineage, split: str, shard: int) -> np.ndarray:
        """float64 [records] of a base's own scores, higher is better; evaluated once for all its children here."""
        key = (base, split, shard)
        if key not in self._base_scores:
            if len(self._base_scores) >= KEPT_SCORES:
                self._base_scores.clear()
            outputs, targets = self.lineage_outputs(base, base, split, shard), self.targets(split, shard)
            self._base_scores[key] = record_scores(self.fitness, self.task, outputs, targets)
        return self._base_scores[key]

    def lineages_outputs(
        self,
        base: Lineage,
        lineages: Sequence[Lineage],
        split: str,
        shard: int,
        about: Callable[[int], AbstractContextManager[None]] = lambda number: nullcontext(),
    ) -> Iterator[Outputs]:
        """Outputs of lineages, in order, most of which start with ``base``."""
        shared = base if all(base.is_prefix_of(one) for one in lineages) else Lineage()
        return self.outputs_of(shared, [one.tail(shared) for one in lineages], split, shard, about)

    def lineage_outputs(self, base: Lineage, lineage: Lineage, split: str, shard: int) -> Outputs:
        """Outputs of any lineage, by the whole network; ``base`` is what most of those asked for start with."""
        shared = base if base.is_prefix_of(lineage) else Lineage()
        self.host.set_base(shared.entries)
        with self.host.child(lineage.entries[len(shared.entries) :]):
            return self.outputs(split, shard)

    def _read(self, split: str, shard: int) -> tuple[Shard, np.ndarray]:
        return self.splits.datasets[split].load(shard), self.splits.rows[split][shard]
