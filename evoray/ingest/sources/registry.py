"""From what a user names to a source: by what is found there, or by ``--format``."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evoray.errors import ConfigError, DataError
from evoray.ingest.sources.base import SUFFIXES, Source, expand
from evoray.ingest.sources.flat import scan_flat
from evoray.ingest.sources.folder import FolderSource
from evoray.ingest.sources.ilsvrc import find_tar, open_tar
from evoray.ingest.sources.parquet import open_parquet
from evoray.ingest.sources.webdataset import open_webdataset


@dataclass(frozen=True)
class Format:
    """found: whether a name looks like this kind; open: its source, given the name and the list of labels."""

    found: Callable[[str], bool]
    open: Callable[[str, Path | None], Source]


def open_source(name: str, kind: str | None = None, labels: Path | None = None) -> Source:
    """The source at a path or pattern.

    Args:
        kind: one of FORMATS; None looks.
        labels: the list of labels of a flat folder, or the devkit of ILSVRC2012's tars.

    Raises:
        DataError: nothing there, or nothing that is known; ConfigError: no such format.
    """
    if kind is not None and kind not in FORMATS:
        raise ConfigError(f"--format {kind}: give one of {', '.join(FORMATS)}.")
    if labels is not None and not labels.exists():
        raise DataError(f"{labels}: no such file. Name the list of labels, or ILSVRC2012's devkit.")
    if kind is None:
        kind = next((known for known, form in FORMATS.items() if form.found(name)), "folder")
    return FORMATS[kind].open(name, labels)


def _ilsvrc(name: str) -> bool:
    return find_tar(Path(name)) is not None


def _open_ilsvrc(name: str, labels: Path | None) -> Source:
    tar = find_tar(Path(name)) or Path(name)
    if not tar.is_file():
        raise DataError(f"{name}: no such file. Name ILSVRC2012_img_train.tar or ILSVRC2012_img_val.tar.")
    return open_tar(tar, labels)


def _files(name: str, suffix: str) -> bool:
    """A file, a pattern, or a folder (with no class folders of images) that holds files of this kind."""
    path = Path(name)
    if path.is_dir():
        return any(entry.endswith(suffix) for entry in os.listdir(path)) or (
            any((path / below).is_dir() for below in ("data",)) and bool(expand(str(path / "data"), suffix))
        )
    return name.endswith(suffix) and (path.is_file() or any(sign in name for sign in "*?{"))


def _flat(name: str) -> bool:
    """Images in it, and no folders that hold images."""
    if not os.path.isdir(name):
        return False
    entries = list(os.scandir(name))
    return any(one.name.lower().endswith(SUFFIXES) for one in entries) and not any(one.is_dir() for one in entries)


FORMATS: dict[str, Format] = {
    "ilsvrc": Format(_ilsvrc, _open_ilsvrc),
    "parquet": Format(lambda name: _files(name, ".parquet"), lambda name, _: open_parquet(name)),
    "webdataset": Format(lambda name: _files(name, ".tar"), lambda name, _: open_webdataset(name)),
    "flat": Format(_flat, lambda name, labels: scan_flat(Path(name), labels)),
    "folder": Format(os.path.isdir, lambda name, _: FolderSource.scan(Path(name))),
}
"""Looked at in this order."""
