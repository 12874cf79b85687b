"""The hot loop: children x one shard, in one process.

A worker holds one Evaluator: the model laid over a flat buffer, and the shards it has met, decoded and normalised.
Batches are cut inside a shard's split, never across shards or per worker, so a result depends on (child, shard)
alone. Costs of a child on a shard of n images: n forward passes, plus O(mutated weights) to write it and to undo it.
"""

from __future__ import annotations

import math
import os
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from evoray.config import DataConfig
from evoray.data import normalise
from evoray.errors import EvaluationError, EvorayError
from evoray.fitness import Fitness, FitnessSpec, score_images
from evoray.models import ModelHost, import_function
from evoray.mutation import Entry, Lineage, Space
from evoray.splits import Splits

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
RESIDENT_BYTES = 2 * 2**30
"""Normalised batches kept by one worker; beyond it the shard used longest ago is dropped."""


@dataclass(frozen=True)
class Program:
    """Everything but the weights that a worker needs, picklable and the same for every worker.

    mean, std: one value a channel; images arrive as x/255, then (x - mean) / std.
    """

    space: Space
    mean: tuple[float, ...]
    std: tuple[float, ...]
    data: DataConfig
    seed: int
    fitness: FitnessSpec
    device: str
    dtype: str
    batch_size: int
    threads: int
    compile: bool
    deterministic: bool
    config_dir: str | None = None


@dataclass(frozen=True)
class Prepared:
    """One shard's images of one split, ready on the device: batches [b, C, H, W], labels int64 [n]."""

    batches: tuple[Tensor, ...]
    labels: Tensor
    rows: np.ndarray
    sources: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        return sum(batch.nbytes for batch in self.batches)


@dataclass
class Counters:
    """What this worker has done; ``loads`` counts shards read, not passes over them."""

    images: int = 0
    children: int = 0
    loads: int = 0
    models: int = 1
    seconds: dict[str, float] = field(default_factory=dict)


class Evaluator:
    """Evaluates lineages on shards. Holds its own copy of the model; the caller's weights are never written."""

    def __init__(self, model: nn.Module, program: Program) -> None:
        configure_torch(program)
        config_dir = Path(program.config_dir) if program.config_dir else None
        self.program = program
        self.device = torch.device(program.device)
        self.splits = Splits(program.data, program.seed, config_dir)
        self.fitness: Fitness = program.fitness.make(lambda name: import_function(name, config_dir))
        self.host = ModelHost(model, program.space, device=self.device, dtype=DTYPES[program.dtype])
        self.counters = Counters()
        self._forward = torch.compile(self.host.forward) if program.compile else self.host.forward
        self._resident: OrderedDict[tuple[str, int], Prepared] = OrderedDict()

    def prepared(self, split: str, shard: int) -> Prepared:
        """The split's images of a shard, normalised; read at most once while they fit in memory."""
        key = (split, shard)
        if key in self._resident:
            self._resident.move_to_end(key)
            return self._resident[key]
        started = time.perf_counter()
        loaded = self.splits.datasets[split].load(shard)
        rows = self.splits.rows[split][shard]
        images = torch.from_numpy(np.ascontiguousarray(loaded.images[rows]))
        fresh = Prepared(
            batches=tuple(self._batch(part) for part in torch.split(images, self.program.batch_size)),
            labels=torch.from_numpy(loaded.labels[rows]).to(self.device),
            rows=rows,
            sources=tuple(loaded.sources[row] for row in rows),
        )
        self._keep(key, fresh)
        self.counters.loads += 1
        self.counters.seconds["loading"] = self.counters.seconds.get("loading", 0.0) + time.perf_counter() - started
        return fresh

    def held(self) -> tuple[tuple[str, int], ...]:
        """(split, shard) of what is in memory."""
        return tuple(self._resident)

    @property
    def device_name(self) -> str:
        """What decides last bits: the GPU's name, or the CPU's vector instructions."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"CPU {torch.backends.cpu.get_cpu_capability()}"

    def logits(self, split: str, shard: int) -> Tensor:
        """Logits float32 [n, C] of the network now in the host, images in row order."""
        prepared = self.prepared(split, shard)
        with torch.inference_mode():
            parts = [self._forward(batch).float() for batch in prepared.batches]
        self.counters.images += len(prepared.labels)
        return torch.cat(parts)

    def evaluate(self, base: Lineage, tail: Sequence[Entry], split: str, shard: int) -> np.ndarray:
        """Sums of one child on one shard: float64 [len(COLUMNS) + fitness.width]."""
        labels = self.prepared(split, shard).labels
        self.host.set_base(base.entries)
        with self.host.child(tail):
            logits = self.logits(split, shard)
        self.counters.children += 1
        return np.concatenate([score_images(logits, labels).counts(), self.fitness.sums(logits, labels)])

    def lineage_logits(self, base: Lineage, lineage: Lineage, split: str, shard: int) -> Tensor:
        """Logits of any lineage; ``base`` is what most of those asked for start with."""
        shared = base if base.is_prefix_of(lineage) else Lineage()
        self.host.set_base(shared.entries)
        with self.host.child(lineage.entries[len(shared.entries) :]):
            return self.logits(split, shard)

    def _batch(self, images: Tensor) -> Tensor:
        moved = images.to(self.device)
        batch = normalise(moved, self.program.mean, self.program.std, DTYPES[self.program.dtype])
        return batch.contiguous(memory_format=torch.channels_last)

    def _keep(self, key: tuple[str, int], prepared: Prepared) -> None:
        self._resident[key] = prepared
        while sum(item.nbytes for item in self._resident.values()) > RESIDENT_BYTES and len(self._resident) > 1:
            self._resident.popitem(last=False)


def configure_torch(program: Program) -> None:
    """Pins threads and algorithms: they change last bits, so they are a recorded part of a run."""
    torch.set_num_threads(program.threads)
    if not program.device.startswith("cuda"):
        return
    if program.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = not program.deterministic
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


@dataclass(frozen=True)
class Candidate:
    """A child as it travels: its name, and its entries on top of the unit's base."""

    name: str
    tail: tuple[Entry, ...]


@dataclass(frozen=True)
class ChildrenUnit:
    """Some children of one base on one shard; ``run`` gives one row a child, in order."""

    base: Lineage
    children: tuple[Candidate, ...]
    split: str
    shard: int

    def run(self, evaluator: Evaluator) -> list[np.ndarray]:
        return [self._one(evaluator, child) for child in self.children]

    def _one(self, evaluator: Evaluator, child: Candidate) -> np.ndarray:
        try:
            return evaluator.evaluate(self.base, child.tail, self.split, self.shard)
        except (EvorayError, MemoryError):
            raise
        except Exception as error:
            raise named_failure(error, child.name, self.split, self.shard) from error


def named_failure(error: Exception, child: str, split: str, shard: int) -> EvaluationError:
    """What a model or a user's function raised, with the child and the shard it was given."""
    return EvaluationError(
        f"child {child} on shard {shard} of {split}: {type(error).__name__}: {error}. "
        "The model or the fitness function raised this; run it on that shard alone to see why."
    )


def is_valid(total: np.ndarray) -> bool:
    """Whether every image of a merged row had finite logits."""
    return bool(total[3] == 0) and math.isfinite(float(total[4]))
