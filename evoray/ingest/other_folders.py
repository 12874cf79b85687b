"""Lines of a list that name files of another folder: ``test/0.png`` where the images are those of ``train``."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evoray.errors import DataError
from evoray.ingest.labels.filenames import FileNames
from evoray.ingest.labels.taken import Listed
from evoray.runtime.reading import shown

_WORDS = {
    **dict.fromkeys(("train", "training", "trn", "trainset"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "valset"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "testset"), "test"),
}
_BESIDE = re.compile(r"(?:images?|imgs?|jpe?gs?|pics|pictures|data|set|[\W_\d]+)", re.IGNORECASE)
"""What stands beside a split in a folder's name: ``train_images``."""
LOOKED_AT = 200
"""Lines whose file is looked for where the list says."""


@dataclass(frozen=True)
class _Path:
    """A line's path beside that of the file it names. same: folders, from the last, that are the same ones."""

    row: int
    file: int
    folders: list[str]
    same: int
    deep: int
    """Folders below the root that the file is in."""

    @property
    def own(self) -> bool:
        """Whether it names the root's folder too."""
        return self.same > self.deep

    @property
    def left(self) -> list[str]:
        return self.folders[: len(self.folders) - self.same]


def of_others(root: Path, listing: Path, found: Listed, names: FileNames) -> tuple[frozenset[int], list[int]]:
    """Rows that name files of other folders, because another line names this folder's file by its path.

    Returns:
        Those rows, and others whose folders have another name than the root though nothing speaks against it.

    Raises:
        DataError: a path that says train where the root says test, or whose file is there, elsewhere.
    """
    paths = _paths(root, found, names)
    best: dict[int, int] = {}
    for path in paths:
        if path.own:
            best[path.file] = max(best.get(path.file, 0), path.same)
    others = frozenset(path.row for path in paths if path.same < best.get(path.file, 0))
    kept = [path for path in paths if path.row not in others and path.left]
    elsewhere = [path for path in kept if not path.own]
    of_root = _splits(Path(os.path.abspath(root)).parts[-2:])
    wrong = [path for path in kept if of_root and (own := _splits(path.left[-2:])) and not own & of_root]
    wrong = wrong or [one for one in elsewhere[:LOOKED_AT] if _is_elsewhere(root, listing, found, names, one)]
    if wrong:
        line, name, _ = found.rows[wrong[0].row]
        raise DataError(
            f"{shown(listing)}, {found.place} {line}: {shown(name, 80)} is a file of another folder than the images, "
            f"which are those of {shown(root)}. Name that folder, or this one's own list; where the same files are "
            "meant, write their names without folders."
        )
    return others, [path.row for path in elsewhere]


def of_which_split(root: Path, listing: Path, asked: bool, found: Listed, names: FileNames) -> tuple[str, ...]:
    """What is to be said of a list beside ``train`` and ``test`` whose names without folders are files of both.

    asked: whether the user named the list.

    Raises:
        DataError: nobody named it, and its own name does not say whose labels it has.
    """
    own, says = _splits([root.name]), _said(listing.name)
    if not own or not found.by_name or says & own:
        return ()
    if asked:
        what = (
            f"the labels of {shown(listing.name, 60)} are taken for the images of {shown(root.name, 60)}, as was asked"
        )
        return (what,) if says else ()
    bare = [name for _, name, _ in found.rows[:LOOKED_AT] if "/" not in name and "\\" not in name]
    files = [names.files[number] for name in bare for number in names.resolve(name)[0][:1]]
    for other in sorted(root.parent.iterdir()) if listing.parent == root.parent else ():
        if (of := _splits([other.name])) and not of & own and (both := _in_both(other, files)):
            raise DataError(
                f"{shown(listing)}: lies beside {shown(root.name, 60)} and {shown(other.name, 60)}, which both hold "
                f"{shown(both, 60)}, and does not say whose labels it has. Where they are those of {shown(root)}, name "
                "the list with --labels."
            )
    return ()


def _in_both(other: Path, files: Sequence[str]) -> str | None:
    return next((file for file in files if (other / file).is_file()), None)


def _said(name: str) -> set[str]:
    """Which of train, val and test a list is called: ``train_labels.csv``."""
    return {_WORDS[word] for word in re.findall("[a-z]+", name.lower()) if word in _WORDS}


def _paths(root: Path, found: Listed, names: FileNames) -> list[_Path]:
    above = [part.casefold() for part in Path(os.path.abspath(root)).parts]
    paths = []
    for row, (_, name, _) in enumerate(found.rows):
        if "/" not in name and "\\" not in name:
            continue
        folders = [part for part in re.split(r"[/\\]", name)[:-1] if part not in ("", ".")]
        numbers = names.resolve(name)[0]
        if folders and len(numbers) == 1:
            below = names.files[numbers[0]].casefold().split("/")[:-1]
            same = _same(folders, [*above, *below])
            paths.append(_Path(row, numbers[0], folders, same, len(below)))
    return paths


def _same(folders: Sequence[str], others: Sequence[str]) -> int:
    pairs = zip(reversed(folders), reversed(others), strict=False)
    return next((at for at, (one, two) in enumerate(pairs) if one.casefold() != two), min(len(folders), len(others)))


def _splits(folders: Sequence[str]) -> set[str]:
    """Which of train, val and test folders are called: ``Train``, ``test_images``."""
    words = {_BESIDE.sub("", name.casefold()) for name in folders} | {name.casefold() for name in folders}
    return {_WORDS[word] for word in words if word in _WORDS}


def _is_elsewhere(root: Path, listing: Path, found: Listed, names: FileNames, path: _Path) -> bool:
    """Whether the list's file is there under its own path, from the list's folder or the root's, and not the one."""
    name = found.rows[path.row][1].replace("\\", "/")
    own = root / names.files[path.file]
    for folder in (listing.parent, root.parent):
        try:
            if (folder / name).is_file() and not os.path.samefile(folder / name, own):
                return True
        except (OSError, ValueError):
            continue
    return False
