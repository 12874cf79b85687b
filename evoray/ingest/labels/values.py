"""What a label may be, wherever it comes from: one class a record, by number or by name.

Numbers (``3``, ``3.0``) are the classes' own numbers and count from 0 to the largest; names are sorted. Whatever is no
class is refused with its place: an empty cell, several labels in one, a measurement, a number among names.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from evoray.errors import DataError
from evoray.ingest.labels.columns import listed
from evoray.runtime.reading import shown

ONE = "Image classification wants one label a file"
_MISSING = "#N/A #NA -1.#IND -1.#QNAN -NaN -nan 1.#IND 1.#QNAN <NA> N/A NA NULL NaN None n/a nan null"
MISSING = frozenset({"#N/A N/A", *_MISSING.split()})
"""What pandas reads as an empty cell."""
LONGEST = 500
"""Characters of a class's name."""
MOST_CLASSES = 1_000_000
"""Numbered classes: each number below the largest gets a name, and ImageNet-21k has 21,841."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SEVERAL = re.compile(r"\[.*\]|\{.*\}|\(.*,.*\)|.*[|;].*", re.DOTALL)
_JOINS = (",", " ", "/", "+", "&")
BOOLEANS = ("false", "true")

Where = Callable[[int], str]
"""A record's place for messages: ``list.csv, line 3``."""


@dataclass(frozen=True)
class Labels:
    """indices: each record's class; notes: what is worth saying of them."""

    classes: tuple[str, ...]
    indices: list[int]
    notes: tuple[str, ...]


def label_text(value: object, where: str) -> str:
    """A label as text: whole numbers without a point, true and false in lower case, names as Unicode composes them.

    Raises:
        DataError: nothing, or no single label.
    """
    if isinstance(value, bool):
        return BOOLEANS[value]
    if isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        return str(int(value))
    if isinstance(value, str | bytes):
        return _text(value, where)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise DataError(_missing(where, value))
    if isinstance(value, int | float | Decimal):
        return str(value)
    raise DataError(f"{where} has the label {shown(repr(value), 80)}: several labels, or none. {ONE}.")


def labelled(values: Sequence[str], where: Where, missing: frozenset[str] = MISSING) -> Labels:
    """The classes of all labels, and each record's.

    Args:
        missing: words that stand for no label; where the format has a null of its own, there are none, and that such
            words are names is said.

    Raises:
        DataError: a label that is no class, with its place and what to do.
    """
    first: dict[str, int] = {}
    for record, value in enumerate(values):
        first.setdefault(value, record)
    for name, record in first.items():
        _check(name, where(record), missing)
    numbers = _numbers(first, where)
    if numbers is None:
        _refuse_joined(first, where)
    classes, index = class_index(first if numbers is None else numbers.values())
    if set(first) <= set(BOOLEANS):
        classes, index = BOOLEANS, {name: label for label, name in enumerate(BOOLEANS)}
    of = index if numbers is None else {name: index[number] for name, number in numbers.items()}
    notes = (
        _of_names(first, missing) if numbers is None else _of_numbers(sorted({int(one) for one in numbers.values()}))
    )
    if 10 <= len(first) == len(values):
        notes += ("every record has a label of its own: is this column one of labels?",)
    return Labels(classes, [of[value] for value in values], notes)


