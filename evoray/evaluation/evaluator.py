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
from torch import Tensor, nn

from evoray.backends.base import Counters
from evoray.data import Shard
from evoray.data.splits import Splits
from evoray.evaluation.forward import make_forward
from evoray.evaluation.host import Drawn, ModelHost
from evoray.evaluation.program import DTYPES, Program
from evoray.evaluation.shard_cache import BatchMaker, Prepared, Residency
from evoray.fitness import Fitness, is_mean_of_images, score_images, scores_of
from evoray.mutation import Entry, Lineage
from evoray.runtime.importing import import_function, make_importable
from evoray.runtime.prefetch import one_ahead

PAIRED = 2
"""Sums behind a paired row's others: of an image's score minus the base's, and of its square."""
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
        self.fitness: Fitness = program.fitness.make(lambda name: import_function(name, config_dir))
        channels_last = program.layout == "channels-last"
        dtype = DTYPES[program.dtype]
        self.host = ModelHost(model, program.space, self.device, dtype, channels_last)
        self.counters = Counters()
        fixed = program.compile or program.cuda_graphs
        longest = max((len(rows) for rows in self.splits.rows["select"]), default=1)
        width = min(program.batch_size, longest) if fixed else program.batch_size
        self.network = make_forward(self.host.forward, compiled=program.compile, cuda_graphs=program.cuda_graphs)
        make = BatchMaker(program.mean, program.std, self.device, dtype, channels_last, width if fixed else None)
        self.make_batch = dataclasses.replace(make, width=None)
        self._residency = Residency(self._read, make, width, program.resident_gib)
        self._base_scores: dict[tuple[Lineage, str, int], np.ndarray] = {}

    @property
    def device_name(self) -> str:
        """What decides last bits: the GPU's name, or the CPU's vector instructions."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"CPU {torch.backends.cpu.get_cpu_capability()}"

    def held(self) -> tuple[tuple[str, int], ...]:
        """(split, shard) of what is in memory."""
        return self._residency.held()

    def prepared(self, split: str, shard: int) -> Prepared:
        """The split's images of a shard, normalised; read at most once while they fit in memory."""
        self.splits.rows[split]  # raises while ``test`` is sealed, also for what is in memory
        prepared = self._residency.get(split, shard)
        self.counters.loads = self._residency.loads
        self.counters.loading = self._residency.seconds
        return prepared

    def logits(self, split: str, shard: int) -> Tensor:
        """Logits float32 [n, C] of the network now in the host, images in row order."""
        prepared = self.prepared(split, shard)
        done, logits = 0, torch.empty(0)
        with torch.inference_mode():
            for batch in prepared.batches:
                part = self.network(batch)[: len(prepared.labels) - done]
                if not done:
                    logits = part.new_empty((len(prepared.labels), part.shape[1]), dtype=torch.float32)
                logits[done : done + len(part)] = part
                done += len(part)
        self.counters.images += done
        return logits

    def drawn(self, tails: Iterable[Sequence[Entry]]) -> Iterator[Drawn]:
        """The random parts of children, each ready when its turn comes where that costs no other work its time."""
        idle = self.device.type == "cuda" or len(os.sched_getaffinity(0)) > self.program.threads
        return one_ahead(self.host.draw, tails) if idle else map(self.host.draw, tails)

    def evaluate(
        self, base: Lineage, tail: Sequence[Entry] | Drawn, split: str, shard: int, *, paired: bool = False
    ) -> np.ndarray:
        """Sums of one child on one shard: float64 [len(COLUMNS) + fitness.width], and PAIRED more where paired."""
        labels = self.prepared(split, shard).labels
        self.host.set_base(base.entries)
        with self.host.child(tail):
            logits = self.logits(split, shard)
        sums = [score_images(logits, labels).counts(), self.fitness.sums(logits, labels)]
        if paired:
            difference = _scores(self.fitness, logits, labels) - self.base_scores(base, split, shard)
            sums.append(np.array([difference.sum(), np.square(difference).sum()]))
        return np.concatenate(sums)

    def base_scores(self, base: Lineage, split: str, shard: int) -> np.ndarray:
        """float64 [images] of a base's own scores, higher is better; evaluated once for all its children here."""
        key = (base, split, shard)
        if key not in self._base_scores:
            if len(self._base_scores) >= KEPT_SCORES:
                self._base_scores.clear()
            logits = self.lineage_logits(base, base, split, shard)
            self._base_scores[key] = _scores(self.fitness, logits, self.prepared(split, shard).labels)
        return self._base_scores[key]

    def lineage_logits(self, base: Lineage, lineage: Lineage, split: str, shard: int) -> Tensor:
        """Logits of any lineage; ``base`` is what most of those asked for start with."""
        shared = base if base.is_prefix_of(lineage) else Lineage()
        self.host.set_base(shared.entries)
        with self.host.child(lineage.entries[len(shared.entries) :]):
            return self.logits(split, shard)

    def _read(self, split: str, shard: int) -> tuple[Shard, np.ndarray]:
        return self.splits.datasets[split].load(shard), self.splits.rows[split][shard]


def _scores(fitness: Fitness, logits: Tensor, labels: Tensor) -> np.ndarray:
    """float64 [n], higher is better: the fitness's own, or minus the NLL where it is no mean of images."""
    return scores_of(fitness, logits, labels) if is_mean_of_images(fitness) else -score_images(logits, labels).nll
