"""What was understood of a source, shown before anything is decoded: a wrong column costs a look, not a night."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evoray.ingest.labels.columns import listed
from evoray.ingest.sources.base import Source
from evoray.runtime.reading import shown

FIRST = 3
MOST_LINES = 12
MOST_CLASSES = 20


def understood(source: Source) -> list[str]:
    """Lines for people: what was taken, how many images and classes, the first records, the count of each class."""
    labels = np.asarray(source.labels)
    counts = np.bincount(labels[labels >= 0], minlength=len(source.classes))
    first = [
        f"{shown(source.names[record], 80)} is {_name(source.classes, int(labels[record]))}"
        for record in range(min(FIRST, len(labels)))
    ]
    lines = [
        *source.notes,
        f"{len(labels):,} images of {len(source.classes):,} classes. First: {'; '.join(first)}",
        f"images a class: {_counted(source.classes, counts)}",
    ]
    if (counts > 0).sum() == 1:
        lines.append(f"all images are of one class, {_name(source.classes, int(counts.argmax()))}: is that meant?")
    return [shown(line) for line in lines[:MOST_LINES]]


def _name(classes: Sequence[str], label: int) -> str:
    return shown(classes[label], 60) if label >= 0 else "unreadable"


def _counted(classes: Sequence[str], counts: np.ndarray) -> str:
    if len(classes) <= MOST_CLASSES:
        return ", ".join(f"{shown(name, 40)}: {count}" for name, count in zip(classes, counts, strict=True))
    least, most = int(counts.argmin()), int(counts.argmax())
    empty = [classes[label] for label in np.flatnonzero(counts == 0).tolist()]
    without = f"; {len(empty)} classes have none: {listed(empty, 3)}" if empty else ""
    return (
        f"{counts[least]} ({shown(classes[least], 40)}) to {counts[most]} ({shown(classes[most], 40)}), "
        f"half of them {int(np.median(counts))} or more{without}"
    )
