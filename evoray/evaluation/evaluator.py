"""The hot loop: children x one shard, in one process.

A worker holds one Evaluator: the model laid over a flat buffer, and the shards it has met, decoded and normalised.
Batches are cut inside a shard's split, never across shards or per worker, so a result depends on (child, shard)
alone. Costs of a child on a shard of n images: n forward passes, plus O(mutated weights) to write it and to undo it;
where a core is free or the network runs on a GPU, the next child is drawn while this one is evaluated.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from evoray.backends.base import Counters
from evoray.data import Shard
from evoray.data.splits import Splits
from evoray.evaluation.forward import make_forward
from evoray.evaluation.host import Drawn, ModelHost
from evoray.evaluation.program import DTYPES, Program
from evoray.evaluation.shard_cache import Prepared, ShardCache
from evoray.fitness import Fitness, record_scores
from evoray.mutation import Entry, Lineage
from evoray.runtime.importing import import_function, make_importable
from evoray.runtime.prefetch import one_ahead
from evoray.tasks.base import Outputs, Preparation
from evoray.tasks.outputs import put, room_for
from evoray.tasks.registry import make_task

KEPT_SCORES = 4096
"""Bases, each on some rows of a shard, whose scores a worker remembers."""


class Evaluator:
    """Evaluates lineages on shards. Takes the model over: give a copy of one that is still needed.

    The process is set by whoever owns it: see ``settings.py``.
    """

    def __init__(self, model: nn.Module, program: Program) -> None:
        config_dir = Path(program.config_dir) if program.config_dir else None
        make_importable(config_dir)  # recipes of a user's own kind arrive by the name of their class
        self.program = program
        self.device = torch.device(program.device)
        self.splits = Splits(program.data, program.seed, config_dir)
        self.task = make_task(program.task, config_dir)
        self.fitness: Fitness = program.fitness.make(self.task, lambda name: import_function(name, config_dir))
        channels_last = program.layout == "channels-last"
        dtype = DTYPES[program.dtype]
        self.host = ModelHost(model, program.space, self.device, dtype, channels_last)
        self.counters = Counters()
        fixed = program.compile or program.cuda_graphs
        longest = max((len(rows) for rows in self.splits.rows["select"]), default=1)
        width = min(program.batch_size, longest) if fixed else program.batch_size
        # a graph replays what it captured, and would go on with what the network kept at eval() of another child
        graphs = program.cuda_graphs and not self.host.renews
        self.network = make_forward(self.host.forward, compiled=program.compile, cuda_graphs=graphs)
        self.preparation = Preparation(self.device, dtype, channels_last, program.mean, program.std)
        how = dataclasses.replace(self.preparation, width=width if fixed else None)
        self._shard_cache = ShardCache(self._read, self.task, how, width, program.resident_gib)
        self._base_scores: dict[tuple[Lineage, str, int], np.ndarray] = {}

    @property
    def device_name(self) -> str:
        """What decides last bits: the GPU's name, or the CPU's vector instructions."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"CPU {torch.backends.cpu.get_cpu_capability()}"

    def held(self) -> tuple[tuple[str, int], ...]:
        """(split, shard) of what is in memory."""
        return self._shard_cache.held()

    def prepared(self, split: str, shard: int) -> Prepared:
        """The split's records of a shard, as batches; read at most once while they fit in memory."""
        self.splits.rows[split]  # raises while ``test`` is sealed, also for what is in memory
        prepared = self._shard_cache.get(split, shard)
        self.counters.loads = self._shard_cache.loads
        self.counters.loading = self._shard_cache.seconds
        return prepared

    def outputs(self, split: str, shard: int) -> Outputs:
        """The task's outputs (floating ones in float32) of the network now in the host, records in row order."""
        prepared = self.prepared(split, shard)
        done, outputs = 0, None
        with torch.inference_mode():
            for batch in prepared.batches:
                part = self.task.outputs(self.network, batch)
                if outputs is None:
                    outputs = room_for(part, len(prepared.targets))
                put(outputs, part, done, batch.count)
                done += batch.count
        self.counters.images += done
        return outputs

    def drawn(self, tails: Iterable[Sequence[Entry]]) -> Iterator[Drawn]:
        """The random parts of children, each ready when its turn comes where that costs no other work its time."""
        idle = self.device.type == "cuda" or len(os.sched_getaffinity(0)) > self.program.threads
        return one_ahead(self.host.draw, tails) if idle else map(self.host.draw, tails)

    def evaluate(
        self, base: Lineage, tail: Sequence[Entry] | Drawn, split: str, shard: int, *, paired: bool = False
    ) -> np.ndarray:
        """Sums of one child on one shard: a row of ``fitness.layout``, with its paired sums where ``paired``."""
        targets = self.prepared(split, shard).targets
        self.host.set_base(base.entries)
        with self.host.child(tail):
            outputs = self.outputs(split, shard)
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
            outputs, targets = self.lineage_outputs(base, base, split, shard), self.prepared(split, shard).targets
            self._base_scores[key] = record_scores(self.fitness, self.task, outputs, targets)
        return self._base_scores[key]

    def lineage_outputs(self, base: Lineage, lineage: Lineage, split: str, shard: int) -> Outputs:
        """Outputs of any lineage; ``base`` is what most of those asked for start with."""
        shared = base if base.is_prefix_of(lineage) else Lineage()
        self.host.set_base(shared.entries)
        with self.host.child(lineage.entries[len(shared.entries) :]):
            return self.outputs(split, shard)

    def _read(self, split: str, shard: int) -> tuple[Shard, np.ndarray]:
        return self.splits.datasets[split].load(shard), self.splits.rows[split][shard]
