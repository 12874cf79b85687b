"""What file names say: which are images, and which no one means."""

from __future__ import annotations

IMAGEFOLDER = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""What torchvision's ImageFolder reads."""
SUFFIXES = (*IMAGEFOLDER, ".jpe", ".jfif", ".jif", ".jfi", ".mpo", ".gif", ".apng", ".dib", ".pbm", ".pnm")
"""What names of pictures in the formats that are read end with."""
ASIDE = frozenset({"__macosx", "@eadir", "lost+found", "$recycle.bin", "thumbs.db", ".ds_store"})
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
