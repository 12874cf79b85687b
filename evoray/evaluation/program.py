"""What a worker is told to do: everything but the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from evoray.config import DataConfig
from evoray.fitness import FitnessSpec
from evoray.mutation import Space

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Program:
    """Everything but the weights that a worker needs, picklable and the same for every worker.

    mean, std: one value a channel; images arrive as x/255, then (x - mean) / std.
    task, task_settings: as ``make_task`` takes them.
    guards: by name, the program of the same network on a guard's data and task.
    code: the user's modules and their digests (``runtime/importing.py``): a worker that has others is refused.
    """

    space: Space
    mean: tuple[float, ...]
    std: tuple[float, ...]
    data: DataConfig
    seed: int
    fitness: FitnessSpec
    task: str
    device: str
    dtype: str
    batch_size: int
    threads: int
    compile: bool
    deterministic: bool
    config_dir: str | None = None
    code: Mapping[str, str] = field(default_factory=dict)
    layout: Literal["channels-last", "contiguous"] = "channels-last"
    cuda_graphs: bool = False
    resident_gib: float | None = None
    keep_activations: bool | Literal["auto"] = "auto"
    task_settings: Mapping[str, Any] = field(default_factory=dict)
    of_parent: Any = None
    """What the task was told of the run's parent (``of_run``); None for tasks that ask for nothing."""
    guards: Mapping[str, Program] = field(default_factory=dict)
