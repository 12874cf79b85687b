"""Splits of one set that lie side by side: both at once is never meant."""

import re
from collections.abc import Sequence
from pathlib import Path

from evoray.errors import DataError
from evoray.ingest.labels.columns import listed
from evoray.runtime.reading import shown

_SPLITS = "train training trainset val valid validation valset dev test testing testset eval evaluation holdout"
SPLITS = frozenset(_SPLITS.split())
"""What splits are called, in lower case."""


def of_split(pattern: str, files: Sequence[Path], asked: str | None) -> tuple[list[Path], tuple[str, ...]]:
    """The files of the splits that ``--split`` names, by their names or folders, and what is said of it.

    Raises:
        DataError: nobody said which of several; or none is called so.
    """
    if asked is None:
        _one_split(pattern, files)
        refuse_several(pattern, files)
    if asked in (None, "all", "none"):
        return list(files), () if asked is None else (f"--split {asked}: the files of all splits are taken",)
    root = Path(pattern) if Path(pattern).is_dir() else None
    root = root or (files[0].parent if len(files) == 1 else None)  # a file alone is named: folders above say nothing
    own = {path: _split_of(path) or set(_words(path, root)) for path in files}
    there = {word for words in own.values() for word in words}
    wanted = {word.strip().casefold() for word in asked.split(",")}
    if absent := wanted - there:
        these = f"--split is one of {listed(sorted(there))}, or all" if there else "Leave --split out"
        raise DataError(f"{shown(pattern)}: no file of the split {shown(min(absent), 60)!r}. {these}.")
    kept = [path for path in files if own[path] & wanted]
    left = len(files) - len(kept)
    return kept, (f"splits taken: {listed(sorted(wanted))}; {left} files of others are left out",)


def has_splits(pattern: str, files: Sequence[Path]) -> bool:
    """Whether the names or folders of files say that they are of several splits."""
    try:
        of_split(pattern, files, None)
    except DataError:
        return True
    return False


def _split_of(path: Path) -> set[str]:
    """``train`` of Hugging Face's ``train-00000-of-00014.parquet``."""
    found = re.fullmatch(r"(.+)-\d+-of-\d+.*", path.stem)
    return {found.group(1).casefold()} if found else set()


def _one_split(pattern: str, files: Sequence[Path]) -> None:
    """``train-00000-of-00014.parquet`` beside ``validation-…``: both at once is never meant."""
    splits = {split for path in files for split in _split_of(path)}
    if len(splits) > 1:
        one = sorted(splits)[0]
        raise DataError(
            f"{shown(pattern)}: several splits ({listed(sorted(splits))}). Say --split {shown(one, 60)}, or name one, "
            f'such as "{shown(files[0].parent)}/{shown(one, 60)}-*".'
        )


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
        raise DataError(
            f"{shown(pattern)}: several splits ({listed(names)}). Say --split {shown(words[-1], 60)}, or name one, "
            f'such as "{shown(name)}".'
        )


def _words(path: Path, root: Path | None) -> tuple[str, ...]:
    """The names of splits in a file's own name, else in those of its folders below the one that was named."""
    own = _split_words(path.stem)
    folders = path.relative_to(root).parts[:-1] if root is not None else path.parts[-2:-1]
    return own or tuple(word for folder in folders for word in _split_words(folder))


def _split_words(name: str) -> tuple[str, ...]:
    return tuple(word for word in re.findall("[a-z]+", name.lower()) if word in SPLITS)
