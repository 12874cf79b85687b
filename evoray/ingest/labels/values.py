"""What a label may be, wherever it comes from: one class a record, by number or by name.

Where all are ordinary whole numbers (``3``, ``3.0``) they are the classes' own numbers and count from 0 to the largest;
else all are names, and sorted: codes such as ``1E2``, ``0x1F`` and ``1_000`` are names. Whatever is no class is refused
with its place: an empty cell, several labels in one, a measurement, a word among numbers.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from evoray.errors import DataError
from evoray.ingest.cells.spreadsheet import bare, no_class
from evoray.ingest.cells.truth import one_spelling, unclear
from evoray.ingest.labels.codes import are_codes
from evoray.ingest.labels.columns import listed
from evoray.ingest.labels.suspicion import ANSWER, few_words, measured, sparse, tags
from evoray.runtime.reading import shown

ONE = "Image classification wants one label a file"
_MISSING = "#N/A #NA -1.#IND -1.#QNAN -NaN -nan 1.#IND 1.#QNAN <NA> N/A NA NULL NaN None n/a nan null"
MISSING = frozenset({"#N/A N/A", *_MISSING.split()})
"""What pandas reads as an empty cell. Among numbers it is no label. Among names it is a name where the format has a
null of its own (Parquet, JSON); in plain text either may be meant, and it is refused but for ``--as-classes``."""
LONGEST = 500
"""Characters of a class's name."""
MOST_CLASSES = 1_000_000
"""Numbered classes: each number below the largest gets a name, and ImageNet-21k has 21,841."""
_NUMBER = re.compile(r"[+-]?(\d+|(\d+\.\d*|\.\d+)([eE][+-]?\d+)?|\d+[eE][+-]\d+)")
"""As programs print numbers: ``1e+02`` and ``1.0e2``, but ``1E2`` is a code."""
_LITERAL = re.compile(r"\d+[eE]\d+|0[xXbBoO][0-9a-fA-F]+|\d+(_\d+)+")
"""What programs take for a number though people mean a code."""
_COMMA = re.compile(r"[+-]?\d+,\d+")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([.,])000")
"""``1,000``: a thousand where a program parts digits so, else one with a decimal comma."""
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


def labelled(
    values: Sequence[str], where: Where, column: str = "", as_classes: bool = False, null: bool = False
) -> Labels:
    """The classes of all labels, and each record's.

    Args:
        column: its name, where it has one.
        as_classes: the user says that whatever stands there is a class: tags, measurements and lists are names.
        null: whether the format has a null of its own: see MISSING.

    Raises:
        DataError: a label that is no class, with its place and what to do.
    """
    values, around = (values, "") if as_classes else bare(values)
    values, truth = (values, "") if as_classes else one_spelling(values)
    first: dict[str, int] = {}
    for record, value in enumerate(values):
        first.setdefault(value, record)
    for name, record in first.items():
        _check(name, where(record), as_classes)
    numbers = _numbers(first, where, as_classes)
    if not (as_classes or null):
        _refuse_words(first, where)
    if not as_classes:
        _refuse_other(first, where)
        _refuse_several(first, where, column) if numbers is None else _refuse_measured(values, numbers, where, column)
    classes, index = class_index(first if numbers is None else numbers.values(), numbers is None)
    if set(first) <= set(BOOLEANS):
        classes, index = BOOLEANS, {name: label for label, name in enumerate(BOOLEANS)}
    of = index if numbers is None else {name: index[number] for name, number in numbers.items()}
    notes = _of_names(first) if numbers is None else _of_numbers(numbers)
    if numbers is not None and sparse(counts := Counter(int(numbers[value]) for value in values)):
        notes += (f"{len(counts)} different numbers, half of them of one image each: are they classes?",)
    notes += tuple(note for note in (around, truth) if note)
    if 10 <= len(first) == len(values):
        notes += ("every record has a label of its own: is this column one of labels?",)
    return Labels(classes, [of[value] for value in values], notes)


def class_index(found: Iterable[str], names: bool = False) -> tuple[tuple[str, ...], dict[str, int]]:
    """Class names in order, and each one's label: numbers count from 0 to the largest, names are sorted.

    Args:
        names: they are names even where all are digits.

    Raises:
        DataError: a number that no class can have.
    """
    distinct = set(found)
    if distinct and not names and all(name.isdecimal() for name in distinct):
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