def class_index(found: Iterable[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Class names in order, and each one's label: numbers count from 0 to the largest, names are sorted.

    Raises:
        DataError: a number that no class can have.
    """
    distinct = set(found)
    if distinct and all(name.isdecimal() for name in distinct):
        largest = max(distinct, key=float)
        if float(largest) >= MOST_CLASSES:
            raise DataError(f"the label {shown(largest, 40)} is no class's number: there may be {MOST_CLASSES:,}.")
        classes = tuple(str(number) for number in range(int(largest) + 1))
        return classes, {name: int(name) for name in distinct}
    classes = tuple(sorted(distinct))
    return classes, {name: label for label, name in enumerate(classes)}


def _text(value: str | bytes, where: str) -> str:
    try:
        text = value.decode("utf-8-sig") if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        raise DataError(f"{where} has the label {shown(repr(value), 80)}, which is not UTF-8. Write it so.") from None
    if not text.isascii():
        text = "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in text)
    return unicodedata.normalize("NFC", text.strip())


def _missing(where: str, value: object) -> str:
    return (
        f"{where} has the label {shown(repr(value), 80)}. Images without a label (a test split) cannot be judged: "
        "give it one, or leave the record out."
    )


def _check(name: str, where: str, missing: frozenset[str]) -> None:
    if not name or name in missing:
        raise DataError(_missing(where, name))
    if len(name) > LONGEST or any(map(_is_control, name)):
        what = f"over {LONGEST} characters" if len(name) > LONGEST else "control or invisible characters in it"
        raise DataError(f"{where}: the label {shown(name, 80)} has {what}. Write a plain name on one line.")
    parts = re.split(r"[,\s]+", name)
    if _SEVERAL.fullmatch(name) or (len(parts) > 1 and all(_NUMBER.fullmatch(part) for part in parts)):
        raise DataError(f"{where}: {shown(name, 80)} is a list of several labels (or scores). {ONE}.")


def _is_control(sign: str) -> bool:
    """What cannot be seen: two names that differ so look alike. Joiners between letters are part of some scripts."""
    return unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") and sign not in "\u200c\u200d"


def _numbers(first: Mapping[str, int], where: Where) -> dict[str, str] | None:
    """Each label as a whole number; None where they are names."""
    numeric = [name for name in first if _NUMBER.fullmatch(name)]
    odd = [name for name in first if not _NUMBER.fullmatch(name)]
    if odd:
        if len(numeric) >= len(odd) and (len(odd) == 1 or any(abs(float(one)) >= 10 for one in numeric)):
            raise DataError(
                f"{where(first[odd[0]])}: the label {shown(odd[0], 80)} among {len(numeric)} numbers. "
                "Write every label as a number, or every one as a name."
            )
        return None
    for name in numeric:
        _check_number(name, len(numeric), where(first[name]))
    return {name: str(int(float(name))) for name in numeric}


def _check_number(name: str, distinct: int, where: str) -> None:
    value = float(name)
    if abs(value) >= MOST_CLASSES:
        raise DataError(f"{where}: the label {shown(name, 40)} is no class's number: there may be {MOST_CLASSES:,}.")
    if value != int(value):
        raise DataError(
            f"{where}: the label {shown(name, 40)} is a measurement ({distinct} different numbers: a list for "
            f"regression). {ONE}: a name, or a whole number from 0."
        )
    if value < 0:
        raise DataError(_missing(where, int(value)))


def _refuse_joined(first: Mapping[str, int], where: Where) -> None:
    """``cat dog`` beside ``cat`` and ``dog``; but ``tench, Tinca tinca`` is a name."""
    parts = {sign: {name: _parts(name, sign) for name in first if sign in name} for sign in _JOINS}
    counted = Counter(part for own in parts[","].values() for part in set(own))
    for sign, names in parts.items():
        for name, own in names.items():
            if len(own) > 1 and all(part in first or (sign == "," and counted[part] > 1) for part in own):
                raise DataError(f"{where(first[name])}: {shown(name, 80)} is several labels in one. {ONE}.")


def _parts(name: str, sign: str) -> list[str]:
    return [part.strip() for part in name.split(sign) if part.strip()]


def _of_names(names: Iterable[str], missing: frozenset[str]) -> tuple[str, ...]:
    folded = Counter(name.casefold() for name in names)
    alike = [name for name in names if folded[name.casefold()] > 1]
    notes = [f"classes that differ in upper and lower case alone: {listed(sorted(alike))}"] if alike else []
    if odd := sorted(MISSING.difference(missing).intersection(names)):
        notes.append(f"taken as names of classes, not as missing labels: {listed(odd)}")
    return tuple(notes)


def _of_numbers(numbers: Sequence[int]) -> tuple[str, ...]:
    """What is open where numbers do not count 0, 1, 2, …"""
    absent = numbers[-1] + 1 - len(numbers)
    if absent == 0:
        return ()
    said = f"labels are numbers and taken as they are; {absent} of the numbers 0 to {numbers[-1]} do not occur"
    if numbers[0] == 1 and absent == 1:
        said += ": they count from 1, so class 0 has no images. Where the first class is 1, subtract 1 first"
    return (said,)
