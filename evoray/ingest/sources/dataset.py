"""Any torch ``Dataset``."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from evoray.data.transform import as_image
from evoray.errors import DataError

_UNREADABLE = -1
"""The label of a record that raised when it was asked for its label; it is in no shard."""


@dataclass
class DatasetSource:
    """A torch ``Dataset`` of (PIL image or uint8 array, label)."""

    dataset: Any
    classes: tuple[str, ...]
    names: list[str]
    labels: list[int]

    @classmethod
    def of(cls, dataset: Any) -> DatasetSource:
        """Labels come from ``dataset.targets`` where there is one, else every record is looked at once.

        Raises:
            DataError: no length, no record, or labels that are not 0, 1, 2, … below the number of classes.
        """
        try:
            count = len(dataset)
        except TypeError:
            raise DataError(f"{type(dataset).__name__} has no length. Give a Dataset with __len__ and [i].") from None
        if count == 0:
            raise DataError("the Dataset is empty.")
        labels = _labels(dataset, count)
        classes = getattr(dataset, "classes", None) or [str(i) for i in range(max(labels) + 1)]
        if max(labels) >= len(classes):
            raise DataError(f"the Dataset has a label {max(labels)} and {len(classes)} classes.")
        return cls(dataset, tuple(str(c) for c in classes), [f"record/{i}" for i in range(count)], labels)

    def open(self, record: int) -> Image.Image:
        value, label = self.dataset[record][:2]
        if _label(label, record) != self.labels[record]:
            raise DataError(
                f"{self.names[record]}: the Dataset gave the labels {self.labels[record]} and {label}. "
                "Its targets must be the labels its records come with, the same every time."
            )
        return as_image(value, self.names[record])

    def prepare(self, directory: Path) -> None:
        """Nothing: the Dataset travels to the workers."""


def _labels(dataset: Any, count: int) -> list[int]:
    """One label a record, _UNREADABLE where asking for it raises; a target_transform makes ``targets`` moot."""
    targets = getattr(dataset, "targets", None)
    if targets is not None and getattr(dataset, "target_transform", None) is None:
        if len(targets) != count:
            raise DataError(f"the Dataset has {count} records and {len(targets)} targets.")
        return [_label(label, record) for record, label in enumerate(targets)]
    labels, first = [], ""
    for record in range(count):
        try:
            value = dataset[record][1]
        except Exception as error:  # a decoder may raise anything; it is listed when the record is opened again
            first = first or f"record/{record}: {type(error).__name__}: {error}"
            labels.append(_UNREADABLE)
            continue
        labels.append(_label(value, record))
    if max(labels) == _UNREADABLE:
        raise DataError(f"none of {count} records could be read; the first: {first}.")
    return labels


def _label(value: Any, record: int) -> int:
    try:
        label = operator.index(value)
    except (TypeError, ValueError, RuntimeError):
        raise DataError(f"record/{record}: the label {value!r} is not a whole number 0, 1, 2, …") from None
    if label < 0:
        raise DataError(f"the Dataset has a label {label}: labels are 0, 1, 2, …")
    return label
