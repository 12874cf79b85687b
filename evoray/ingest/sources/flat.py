"""A flat folder of images with a list of their labels, or with the devkit, as ImageNet's validation set comes."""

import re
from collections.abc import Sequence
from pathlib import Path

from evoray.errors import DataError
from evoray.ingest.labels.codes import restored
from evoray.ingest.labels.columns import Asked, listed
from evoray.ingest.labels.filenames import FileNames
from evoray.ingest.labels.lists import read_list
from evoray.ingest.labels.table import REMEDY
from evoray.ingest.labels.taken import Entry, Listed
from evoray.ingest.labels.values import Labels, class_index, label_text, labelled
from evoray.ingest.other_folders import of_others, of_which_split
from evoray.ingest.sources.base import check_folder, check_text
from evoray.ingest.sources.devkit import DEVKIT, GROUND_TRUTH, find_devkit, read_devkit
from evoray.ingest.sources.folder import FolderSource
from evoray.ingest.sources.tree import walk
from evoray.runtime.reading import shown

LISTS = (
    GROUND_TRUTH,
    "val.txt",
    "labels.txt",
    "synsets.txt",
    "imagenet_2012_validation_synset_labels.txt",
    "LOC_val_solution.csv",
    "labels.csv",
    "labels.tsv",
    "metadata.csv",
    "metadata.jsonl",
    "labels.jsonl",
    "labels.json",
)
TABLES = (".csv", ".tsv", ".jsonl", ".txt", ".json")
"""Kinds of lists; the first three are nothing else, mostly."""


def scan_flat(root: Path, labels: Path | None, asked: Asked | None = None) -> FolderSource:
    """Labels from a list: a table, lines of ``file label``, or one label a line in the order of the sorted names.

    A label is a synset or any other name, a number from 0, or (in the devkit's ground truth) a devkit id.

    Args:
        labels: the list, or the devkit with its ground truth; None looks for either in the folder and beside it.
        asked: which columns count.

    Raises:
        DataError: no list, an image without a label, two labels for one image, or another number of labels than of
            images where they go by order.
    """
    asked = asked or Asked()
    files, notes = images_of(root, asked.follow_links)
    listing = labels or _find(root)
    if listing.is_dir() or listing.name.endswith(".tar.gz") or listing.name == GROUND_TRUTH:
        classes, own, how = _of_devkit(root, listing, files)
        return FolderSource(root, classes, files, own, (how, *notes), asked.follow_links)
    names = FileNames(files)
    found = read_list(listing, names, asked)
    of, near = (
        _by_name(root, listing, found, names, asked.listed_only)
        if found.by_name
        else (_by_order(root, listing, found, files), ())
    )
    whose = of_which_split(root, listing, labels is not None, found, names)
    known = _known(root, listing, found, names, asked)
    notes = (*found.notes, *whose, *near, *_absent(found, of), *known.notes, *notes)
    return FolderSource(
        root, known.classes, [files[number] for number in sorted(of)],
        [known.indices[of[number]] for number in sorted(of)], notes, asked.follow_links,
    )  # fmt: skip


def _known(root: Path, listing: Path, found: Listed, names: FileNames, asked: Asked) -> Labels:
    """The classes of all lines, those that ``--only`` leaves out with them: train and test have the same ones."""
    rows = [*found.rows, *(entry for entry in found.aside if entry[2])]

    def where(row: int) -> str:
        return _line(listing, found, rows[row][0])

    values = [label_text(value, where(row)) for row, (_, _, value) in enumerate(rows)]
    folders = dict.fromkeys((listing.parent, root, root.parent))
    codes = None if asked.as_classes else restored(values, lambda: _paths(found, rows, names), folders)
    if codes is None:
        return labelled(values, where, found.column, asked.as_classes, found.null)
    classes = tuple(sorted({*codes.values, *codes.more}))
    index = {name: label for label, name in enumerate(classes)}
    return Labels(classes, [index[code] for code in codes.values], (codes.note,))


