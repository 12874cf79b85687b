"""One record whose label stands in two places: where they differ nobody knows which counts, so it is asked."""

from collections.abc import Iterable
from dataclasses import dataclass

from evoray.errors import DataError
from evoray.runtime.reading import shown

TEXT = "txt"
"""A caption, mostly; a label where it is a class's name or number alone."""
MOST_TEXTS = 50_000
"""So many different ones are captions, and not looked at."""


@dataclass(frozen=True)
class Said:
    """A label, and what it was read from: a suffix (``cls``, ``txt``), or a key of a JSON (``json label``)."""

    text: str
    of: str

    @property
    def option(self) -> str:
        """What ``--label-column`` calls it."""
        return self.of.removeprefix("json ")


@dataclass(frozen=True)
class Twice:
    """A record with another label beside the one that was taken, not the same text; where: its place, for messages."""

    taken: Said
    other: Said
    where: str


def differs(taken: str, other: str) -> bool:
    """Whether two texts of a label are not the same one: ``3`` and ``3.0`` are, ``Cat`` and ``cat`` are."""
    one, two = _number(taken), _number(other)
    return one != two if one is not None and two is not None else taken.casefold() != other.casefold()


class Agreement:
    """Looks at the labels of record after record. A number and a name agree where each number has one name, and each
    name one number."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, bool, str], Twice] = {}
        self._texts: dict[tuple[Said, str], Twice] = {}

    def add(self, pair: Twice) -> None:
        """Raises DataError for two labels that are not one, with the record and how to say which counts."""
        taken, other = pair.taken, pair.other
        if other.of == TEXT:
            if len(self._texts) < MOST_TEXTS:
                self._texts.setdefault((taken, other.text.casefold()), pair)
        elif _is_number(taken.text) == _is_number(other.text) or other.text.startswith(("[", "{")):
            raise _asked(pair)
        else:
            for turned, text in enumerate((taken.text, other.text)):
                before = self._first.setdefault((other.of, bool(turned), text), pair)
                if (before.taken, before.other) != (taken, other):
                    has = f" {before.where} has {shown(before.taken.text, 40)} and {shown(before.other.text, 40)}."
                    raise _asked(pair, has)

    def finish(self, classes: Iterable[str]) -> None:
        """Raises DataError where a text beside a label is another of the classes."""
        known = {name.casefold() for name in classes}
        for (_, text), pair in self._texts.items():
            if text in known and len(self._texts) < MOST_TEXTS:
                raise _asked(pair)


def _asked(pair: Twice, before: str = "") -> DataError:
    taken, other = pair.taken, pair.other
    return DataError(
        f"{pair.where} has two labels that differ: {taken.of} says {shown(taken.text, 60)}, {other.of} says "
        f"{shown(other.text, 60)}.{before} Say which counts with --label-column {shown(taken.option, 40)} or "
        f"--label-column {shown(other.option, 40)}."
    )


def _is_number(text: str) -> bool:
    return _number(text) is not None


def _number(text: str) -> float | None:
    try:
        return float(text) if text[:1].isdecimal() or text[:1] in "+-." else None
    except ValueError:
        return None