def _check(name: str, where: str, as_classes: bool) -> None:
    if not name:
        raise DataError(_missing(where, name))
    if len(name) > LONGEST or any(map(_is_control, name)):
        what = f"over {LONGEST} characters" if len(name) > LONGEST else "control or invisible characters in it"
        raise DataError(f"{where}: the label {shown(name, 80)} has {what}. Write a plain name on one line.")
    parts = re.split(r"[,\s]+", name)
    several = len(parts) > 1 and all(_NUMBER.fullmatch(part) for part in parts) and not _COMMA.fullmatch(name)
    if not as_classes and (several or _SEVERAL.fullmatch(name)):
        raise DataError(f"{where}: {shown(name, 80)} is a list of several labels (or scores). {ONE}. {ANSWER}.")


def _is_control(sign: str) -> bool:
    """What cannot be seen: two names that differ so look alike. Joiners between letters are part of some scripts."""
    return unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") and sign not in "\u200c\u200d"


def _numbers(first: Mapping[str, int], where: Where, as_classes: bool) -> dict[str, str] | None:
    """Each label as a whole number; None where they are names."""
    plain = {name: _point(name) for name in first}
    numeric = [name for name in first if _NUMBER.fullmatch(plain[name])]
    odd = [name for name in first if not _NUMBER.fullmatch(plain[name])]
    if odd or not numeric:
        if numeric and not as_classes:
            _refuse_odd(odd, numeric, first, where)
        return None
    thousands = _thousands(numeric)
    if thousands and not as_classes:
        raise DataError(
            f"{where(first[thousands])}: the label {shown(thousands, 40)} is a thousand, or "
            f"{_point(thousands).partition('.')[0]} with decimals. Write {thousands[:-4]}000 or {thousands[:-4]}. "
            f"{ANSWER}."
        )
    if thousands or are_codes(numeric) or (as_classes and any(float(plain[name]) % 1 for name in numeric)):
        return None
    if {float(plain[name]) for name in numeric} != {-1, 1}:  # no and yes, of CelebA and of libsvm
        for name in numeric:
            _check_number(name, plain[name], len(numeric), where(first[name]))
    return {name: str(int(float(plain[name]))) for name in numeric}


def _point(name: str) -> str:
    """A number with a decimal comma, as Python writes it."""
    return name.replace(",", ".") if _COMMA.fullmatch(name) else name


def _thousands(numeric: Sequence[str]) -> str | None:
    """A number that may have a thousands sign, where none beside it (``0,000``, ``1,5``) shows that it has decimals."""
    found = [name for name in numeric if _THOUSANDS.fullmatch(name)]
    parted = [name for name in numeric if re.search(r"[.,]", name)]
    decimals = len(found) < len(parted) or (len(found) == len(numeric) and found[0][-4] == ".")
    return None if not found or decimals else found[0]


def _refuse_odd(odd: Sequence[str], numeric: Sequence[str], first: Mapping[str, int], where: Where) -> None:
    """A word among numbers is a typing error, mostly; codes are names, and so are a few numbers among names."""
    place = where(first[odd[0]])
    if set(odd) <= MISSING:
        raise DataError(_missing(place, odd[0]))
    if comma := next((name for name in numeric if _COMMA.fullmatch(name)), None):
        raise DataError(f"{where(first[comma])}: {shown(comma, 80)} is a list of several labels. {ONE}. {ANSWER}.")
    codes = [name for name in odd if any(map(str.isdecimal, name))]
    padded = any(len(name) > 1 and name.startswith("0") and name.isdecimal() for name in numeric)
    if len(codes) > 1 or any(map(_LITERAL.fullmatch, codes)) or (codes and padded):
        return
    if len(numeric) >= len(odd) and (len(odd) == 1 or any(abs(float(one)) >= 10 for one in numeric)):
        raise DataError(
            f"{place}: the label {shown(odd[0], 80)} among {len(numeric)} numbers. "
            "Write every label as a number, or every one as a name; or take all of them for names with --as-classes."
        )


def _check_number(name: str, plain: str, distinct: int, where: str) -> None:
    value = float(plain)
    if abs(value) >= MOST_CLASSES:
        raise DataError(f"{where}: the label {shown(name, 40)} is no class's number: there may be {MOST_CLASSES:,}.")
    if value != int(value):
        comma = " with a decimal comma, or several labels" if plain != name else ""
        raise DataError(
            f"{where}: the label {shown(name, 40)} is a measurement{comma} ({distinct} different numbers: a list for "
            f"regression). {ONE}: a name, or a whole number from 0. {ANSWER}."
        )
    if value < 0:
        raise DataError(_missing(where, int(value)))


