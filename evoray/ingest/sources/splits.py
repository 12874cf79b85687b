"""Splits of one set that lie side by side: both at once is never meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from evoray.errors import DataError
from evoray.ingest.labels.columns import listed
from evoray.runtime.reading import shown

_SPLITS = "train training trainset val valid validation valset dev test testing testset eval evaluation holdout"
SPLITS = frozenset(_SPLITS.split())
"""What splits are called, in lower case."""


def refuse_several(pattern: str, files: Sequence[Path]) -> None:
    """``imagenet-train-000.tar`` beside ``imagenet-val-000.tar``, or ``train/000.tar`` beside ``val/000.tar``.

    Raises:
        DataError: files of several splits, with how to name one.
    """
    root = Path(pattern) if Path(pattern).is_dir() else None
    first: dict[tuple[str, ...], Path] = {}
    for path in files:
        first.setdefault(_words(path, root), path)
    found = {words: path for words, path in first.items() if words}
    if len(found) > 1:
        words, one = min(found.items())
        name = one.parent / f"*{words[-1]}*{one.suffix}" if _split_words(one.stem) else one.parent
        names = sorted("-".join(words) for words in found)
        raise DataError(f'{shown(pattern)}: several splits ({listed(names)}). Name one, such as "{shown(name)}".')


def _words(path: Path, root: Path | None) -> tuple[str, ...]:
    """The names of splits in a file's own name, else in those of its folders below the one that was named."""
    own = _split_words(path.stem)
    folders = path.relative_to(root).parts[:-1] if root is not None else path.parts[-2:-1]
    return own or tuple(word for folder in folders for word in _split_words(folder))


def _split_words(name: str) -> tuple[str, ...]:
    return tuple(word for word in re.findall("[a-z]+", name.lower()) if word in SPLITS)
