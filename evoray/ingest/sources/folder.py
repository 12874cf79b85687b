"""An ImageFolder tree: a folder a class."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from evoray.errors import DataError
from evoray.ingest.sources.base import SUFFIXES, check_text


@dataclass
class FolderSource:
    """Images at any depth below their class's folder; names are paths from the root, in order."""

    root: Path
    classes: tuple[str, ...]
    names: list[str]
    labels: list[int]

    @classmethod
    def scan(cls, root: Path) -> FolderSource:
        """Links to folders are followed, as ImageFolder does; raises DataError where there is nothing to read."""
        if not root.is_dir():
            what = "not a directory" if root.exists() else "no such directory"
            raise DataError(f"{root}: {what}. Name an ImageFolder tree: a folder for each class.")
        folders = sorted(path.name for path in root.iterdir() if path.is_dir())
        if not folders:
            raise DataError(f"{root}: no class folders in it. An ImageFolder tree has a folder for each class.")
        names, labels = [], []
        for label, folder in enumerate(folders):
            files = image_files(root / folder)
            names += [path.relative_to(root).as_posix() for path in files]
            labels += [label] * len(files)
        if not names:
            raise DataError(f"{root}: no image files in its {len(folders)} class folders ({', '.join(SUFFIXES)}).")
        for name in (*folders, *names):
            check_text(root, name)
        return cls(root, tuple(folders), names, labels)

    def open(self, record: int) -> bytes:
        return (self.root / self.names[record]).read_bytes()

    def prepare(self, directory: Path) -> None:
        """Nothing: the files are read where they are."""


def image_files(folder: Path) -> list[Path]:
    """Every image file at any depth, in order."""

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}). Allow it, or move it away.") from None

    found = os.walk(folder, onerror=refuse, followlinks=True)
    return sorted(Path(at) / name for at, _, files in found for name in files if name.lower().endswith(SUFFIXES))