def _paths(found: Listed, rows: Sequence[Entry], names: FileNames) -> list[str]:
    """Of each row's image: as the list has it where that names folders, else from the root."""
    if not found.by_name:
        return list(names.files)
    if not any("/" in file for file in names.files):
        return [name.replace("\\", "/") for _, name, _ in rows]
    paths = []
    for _, name, _ in rows:
        numbers = [] if "/" in name or "\\" in name else names.resolve(name)[0]
        paths.append(names.files[numbers[0]] if len(numbers) == 1 else name.replace("\\", "/"))
    return paths


def images_of(root: Path, follow: bool) -> tuple[list[str], tuple[str, ...]]:
    """The images in the folder itself, and what was left aside; where there are none, those in all folders below it."""
    check_folder(root, " Name a folder of images.")
    walked = walk(root, follow)
    files = [name for name in walked.files if "/" not in name] or walked.files
    for name in files:
        check_text(root, name)
    left = len(walked.files) - len(files)
    deeper = (f"{left} images in folders below are left aside",) if left else ()
    return files, (*walked.notes(), *deeper)


def _find(root: Path) -> Path:
    for folder in (root, root.parent):
        for name in (*LISTS, f"{DEVKIT}.tar.gz", DEVKIT):
            if (folder / name).exists():
                return folder / name
    perhaps = f", perhaps {listed(tables, 3)}" if (tables := [*_tables(root), *_tables(root.parent)]) else ""
    raise DataError(
        f"{shown(root)}: images without class folders, and no list of their labels ({', '.join(LISTS)}) nor the devkit "
        f"({DEVKIT}.tar.gz) in it or beside it. Name one with --labels{perhaps}."
    )


def _tables(folder: Path) -> list[str]:
    """What could be a list, for a message."""
    try:
        return sorted(str(path) for path in folder.iterdir() if path.name.lower().endswith(TABLES) and path.is_file())
    except OSError:
        return []


def _line(listing: Path, found: Listed, line: int) -> str:
    return f"{shown(listing)}, {found.place} {line}"


def _by_order(root: Path, listing: Path, found: Listed, files: Sequence[str]) -> dict[int, int]:
    """File -> row."""
    if len(found.rows) != len(files):
        raise DataError(
            f"{shown(listing)}: {len(found.rows)} labels for the {len(files)} images of {shown(root)}. "
            "Give its own list, or one that names the files."
        )
    _refuse_open_order(listing, found, files)
    return {number: number for number in range(len(files))}


def _refuse_open_order(listing: Path, found: Listed, files: Sequence[str]) -> None:
    """``10.png`` is before ``2.png`` as words are sorted, and after it as numbers: the labels must say the same."""
    labels = [label for _, _, label in found.rows]
    for row, number in enumerate(sorted(range(len(files)), key=lambda at: _as_numbers(files[at]))):
        if labels[row] != labels[number]:
            raise DataError(
                f"{shown(listing)}: a label a line, and the files' order is open: the {row + 1}. is "
                f"{shown(files[row], 60)} as words are sorted and {shown(files[number], 60)} by number. {REMEDY}."
            )


def _as_numbers(name: str) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", name)
    return [(int(part[:4000]), "") if at % 2 else (0, part) for at, part in enumerate(parts)]


def _by_name(
    root: Path, listing: Path, found: Listed, names: FileNames, listed_only: bool = False
) -> tuple[dict[int, int], tuple[str, ...]]:
    """File -> row, and what is to be said of the names; a file that is listed again has the same label there.

    listed_only: a file that is not listed is left out.
    """
    of: dict[int, int] = {}
    first: dict[str, int] = {}
    others, renamed = of_others(root, listing, found, names)
    near: dict[str, list[int]] = {"by paths of another folder": renamed} if renamed else {}
    for row, (line, name, value) in enumerate(found.rows):
        if row in others:
            continue
        if not name:
            raise DataError(f"{_line(listing, found, line)}: a label and no file. {REMEDY}.")
        before = first.setdefault(name, row)
        numbers, how = names.resolve(name)
        if len(numbers) > 1:
            raise DataError(_several(_line(listing, found, line), name, [names.files[number] for number in numbers]))
        if how:
            near.setdefault(how, []).append(row)
        for known in {before, *(of.setdefault(number, row) for number in numbers)}:
            if (other := found.rows[known])[2] != value:
                raise DataError(
                    f"{_line(listing, found, line)}: {shown(name, 80)} has two labels, {shown(other[2], 60)} "
                    f"({found.place} {other[0]}) and {shown(value, 60)}. Leave the wrong one out."
                )
    aside = {number for _, name, _ in found.aside for number in names.resolve(name)[0]}
    missing = [name for number, name in enumerate(names.files) if number not in of and number not in aside]
    if not of or (missing and not listed_only):
        raise DataError(_unlisted(root, listing, found, missing or list(names.files), len(of)))
    left = (f"{len(missing)} images are not listed, and left out: {listed(missing, 3)}",) if missing else ()
    return of, (*left, *(_near(found, names, how, rows) for how, rows in near.items()))


