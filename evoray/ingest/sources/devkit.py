"""ILSVRC2012's devkit. Its ids are not torchvision's indices: those count the sorted synsets."""

from __future__ import annotations

import io
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evoray.errors import DataError

DEVKIT = "ILSVRC2012_devkit_t12"
GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"


@dataclass(frozen=True)
class Devkit:
    """synsets: devkit id -> WordNet id, of the 1,000 leaves; validation: an id for each image, in order."""

    synsets: dict[int, str]
    validation: tuple[int, ...]


def find_devkit(near: Path, given: Path | None = None) -> Path:
    """The devkit's tar or folder in, beside or above a path; raises DataError that names it."""
    places = [path for path in (given, near) if path is not None]
    for place in places:
        for folder in (place, *place.parents[:3]):
            for name in (f"{DEVKIT}.tar.gz", DEVKIT, "meta.mat"):
                if (folder / name).exists():
                    return folder if name == "meta.mat" else folder / name
            if (folder / "data" / "meta.mat").is_file():
                return folder
    raise DataError(
        f"{near}: its labels are devkit ids, and {DEVKIT}.tar.gz (with meta.mat) is neither beside it nor above it. "
        f"Put it there, or name it with --labels."
    )


def read_devkit(path: Path) -> Devkit:
    """From ``ILSVRC2012_devkit_t12.tar.gz``, its folder, or the folder that meta.mat is in."""
    import scipy.io.matlab  # slow, and no worker needs it

    damages = (OSError, EOFError, zlib.error, tarfile.TarError, scipy.io.matlab.MatReadError)

    try:
        meta = _member(path, "meta.mat")
        truth = _member(path, GROUND_TRUTH, required=False)
        table = scipy.io.loadmat(io.BytesIO(meta), squeeze_me=True)["synsets"]
    except (*damages, KeyError, ValueError, NotImplementedError, TypeError) as error:
        raise DataError(f"{path}: not ILSVRC2012's devkit, or damaged ({error}).") from None
    return Devkit(_leaves(path, table), tuple(int(line) for line in truth.split()))


def _leaves(path: Path, table: Any) -> dict[int, str]:
    try:
        rows = {
            int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in np.atleast_1d(table) if int(row["num_children"]) == 0
        }
    except (ValueError, IndexError, KeyError) as error:
        raise DataError(f"{path}: meta.mat has no synsets of ILSVRC2012 in it ({error}).") from None
    if not rows:
        raise DataError(f"{path}: meta.mat has no leaf synsets in it.")
    return rows


def _member(path: Path, name: str, required: bool = True) -> bytes:
    """The content of the devkit's file of that name, wherever it lies; empty where it is optional and missing."""
    if path.is_dir():
        found = sorted(path.rglob(name))
        if found:
            return found[0].read_bytes()
    else:
        with tarfile.open(path) as tar:
            for member in tar:
                if member.isfile() and member.name.rpartition("/")[2] == name:
                    file = tar.extractfile(member)
                    assert file is not None
                    return file.read()
    if required:
        raise DataError(f"{path}: no {name} in it. Take the whole {DEVKIT}.tar.gz.")
    return b""
