"""Pictures that are files of their own: only regular ones are opened, and only below the tree that was named."""

import errno
import os
import stat
from functools import lru_cache

from evoray.data.decoding.bounds import ENCODED_BYTES, check_encoded
from evoray.errors import PictureError

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_OUTSIDE = "a link that leads out of the tree, and is not opened. Copy what it leads to into the tree."


def read_inside(root: str | os.PathLike[str], name: str, follow: bool = False) -> bytes:
    """The bytes of the file ``name`` below ``root``; looked at again here, for it may have changed since it was listed.

    Args:
        follow: links may lead out of the tree.

    Raises:
        PictureError: no regular file, a link out of the tree, or larger than a picture's file may be.
        OSError: gone, or storage fails.
    """
    base = os.fspath(root)
    if not os.path.isabs(base):
        base = os.path.abspath(base)  # what is kept of a folder must not follow the working directory
    path = os.path.join(base, name)
    if follow:
        path = os.path.realpath(path)
    elif not _folder_is_below(os.path.dirname(path), base):
        raise PictureError(_OUTSIDE)
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode) and not follow:
        path = os.path.realpath(path)
        if not _is_below(path, base):
            raise PictureError(_OUTSIDE)
        found = os.lstat(path)
    check_regular(found)
    return _read(path)


def check_regular(found: os.stat_result) -> None:
    """Raises PictureError for anything but a regular file: it is not even opened, for a pipe or a device may act."""
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for is_one, name in _KINDS if is_one(found.st_mode)), "something else")
        raise PictureError(f"{kind}, not a regular file. Move it away.")


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link now
            raise PictureError(_OUTSIDE) from None
        raise
    try:
        found = os.fstat(descriptor)
        check_regular(found)
        check_encoded(found.st_size)
        return _all_of(descriptor, found.st_size)
    finally:
        os.close(descriptor)


def _all_of(descriptor: int, expected: int) -> bytes:
    """To the end of the file, which may have grown, and which some storage gives in parts."""
    parts, left = [], ENCODED_BYTES + 1
    while left and (part := os.read(descriptor, min(left, expected + 1))):
        parts.append(part)
        left -= len(part)
    check_encoded(ENCODED_BYTES + 1 - left)
    return b"".join(parts)


def _is_below(path: str, root: str) -> bool:
    """Whether a path leads into the tree once every link is followed."""
    real, base = os.path.realpath(path), os.path.realpath(root)
    return real == base or real.startswith(base.rstrip("/") + "/")


_folder_is_below = lru_cache(maxsize=8192)(_is_below)
"""Kept, for a folder holds many files."""
