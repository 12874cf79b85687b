"""What all arms share: a parent, the images that choose, and the images that chose nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from evoray.data import ImageTransform, normalise, open_dataset
from evoray.errors import ConfigError
from evoray.ingest.ingest import ingest_dataset
from evoray.models import read_state, small

BATCH = 500
"""Images a batch, for every arm."""


@dataclass(frozen=True)
class Sizes:
    """Images that choose, images that chose nothing, and evaluations of a network on all images that choose."""

    select: int = 1000
    test: int = 2000
    evaluations: int = 400


@dataclass(frozen=True)
class Problem:
    """An architecture and a seed, with its early-stopped checkpoint and its two folders of shards."""

    architecture: str
    seed: int
    weights: Path
    select: Path
    test: Path

    @property
    def name(self) -> str:
        return f"{self.architecture}-{self.seed}"


class Records(list[tuple[np.ndarray, int]]):
    """A torch Dataset: (uint8 image, label), with names of classes."""

    classes: tuple[str, ...] = ()


def fashion_mnist(work: Path, seed: int, select: int, test: int) -> tuple[Path, Path]:
    """Shards (select, test) of Fashion-MNIST's test set, one shard each; other images for every seed.

    Raises:
        ConfigError: more images than there are.
    """
    images, labels, classes = all_of("fashion-mnist")
    if select + test > len(labels):
        raise ConfigError(f"select = {select}, test = {test}: Fashion-MNIST's test set has {len(labels)} images.")
    rows = np.random.default_rng([20230501, seed]).permutation(len(labels))
    found = []
    for name, part in (("select", rows[:select]), ("test", rows[select : select + test])):
        records = Records((images[row], int(labels[row])) for row in part)
        records.classes = classes
        found.append(one_shard(work / f"fashion-mnist-{seed}-{name}", records, 1))
    return found[0], found[1]


def all_of(data: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """A grey data set whole: images uint8 [n, h, w], labels int64 [n], and the names of the classes."""
    source = open_dataset(data)
    shards = [source.load(index) for index in range(len(source.shard_rows))]
    images = np.concatenate([np.asarray(shard.images) for shard in shards])[:, 0]
    return images, np.concatenate([np.asarray(shard.labels) for shard in shards]), tuple(source.classes)


def one_shard(dest: Path, records: Records, channels: int) -> Path:
    """Images as they are, in a folder of one shard; made where it is not whole."""
    if not (dest / "manifest.json").exists():
        transform = ImageTransform(resize=None, crop=None, channels=channels)
        ingest_dataset(records, dest, transform, shard_size=len(records))
    return dest


class Network:
    """The parent, with weights that are read and written as one vector, and its images, normalised once."""

    def __init__(self, problem: Problem) -> None:
        self.model: nn.Module = getattr(small, problem.architecture)().model.eval()
        self.model.load_state_dict(read_state(problem.weights))
        self.weights = [one.data for one in self.model.parameters()]
        self.home = self.vector()
        self.select, self.test = _images(problem.select), _images(problem.test)

    def vector(self) -> Tensor:
        """float32 [n], a copy of all parameters in the model's order; buffers (BatchNorm's statistics) stay."""
        return torch.cat([one.reshape(-1) for one in self.weights])

    def write(self, vector: Tensor) -> None:
        """The inverse of ``vector``."""
        parts = torch.split(vector.detach(), [one.numel() for one in self.weights])
        for weight, part in zip(self.weights, parts, strict=True):
            weight.copy_(part.view_as(weight))

    def logits(self, images: Images) -> Tensor:
        """float32 [n, classes], as the weights now are."""
        with torch.inference_mode():
            return torch.cat([self.model(part) for part in torch.split(images.images, BATCH)])

    def loss(self, images: Images) -> float:
        """Mean NLL in nats, as the weights now are; inf where it is no number."""
        found = float(functional.cross_entropy(self.logits(images), images.labels))
        return found if np.isfinite(found) else float("inf")


@dataclass(frozen=True)
class Images:
    """Normalised images float32 [n, 1, 28, 28] and labels int64 [n]."""

    images: Tensor
    labels: Tensor

    def __getitem__(self, rows: Tensor | slice) -> Images:
        return Images(self.images[rows], self.labels[rows])


def _images(folder: Path) -> Images:
    shard = open_dataset(str(folder)).load(0)
    assert small.FASHION.mean is not None and small.FASHION.std is not None
    raw = torch.from_numpy(np.array(shard.images))
    images = normalise(raw, small.FASHION.mean, small.FASHION.std, torch.float32)
    return Images(images, torch.from_numpy(np.array(shard.labels)))


@dataclass(frozen=True)
class Score:
    """On images: float64 [n] NLL in nats, and bool [n] whether it is right."""

    nll: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor) -> Score:
        """From logits, or logarithms of probabilities, [n, classes]."""
        nll = functional.cross_entropy(logits.double(), labels, reduction="none")
        return cls(nll.numpy(), (logits.argmax(1) == labels).numpy())
