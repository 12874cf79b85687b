"""A folder's files as lists name them: exactly, by the end of a path, without suffix, or as near as can be."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from evoray.ingest.names import SUFFIXES

_ID = re.compile(r"(\d{1,18})(?:\.0*)?")
"""An image's number; pandas makes ``7.0`` of ``7``."""
CASE, SUFFIX, NUMBER = "in another case", "with another suffix", "by their number without its zeros"
"""How a cell names a file that has another name."""


@dataclass
class FileNames:
    """The folder's files as lists name them: by path or the end of one, with or without suffix, in any encoding.

    files: paths from the folder, with / between their parts. loose: whether ``find`` takes another case or suffix too.
    """

    files: Sequence[str]
    loose: bool = False
    _exact: dict[str, list[int]] = field(default_factory=dict)
    _stems: dict[str, list[int]] = field(default_factory=dict)
    hashed: bool = False
    """Whether a file's name begins with #, as comments do."""

    def __post_init__(self) -> None:
        self.hashed = any(name.startswith("#") for name in self.files)
        for number, name in enumerate(self.files):
            for own in {_composed(name), _composed(name).rpartition("/")[2]}:
                self._exact.setdefault(own, []).append(number)
                self._stems.setdefault(own.rpartition(".")[0], []).append(number)

    def find(self, name: str) -> list[int]:
        """The numbers of the files that a cell names: none where it names no file that is here."""
        if (known := self._exact.get(name)) is not None:
            return known
        name = _composed(name)
        return self._strictly(name) or (self._nearly(name)[0] if self.loose else [])

    def exactly(self, name: str) -> list[int]:
        """With its suffix."""
        return self._exact.get(name) or _found(_composed(name), self._exact)

    def resolve(self, name: str) -> tuple[list[int], str]:
        """The same, or else as near as can be: another case, another suffix, an image's number without its zeros.

        Returns:
            Numbers of files, several where it could be each of them; and how, empty where the name is the file's.
        """
        if (known := self._exact.get(name)) is not None:
            return known, ""
        name = _composed(name)
        if found := self._strictly(name):
            return found, ""
        found, how = self._nearly(name)
        if found:
            return found, how
        number = _ID.fullmatch(_without_suffix(_base(name))) if self._numbers else None
        return (self._numbers.get(int(number.group(1)), []), NUMBER) if number else ([], "")

    def _strictly(self, name: str) -> list[int]:
        return _found(name, self._exact) or _found(name, self._stems)

    def _nearly(self, name: str) -> tuple[list[int], str]:
        exact, stems = self._folded
        folded = name.casefold()
        if found := _found(folded, exact) or _found(folded, stems):
            return found, CASE
        without = _without_suffix(name)
        if without == name:
            return [], ""
        return _found(without, self._stems) or _found(without.casefold(), stems), SUFFIX

    @cached_property
    def _folded(self) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        return _merged(self._exact, str.casefold), _merged(self._stems, str.casefold)

    @cached_property
    def _numbers(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for number, name in enumerate(self.files):
            stem = _without_suffix(name.rpartition("/")[2])
            if stem.isdecimal() and len(stem) < 19:
                found.setdefault(int(stem), []).append(number)
        return found


def _merged(index: dict[str, list[int]], how: Callable[[str], str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for name, numbers in index.items():
        found.setdefault(how(name), []).extend(numbers)
    return found


def _found(name: str, index: dict[str, list[int]]) -> list[int]:
    """By the longest end of a path that is there; a file's name alone is in the index of each."""
    found = index.get(name)
    if found is not None or ("/" not in name and "\\" not in name) or _base(name) not in index:
        return found or []
    parts = re.split(r"[/\\]", name)
    tails = ("/".join(parts[start:]) for start in range(1, len(parts)))
    return next((index[tail] for tail in tails if tail in index), [])


def _base(name: str) -> str:
    return name[max(name.rfind("/"), name.rfind("\\")) + 1 :]


def _without_suffix(name: str) -> str:
    stem, point, suffix = name.rpartition(".")
    return stem if point and f".{suffix.lower()}" in SUFFIXES else name


def _composed(name: str) -> str:
    return name.strip() if name.isascii() else unicodedata.normalize("NFC", name.strip())
