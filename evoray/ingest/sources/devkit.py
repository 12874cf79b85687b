"""ILSVRC2012's devkit. Its ids are not torchvision's indices: those count the sorted synsets."""

import io
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evoray.errors import DataError
from evoray.runtime.reading import read_at_most, read_file, translated

DEVKIT = "ILSVRC2012_devkit_t12"
GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"


HEADER_BYTES = 2**20
"""Of a name that has a member of its own."""
_NAMING = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
MEMBER_BYTES = 64 * 2**20
"""Of its meta.mat, or of its list of labels: both have less than a megabyte."""


class BoundedHeaders(tarfile.TarInfo):
    """Of a member; long names and their like stand in members of their own, which tarfile reads whole into memory."""

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _NAMING and self.size > HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {self.size:,} bytes, more than {HEADER_BYTES:,}")
        found: tarfile.TarInfo = super()._proc_member(tar)  # type: ignore[misc]
        return found


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
    with translated(path, f"Take the whole {DEVKIT}.tar.gz."):
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
            return read_file(found[0], MEMBER_BYTES)
    else:
        with tarfile.open(path, tarinfo=BoundedHeaders) as tar:
            for member in tar:
                if member.isfile() and member.name.rpartition("/")[2] == name:
                    file = tar.extractfile(member)
                    assert file is not None
                    return read_at_most(file, MEMBER_BYTES, f"{path}, {name}")
    if required:
        raise DataError(f"{path}: no {name} in it. Take the whole {DEVKIT}.tar.gz.")
    return b""
