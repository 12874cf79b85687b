"""What a worker is told to do: everything but the weights, and how PyTorch is set for it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import torch

from evoray.config import DataConfig
from evoray.fitness import FitnessSpec
from evoray.mutation import Space

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


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
    layout: Literal["channels-last", "contiguous"] = "channels-last"
    cuda_graphs: bool = False
    resident_gib: float | Literal["auto"] = "auto"


def configure_torch(program: Program) -> None:
    """Pins threads and algorithms: they change last bits, so they are a recorded part of a run."""
    torch.set_num_threads(program.threads)
    if not program.device.startswith("cuda"):
        return
    if program.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        # it would write NaN to every activation before a kernel does; nothing here reads what it has not written
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not program.deterministic
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
