"""Which of a parent's outputs each class of the data is: by name, by number or in order, and never by a guess.

Where the parent brings names, they decide. Where it brings none, the classes are its outputs in order if that is the
only reading; a network trained on class folders knows them in the order of words (0, 1, 10, 11, 2, …), one trained on
numbers by number. Where both differ, or there are more outputs than classes, the user is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evoray.errors import ConfigError, DataError, ModelError
from evoray.models.classes import by_imagenet, by_names, numbers_of, refuse_twins, synsets
from evoray.runtime.auto import given
from evoray.runtime.reading import shown

FIRST = 5
"""So many classes are told with their outputs, where they are not in order."""
LISTED = 24
"""Up to so many outputs are written out in a message, to be copied into the configuration."""


@dataclass(frozen=True)
class ClassMap:
    """What each class of the data is.

    chosen: its output; None where class i is output i. outputs: how many the parent has. how: what decided, in words.
    """

    classes: tuple[str, ...]
    outputs: int
    chosen: tuple[int, ...] | None
    how: str

    @property
    def said(self) -> str:
        """One line: ``classes: the data's 12 are outputs 0 to 11 of the parent's 12, in order: …``."""
        count = len(self.classes)
        if self.chosen is None:
            which = f"outputs 0 to {count - 1}" if count > 1 else "output 0"
        else:
            pairs = zip(self.classes[:FIRST], self.chosen, strict=False)
            which = "outputs " + ", ".join(f"{shown(name)} → {at}" for name, at in pairs) + ", …" * (count > FIRST)
        return f"classes: the data's {count} are {which} of the parent's {self.outputs}, {self.how}"

    def to_dict(self) -> dict[str, Any]:
        """For ``summary.json``; ``data_classes`` has every class's output, None where they are in order."""
        return {
            "data": len(self.classes),
            "outputs": self.outputs,
            "data_classes": None if self.chosen is None else [*self.chosen],
            "how": self.how,
        }


class UnclearError(DataError):
    """The data's classes may be several of the parent's outputs. readings: by what ``data.outputs`` would say."""

    def __init__(self, what: str, readings: Mapping[str, tuple[int, ...]], remedy: str) -> None:
        super().__init__(f"{what} {remedy}")
        self.what, self.readings, self.remedy = what, readings, remedy


def mapped(
    classes: Sequence[str], parent: Sequence[str] | None, outputs: int, asked: str | Sequence[int] = "auto"
) -> ClassMap:
    """The outputs of the data's classes.

    Args:
        parent: its own class names, one an output; None where they are not known.
        outputs: how many the parent has.
        asked: ``data.outputs``.

    Raises:
        DataError: names do not match, or what the classes are is a guess (``UnclearError``).
        ConfigError: ``asked`` cannot be.
        ModelError: the parent has fewer outputs than classes, or other names than outputs.
    """
    names = tuple(classes)
    if not isinstance(asked, str):
        return _listed(names, outputs, tuple(asked))
    if given(asked) is None:
        refuse_twins(names)
        if parent is not None:
            _check_names(parent, outputs)
            return _made(names, outputs, by_names(names, parent), "by name")
    _check_count(names, outputs)
    if given(asked) is not None:
        return _by_word(names, outputs, asked)
    counted = numbers_of(names)
    if counted is not None:
        return _by_number(names, counted, outputs)
    found = by_imagenet(names) if outputs == len(synsets()) else None
    if found is not None:
        return _made(names, outputs, found, "by ImageNet's names")
    if outputs > len(names):
        raise _too_many_outputs(names, outputs)
    return _made(names, outputs, _first(names), "in order: the parent brings no names")


def outputs_of(classes: Sequence[str], parent: Sequence[str] | None, outputs: int) -> tuple[int, ...] | None:
    """The parent's output for each class of the data; None where they are its first outputs, in order."""
    return mapped(classes, parent, outputs).chosen


def _made(names: tuple[str, ...], outputs: int, chosen: tuple[int, ...], how: str) -> ClassMap:
    return ClassMap(names, outputs, None if chosen == _first(names) else chosen, how)


def _first(names: Sequence[str]) -> tuple[int, ...]:
    return tuple(range(len(names)))


