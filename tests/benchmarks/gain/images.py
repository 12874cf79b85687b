"""Shards that are searched on and scored on, one of each: Fashion-MNIST, and ImageNet photographs under corruptions."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from corruptions import CORRUPTIONS
from PIL import Image

from evoray.study.peers.problem import Records, one_shard

SIDE = 128
"""Pixels of the photographs: a third of the operations of 224."""
SEVERITIES = (5,)


def photographs(work: Path, seed: int) -> tuple[Path, Path]:
    """(select, test): half of the twenty ImageNet photographs of foolbox each, by seed; every one under every
    corruption. Labels are ImageNet's."""
    files = of_foolbox()
    random = np.random.default_rng([20230502, seed])
    order = random.permutation(len(files))
    found = []
    for name, part in (("select", order[::2]), ("test", order[1::2])):
        records = Records()
        for number in part:
            image, label = cut(files[number]), int(files[number].stem.rpartition("_")[2])
            records += [
                (corrupt(image, severity, random), label) for corrupt in CORRUPTIONS.values() for severity in SEVERITIES
            ]
        records.classes = tuple(f"{label:04d}" for label in range(1000))
        found.append(one_shard(work / f"photographs-{seed}-{name}", records, 3))
    return found[0], found[1]


def of_foolbox() -> list[Path]:
    """Twenty photographs of ImageNet; their class stands last in their names."""
    data = Path(importlib.util.find_spec("foolbox").origin).parent / "data"  # type: ignore[union-attr,arg-type]
    return sorted(data.glob("imagenet_*"))


def cut(file: Path, inner: int = SIDE) -> np.ndarray:
    """The middle of a photograph, uint8 [inner, inner, 3]: 7/8 of its shorter side."""
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    side = inner * 8 // 7
    share = side / min(image.size)
    image = image.resize((round(image.width * share), round(image.height * share)), Image.Resampling.BICUBIC)
    left, top = (image.width - inner) // 2, (image.height - inner) // 2
    return np.asarray(image.crop((left, top, left + inner, top + inner)))
