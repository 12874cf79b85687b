"""What file names say: which are images, and which no one means."""

from __future__ import annotations

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""What torchvision's ImageFolder reads."""
ASIDE = frozenset({"__macosx", "@eadir", "lost+found", "$recycle.bin", "thumbs.db", ".ds_store"})
"""What systems leave among a user's files, in lower case."""


def is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def is_aside(name: str) -> bool:
    """What systems and programs leave among a user's files: ``._1.jpg`` is no picture."""
    return name.startswith("._") or name.casefold() in ASIDE


def is_aside_folder(name: str) -> bool:
    """The same of folders, hidden ones among them (``.ipynb_checkpoints``)."""
    return name.startswith(".") or is_aside(name)
