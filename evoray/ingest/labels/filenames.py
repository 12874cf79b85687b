"""A folder's files as lists name them: exactly, by the end of a path, without suffix, or as near as can be."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from evoray.ingest.names import SUFFIXES

_WORD = r"[^\s/\\,;|\"'{}\[\]:]+"
"""What no sign of a table or of a path parts."""
_LAST = re.compile(rf"{_WORD}\Z")
_BARE = re.compile(_WORD.encode())
_SUFFIXES = b"|".join(re.escape(suffix.encode()) for suffix in SUFFIXES)
_PICTURE = re.compile(rb"(%s)(?:%s)(?![0-9a-z])" % (_WORD.encode(), _SUFFIXES))
_ID = re.compile(r"(\d{1,18})(?:\.0*)?")
"""An image's number; pandas makes ``7.0`` of ``7``."""
FIRST = 10_000
"""Lines by which a list of many more is judged."""
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
        if not self._may_be(name):
            return []
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
        if self._may_be(name):
            if found := self._strictly(name):
                return found, ""
            found, how = self._nearly(name)
            if found:
                return found, how
        number = _ID.fullmatch(_without_suffix(_base(name))) if self._numbers else None
        found = self._numbers.get(int(number.group(1)), []) if number else []
        return found, NUMBER if found else ""

    def may_be_in(self, text: bytes) -> bool:
        """Whether any file may be named in a text, looked at as a whole: no is certain, yes is not.

        Where each of the first lines has a picture's suffix, only words with one are looked at; else all words are.
        """
        words, numbers = self._ends
        if "" in words or not (text.isascii() or all(map(str.isascii, words))):
            return True  # no word at its end, or composed letters and such with their accents apart
        wanted = {word.encode() for word in words}
        bare = None
        for part in _parts(text):
            if bare is None:
                bare = not all(_PICTURE.search(line) for line in part.splitlines()[1:FIRST] if line.strip())
            found = set(_PICTURE.findall(part)).union(_BARE.findall(part) if bare else ())
            if found & wanted or (numbers and numbers & {word.partition(b".")[0].lstrip(b"0") for word in found}):
                return True
        return False

    @cached_property
    def _ends(self) -> tuple[set[str], set[bytes]]:
        """The last word of each file's name without its suffix; those that are numbers without their zeros too."""
        stems = {_without_suffix(_base(_composed(name)).casefold()) for name in self.files}
        stems |= {_without_suffix(stem) for stem in stems}
        words = {stem: _LAST.search(stem) for stem in stems}
        ends = {found.group() if found else "" for found in words.values()}
        return ends, {end.encode().lstrip(b"0") for end in ends if end.isdecimal()}

    def _may_be(self, name: str) -> bool:
        """A quick no for most names of other files; name: as Unicode composes it."""
        base = _base(name).casefold()
        return base in self._bases or _without_suffix(base) in self._bases

    @cached_property
    def _bases(self) -> frozenset[str]:
        bases = {_base(_composed(name)).casefold() for name in self.files}
        return frozenset(bases | {base.rpartition(".")[0] for base in bases})

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


def _parts(text: bytes) -> Iterator[bytes]:
    """Of whole lines, in lower case."""
    start = 0
    while start < len(text):
        end = text.find(b"\n", start + 2**20) + 1 or len(text)
        yield text[start:end].lower()
        start = end


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
