"""Any torch ``Dataset``, and a ``Subset`` or ``ConcatDataset`` of one."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from PIL import Image

from evoray.data.transform import as_image, either_end, is_tensor
from evoray.errors import DataError
from evoray.ingest.labels.values import MOST_CLASSES, ONE
from evoray.ingest.sources.base import InPlace
from evoray.runtime.reading import shown

_UNREADABLE = -1
"""The label of a record that raised when it was asked for its label; it is in no shard."""
ASKED_AGAIN = 8
"""Records: a flip by chance shows in one of them, but for 1 in 256."""
_CHANGES = (
    "the Dataset gives another picture each time it is asked for a record, as random transforms do: the shards keep "
    "one draw of each, and the same call makes others. Leave random transforms out where that is not meant"
)


@dataclass
class DatasetSource(InPlace):
    """A torch ``Dataset`` of (PIL image or uint8 array, label)."""

    dataset: Any
    classes: tuple[str, ...]
    names: list[str]
    labels: list[int]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, dataset: Any) -> DatasetSource:
        """Labels come from ``dataset.targets`` where there is one, else every record is looked at once.

        Raises:
            DataError: no length, no record, labels that are not 0, 1, 2, … below the number of classes, or classes that
                are not those of ``class_to_idx``.
        """
        kind, count = type(dataset).__name__, length_of(dataset)
        labels = _labels(dataset, count)
        if max(labels) >= MOST_CLASSES:
            raise DataError(f"the Dataset has a label {max(labels)}: there may be {MOST_CLASSES:,} classes.")
        own = _classes(dataset)
        classes = own or tuple(str(number) for number in range(max(labels) + 1))
        if max(labels) >= len(classes):
            raise DataError(f"the Dataset has a label {max(labels)} and {len(classes)} classes.")
        said = f"the Dataset {kind}, classes {'as it names them' if own else 'by number: it names none'}"
        names = [f"record/{i}" for i in range(count)]
        return cls(dataset, classes, names, labels, (said, *_looked_at(dataset, labels)))

    def open(self, record: int) -> Image.Image:
        value, label = self.dataset[record][:2]
        if _label(label, record) != self.labels[record]:
            raise DataError(
                f"{self.names[record]}: the Dataset gave the labels {self.labels[record]} and {label}. "
                "Its targets must be the labels its records come with, the same every time."
            )
        return as_image(value, self.names[record])


def _looked_at(dataset: Any, labels: Sequence[int]) -> tuple[str, ...]:
    """What is worth saying of the first few records: axes that may be read two ways, and another picture when one is
    asked for again."""
    readable = (record for record, label in enumerate(labels) if label != _UNREADABLE)
    axes: tuple[str, ...] = ()
    for record in islice(readable, ASKED_AGAIN):
        try:
            value, other = (dataset[record][0] for _ in range(2))
            first, again = np.asarray(value), np.asarray(other)
        except Exception:  # a user's code may raise anything; it is listed when the record is opened
            continue
        if not axes and is_tensor(value) and either_end(first.shape):
            axes = (f"tensors of shape {list(first.shape)} are read as [C, H, W], channels first",)
        if first.dtype != object and (first.shape != again.shape or first.tobytes() != again.tobytes()):
            return (*axes, _CHANGES)
    return axes


def length_of(dataset: Any) -> int:
    """Records of a Dataset, one at the least. Raises DataError where it has no length, or none in it."""
    kind = type(dataset).__name__
    try:
        count = len(dataset)
    except TypeError:
        raise DataError(f"{kind} has no length. Give a Dataset with __len__ and [i].") from None
    except Exception as error:  # a user's code may raise anything
        raise DataError(f"{kind}: len() of it raised {shown(f'{type(error).__name__}: {error}')}.") from None
    if count == 0:
        raise DataError("the Dataset is empty.")
    return count


def record_of(dataset: Any, index: int, where: str) -> Any:
    """A record of a Dataset; DataError where it raises."""
    try:
        return dataset[index]
    except Exception as error:  # a user's code may raise anything
        raise DataError(f"{where}: raised {shown(f'{type(error).__name__}: {error}')}.") from None


# Classes


def _classes(dataset: Any) -> tuple[str, ...] | None:
    """Each class's name; None where the Dataset names none. Those of what a Subset or ConcatDataset is made of."""
    parts = _parts(dataset)
    if parts and getattr(dataset, "classes", None) is None:
        found = [_classes(part) for part in parts]
        if len(set(found)) > 1:
            raise DataError(
                "the parts of the ConcatDataset have different classes, so their labels mean different things. "
                "Give each its own ingest, or one numbering."
            )
        return found[0]
    index = getattr(dataset, "class_to_idx", None)
    given = getattr(dataset, "classes", None)
    if given is None or callable(given) or isinstance(given, int):
        return _by_index(index) if isinstance(index, Mapping) and index else None
    if isinstance(given, Mapping):
        return _by_index(given)
    names = [tuple(map(str, one)) if isinstance(one, tuple | list) else (str(one),) for one in given]
    if isinstance(index, Mapping):
        _check_index(names, index)
    return tuple(", ".join(one) for one in names) or None


