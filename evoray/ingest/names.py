"""What file names say: which are images, and which no one means."""

import json
from collections.abc import Sequence

from evoray.data.manifest import CLASSES, WORD
from evoray.errors import DataError
from evoray.runtime.reading import JSON_BYTES, shown

IMAGEFOLDER = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""What torchvision's ImageFolder reads."""
SUFFIXES = (*IMAGEFOLDER, ".jpe", ".jfif", ".jif", ".jfi", ".mpo", ".gif", ".apng", ".dib", ".pbm", ".pnm")
"""What names of pictures in the formats that are read end with."""
ASIDE = frozenset(
    {
        *("__macosx", "@eadir", "lost+found", "$recycle.bin", "system volume information", "__pycache__"),
        *("thumbs.db", ".ds_store", "desktop.ini"),
    }
)
"""What systems leave among a user's files, in lower case."""


def is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def suffix_of(name: str) -> str:
    """The end of a file's name, for messages: ``.gif``, or that there is none."""
    dot = name.rfind(".")
    return name[dot:].lower()[:12] if 0 < dot < len(name) - 1 else "no suffix"


def is_aside(name: str) -> bool:
    """What systems and programs leave among a user's files: ``._1.jpg`` is no picture."""
    return name.startswith("._") or name.casefold() in ASIDE


def is_aside_folder(name: str) -> bool:
    """The same of folders, hidden ones among them (``.ipynb_checkpoints``)."""
    return name.startswith(".") or is_aside(name)


def check_classes(classes: Sequence[str]) -> None:
    """What a manifest cannot hold is refused before anything is decoded.

    Raises:
        DataError: too many classes, two of one name, a name without letters or that is no line of plain text.
    """
    if len(classes) > CLASSES:
        raise DataError(f"{len(classes):,} classes: there may be {CLASSES:,}. Leave out those without images.")
    first: dict[str, int] = {}
    for number, name in enumerate(classes):
        if (before := first.setdefault(name, number)) != number:
            raise DataError(
                f"class {number}: {shown(name, 80)!r} is the name of class {before} too. Give each class its own name."
            )
        what = "is empty" if not name.strip() else f"has over {WORD:,} characters" if len(name) > WORD else ""
        if not what and any(sign in name for sign in "\n\r\t\0\x1b"):
            what = "has control characters in it"
        if what:
            raise DataError(f"class {number}: its name {shown(name, 80)!r} {what}. Write a plain name on one line.")
    if sum(len(json.dumps(name)) + 4 for name in classes) > JSON_BYTES // 2:
        raise DataError(
            f"the names of {len(classes):,} classes take over {JSON_BYTES // 2:,} bytes. Give shorter ones, or numbers."
        )
