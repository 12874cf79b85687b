"""An ImageFolder tree: a folder a class."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evoray.errors import DataError
from evoray.ingest.labels.columns import listed, plain
from evoray.ingest.labels.values import alike
from evoray.ingest.masks import ANNOTATIONS, PICTURES, annotated_folders, refuse_masks
from evoray.ingest.names import SUFFIXES, is_aside_folder, is_image
from evoray.ingest.partitions import values_of
from evoray.ingest.sources.base import InPlace, check_folder, check_text, state_of
from evoray.ingest.sources.files import read_inside
from evoray.ingest.sources.tree import Walked, walk
from evoray.ingest.sources.tree_splits import NONE, TreeSplits, class_parents, find_splits, refuse, same_below, take
from evoray.runtime.reading import shown


@dataclass
class FolderSource(InPlace):
    """Images at any depth below their class's folder; names are paths from the root, in order."""

    root: Path
    classes: tuple[str, ...]
    names: list[str]
    labels: list[int]
    notes: tuple[str, ...] = ()
    follow: bool = False
    """Whether links out of the tree are opened."""

    @classmethod
    def scan(cls, root: Path, follow: bool = False, split: str | None = None) -> FolderSource:
        """The classes are the folders, sorted as ImageFolder sorts them; one without images keeps its place.

        Args:
            follow: whether links out of the tree are opened.
            split: which splits of a tree that has several: names with commas between, ``all``, or ``none``.

        Raises:
            DataError: nothing to read, or a tree that means something else: splits, one folder too many, links.
        """
        check_folder(root, " Name an ImageFolder tree: a folder for each class.")
        walked = walk(root, follow)
        names = [name for name in walked.files if "/" in name]
        for name in (*walked.folders, *names):
            check_text(root, name)
        _check(root, walked, names)
        beside = len(walked.files) - len(names)
        folders, names, own, notes = _of_splits(root, walked, names, split)
        label = {folder: number for number, folder in enumerate(folders)}
        labels = [label[folder] for folder in own]
        notes = (*_notes(walked, folders, labels, beside), *notes)
        return cls(root, _classes(root, folders), names, labels, notes, follow)

    def open(self, record: int) -> bytes:
        return read_inside(self.root, self.names[record], self.follow)

    def state(self, records: Iterable[int]) -> str:
        return state_of(os.path.join(self.root, self.names[record]) for record in records)


def _of_splits(
    root: Path, walked: Walked, names: list[str], asked: str | None
) -> tuple[list[str], list[str], list[str], tuple[str, ...]]:
    """The class folders, the images, the class folder of each, and what was left out.

    Raises:
        DataError: a tree of several splits, and nobody said which.
    """
    _refuse_one_folder(root, walked.folders, names)
    if asked != NONE:
        _refuse_annotated(root, walked.folders)
    splits = (find_splits(walked.folders, names) or _annotated(names)) if asked != NONE else None
    if splits is None:
        if asked not in (None, NONE):
            raise DataError(f"{shown(root)}: no splits in it, train and test or the like. Leave --split out.")
        if asked is None:
            refuse_masks(root, names)
        return walked.folders, names, _tops(names), ()
    if asked is None:
        raise refuse(root, splits)
    return _taken(root, walked, names, splits, take(root, splits, asked))


def _taken(
    root: Path, walked: Walked, names: list[str], splits: TreeSplits, chosen: frozenset[str] | None
) -> tuple[list[str], list[str], list[str], tuple[str, ...]]:
    wanted = chosen if chosen is not None else frozenset(splits.folders)
    said = [f"splits taken: {listed(sorted(wanted))}"]
    if splits.above:
        folders, kept, own, deeper = _in_splits(root, walked, names, class_parents(root, splits, sorted(wanted), names))
        said += [f"the class folders are those in {listed(deeper, 4)}"] if deeper else []
    else:
        unwanted = frozenset(splits.folders) - wanted
        within = {name: set(name.split("/")[1:-1]) for name in names}
        meant = {name: not own & unwanted if splits.annotated else bool(own & wanted) for name, own in within.items()}
        kept = names if chosen is None else [name for name in names if meant[name]]
        folders, own = walked.folders, _tops(kept)
    if not kept:
        raise DataError(f"{shown(root)}: no images in class folders below {listed(sorted(wanted))}. Name others.")
    if left := len(names) - len(kept):
        said[0] += f"; {left} images of others are left out"
    return folders, kept, own, tuple(said)


