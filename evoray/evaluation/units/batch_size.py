"""``compute.batch_size = "auto"``: the sizes that are timed, on a worker.

A batch size may change last bits of the logits, so it is one for the whole run and all workers, and a resumed run
takes the recorded one. What is timed is the eager forward pass of the parent on one record again and again; a compiled
network differs little in which size suits it, and compiling for every size would take minutes.
"""

import statistics
import time
from dataclasses import dataclass

import numpy as np
import torch

from evoray.errors import BackendError
from evoray.evaluation.accelerator import accelerator_of
from evoray.evaluation.evaluator import Evaluator

CPU_SIZES = (16, 32, 64, 128, 256)


CUDA_SIZES = (64, 128, 256, 512, 1024)


LARGEST = CUDA_SIZES[-1]


CLEARLY = 1.03
"""A larger batch takes more memory, so it has to be faster by this much."""


ROUNDS = 3


@dataclass(frozen=True)
class TuneUnit:
    """Times the sizes that the device's memory and one shard's images allow; its value is the one chosen."""

    split: str
    shard: int

    def run(self, evaluator: Evaluator) -> list[int]:
        images = len(evaluator.splits.rows[self.split][self.shard])
        sizes: tuple[int, ...] = CUDA_SIZES if evaluator.device.type == "cuda" else CPU_SIZES
        sizes = tuple(size for size in sizes if size < images) + ((images,) if images <= sizes[-1] else ())
        seconds: dict[int, float] = {}
        for size in sizes:
            try:
                seconds[size] = seconds_per_image(evaluator, self.shard, size)
            except torch.OutOfMemoryError:
                accelerator_of(evaluator.device).empty_cache()
                break
        return [choose(seconds)]


def seconds_per_image(evaluator: Evaluator, shard: int, size: int) -> float:
    """Median of a few forward passes, after one to warm up."""
    records = evaluator.splits.datasets["select"].load(shard)
    batch = evaluator.task.batch(records, np.zeros(size, dtype=np.int64), evaluator.preparation)
    times = []
    with torch.inference_mode():
        for _ in range(ROUNDS + 1):
            started = time.perf_counter()
            evaluator.task.outputs(evaluator.host.forward, batch)
            accelerator_of(evaluator.device).synchronize()
            times.append(time.perf_counter() - started)
    return statistics.median(times[1:]) / size


def choose(seconds: dict[int, float]) -> int:
    """The fastest size, where smaller ones are not about as fast. Raises BackendError when none ran."""
    if not seconds:
        raise BackendError(
            'compute.batch_size = "auto": the GPU has no memory for the smallest batch that was tried. '
            "Set a smaller one, or compute.dtype to bfloat16."
        )
    chosen, *larger = sorted(seconds)
    for size in larger:
        if seconds[size] * CLEARLY < seconds[chosen]:
            chosen = size
    return chosen
