"""What a member's images go through, and an input to try it on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from evoray.config import RunConfig
from evoray.data import open_dataset
from evoray.errors import EvorayError, UsageError
from evoray.models import Parent
from evoray.search.inputs import normalisation
from evoray.tasks.base import Preparation
from evoray.tasks.registry import make_task, of_run

ROWS = 3
"""Records of an example: more than one, so that nothing takes their number for a constant."""


@dataclass(frozen=True)
class Example:
    """What the network is tried on. inputs: [ROWS, ...] as a run's batches, normalised; images: uint8 [ROWS, C, H, W],
    where records are images; mean, std: what lies between the two, one value a channel."""

    inputs: Tensor
    images: Tensor | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


def example_of(config: RunConfig, parent: Parent) -> Example:
    """Records of the run's data as its task makes batches of them; where that is gone, noise in the size that the
    parent asks for.

    Raises:
        UsageError: the network takes several tensors (texts), or nothing says which size.
    """
    try:
        dataset = open_dataset(config.data.test_path or config.data.path, Path.cwd())
        records = dataset.load(0)
        rows = np.arange(ROWS) % dataset.shard_rows[0]
        task = of_run(make_task(config.task.name, Path.cwd(), config.task.settings), dataset.classes)
    except EvorayError as error:
        return _noise(config, parent, error)
    mean, std = normalisation(parent, dataset.image_shape[0])
    inputs = task.batch(records, rows, Preparation(torch.device("cpu"), torch.float32, False, mean, std)).inputs
    if not isinstance(inputs, Tensor):
        raise UsageError(
            f'a network of the task "{config.task.name}" takes several tensors (tokens and a mask), and onnx and pt2 '
            "are written of those that take one. Use --format hub-folder, which holds the tokenizer as well and, of "
            "transformers, is what from_pretrained loads; for the weights alone safetensors or torch."
        )
    images = torch.from_numpy(np.ascontiguousarray(records.images[rows])) if hasattr(records, "images") else None
    return Example(inputs, images, mean, std)


def _noise(config: RunConfig, parent: Parent, error: EvorayError) -> Example:
    own = parent.preprocessing
    if own.crop is None:
        raise UsageError(
            f"what the network takes is not known: the run's data cannot be opened ({error}), and the "
            "parent says no size of images. Put the data where the run had it, start where its path begins, or export "
            "as safetensors or torch."
        )
    mean, std = normalisation(parent, own.channels)
    shape = (ROWS, own.channels, own.crop, own.crop)
    images = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return Example(Pixels(nn.Identity(), mean, std)(images), images, mean, std)


class Pixels(nn.Module):
    """A network behind (x / 255 - mean) / std of uint8 [n, C, H, W]: in the order, and so the bits, of a run."""

    scale: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("scale", torch.tensor(255.0))
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.network((images.to(torch.float32) / self.scale - self.mean) / self.std)
        return found