def _check_names(parent: Sequence[str], outputs: int) -> None:
    if len(parent) != outputs:
        raise ModelError(
            f"the parent names {len(parent)} classes and has {outputs} outputs. Give evoray.Parent a name for each "
            "output, in their order, or no names."
        )


def _check_count(names: tuple[str, ...], outputs: int) -> None:
    if outputs < len(names):
        one = " One output is a regression's or a single logit's: return a logit for each class." * (outputs == 1)
        if outputs > 1 and names == tuple(map(str, range(outputs + 1))):
            one = (
                f" Where the labels count from 1 and class 0 has no images: subtract 1 from each label, or write the "
                f"{outputs} classes' names, and ingest again."
            )
        raise ModelError(
            f"the parent has {outputs} output{'s' * (outputs > 1)}, the data {len(names)} classes "
            f"({_some(names)}).{one} Take data of its classes, or a parent with an output for each."
        )


def _listed(names: tuple[str, ...], outputs: int, chosen: tuple[int, ...]) -> ClassMap:
    if max(chosen) >= outputs:
        raise ConfigError(
            f"data.outputs: {max(chosen)} is none of the parent's {outputs} outputs (0 to {outputs - 1})."
        )
    return _made(names, outputs, chosen, "as data.outputs says")


def _by_word(names: tuple[str, ...], outputs: int, asked: str) -> ClassMap:
    if asked == "in-order":
        return _made(names, outputs, _first(names), "in order, as data.outputs says")
    counted = numbers_of(names)
    if counted is None or max(counted) >= outputs or len(set(counted)) < len(names):
        raise ConfigError(
            f'data.outputs = "{asked}": the classes {_some(names)} are not the numbers of outputs, each another from 0 '
            f'to {outputs - 1}. Set it to "in-order", or to the number of the output for each class.'
        )
    return _made(names, outputs, counted, "by number, as data.outputs says")


def _by_number(names: tuple[str, ...], counted: tuple[int, ...], outputs: int) -> ClassMap:
    """Unnamed outputs of classes that are numbers: what the number says, or its place."""
    places = _first(names)
    if len(set(counted)) < len(names):
        raise DataError(f"the data's classes {_some(names)}: two have one number. Rename them, or make them one class.")
    ranks = tuple(sorted(counted).index(number) for number in counted)
    fits = max(counted) < outputs
    if fits and counted == places:
        return _made(names, outputs, places, "by number")
    if not fits and ranks == places:
        if outputs > len(names):
            raise _too_many_outputs(names, outputs)
        return _made(names, outputs, places, "in order of their numbers")
    readings = {'"in-order"': places, '"by-number"' if fits else _as_list(ranks): counted if fits else ranks}
    what = (
        f"the data's {len(names)} classes are named by numbers ({_some(names)}), and the parent's {outputs} outputs "
        f"have no names. {_readings(names, readings)}"
    )
    raise UnclearError(what, readings, f"Set data.outputs to {' or '.join(readings)}, or to an output for each class.")


def _readings(names: tuple[str, ...], readings: Mapping[str, tuple[int, ...]]) -> str:
    """What each would make of the first class in which they differ."""
    (word, order), (other, number) = readings.items()
    at = next(i for i, (a, b) in enumerate(zip(order, number, strict=True)) if a != b)
    return (
        f"{word} makes class {shown(names[at])} output {order[at]}, as a network has it that was trained on these "
        f"folders by ImageFolder; {other} makes it output {number[at]}."
    )


def _as_list(chosen: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, chosen))}]" if len(chosen) <= LISTED else "the order of their numbers, as a list"


def _too_many_outputs(names: tuple[str, ...], outputs: int) -> UnclearError:
    what = (
        f"the data has {len(names)} classes ({_some(names)}) and the parent {outputs} outputs without names: which of "
        "them the classes are is a guess."
    )
    remedy = (
        f'Set data.outputs to the number of the output for each class, or to "in-order" for the first {len(names)}; or '
        "let the parent bring its names (evoray.Parent(model, classes=…))."
    )
    return UnclearError(what, {'"in-order"': _first(names)}, remedy)


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names[:4])) + ", …" * (len(names) > 4)
