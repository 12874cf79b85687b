"""A list's text: its encoding, its size, and what it is where it is no text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from itertools import islice
from pathlib import Path

from evoray.errors import DataError
from evoray.runtime.reading import read_file, shown

MOST_BYTES = 128 * 2**20
MOST_LINES = 2_000_000
"""ImageNet has 1.3 million images, and a list has a line for each. At both limits it takes under 1 GiB of memory."""
_EXCEL = re.compile(r"\Asep=.(?=[\r\n])")
"""What Excel writes above a table."""
_COUNT = re.compile(r"\A\s*(\d{1,9})[ \t]*(?=\r?\n)")
"""What CelebA's lists begin with: how many records there are."""
_MARKS = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_KINDS = {
    b"PK\x03\x04": "a zip archive, or an Excel or OpenDocument table. Save it as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0": "an Excel table. Save it as CSV",
    b"MATLAB 5.0 MAT": "a MATLAB file. Write its labels as CSV (scipy.io.loadmat reads it)",
    b"\x89HDF": "an HDF5 file. Write its labels as CSV",
    b"\x93NUMPY": "a NumPy array. Write it as text (numpy.savetxt with fmt='%d' or '%s')",
    b"\x1f\x8b": "packed by gzip, and cannot be read so. Unpack it",
    b"BZh": "packed by bzip2. Unpack it",
    b"\xfd7zXZ": "packed by xz. Unpack it",
    b"PAR1": "a Parquet file, and no list. Write its columns as CSV",
    b"\x80\x02": "a pickle, and nothing in it is run. Write its labels as CSV",
    b"\x80\x03": "a pickle, and nothing in it is run. Write its labels as CSV",
    b"\x80\x04": "a pickle, and nothing in it is run. Write its labels as CSV",
    b"\x80\x05": "a pickle, and nothing in it is run. Write its labels as CSV",
    b"<?xml": "XML. Write a line for each image, its file and its label, under the header filename,label",
    b"<annotation": "XML. Write a line for each image, its file and its label, under the header filename,label",
    b"<!DOCTYPE": "a web page: what was to be fetched is somewhere else. Fetch it again",
    b"<html": "a web page: what was to be fetched is somewhere else. Fetch it again",
    b"version https://git-lfs": "a pointer of Git LFS. Fetch the file itself (git lfs pull)",
}
"""First bytes of what people name for a list, and what to do with it."""


@dataclass(frozen=True)
class ListText:
    """A list's text, held once and as UTF-8: two million lines as Python's own strings take four times the room.

    start: its first characters. origin: its path. count: of its lines.
    """

    content: bytes
    start: str
    origin: str = ""
    count: int = 0

    def first(self, lines: int) -> ListText:
        """Its first lines, and as many more as a quote that is open there needs."""
        left = self.lines()
        kept = list(islice(left, lines))
        quotes = sum(line.count('"') for line in kept)
        for line in left:
            if quotes % 2 == 0:
                break
            kept.append(line)
            quotes += line.count('"')
        return ListText("".join(kept).encode(), self.start, self.origin, len(kept))

    def has(self, sign: str) -> bool:
        return sign.encode() in self.content

    def lines(self) -> Iterator[str]:
        """Each with its end, whichever it is."""
        return iter(TextIOWrapper(BytesIO(self.content), "utf-8", newline=""))

    def numbered(self) -> Iterator[tuple[int, str]]:
        """Lines that are not empty, without blanks around, and their numbers from 1."""
        return ((number, line.strip()) for number, line in enumerate(self.lines(), 1) if line.strip())


def read_text(path: Path) -> ListText:
    """The text of a list, without what Excel and CelebA write above it; each line keeps its number.

    Raises:
        DataError: too large, no text, or in an encoding that is not known.
    """
    content = read_file(path, MOST_BYTES)
    if kind := next((kind for sign, kind in _KINDS.items() if content.startswith(sign)), None):
        raise DataError(f"{shown(path)}: {kind}.")
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8-sig")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{shown(path)}: cannot be read ({shown(error)}). Save it as UTF-8, or name a list with --labels."
        ) from None
    del content
    lines = text.count("\n") + text.count("\r") - text.count("\r\n") + (not text.endswith(("\n", "\r")))
    if lines > MOST_LINES:
        raise DataError(
            f"{shown(path)}: more than {MOST_LINES:,} lines. Cut it to those of this folder's images, or bring the "
            "images as class folders, WebDataset or Parquet."
        )
    if "\0" in text:
        raise DataError(
            f"{shown(path)}: cannot be read (zero bytes in it). Save it as UTF-8, or name a list with --labels."
        )
    text = _without_count(_EXCEL.sub("", text))  # the line stays, for the numbers of the others
    return ListText(text.encode(), text[:1000], str(path), lines)


def _without_count(text: str) -> str:
    """Without a first line that says how many lines follow, of several words each; a header may be among them."""
    found = _COUNT.match(text)
    if found is None:
        return text
    after = text[found.end() :]
    below = sum(1 for _ in re.finditer(r"\S[^\r\n]*", after))
    if int(found.group(1)) not in (below, below - 1):
        return text
    second = after.lstrip("\r\n").partition("\n")[0].strip()
    return after if re.search(r"[\s,;|]", second) else text
