"""What was understood of a source, shown before anything is decoded: a wrong column costs a look, not a night."""

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
    counted = [
        f"{len(labels):,} images of {len(source.classes):,} classes. First: {'; '.join(first)}",
        _counted(source.classes, counts),
    ]
    if (counts > 0).sum() == 1:
        counted.append(f"all images are of one class, {_name(source.classes, int(counts.argmax()))}: is that meant?")
    return [shown(line) for line in (*list(source.notes)[: MOST_LINES - len(counted)], *counted)]


def _name(classes: Sequence[str], label: int) -> str:
    return shown(classes[label], 60) if label >= 0 else "unreadable"


def _counted(classes: Sequence[str], counts: np.ndarray) -> str:
    if len(classes) <= MOST_CLASSES:
        each = ", ".join(f"{shown(name, 40)}: {count}" for name, count in zip(classes, counts, strict=True))
        return f"images a class: {each}"
    there = np.flatnonzero(counts)
    if not len(there):
        return f"no images of any of the {len(classes):,} classes"
    least, most = int(there[counts[there].argmin()]), int(counts.argmax())
    empty = [classes[label] for label in np.flatnonzero(counts == 0).tolist()]
    without = f"; {len(empty):,} classes have no images: {listed(empty, 3)}" if empty else ""
    if counts[least] == counts[most]:
        return f"{counts[most]:,} image{'s' if counts[most] > 1 else ''} of each class{without}"
    return (
        f"{counts[least]:,} to {counts[most]:,} images a class; fewest: {shown(classes[least], 40)} "
        f"({counts[least]:,}), most: {shown(classes[most], 40)} ({counts[most]:,}){without}"
    )