def _parts(dataset: Any) -> list[Any]:
    """What a Subset or a ConcatDataset is made of."""
    if hasattr(dataset, "indices") and hasattr(dataset, "dataset"):
        return [dataset.dataset]
    inner = getattr(dataset, "datasets", None)
    return list(inner) if isinstance(inner, list | tuple) else []


def _by_index(index: Mapping[Any, Any]) -> tuple[str, ...]:
    """Names from {name: number} or {number: name}."""
    pairs = {number: name for name, number in index.items()} if all(map(_is_whole, index.values())) else dict(index)
    if len(pairs) != len(index) or sorted(map(_number, pairs)) != list(range(len(index))):
        raise DataError(
            f"the Dataset's classes {shown(dict(index), 120)} do not number 0 to {len(index) - 1}, each once."
        )
    return tuple(str(pairs[number]) for number in sorted(pairs))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _number(value: Any) -> int:
    return int(value) if _is_whole(value) else -1


def _check_index(names: Sequence[tuple[str, ...]], index: Mapping[Any, Any]) -> None:
    for name, number in index.items():
        if not (_is_whole(number) and 0 <= number < len(names)) or str(name) not in names[number]:
            listed = names[number] if _is_whole(number) and 0 <= number < len(names) else ("nothing",)
            raise DataError(
                f"the Dataset's class_to_idx says that {shown(name, 60)} is {shown(number, 20)}, where its classes "
                f"have {shown(', '.join(listed), 60)}. Make the two agree."
            )


# Labels


def _labels(dataset: Any, count: int) -> list[int]:
    """One label a record, _UNREADABLE where asking for it raises; a target_transform makes ``targets`` moot."""
    targets = _targets(dataset)
    if targets is not None:
        if len(targets) != count:
            raise DataError(f"the Dataset has {count} records and {len(targets)} targets.")
        if getattr(targets, "ndim", 0) == 1:
            targets = targets.tolist()  # of NumPy or torch, whose own numbers are ten times slower to look at
        return [_label(label, record) for record, label in enumerate(targets)]
    labels, first = [], ""
    for record in range(count):
        try:
            item = dataset[record]
            value = item if isinstance(item, Mapping) else item[1]
        except Exception as error:  # a decoder may raise anything; it is listed when the record is opened again
            first = first or f"record/{record}: {type(error).__name__}: {error}"
            labels.append(_UNREADABLE)
            continue
        if isinstance(value, Mapping) and value is item:
            raise DataError(
                f"record/{record}: a dictionary of {shown(', '.join(map(str, value)), 120)}. Give (image, label)."
            )
        labels.append(_label(value, record))
    if max(labels) == _UNREADABLE:
        raise DataError(f"none of {count} records could be read; the first: {shown(first)}.")
    return labels


def _targets(dataset: Any) -> Any:
    """``targets`` of a Dataset, or of what a Subset or ConcatDataset is made of; None where records must be asked."""
    if getattr(dataset, "target_transform", None) is not None:
        return None
    if (own := getattr(dataset, "targets", None)) is not None:
        return own
    found = [_targets(part) for part in _parts(dataset)]
    if not found or any(one is None for one in found):
        return None
    if hasattr(dataset, "indices"):
        return [found[0][int(index)] for index in dataset.indices]
    return [label for one in found for label in one]


def _label(value: Any, record: int) -> int:
    if type(value) is int and value >= 0:
        return value
    shape = tuple(getattr(value, "shape", ()))
    kind = str(getattr(value, "dtype", type(value).__name__))
    if isinstance(value, list | tuple | set | frozenset | dict) or (shape and int(np.prod(shape)) != 1):
        what = f"a {kind} of shape {shape}" if shape else f"the {kind} {shown(value, 60)}"
        raise DataError(f"record/{record}: the label is {what}: one-hot, or several labels. {ONE}: 0, 1, 2, …")
    if isinstance(value, float) or "float" in kind:
        raise DataError(
            f"record/{record}: the label {shown(value, 60)} is not a whole number 0, 1, 2, … but a {kind}, as in "
            "regression. Give it as an integer where it is a class."
        )
    try:
        label = int(value) if kind == "bool" else operator.index(value.item() if shape else value)
    except (TypeError, ValueError, RuntimeError):
        raise DataError(
            f"record/{record}: the label {shown(repr(value), 60)} is not a whole number 0, 1, 2, …"
        ) from None
    if label < 0:
        raise DataError(f"the Dataset has a label {label}: labels are 0, 1, 2, …")
    return label
