"""Where images come from before they are shards: a list of records that workers can open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from evoray.data.transform import as_image
from evoray.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""What torchvision's ImageFolder reads."""


class Source(Protocol):
    """The extension point. Picklable; ``open`` runs on the workers, and may raise anything for a bad record."""

    classes: tuple[str, ...]
    names: list[str]
    labels: list[int]

    def open(self, record: int) -> Image.Image: ...


@dataclass
class FolderSource:
    """A folder a class, at any depth below it; names are paths from the root, in order."""

    root: Path
    classes: tuple[str, ...]
    names: list[str]
    labels: list[int]

    @classmethod
    def scan(cls, root: Path) -> FolderSource:
        if not root.is_dir():
            raise DataError(f"{root}: no such directory. Name an ImageFolder tree: a folder for each class.")
        folders = sorted(path.name for path in root.iterdir() if path.is_dir())
        if not folders:
            raise DataError(f"{root}: no class folders in it. An ImageFolder tree has a folder for each class.")
        names, labels = [], []
        for label, folder in enumerate(folders):
            files = sorted(p for p in (root / folder).rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            names += [path.relative_to(root).as_posix() for path in files]
            labels += [label] * len(files)
        if not names:
            raise DataError(f"{root}: no image files in its {len(folders)} class folders ({', '.join(SUFFIXES)}).")
        return cls(root, tuple(folders), names, labels)

    def open(self, record: int) -> Image.Image:
        with Image.open(self.root / self.names[record]) as image:
            image.load()
            return image


@dataclass
class DatasetSource:
    """A torch ``Dataset`` of (PIL image or uint8 array, label)."""

    dataset: Any
    classes: tuple[str, ...]
    names: list[str]
    labels: list[int]

    @classmethod
    def of(cls, dataset: Any) -> DatasetSource:
        """Labels come from ``dataset.targets`` where there is one, else every record is looked at once."""
        count = len(dataset)
        if count == 0:
            raise DataError("the Dataset is empty.")
        found = getattr(dataset, "targets", None)
        labels = [int(label) for label in (found if found is not None else (dataset[i][1] for i in range(count)))]
        if min(labels) < 0:
            raise DataError(f"the Dataset has a label {min(labels)}: labels are 0, 1, 2, …")
        classes = getattr(dataset, "classes", None) or [str(i) for i in range(max(labels) + 1)]
        if max(labels) >= len(classes):
            raise DataError(f"the Dataset has a label {max(labels)} and {len(classes)} classes.")
        return cls(dataset, tuple(str(c) for c in classes), [f"record/{i}" for i in range(count)], labels)

    def open(self, record: int) -> Image.Image:
        return as_image(self.dataset[record][0], self.names[record])
