"""What spreadsheets and joined tables leave among records: marks of text, errors of formulas, headers again, sums."""

import re
from collections.abc import Callable, Iterable, Sequence

from evoray.runtime.reading import shown

_MARKED = re.compile(r"""="([^"]*)"|'(\d+)""")
"""``="001"`` and ``'001``: digits that a spreadsheet shall not take for a number."""
_ERROR = re.compile(r"#(REF!|VALUE!|DIV/0!|NAME\?|NULL!|NUM!|SPILL!|CALC!)")
_SUMS = "total totals sum grandtotal subtotal count average mean"
SUMS = frozenset(_SUMS.split())
"""What stands in place of a file's name in a last line that is no record."""
_BLANKS = ("?", "??", "???", "-", "--", "---", ".", "..", "...", "*", "–", "—", "…")
"""What people write for nothing."""
_SHARE = re.compile(r"[+-]?\d+(?:[.,]\d+)?\s?%")
_NUMBER = re.compile(r"(?:[+-]?\d+(?:[.,]\d+)*)?")
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}")
_AROUND = tuple(map(re.compile, (r"(?:tensor|np\.u?int\d+)\((\d+)\)", r"b'([^']+)'", r"'([^']+)'", "“([^”]+)”")))
_TRUTH = frozenset({"true", "false", "yes", "no"})


def unmarked(cell: str) -> str:
    """A cell without the mark that says it is text."""
    if cell[:1] in ("=", "'") and (found := _MARKED.fullmatch(cell)):
        return found.group(1) if found.group(1) is not None else found.group(2)
    return cell


def records_of(
    path_name: str, header: Sequence[str], rows: Sequence[tuple[int, list[str]]], is_file: Callable[[str], bool]
) -> tuple[Sequence[tuple[int, list[str]]], tuple[str, ...]]:
    """The rows that are records, and what is said of others: the header again (tables put one behind another), sums."""
    again = [line for line, cells in rows if cells == list(header)]
    kept: Sequence[tuple[int, list[str]]] = rows
    notes = []
    if again:
        kept = [(line, cells) for line, cells in rows if cells != list(header)]
        notes.append(f"{shown(path_name, 80)} has its header again, which is no record: line {again[0]}")
    if len(kept) > 1 and _is_sum(kept[-1][1], is_file):
        notes.append(f"its last line is a sum, and no record: {shown(' '.join(kept[-1][1]), 60)}")
        kept = kept[:-1]
    return kept, tuple(notes)


def _is_sum(cells: Sequence[str], is_file: Callable[[str], bool]) -> bool:
    words = [re.sub(r"[\W_]+", "", cell.casefold()) for cell in cells]
    others = [cell for cell, word in zip(cells, words, strict=True) if word not in SUMS]
    return len(others) < len(cells) and all(map(_NUMBER.fullmatch, others)) and not any(map(is_file, cells))


def bare(values: Sequence[str]) -> tuple[Sequence[str], str]:
    """Labels without what Python or quotes put around every one, and what is said of it."""
    distinct = set(values)
    for form in _AROUND:
        found = {value: match for value in distinct if (match := form.fullmatch(value))}
        if distinct and len(found) == len(distinct):
            one = min(distinct)
            note = f"what stands around each label is no part of it: {shown(one, 60)} is {shown(found[one][1], 60)}"
            return [found[value][1] for value in values], note
    return values, ""


def no_class(names: Iterable[str]) -> tuple[str, str] | None:
    """A label that is no class, and why, where the others show it; None where all may be."""
    names = list(names)
    if (wrong := next((name for name in names if _ERROR.fullmatch(name)), None)) is not None:
        return wrong, "an error of a spreadsheet's formula"
    if len(names) > 1 and all(map(_SHARE.fullmatch, names)):
        return names[0], "a measurement in percent: a list for regression"
    if len(names) > 1 and all(map(_DATE.fullmatch, names)):
        return names[0], "a date, as all others are"
    if "-1" in names and len(names) > 2 and not any(map(_NUMBER.fullmatch, set(names) - {"-1"})):
        return "-1", "what programs write where there is no label"
    words = [name for name in names if name not in _BLANKS]
    if len(words) == len(names) - 1 >= 2 and all(len(name) > 1 for name in words):
        return next(name for name in names if name in _BLANKS), "what people write where there is no label"
    truths = {name.casefold() for name in names}
    if truths & _TRUTH and truths & {"0", "1"} and truths <= _TRUTH | {"0", "1"}:
        mixed = next(name for name in names if name in ("0", "1"))
        return mixed, "true and false in numbers beside words for them"
    return None