def _in_splits(
    root: Path, walked: Walked, names: list[str], parents: Mapping[str, str]
) -> tuple[list[str], list[str], list[str], list[str]]:
    """The class folders in each split's own folder, the images in them with their class folders, and which are deeper.

    parents: as ``class_parents`` gives them.
    """
    kept, own = [], []
    for name in names:
        parent = parents.get(name.partition("/")[0])
        inside = name.removeprefix(f"{parent}/") if parent is not None else name
        if inside != name and "/" in inside:
            kept.append(name)
            own.append(inside.partition("/")[0])
    folders = {path.partition("/")[2] for path in walked.seconds if (top := path.partition("/")[0]) == parents.get(top)}
    deeper = sorted(parent for top, parent in parents.items() if parent != top)
    for parent in deeper:
        with os.scandir(root / parent) as entries:
            found = {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}
        folders |= {folder for folder in found if not is_aside_folder(folder)}
    return sorted(folders | set(own)), kept, own, deeper


def _tops(names: Sequence[str]) -> list[str]:
    return [name.partition("/")[0] for name in names]


def _check(root: Path, walked: Walked, names: Sequence[str]) -> None:
    lost = [link for link in walked.out if "/" not in link and not is_image(link)]
    if lost:
        raise DataError(
            f"{shown(root)}: its folders {listed(lost, 3)} are links that leave the tree, which "
            "are not opened unasked. Say --follow-links, or name the folder with the real ones."
        )
    if not walked.folders:
        holds = listed(sorted(os.listdir(root)), 4) or "nothing"
        raise DataError(
            f"{shown(root)}: no class folders in it. An ImageFolder tree has a folder for each class; this one holds "
            f"{holds}. What else can be read by a torch Dataset: package.module:function"
        )
    if not names:
        left = "".join(f" {note}." for note in walked.notes())
        raise DataError(
            f"{shown(root)}: no image files in its {len(walked.folders)} class folders ({', '.join(SUFFIXES)}).{left}"
        )


def _refuse_one_folder(root: Path, folders: Sequence[str], names: Sequence[str]) -> None:
    """``archive`` is no class in ``archive/cat`` with ``archive/dog``, nor is it in ``archive/set/cat``."""
    if len(folders) != 1:
        return
    within = {name.rpartition("/")[0] for name in names}
    only = os.path.commonpath(within)
    below = {path.removeprefix(only).lstrip("/").partition("/")[0] for path in within}
    if len(below) > 1 and "" not in below:
        raise DataError(
            f"{shown(root)}: holds one folder, {shown(only, 60)}, and the folders in that seem to be the classes "
            f"({listed(sorted(below), 3)}). Name it: {shown(root / only)}"
        )


def _refuse_annotated(root: Path, folders: Sequence[str]) -> None:
    """``images`` beside ``masks`` or ``labels``: pictures and what is said of them, and no classes."""
    called = {folder: plain(folder) for folder in folders}
    pictures = [folder for folder, name in called.items() if name in PICTURES]
    beside = [folder for folder, name in called.items() if name in ANNOTATIONS]
    if pictures and beside and len(pictures) + len(beside) == len(folders):
        raise DataError(
            f"{shown(root)}: {listed(pictures, 2)} beside {listed(beside, 3)} are pictures and their annotations, no "
            f"class folders. Name {shown(root / pictures[0])} and a list with --labels; --split {NONE} where they are "
            "classes."
        )


def _annotated(names: Sequence[str]) -> TreeSplits | None:
    """``cat/images`` beside ``cat/masks``, one of which is meant."""
    folders = annotated_folders(names)
    return TreeSplits(folders, above=False, annotated=True) if folders else None


def _classes(root: Path, folders: Sequence[str]) -> tuple[str, ...]:
    """Names as Unicode composes them (NFC); where they stand is where ImageFolder has them, by the files' own names."""
    classes = tuple(unicodedata.normalize("NFC", name) for name in values_of(folders) or folders)
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
    if same := same_below(walked.files):
        notes.append(f"all class folders hold folders of the same names ({listed(same, 4)}), whose images are taken")
    if (values := values_of(folders)) is not None:
        notes.append(f"folders that say a column's value: {shown(folders[0], 60)} is the class {shown(values[0], 60)}")
    notes += alike(folders)
    if beside:
        notes.append(f"{beside} images beside the class folders are left aside")
    if all(folder.isdecimal() for folder in folders) and list(folders) != sorted(folders, key=int):
        notes.append(f"folders that are numbers are sorted as words, as ImageFolder does it: {listed(folders, 4)}")
    full = set(labels)
    empty = [folder for label, folder in enumerate(folders) if label not in full]
    if empty:
        notes.append(f"{len(empty)} class folders without images keep their places as classes: {listed(empty, 3)}")
    return tuple(notes)