def _near(found: Listed, names: FileNames, how: str, rows: Sequence[int]) -> str:
    """``3 files are named in another case: A.JPG is a.jpg``."""
    name = found.rows[rows[0]][1]
    file = names.files[names.resolve(name)[0][0]]
    return f"{len(rows)} files are named {how}: {shown(name, 60)} is {shown(file, 60)}"


def _several(where: str, name: str, files: Sequence[str]) -> str:
    return f"{where}: {shown(name, 80)} could be {listed(files, 3)}. Write the paths from the folder, as they are."


def _unlisted(root: Path, listing: Path, found: Listed, missing: Sequence[str], here: int) -> str:
    why = ""
    if not found.rows:
        why = " There is no record in it."
    elif not here:
        why = (
            f" None of its files is here, such as {shown(found.rows[0][1], 80)}: is it this folder's list? "
            "(A label that is alone on its line, with such signs in it, wants quotes.)"
        )
    return (
        f"{shown(listing)}: no label for {shown(missing[0], 80)} and {len(missing) - 1} more images of {shown(root)}."
        f"{why} {'Leave them out with --listed-only, or add lines' if here else 'Add lines'} for them."
    )


def _absent(found: Listed, of: dict[int, int]) -> tuple[str, ...]:
    """What the list says of files that are not here."""
    if not found.by_name:
        return ()
    used = {found.rows[row][1] for row in of.values()}
    absent = [name for _, name, _ in found.rows if name not in used]
    if not absent:
        return ()
    return (f"{len(absent)} lines name files that are not here (their labels count as classes): {listed(absent, 2)}",)


def _of_devkit(root: Path, listing: Path, files: Sequence[str]) -> tuple[tuple[str, ...], list[int], str]:
    """Classes and labels by the devkit's ids, one a file in the order of the sorted names."""
    if listing.name == GROUND_TRUTH and not listing.is_dir():
        names = FileNames(files)
        found = read_list(listing, names, Asked())
        rows = [row for _, row in sorted(_by_name(root, listing, found, names)[0].items())] if found.by_name else None
        ids = [found.rows[row][2] for row in (range(len(found.rows)) if rows is None else rows)]
        synsets = read_devkit(find_devkit(root, listing)).synsets
    else:
        kit = read_devkit(listing)
        ids, synsets = [str(one) for one in kit.validation], kit.synsets
        if not ids:
            raise DataError(
                f"{shown(listing)}: no {GROUND_TRUTH} in it. Take the whole {DEVKIT}.tar.gz, or name a list of labels."
            )
    if len(ids) != len(files):
        raise DataError(
            f"{shown(listing)}: {len(ids)} labels for the {len(files)} images of {shown(root)}. Give its own list."
        )
    own = [_synset(listing, one, synsets) for one in ids]
    classes, index = class_index(synsets.values())
    return classes, [index[one] for one in own], f"labels of ILSVRC2012's devkit {shown(listing.name, 80)}, in order"


def _synset(listing: Path, identifier: str, synsets: dict[int, str]) -> str:
    if not identifier.isdecimal() or len(identifier) > 9 or int(identifier) not in synsets:
        raise DataError(f"{shown(listing)}: {shown(identifier, 60)!r} is no id of the devkit's {len(synsets)} synsets.")
    return synsets[int(identifier)]
