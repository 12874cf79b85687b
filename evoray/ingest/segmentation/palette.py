"""``--palette``: what the values or colours of masks mean."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evoray.errors import DataError
from evoray.ingest.names import check_classes
from evoray.runtime.paths import expanded
from evoray.runtime.reading import read_file, shown

IGNORE = "ignore"
"""The name of pixels that are left out."""
UNLABELLED = 65535
"""Of a pixel that is left out, as labels are read."""
UNKNOWN = 65534
"""Of a value that a palette does not name."""
HOW = (
    'Give --palette with a class for each, "0=background, 255=road" or "#000000=background, #804080=road", or a file '
    "of such lines (or of r g b name); the name ignore leaves pixels out"
)
_SIGN = r"[\s,;:=]+"
_HEX = re.compile(rf"#([0-9a-fA-F]{{6}}){_SIGN}(\S.*)")
_NUMBER = re.compile(rf"(\d{{1,5}}){_SIGN}(\D.*)")
_COLOUR = re.compile(rf"(\d{{1,3}}){_SIGN}(\d{{1,3}}){_SIGN}(\d{{1,3}}){_SIGN}(\D.*)")
_LAST = re.compile(rf"(\D.*?){_SIGN}(\d{{1,3}}){_SIGN}(\d{{1,3}}){_SIGN}(\d{{1,3}})")


@dataclass(frozen=True)
class Palette:
    """labels: of each value or colour (r * 65536 + g * 256 + b), the class's number or UNLABELLED."""

    classes: tuple[str, ...]
    labels: dict[int, int]
    coloured: bool

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """uint16 [H, W] of values or packed colours [H, W]; UNKNOWN where it does not name one."""
        table = np.full(2**24 if self.coloured else 2**16, UNKNOWN, np.uint16)
        table[list(self.labels)] = list(self.labels.values())
        found: np.ndarray = table[values]
        return found

    def named(self, value: int) -> str:
        """A value as it is written in a palette."""
        return f"#{value:06x}" if self.coloured else str(value)


def read_palette(given: str) -> Palette:
    """Of a file, or of the words themselves.

    Raises:
        DataError: a line that says nothing, a value twice, values beside colours.
    """
    path = Path(expanded(given))
    is_file = 0 < len(given.strip()) < 4096 and "=" not in given and os.path.lexists(path)
    lines = read_file(path, 2**20).decode("utf-8", "replace").splitlines() if is_file else re.split(r"[,;\n]", given)
    origin = shown(path) if is_file else "--palette"
    classes: dict[str, int] = {}
    labels: dict[int, int] = {}
    kinds = set()
    for where, value, coloured, name in _entries(lines, origin):
        kinds.add(coloured)
        if len(kinds) > 1:
            raise DataError(f"{where}: numbers and colours. A palette is of one kind.")
        if value in labels:
            raise DataError(f"{where}: {shown(name, 60)} is the second meaning of one value. Leave one out.")
        labels[value] = UNLABELLED if name.lower() == IGNORE else classes.setdefault(name, len(classes))
    if not classes:
        raise DataError(f"{origin}: it names no class. {HOW}.")
    check_classes(tuple(classes))
    return Palette(tuple(classes), labels, kinds.pop())


def _entries(lines: list[str], origin: str) -> Iterator[tuple[str, int, bool, str]]:
    """(where, value, whether it is a colour, name) of every line that says something."""
    for number, line in enumerate(lines, 1):
        text, where = line.strip().strip('"'), f"{origin}, entry {number}"
        if not text or (text.startswith("#") and not _HEX.fullmatch(text)):
            continue
        found = _entry(text)
        if found is None:
            if number == 1 and not re.search(r"\d\D*\d|=", text):
                continue  # names of columns
            raise DataError(f"{where}: {shown(text, 60)} says no value and name. {HOW}.")
        yield where, *found


def _entry(text: str) -> tuple[int, bool, str] | None:
    """Value, whether it is a colour, and name."""
    if match := _HEX.fullmatch(text):
        return int(match[1], 16), True, match[2].strip()
    match = _COLOUR.fullmatch(text) or _LAST.fullmatch(text)
    if match:
        name, *parts = (match[1], *match.groups()[1:]) if match.re is _LAST else (match[4], *match.groups()[:3])
        if max(map(int, parts)) > 255:
            return None
        red, green, blue = map(int, parts)
        return red * 65536 + green * 256 + blue, True, name.strip().strip('"')
    if (match := _NUMBER.fullmatch(text)) and int(match[1]) < UNKNOWN:
        return int(match[1]), False, match[2].strip().strip('"')
    return None
