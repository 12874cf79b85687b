"""Shards of twenty ImageNet photographs under a corruption, in two halves, and of other photographs that are clean."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from corruptions import CORRUPTIONS
from images import cut, of_foolbox

from evoray.study.peers.problem import Records, one_shard

SEVERITY, VIEWS, SIDE = 5, 2, 160
CLEAN = {
    "skimage": [
        "data/astronaut.png",
        "data/chelsea.png",
        "data/coffee.png",
        "data/motorcycle_left.png",
        "data/rocket.jpg",
    ],
    "sklearn": ["datasets/images/china.jpg", "datasets/images/flower.jpg"],
    "matplotlib": ["mpl-data/sample_data/grace_hopper.jpg"],
}
"""Photographs that packages bring, which nobody has labelled."""
SCALES = (1.0, 1.25, 1.5, 2.0)
"""Of a clean photograph's views: how much larger than the middle is drawn that is cut."""


def halves(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the photographs, ten and ten."""
    order = np.random.default_rng([20240401, seed]).permutation(len(of_foolbox()))
    return order[::2], order[1::2]


def corrupted(work: Path, kind: str, seed: int, fold: int) -> Path:
    """A half of the photographs under one corruption, each as it is and mirrored; views of one stand side by side."""
    records, files, random = Records(), of_foolbox(), np.random.default_rng([20240402, seed, fold])
    for number in halves(seed)[fold]:
        label = int(files[number].stem.rpartition("_")[2])
        records += [(CORRUPTIONS[kind](view, SEVERITY, random), label) for view in views(cut(files[number], SIDE))]
    records.classes = tuple(f"{label:04d}" for label in range(1000))
    return one_shard(work / f"{kind}-{seed}-{fold}", records, 3)


def clean(work: Path) -> Path:
    """64 views of eight photographs that are none of the twenty; every label is 0."""
    records = Records((view, 0) for view in clean_views())
    records.classes = tuple(f"{label:04d}" for label in range(1000))
    return one_shard(work / "clean", records, 3)


def clean_views() -> Iterator[np.ndarray]:
    for package, names in CLEAN.items():
        folder = Path(importlib.util.find_spec(package).origin).parent  # type: ignore[union-attr,arg-type]
        for name in names:
            for scale in SCALES:
                yield from views(_middle(cut(folder / name, round(SIDE * scale))))


def views(image: np.ndarray) -> Iterator[np.ndarray]:
    """As it is, and mirrored."""
    yield image
    yield np.ascontiguousarray(image[:, ::-1])


def _middle(image: np.ndarray) -> np.ndarray:
    start = (len(image) - SIDE) // 2
    return image[start : start + SIDE, start : start + SIDE]
