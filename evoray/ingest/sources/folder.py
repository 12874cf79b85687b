"""An ImageFolder tree: a folder a class."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evoray.errors import DataError
from evoray.ingest.labels.columns import listed
from evoray.ingest.names import SUFFIXES, is_image
from evoray.ingest.sources.base import check_text
from evoray.ingest.sources.files import read_inside
from evoray.ingest.sources.splits import SPLITS
from evoray.ingest.sources.tree import Walked, walk
from evoray.runtime.reading import shown


@dataclass
class FolderSource:
    """Images at any depth below their class's folder; names are paths from the root, in order."""

    root: Path
    classes: tuple[str, ...]
    names: list[str]
    labels: list[int]
    notes: tuple[str, ...] = ()
    follow: bool = False
    """Whether links out of the tree are opened."""

    @classmethod
    def scan(cls, root: Path, follow: bool = False) -> FolderSource:
        """The classes are the folders, sorted as ImageFolder sorts them; one without images keeps its place.

        Args:
            follow: whether links out of the tree are opened.

        Raises:
            DataError: nothing to read, or a tree that means something else: splits, one folder too many, links.
        """
        if not root.is_dir():
            what = "not a directory" if root.exists() else "no such directory"
            raise DataError(f"{shown(root)}: {what}. Name an ImageFolder tree: a folder for each class.")
        walked = walk(root, follow)
        folders, names = walked.folders, [name for name in walked.files if "/" in name]
        for name in (*folders, *names):
            check_text(root, name)
        _check(root, walked, names)
        label = {folder: number for number, folder in enumerate(folders)}
        labels = [label[name.partition("/")[0]] for name in names]
        beside = len(walked.files) - len(names)
        return cls(root, _classes(root, folders), names, labels, _notes(walked, folders, labels, beside), follow)

    def open(self, record: int) -> bytes:
        return read_inside(self.root, self.names[record], self.follow)

    def prepare(self, directory: Path) -> None:
        """Nothing: the files are read where they are."""


def _check(root: Path, walked: Walked, names: Sequence[str]) -> None:
    lost = [link for link in walked.out if "/" not in link and not is_image(link)]
    if lost:
        raise DataError(
            f"{shown(root)}: its folders {listed(lost, 3)} are links that leave the tree, which "
            "are not opened unasked. Say --follow-links, or name the folder with the real ones."
        )
    if not walked.folders:
        raise DataError(f"{shown(root)}: no class folders in it. An ImageFolder tree has a folder for each class.")
    if not names:
        left = "".join(f" {note}." for note in walked.notes())
        raise DataError(
            f"{shown(root)}: no image files in its {len(walked.folders)} class folders ({', '.join(SUFFIXES)}).{left}"
        )
    _refuse_splits(root, walked.folders, names)


def _refuse_splits(root: Path, folders: Sequence[str], names: Sequence[str]) -> None:
    """``train/cat`` with ``val/cat`` are no classes, nor is ``archive`` in ``archive/cat`` with ``archive/dog``."""
    below: dict[str, set[str]] = defaultdict(set)
    direct = set()
    for name in names:
        folder, *rest = name.split("/")
        if len(rest) == 1:
            direct.add(folder)
        else:
            below[folder].add(rest[0])
    splits = [folder for folder in folders if folder.casefold() in SPLITS]
    shared = {name for a in splits for b in splits if a < b for name in below[a] & below[b]}
    if len(splits) > 1 and (shared or len(splits) == len(folders)):
        raise DataError(
            f"{shown(root)}: the folders {listed(splits)} are splits of one set, not classes. "
            f"Name one: {shown(root / splits[0])}"
        )
    if len(folders) == 1 and folders[0] not in direct and len(below[folders[0]]) > 1:
        raise DataError(
            f"{shown(root)}: holds one folder, {shown(folders[0], 60)}, and the folders in that seem to be the classes "
            f"({listed(sorted(below[folders[0]]), 3)}). Name it: {shown(root / folders[0])}"
        )


def _classes(root: Path, folders: Sequence[str]) -> tuple[str, ...]:
    """Names as Unicode composes them (NFC); where they stand is where ImageFolder has them, by the files' own names."""
    classes = tuple(unicodedata.normalize("NFC", folder) for folder in folders)
    first: dict[str, str] = {}
    for name, folder in zip(classes, folders, strict=True):
        if name in first:
            raise DataError(
                f"{shown(root)}: two folders are called {shown(name, 60)}, one with composed letters (NFC) and one "
                "with letters and accents apart (NFD). They are one class: move the images into one folder."
            )
        first[name] = folder
    return classes


def _notes(walked: Walked, folders: Sequence[str], labels: Sequence[int], beside: int) -> tuple[str, ...]:
    notes = ["class folders, sorted as ImageFolder sorts them", *walked.notes()]
    if beside:
        notes.append(f"{beside} images beside the class folders are left aside")
    if all(folder.isdecimal() for folder in folders) and list(folders) != sorted(folders, key=int):
        notes.append(f"folders that are numbers are sorted as words, as ImageFolder does it: {listed(folders, 4)}")
    full = set(labels)
    empty = [folder for label, folder in enumerate(folders) if label not in full]
    if empty:
        notes.append(f"{len(empty)} class folders without images keep their places as classes: {listed(empty, 3)}")
    return tuple(notes)
