"""A flat folder of images with a list of their labels, or with the devkit, as ImageNet's validation set comes."""

from __future__ import annotations

import re
from pathlib import Path

from evoray.errors import DataError
from evoray.ingest.sources.base import SUFFIXES, check_text, class_index
from evoray.ingest.sources.devkit import DEVKIT, GROUND_TRUTH, find_devkit, read_devkit
from evoray.ingest.sources.folder import FolderSource

LISTS = (
    GROUND_TRUTH,
    "val.txt",
    "labels.txt",
    "synsets.txt",
    "imagenet_2012_validation_synset_labels.txt",
    "LOC_val_solution.csv",
)


def scan_flat(root: Path, labels: Path | None) -> FolderSource:
    """Labels from a list: lines of ``file label``, or one label a line in the order of the sorted names.

    A label is a synset or any other name, a number from 0, or (in the devkit's ground truth) a devkit id.

    Args:
        labels: the list, or the devkit with its ground truth; None looks for either in the folder and beside it.

    Raises:
        DataError: no list, an image without a label, or as many labels as images where they go by order.
    """
    files = sorted(path.name for path in root.iterdir() if path.name.lower().endswith(SUFFIXES))
    for name in files:
        check_text(root, name)
    listing = labels or _find(root)
    synsets: dict[int, str] | None = None
    if listing.is_dir() or listing.name.endswith(".tar.gz"):
        rows, synsets = _ground_truth(listing)
    else:
        rows = _rows(listing)
        if listing.name == GROUND_TRUTH:
            synsets = read_devkit(find_devkit(root, listing)).synsets
    if all(len(row) == 1 for row in rows):
        if len(rows) != len(files):
            raise DataError(f"{listing}: {len(rows)} labels for the {len(files)} images of {root}. Give its own list.")
        own = [row[0] for row in rows]
        known = set(own)
    else:
        own, known = _by_name(listing, rows, root, files)
    if synsets is not None:
        own, known = [_synset(listing, one, synsets) for one in own], set(synsets.values())
    classes, index = class_index(known)
    return FolderSource(root, classes, files, [index[one] for one in own])


def _find(root: Path) -> Path:
    for folder in (root, root.parent):
        for name in (*LISTS, f"{DEVKIT}.tar.gz", DEVKIT):
            if (folder / name).exists():
                return folder / name
    raise DataError(
        f"{root}: images without class folders, and no list of their labels ({', '.join(LISTS)}) nor the devkit "
        f"({DEVKIT}.tar.gz) in it or beside it. Name one with --labels."
    )


def _ground_truth(devkit: Path) -> tuple[list[list[str]], dict[int, str]]:
    """Rows of one devkit id an image, and the synset of each id."""
    found = read_devkit(devkit)
    if not found.validation:
        raise DataError(f"{devkit}: no {GROUND_TRUTH} in it. Take the whole {DEVKIT}.tar.gz, or name a list of labels.")
    return [[str(one)] for one in found.validation], found.synsets


def _rows(listing: Path) -> list[list[str]]:
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{listing}: cannot be read ({error}). Name a list of labels with --labels.") from None
    rows = [re.split(r"[,\s]+", line.strip()) for line in lines if line.strip() and not line.startswith("ImageId,")]
    if not rows:
        raise DataError(f"{listing}: empty. It has a line for each image: its label, or its file and its label.")
    return rows


def _by_name(listing: Path, rows: list[list[str]], root: Path, files: list[str]) -> tuple[list[str], set[str]]:
    """Each file's label; the list may name files by path, and without their suffix (as Kaggle's does)."""
    given: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        if len(row) < 2:
            raise DataError(f"{listing}, line {number}: {row[0]!r} has no label. Every line is a file and its label.")
        name = row[0].rpartition("/")[2]
        if given.setdefault(name, row[1]) != row[1]:
            raise DataError(f"{listing}, line {number}: {name} has two labels, {given[name]} and {row[1]}.")
    missing = [name for name in files if name not in given and name.rpartition(".")[0] not in given]
    if missing:
        raise DataError(f"{listing}: no label for {missing[0]} and {len(missing) - 1} more images of {root}.")
    return [given.get(name, given.get(name.rpartition(".")[0], "")) for name in files], set(given.values())


def _synset(listing: Path, identifier: str, synsets: dict[int, str]) -> str:
    if not identifier.isdecimal() or int(identifier) not in synsets:
        raise DataError(f"{listing}: {identifier!r} is no id of the devkit's {len(synsets)} synsets.")
    return synsets[int(identifier)]
