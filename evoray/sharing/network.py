"""A member of a run as a network of PyTorch again, with what its images go through and an input to try it on."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from evoray.config import ParentConfig, RunConfig
from evoray.data import open_dataset
from evoray.errors import EvorayError, ModelError, UsageError
from evoray.models import Parent, load_parent, parent_preprocessing, write_state
from evoray.models.from_timm import with_tag
from evoray.models.transformers.folder import find_folder
from evoray.runtime.reading import shown
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


def build(config: RunConfig, state: Mapping[str, Tensor], parent: Path | None) -> Parent:
    """The parent's architecture, built as its library does and loaded with a member's weights, in evaluation mode.

    Args:
        parent: the parent's folder, of transformers, where it no longer lies where it did.

    Raises:
        UsageError: it cannot be built here.
    """
    with tempfile.TemporaryDirectory(prefix="evoray-") as folder:
        weights = Path(folder) / "member.safetensors"
        if config.parent.source != "transformers":
            write_state(weights, state)
        found = load_parent(_with_weights(config.parent, weights, parent), Path.cwd(), seed=config.seed)
    own = found.model.state_dict()
    if other := sorted(own.keys() ^ state.keys()):
        raise ModelError(
            f"the network that is built here has other tensors than the run's ({', '.join(map(shown, other[:3]))}). "
            "Export it as .safetensors, or use the versions of the libraries that the run had."
        )
    own.update(state)
    found.model.load_state_dict(own)
    return Parent(
        found.model.eval(), config.parent.name, parent_preprocessing(config.parent, Path.cwd(), seed=config.seed)
        if config.parent.source == "torchvision" else found.preprocessing, found.classes,
    )  # fmt: skip


def _with_weights(config: ParentConfig, weights: Path, parent: Path | None) -> ParentConfig:
    if config.source == "transformers":
        return config.model_copy(update={"name": str(parent or find_folder(config, Path.cwd())), "weights": None})
    name = with_tag(config) if config.source == "timm" else config.name
    return config.model_copy(update={"name": name, "weights": str(weights), "weights_key": None})


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
            f'a network of the task "{config.task.name}" takes several tensors, and onnx and pt2 are written of those '
            "that take one. These fit: safetensors, torch, hub-folder."
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
