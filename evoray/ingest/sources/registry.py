"""From what a user names to a source: by what is found there, or by ``--format``."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evoray.errors import ConfigError, DataError
from evoray.ingest.foreign import absent, saved_dataset, unknown
from evoray.ingest.labels.columns import Asked, listed
from evoray.ingest.names import is_aside, is_image
from evoray.ingest.sources.base import Source, expand
from evoray.ingest.sources.flat import LISTS, TABLES, scan_flat
from evoray.ingest.sources.folder import FolderSource
from evoray.ingest.sources.ilsvrc import find_tar, open_tar
from evoray.ingest.sources.parquet import open_parquet
from evoray.ingest.sources.tree import holds_images
from evoray.ingest.sources.tree_splits import split_name
from evoray.ingest.sources.webdataset import open_webdataset
from evoray.runtime.reading import shown

_CALLED = """
    label labels annotation annotations list lists train val test trainval valid validation metadata gt groundtruth
    truth target targets filelist image images index
"""
_LISTS = frozenset(_CALLED.split())
_OTHERS = "class classes names categories map readme license info notes requirements"
_NO_LISTS = frozenset(_OTHERS.split())
"""Words in the names of texts that are lists of labels, and of those that are none."""
ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".7z", ".rar", ".gz")


@dataclass(frozen=True)
class Format:
    """found: whether a name looks like this kind; open: its source, given the name, the list of labels, and what was
    asked; labels, columns, splits: whether it has a use for those."""

    found: Callable[[str], bool]
    open: Callable[[str, Path | None, Asked], Source]
    labels: bool = False
    columns: bool = False
    splits: bool = False


def open_source(name: str, kind: str | None = None, labels: Path | None = None, asked: Asked | None = None) -> Source:
    """The source at a path or pattern.

    Args:
        kind: one of FORMATS; None looks.
        labels: the list of labels of a flat folder, or the devkit of ILSVRC2012's tars.
        asked: columns by name, and whether links may lead out of a tree.

    Raises:
        DataError: nothing there, or nothing that is known; ConfigError: no such format, or an option it has no use for.
    """
    if kind is not None and kind not in FORMATS:
        raise ConfigError(f"--format {shown(kind, 60)}: give one of {', '.join(FORMATS)}.")
    if not name:
        raise DataError("no source: its name is empty. Name a folder, a tar, a Parquet file, or a pattern of them.")
    try:
        return _opened(name, kind, labels, asked or Asked())
    except OSError as error:  # a folder that may not be read, a name that is too long
        raise DataError(f"{shown(name)}: cannot be read ({shown(error.strerror or error)}).") from None


def _opened(name: str, kind: str | None, labels: Path | None, asked: Asked) -> Source:
    if labels is not None and not labels.exists():
        raise DataError(f"{shown(labels)}: no such file. Name the list of labels, or ILSVRC2012's devkit.")
    if not os.path.exists(name) and not expand(name, ""):
        raise absent(name)
    if kind is None:
        kind = _looked_at(name, labels is not None)
    form = FORMATS[kind]
    if labels is not None and not form.labels:
        raise ConfigError(f"--labels {shown(labels)}: {shown(name)} is read as {kind}, which brings its own labels.")
    if asked.columns and not form.columns:
        raise ConfigError(
            f"--file-column, --label-column, --only: {shown(name)} is read as {kind}, which has no columns."
        )
    if asked.only is not None and kind not in ("flat", "parquet"):
        raise ConfigError(f"--only: {shown(name)} is read as {kind}, which has no list. Name one split's files.")
    if asked.listed_only and kind != "flat":
        raise ConfigError(f"--listed-only: {shown(name)} is read as {kind}, which has no list.")
    if asked.split is not None and not form.splits:
        raise ConfigError(f"--split {shown(asked.split, 60)}: {shown(name)} is read as {kind}. Name one split's files.")
    if asked.as_classes and not form.columns:
        raise ConfigError(f"--as-classes: {shown(name)} is read as {kind}, whose labels are classes anyway.")
    return form.open(name, labels, asked)


def _looked_at(name: str, labels: bool) -> str:
    """The kind of what is there; with a list of labels, a folder of images is a flat one, however deep it is."""
    if os.path.isfile(name) and name.lower().endswith(ARCHIVES):
        raise DataError(f"{shown(name)}: an archive. Unpack it, and name the folder.")
    found = next((known for known, form in FORMATS.items() if form.found(name)), "")
    if not found:
        raise unknown(name)
    if found == "folder" and not _images_in(name) and (saved := saved_dataset(Path(name))) is not None:
        raise saved
    if found == "folder" and labels:
        return "flat"
    if found == "folder":
        _refuse_listed(name)
    return found


def _refuse_listed(name: str) -> None:
    """Folders of images that a list beside them labels, mostly: one alone, or several that are parts of one set.

    Raises:
        DataError: with the list, and how to say that the folders are classes.
    """
    if not os.path.isdir(name):
        return
    entries = [entry for entry in os.scandir(name) if not (is_aside(entry.name) or entry.name.startswith("."))]
    lists = sorted((entry.name for entry in entries if _is_list(entry.name) and entry.is_file()), key=_sort_of_list)
    folders = sorted(entry.name for entry in entries if entry.is_dir())
    if not lists and not are_parts(folders, False):
        return
    full = [folder for folder in folders if _images_in(os.path.join(name, folder))]
    if lists and len(full) == 1 and _directly(os.path.join(name, full[0])):
        raise DataError(
            f"{shown(name)}: one folder of images, {shown(full[0], 60)}, and {shown(lists[0], 60)} beside it. With "
            f"that list: name {shown(Path(name) / full[0])} and --labels {shown(Path(name) / lists[0])}. "
            "As a tree of one class: --format folder."
        )
    if are_parts(full, bool(lists)) and not any(map(split_name, full)):
        listing = shown(Path(name) / lists[0]) if lists else "LIST"
        raise DataError(
            f"{shown(name)}: the folders {listed(full, 4)} seem to be parts of one set of images, and no classes. With "
            f"a list of labels: --labels {listing}. Where they are classes: --format folder."
        )


def _is_list(name: str) -> bool:
    """Whether a file beside a folder of images may be a list of labels: a table, or a text that is called so."""
    lower = name.lower()
    words = set(re.findall("[a-z]+", lower.rpartition(".")[0]))
    called = name in LISTS or (bool(words & _LISTS) and not words & _NO_LISTS)
    return lower.endswith(TABLES[:3]) or (lower.endswith(TABLES) and called)


def _sort_of_list(name: str) -> tuple[bool, str]:
    """Tables before texts."""
    return not name.lower().endswith(TABLES[:3]), name


def _ilsvrc(name: str) -> bool:
    return not _images_in(name) and find_tar(Path(name)) is not None


def _open_ilsvrc(name: str, labels: Path | None) -> Source:
    tar = find_tar(Path(name)) or Path(name)
    if not tar.is_file():
        raise DataError(f"{shown(name)}: no such file. Name ILSVRC2012_img_train.tar or ILSVRC2012_img_val.tar.")
    return open_tar(tar, labels)


def _files(name: str, suffix: str) -> bool:
    """A file, a pattern, or a folder that holds files of this kind and no images: an archive of them may lie beside."""
    path = Path(name)
    if path.is_dir():
        return not _images_in(name) and bool(expand(name, suffix))  # data/train-*.parquet, train/0000.parquet
    if not any(sign in name for sign in "*?{"):
        return name.lower().endswith(suffix) and path.is_file()
    if name.lower().endswith(suffix):
        return True
    found = [one.name.lower() for one in expand(name, suffix)]  # data/train-*
    return bool(found) and all(one.endswith(suffix) for one in found)


def _images_in(name: str) -> bool:
    """Whether a folder holds image files, itself or in a folder below."""
    return os.path.isdir(name) and (_directly(name) or holds_images(Path(name)))


def _directly(name: str) -> bool:
    return any(is_image(entry) and not is_aside(entry) for entry in os.listdir(name))


def _flat(name: str) -> bool:
    """Images in it, and no folders that hold images."""
    return os.path.isdir(name) and _directly(name) and not holds_images(Path(name), links=True)


FORMATS: dict[str, Format] = {
    "ilsvrc": Format(_ilsvrc, lambda name, labels, _: _open_ilsvrc(name, labels), labels=True),
    "parquet": Format(
        lambda name: _files(name, ".parquet"),
        lambda name, _, asked: open_parquet(name, asked),
        columns=True,
        splits=True,
    ),
    "webdataset": Format(
        lambda name: _files(name, ".tar"),
        lambda name, _, asked: open_webdataset(name, asked),
        columns=True,
        splits=True,
    ),
    "flat": Format(_flat, lambda name, labels, asked: scan_flat(Path(name), labels, asked), labels=True, columns=True),
    "folder": Format(
        os.path.isdir,
        lambda name, _, asked: FolderSource.scan(Path(name), asked.follow_links, asked.split),
        splits=True,
    ),
}
"""Looked at in this order."""


_PICTURE_WORDS = "images image imgs img pictures picture pics photos photo jpegs jpeg jpgs jpg pngs png"
_PICTURES = frozenset(_PICTURE_WORDS.split())
_PART_WORDS = "part parts batch set subset group chunk shard archive zip folder dir data volume vol disk"
_PARTS = frozenset(_PART_WORDS.split())
"""What may be a class where a list of labels does not lie beside: ``part_1`` may be a screw."""
_FILLS = "more other others extra additional all new old original raw resized cropped small large full external"
_FILLING = frozenset(_FILLS.split())
_TOKENS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def are_parts(folders: Sequence[str], listed: bool) -> bool:
    """Whether all of them are called images or parts of such, and differ in nothing but a number or what kind they are.

    Args:
        folders: those on top that hold images, two or more.
        listed: whether a list of labels lies beside them.
    """
    words = [[word.lower() for word in _TOKENS.findall(name)] for name in folders]
    if len(folders) < 2 or not all(words):
        return False
    if listed and all(_PICTURES & (own := set(one)) and own <= _PICTURES | _FILLING for one in words):
        return True
    numbered = all(len(one) > 1 and one[-1].isdecimal() for one in words)
    alike = len({tuple(one[:-1]) for one in words}) == 1
    last = words[0][-2] if numbered else ""
    return numbered and alike and (last in _PICTURES or (listed and last in _PARTS))