def _refuse_measured(values: Sequence[str], numbers: Mapping[str, str], where: Where, column: str) -> None:
    counts = Counter(int(numbers[value]) for value in values)
    if (why := measured(column, counts)) is not None:
        raise DataError(f"{where(0)}: {why}. {ONE}. {ANSWER}.")


def _refuse_words(first: Mapping[str, int], where: Where) -> None:
    """``NA`` among names in plain text: Namibia, or what a program wrote for no label."""
    if (word := next((name for name in first if name in MISSING), None)) is not None:
        raise DataError(f"{_missing(where(first[word]), word)} If a class is called so, say --as-classes.")


def _refuse_other(first: Mapping[str, int], where: Where) -> None:
    if (found := no_class(first) or unclear(first)) is not None:
        name, why = found
        raise DataError(f"{where(first[name])}: the label {shown(name, 60)} is {why}. {ONE}. {ANSWER}.")


def _refuse_several(first: Mapping[str, int], where: Where, column: str) -> None:
    """``cat dog`` beside ``cat`` and ``dog``; but ``tench, Tinca tinca`` is a name."""
    parts = {sign: {name: _parts(name, sign) for name in first if sign in name} for sign in _JOINS}
    counted = Counter(part for own in parts[","].values() for part in set(own))
    for sign, names in parts.items():
        for name, own in names.items():
            if len(own) > 1 and all(part in first or (sign == "," and counted[part] > 1) for part in own):
                raise DataError(f"{where(first[name])}: {shown(name, 80)} is several labels in one. {ONE}. {ANSWER}.")
    if (why := tags(column, first)) is not None:
        raise DataError(f"{where(0)}: {why}. {ONE}. {ANSWER}.")


def is_number(text: str) -> bool:
    """As programs print numbers."""
    return _NUMBER.fullmatch(text) is not None


def _parts(name: str, sign: str) -> list[str]:
    return [part.strip() for part in name.split(sign) if part.strip()]


def alike(names: Iterable[str]) -> tuple[str, ...]:
    """What is said of classes that are one to a reader: ``Sea Lake``, ``sea lake`` and ``sea_lake``."""
    plain = {name: re.sub(r"[\s_-]+", "", name.casefold()) for name in names}
    count = Counter(plain.values())
    found = sorted(name for name, folded in plain.items() if count[folded] > 1)
    return (f"classes that differ in case, blanks or dashes alone: {listed(found, 6)}",) if found else ()


def _of_names(names: Iterable[str]) -> tuple[str, ...]:
    """What is worth a look: names that differ little, numbers among them, words that others write for nothing."""
    digits = [name for name in names if name.isdecimal()]
    words = [name for name in names if name in MISSING]
    notes = [
        (
            digits,
            "labels are words, for not all are plain whole numbers without zeros in front: {} are sorted as words",
        ),
        (words, "taken as names of classes, not as missing labels: {}"),
    ]
    said = (*alike(names), *(text.format(listed(sorted(found), 6)) for found, text in notes if found))
    shared = few_words(names)
    return (
        said if shared is None else (*said, f"many labels share words ({shared}): each is a class, and no set of tags")
    )


def _of_numbers(numbers: Mapping[str, str]) -> tuple[str, ...]:
    """What is open where numbers do not count 0, 1, 2, …"""
    found = sorted({int(number) for number in numbers.values()})
    if found == [-1, 1]:
        return ("labels are -1 and 1: two classes, -1 the first",)
    padded = [name for name, number in numbers.items() if name.isdecimal() and name != number and number in numbers]
    zeros = [name for name in numbers if len(name) > 1 and name.startswith("0") and name.isdecimal()]
    same = (f"numbers with and without zeros before them are one class: {listed(padded, 3)}",) if padded else ()
    if not padded and len({len(name) for name in numbers}) > 1 and zeros:
        one = f"{shown(zeros[0], 40)} is {numbers[zeros[0]]}"
        same = (f"labels are numbers, not codes, for they are not all of one width: {one}",)
    absent = found[-1] + 1 - len(found)
    if absent == 0:
        return same
    said = f"labels are numbers and taken as they are; {absent} of the numbers 0 to {found[-1]} do not occur"
    if found[0] == 1 and absent == 1:
        said += (
            ": they count from 1, so class 0 has no images, and a network needs "
            f"{found[-1] + 1} outputs. For one of {found[-1]}, subtract 1 from each, or write the classes' names"
        )
    return (*same, said)
