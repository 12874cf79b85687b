"""Which of a parent's outputs each class of the data is, where names decide it.

ImageNet's classes go by three names: the synset (``n01440764``), the category (``tench``), and the index (``0``).
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from itertools import accumulate

from evoray.errors import DataError
from evoray.runtime.reading import shown

REMEDY = (
    'Name the classes as the parent does (or by synset, or by index), or set data.outputs: "in-order", or the number '
    "of the parent's output for each class."
)


def by_names(classes: Sequence[str], parent: Sequence[str]) -> tuple[int, ...]:
    """The parent's output for each class of the data, found by its name.

    Numbers are names as well: of a parent whose outputs are numbered they are matched as numbers, of any other they
    count its outputs.

    Raises:
        DataError: a class of the data is none of the parent's, could be two, or is the same as another.
    """
    places = _places(parent)
    found = [_place(name, places) for name in classes]
    missing = [name for name, at in zip(classes, found, strict=True) if len(at) == 0]
    double = [name for name, at in zip(classes, found, strict=True) if len(at) > 1]
    chosen = tuple(at[0] for at in found if len(at) == 1)
    if not missing and not double and len(set(chosen)) == len(classes):
        return chosen
    counted = numbers_of(classes)
    if counted is not None and not any(name.isdecimal() for name in parent):
        if max(counted) < len(parent) and len(set(counted)) == len(counted):
            return counted
    elif _same_list(classes, parent, found):
        return tuple(range(len(classes)))
    raise DataError(_problem(classes, parent, missing, double))


def by_imagenet(classes: Sequence[str]) -> tuple[int, ...] | None:
    """The same for a parent of ImageNet's 1,000 outputs that brings no names; None where a name is none of theirs."""
    try:
        return by_names(classes, synsets())
    except DataError:
        return None


def numbers_of(classes: Sequence[str]) -> tuple[int, ...] | None:
    """The classes as numbers, where every one is named by one."""
    if all(name.isdecimal() and len(name) <= _DIGITS for name in classes):
        return tuple(int(name) for name in classes)
    return None


def refuse_twins(classes: Sequence[str]) -> None:
    """Raises DataError where two classes have one name, written in composed and in decomposed letters."""
    seen: dict[str, str] = {}
    for name in classes:
        other = seen.setdefault(_composed(name), name)
        if other is not name and other != name:
            raise DataError(
                f"the data has two classes called {shown(_composed(name))}: one in composed letters, one in decomposed "
                "ones (Unicode's NFC and NFD), as when a folder was copied from another system. Make them one class, "
                'or say that they are two with data.outputs: "in-order", or the number of an output for each class.'
            )


@cache
def synsets() -> tuple[str, ...]:
    """ImageNet's 1,000 synsets; sorted, they are the outputs of every network trained on it.

    The file has the first one's number and the steps from each to the next, which pack to half the size.
    """
    steps = resources.files("evoray.models").joinpath("imagenet_synset_steps.txt").read_text().split()
    return tuple(f"n{number:08d}" for number in accumulate(map(int, steps)))


def _same_list(classes: Sequence[str], parent: Sequence[str], found: Sequence[Sequence[int]] | None = None) -> bool:
    """Long lists of ImageNet's categories differ in a few words; nine of ten in their places is the same list.

    Unless more than one in a hundred stands elsewhere among the parent's: then it is the same names in another order.
    """
    if len(classes) != len(parent):
        return False
    alike = sum(_first(a) == _first(b) for a, b in zip(classes, parent, strict=True))
    elsewhere = sum(len(at) == 1 and at[0] != place for place, at in enumerate(found or ()))
    return alike >= (0.9 if len(parent) >= 100 else 1) * len(parent) and elsewhere <= len(parent) // 100


def _composed(name: str) -> str:
    """NFC: macOS gives names in decomposed letters, everyone else in composed ones."""
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return re.sub(r"[\s_-]+", " ", folded).strip()


def _first(name: str) -> str:
    """Of ``tench, Tinca tinca``."""
    return _folded(name).partition(",")[0].strip()


def _counted(name: str) -> str:
    """``7`` of ``007``."""
    return str(int(name)) if name.isdecimal() and len(name) <= _DIGITS else name


_DIGITS = 18
_SPELLINGS: tuple[Callable[[str], str], ...] = (_composed, _counted, _folded, _first)
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
        what = f"{len(missing)} are none of the parent's, such as {', '.join(map(shown, missing[:3]))}"
    elif double:
        what = f"{', '.join(map(shown, double[:3]))} could be several of the parent's"
    else:
        what = "several are the same one of the parent's"
    listed = ", ".join(map(shown, parent[:3]))
    return f"the data has {len(classes)} classes, and {what}. The parent's {len(parent)} are {listed}, …. {REMEDY}"
