"""Which of a parent's outputs each class of the data is: by name, never by a guess.

ImageNet's classes go by three names: the synset (``n01440764``), the category (``tench``), and the index (``0``).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources

from evoray.errors import DataError

REMEDY = (
    'Name the classes as the parent does (or by synset, or by index), or set data.outputs: "in-order", or the number '
    "of the parent's output for each class."
)


def outputs_of(classes: Sequence[str], parent: Sequence[str] | None, outputs: int) -> tuple[int, ...] | None:
    """The parent's output for each class of the data; None where they are its first outputs, in order.

    Args:
        parent: the parent's own class names; None where they are not known, and the order is trusted.
        outputs: how many the parent has.

    Raises:
        DataError: both lists are known, and a class of the data is none of the parent's, or could be two.
    """
    if all(name.isdecimal() for name in classes) and max(map(int, classes)) < outputs:
        return _unless_in_order(tuple(int(name) for name in classes))
    if parent is None:
        known = outputs == len(synsets()) and set(classes) <= set(synsets())
        return _unless_in_order(tuple(synsets().index(name) for name in classes)) if known else None
    if _same_list(classes, parent):
        return None
    places = _places(parent)
    found = [_place(name, places) for name in classes]
    missing = [name for name, at in zip(classes, found, strict=True) if len(at) == 0]
    double = [name for name, at in zip(classes, found, strict=True) if len(at) > 1]
    chosen = tuple(at[0] for at in found if len(at) == 1)
    if missing or double or len(set(chosen)) < len(classes):
        raise DataError(_problem(classes, parent, missing, double))
    return _unless_in_order(chosen)


@cache
def synsets() -> tuple[str, ...]:
    """ImageNet's 1,000 synsets; sorted, they are the outputs of every network trained on it."""
    return tuple(resources.files("evoray.models").joinpath("imagenet_synsets.txt").read_text().split())


def _unless_in_order(chosen: tuple[int, ...]) -> tuple[int, ...] | None:
    return None if chosen == tuple(range(len(chosen))) else chosen


def _same_list(classes: Sequence[str], parent: Sequence[str]) -> bool:
    """Long lists of ImageNet's categories differ in a few words; nine of ten in their places is the same list."""
    alike = sum(_first(a) == _first(b) for a, b in zip(classes, parent, strict=False))
    return len(classes) == len(parent) and alike >= (0.9 if len(parent) >= 100 else 1) * len(parent)


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name.casefold()).strip()


def _first(name: str) -> str:
    """Of ``tench, Tinca tinca``."""
    return _folded(name).partition(",")[0].strip()


_SPELLINGS: tuple[Callable[[str], str], ...] = (str, _folded, _first)
"""Tried in this order: ImageNet has a Cardigan and a cardigan."""


def _places(parent: Sequence[str]) -> list[dict[str, list[int]]]:
    """Under each spelling, the outputs of a name."""
    imagenet = len(parent) == len(synsets()) and _is_imagenet(tuple(parent))
    places: list[dict[str, list[int]]] = [defaultdict(list) for _ in _SPELLINGS]
    for output, name in enumerate(parent):
        names = {name, synsets()[output], _categories()[output]} if imagenet else {name}
        for spelling, own in zip(_SPELLINGS, places, strict=True):
            for one in {spelling(name) for name in names}:
                own[one].append(output)
    return places


@cache
def _is_imagenet(parent: tuple[str, ...]) -> bool:
    return parent == synsets() or _same_list(_categories(), parent)


@cache
def _categories() -> tuple[str, ...]:
    from torchvision.models import ResNet50_Weights

    return tuple(ResNet50_Weights.DEFAULT.meta["categories"])


def _place(name: str, places: list[dict[str, list[int]]]) -> list[int]:
    return next(
        (own[key] for spelling, own in zip(_SPELLINGS, places, strict=True) if (key := spelling(name)) in own), []
    )


def _problem(classes: Sequence[str], parent: Sequence[str], missing: list[str], double: list[str]) -> str:
    if missing:
        what = f"{len(missing)} are none of the parent's, such as {', '.join(missing[:3])}"
    elif double:
        what = f"{', '.join(double[:3])} could be several of the parent's"
    else:
        what = "several are the same one of the parent's"
    listed = ", ".join(parent[:3])
    return f"the data has {len(classes)} classes, and {what}. The parent's {len(parent)} are {listed}, …. {REMEDY}"
