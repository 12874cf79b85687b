"""WebDataset tars: the members ``key.jpg`` and ``key.cls`` (or ``key.json``) are one record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from evoray.errors import DataError
from evoray.ingest.sources.base import SUFFIXES, SlicedSource, class_index, expand
from evoray.ingest.sources.tars import TarEntry, members, read_member

LABELS = ("cls", "cls.txt", "json")
KEYS = ("label", "cls", "class", "class_name")
"""Where a .json has its label, the first of them that is there."""


@dataclass
class _Record:
    key: str
    parts: dict[str, TarEntry] = field(default_factory=dict)

    def image(self) -> TarEntry | None:
        return next((part for kind, part in self.parts.items() if f".{kind}".endswith(SUFFIXES)), None)

    def label(self) -> TarEntry | None:
        return next((self.parts[kind] for kind in LABELS if kind in self.parts), None)


def open_webdataset(pattern: str) -> SlicedSource:
    """One tar, a folder of them, or a pattern; numbers are labels as they are, names are sorted."""
    files = expand(pattern, ".tar")
    if not files:
        raise DataError(f"{pattern}: no .tar files. Name a WebDataset's tars.")
    which, found, texts = [], [], []
    for number, path in enumerate(files):
        for record in _records(path):
            image, label = record.image(), record.label()
            if image is None:
                continue
            if label is None:
                raise DataError(f"{path}: {image.name} has no label beside it ({', '.join(LABELS)}).")
            which.append(number)
            found.append(TarEntry(f"{path.name}/{image.name}", image.offset, image.size))
            texts.append(_text(path, label))
    if not found:
        raise DataError(f"{pattern}: no images in its tars ({', '.join(SUFFIXES)}).")
    classes, index = class_index(texts)
    return SlicedSource(
        files=tuple(str(path.absolute()) for path in files),
        which=np.array(which, np.int32),
        offsets=np.array([member.offset for member in found], np.int64),
        sizes=np.array([member.size for member in found], np.int64),
        classes=classes,
        names=[member.name for member in found],
        labels=[index[text] for text in texts],
    )


def _records(path: Path) -> Iterator[_Record]:
    """Neighbours of one key, which is the name up to the first dot after the last slash."""
    current: _Record | None = None
    for member in members(path):
        folder, slash, base = member.name.rpartition("/")
        stem, _, kind = base.partition(".")
        key = f"{folder}{slash}{stem}"
        if current is None or current.key != key:
            if current is not None:
                yield current
            current = _Record(key)
        current.parts[kind.lower()] = member
    if current is not None:
        yield current


def _text(path: Path, label: TarEntry) -> str:
    content = read_member(path, label)
    try:
        text = content.decode().strip()
        if label.name.endswith(".json"):
            described: dict[str, Any] = json.loads(text)
            text = str(next(described[key] for key in KEYS if key in described))
    except (ValueError, StopIteration, TypeError):
        text = ""
    if not text:
        raise DataError(f"{path}: {label.name} holds no label ({content[:40]!r}).")
    return text
