"""Codes that are digits, and the zeros before them that a program lost: ``1`` of ``001``, as Excel and pandas write it.

Digits of one width with zeros before them (``001`` to ``010``) are names, unless they count 0, 1, 2 … without a gap.
Whole numbers are such codes where the classes stand beside them under names that differ in those zeros alone.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evoray.ingest.json_keys import parse_unique
from evoray.ingest.labels.columns import listed
from evoray.runtime.reading import read_file, shown

NAMES = tuple(
    f"{stem}{suffix}"
    for stem in ("classes", "class_names", "classnames", "names", "label_names", "categories", "label_map")
    for suffix in (".txt", ".csv", ".json")
)
"""Files that name the classes, beside a list or the images."""
LARGEST = 2**20
"""Of such a file, in bytes."""
LONGEST = 18
"""Digits of a code."""


@dataclass(frozen=True)
class Codes:
    """values: each label as its code; more: classes that no label has; note: what was decided."""

    values: list[str]
    more: tuple[str, ...]
    note: str


def are_codes(names: Iterable[str]) -> bool:
    """Whether digits are names: of one width with zeros before them, unless they count 0, 1, 2, … without a gap."""
    distinct = set(names)
    if len({len(name) for name in distinct}) != 1 or not all(map(str.isdecimal, distinct)):
        return False
    zeros = any(len(name) > 1 and int(name[0]) == 0 for name in distinct)
    return zeros and max(map(float, distinct)) + 1 != len(distinct)


def restored(values: Sequence[str], paths: Callable[[], Sequence[str]], folders: Iterable[Path]) -> Codes | None:
    """Whole numbers with the zeros of their classes' own names; None where nothing shows that any were lost.

    Args:
        paths: of each label's image from the folder that was named, asked for where it counts.
        folders: where a file with the names of the classes may lie.
    """
    plain = {value: re.sub(r"\.0*$", "", value) for value in set(values)}
    if not plain or not all(map(_is_plain, plain.values())):
        return None
    values = [plain[value] for value in values]
    of_folders = _of_folders(values, paths())
    if of_folders is not None:
        return _filled(values, of_folders, "the images' folders")
    for path in (folder / name for folder in folders for name in NAMES):
        if (
            path.is_file()
            and (codes := _codes_in(path))
            and {int(value) for value in plain.values()} <= set(map(int, codes))
        ):
            return _filled(values, codes, shown(path.name, 60))
    return None


def _is_plain(value: str) -> bool:
    return value.isdecimal() and len(value) <= LONGEST and (value == "0" or not value.startswith("0"))


def _filled(values: Sequence[str], codes: Sequence[str], origin: str) -> Codes:
    width = len(codes[0])
    filled = [value.zfill(width) for value in values]
    short = next((value for value in values if len(value) < width), values[0])
    note = (
        f"labels are whole numbers and {origin} has the codes {listed(sorted(codes), 3)}: {short} is the class "
        f"{short.zfill(width)}, its zeros were lost (--as-classes keeps the numbers)"
    )
    return Codes(filled, tuple(sorted(set(codes) - set(filled))), note)


def _of_folders(values: Sequence[str], paths: Sequence[str]) -> list[str] | None:
    """The folders' names at one depth above the images, where each is its image's label but for zeros."""
    parts = [(value, path.split("/")[:-1]) for value, path in zip(values, paths, strict=True) if "/" in path]
    depth = min((len(folders) for _, folders in parts), default=0)
    for at in range(1, depth + 1):
        names = {folders[-at] for _, folders in parts}
        short = are_codes(names) and all(len(name) <= LONGEST for name in names)
        if short and all(int(folders[-at]) == int(value) for value, folders in parts):
            return sorted(names)
    return None


def _codes_in(path: Path) -> list[str]:
    """What a file names the classes where all are codes: the first word of each line, or a JSON's keys or texts."""
    content = read_file(path, LARGEST) if path.stat().st_size <= LARGEST else b""
    text = content.decode("utf-8-sig", "replace")
    if path.suffix == ".json":
        document = parse_unique(text, str(path))
        words = [str(one) for one in document] if isinstance(document, list | dict) else []
    else:
        words = [re.split(r"[\s,;]+", line.strip())[0] for line in text.splitlines() if line.strip()]
        words = words[1:] if words and not words[0].isdecimal() else words
    return words if are_codes(words) and len(set(words)) == len(words) and len(words[0]) <= LONGEST else []
