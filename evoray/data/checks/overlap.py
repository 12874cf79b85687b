"""Are the test images a set of their own? A copy of the images that the search sees would flatter whatever it finds."""

from typing import Any

import numpy as np
import pyarrow.compute as pc

from evoray.data.reader import ArrowDataset, RecordDataset
from evoray.data.records import Records
from evoray.data.schema import IMAGES, RECORDS
from evoray.data.shard import ShardDataset
from evoray.errors import DataError

COMPARED = 64
"""Images of one name that are compared: of a copy all are alike, and of two sets that name theirs alike none."""


def check_apart(select: ShardDataset, test: ShardDataset) -> None:
    """Raises DataError where ``test`` is the same set as ``select``, or one that was made from the same images.

    A set made in another order, or of fewer images, is found by the names of the images of its first shard; pictures
    that were given other names, or another size, are not.
    """
    what = IMAGES if select.image_shape[0] else RECORDS
    if select.digest == test.digest:
        raise DataError(
            f"data.test_path: the same {what} as data.path, so the test would be on what the search has seen. Leave it "
            "out (select and test are then cut from data.path, disjoint), or name other "
            f"{what}."
        )
    kinds = (ArrowDataset, RecordDataset)
    if not isinstance(select, kinds) or not isinstance(test, kinds) or type(select) is not type(test):
        return
    compared, alike = _compare(select, test)
    if compared and alike * 2 > compared:
        raise DataError(
            f"data.test_path: {alike} of {compared} {what} that were compared are in data.path as well, so the test "
            "would be on what the search has seen. Leave it out (select and test are then cut from data.path, "
            f"disjoint), or name other {what}."
        )


def _compare(select: Any, test: Any) -> tuple[int, int]:
    """How many images of test's first shard have a namesake in ``select``, COMPARED at most, and how many are equal."""
    wanted = test.sources(0)
    if wanted is None:
        return 0, 0
    first, compared, alike = None, 0, 0
    for index in range(len(select.shard_rows)):
        names = select.sources(index)
        if names is None or not len(rows := np.flatnonzero(pc.is_in(names, value_set=wanted.combine_chunks()))):
            continue
        first = first or test.load(0)
        places = {name: row for row, name in enumerate(first.sources)}
        own = select.load(index)
        for row in rows[: COMPARED - compared]:
            other = places[own.sources[row]]
            compared += 1
            alike += _is_same(own, row, first, other)
        if compared >= COMPARED:
            break
    return compared, alike


def _is_same(one: Any, row: int, other: Any, at: int) -> bool:
    """Whether two records are: images whatever their labels, others in all columns."""
    if not isinstance(one, Records):
        return bool(np.array_equal(one.images[row], other.images[at]))
    return set(one.columns) == set(other.columns) and all(
        bool(np.array_equal(one[name][row], other[name][at])) for name in one.columns
    )
