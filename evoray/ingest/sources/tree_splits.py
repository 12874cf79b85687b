"""Splits in a tree of folders: above the classes (``train/cat``), below them (``cat/train``), or in their names.

ImageFolder would take all of it as one set. Which images are meant is open, so it is asked, and ``--split`` answers.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evoray.errors import DataError
from evoray.ingest.labels.columns import listed
from evoray.ingest.sources.splits import SPLITS
from evoray.runtime.reading import shown

ALL, NONE = "all", "none"
"""Of ``--split``: every split as one set; and the folders are no splits."""
_NUMBERED = frozenset({"fold", "kfold", "cv", "split"})
"""Splits where a number is beside them: ``fold_1``."""
_PARTS = frozenset({"subset", "part", "batch", "set", "chunk", "partition"})
"""The same only over class folders that all of them have: ``part_1`` may be a screw."""
_FILLS = (
    "image images img imgs picture pictures photo photos jpg jpeg png data dataset set crop crops seg folder dir "
    "new final full small mini tiny raw all clean labeled labelled"
)
_FILLING = frozenset(_FILLS.split())
_BACKGROUND = "background"
"""Omniglot's ``images_background`` is one; ``background`` alone is a class."""
_TOKENS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_JOINED = {word: pair for a in SPLITS for b in _FILLING for pair in ((a, b), (b, a)) if (word := "".join(pair))}
"""Two words written as one: ``traindata``, ``imgtest``."""


@dataclass(frozen=True)
class SplitName:
    """value: which split a folder's name says, ``train`` or ``fold 1``; rest: the words that are left of it."""

    value: str
    rest: tuple[str, ...]


@dataclass(frozen=True)
class TreeSplits:
    """folders: their names, sorted; above: whether they lie over the class folders, or below them.

    beside: of splits below, whether images lie beside them too. annotated: they are pictures and their annotations.
    """

    folders: tuple[str, ...]
    above: bool
    beside: bool = False
    annotated: bool = False


def split_name(name: str, parts: bool = False) -> SplitName | None:
    """What a folder's name says of a split; None where it says nothing. parts: whether ``part_1`` is one."""
    tokens = [word.lower() for word in _TOKENS.findall(name)]
    words = [word for token in tokens for word in ((token,) if token in SPLITS else _JOINED.get(token, (token,)))]
    numbers = [word for word in words if word.isdecimal()]
    core = [word for word in words if word in SPLITS]
    if _BACKGROUND in words and _FILLING & set(words):
        core.append(_BACKGROUND)
    if numbers:
        core += [word for word in words if word in _NUMBERED or (parts and word in _PARTS)]
    if not core:
        return None
    rest = tuple(word for word in words if word not in core and word not in numbers and word not in _FILLING)
    return SplitName(" ".join([*core, *numbers]), rest)


def find_splits(folders: Sequence[str], names: Sequence[str]) -> TreeSplits | None:
    """Splits in a tree of these folders on top and these images, by their paths from the root."""
    within = {name.rpartition("/")[0] for name in names}
    return _above(folders, within) or _below(within)


def same_below(names: Sequence[str]) -> list[str]:
    """Folders of the same names that all class folders hold, two or more: domains, years, or the classes themselves."""
    below: dict[str, set[str]] = defaultdict(set)
    for path in {name.rpartition("/")[0] for name in names} - {""}:
        top, _, rest = path.partition("/")
        below[top].add(rest.partition("/")[0])
    same = set.intersection(*below.values()) if len(below) > 1 else set()
    return sorted(same - {""}) if len(same - {""}) > 1 else []


def refuse(root: Path, splits: TreeSplits) -> DataError:
    """The question, with its answers."""
    first = splits.folders[0]
    several = ",".join(splits.folders[:2])
    if not splits.above:
        also = " and images beside them" if splits.beside else ""
        what = "pictures and their annotations" if splits.annotated else "splits of one set"
        return DataError(
            f"{shown(root)}: its class folders hold the folders {listed(splits.folders)}{also}, which are {what}. "
            f"Take one with --split {shown(first, 60)}, or all images as one set with --split {ALL}."
        )
    if _in_names(splits.folders):
        return DataError(
            f"{shown(root)}: the folders {listed(splits.folders)} seem to be classes and splits in one name. Make a "
            f"tree of one split with a folder for each class, or say --split {NONE} where each is a class."
        )
    paths = ", ".join(shown(root / name) for name in splits.folders[:3])
    return DataError(
        f"{shown(root)}: the folders {listed(splits.folders)} are splits of one set, not classes. Name one: {paths}. "
        f"Or take several as one set with --split {shown(several, 80)} or --split {ALL}; "
        f"--split {NONE} where they are classes."
    )


def class_parents(root: Path, splits: TreeSplits, wanted: Iterable[str], names: Sequence[str]) -> dict[str, str]:
    """Of each split above the classes, the folder that holds its class folders: itself, or ``train/train``.

    Raises:
        DataError: another folder stands between a split and what seem to be its classes.
    """
    within = {name.rpartition("/")[0] for name in names}
    return {top: _class_parent(root, splits, top, within) for top in wanted}


def _class_parent(root: Path, splits: TreeSplits, top: str, within: set[str]) -> str:
    at, own = top, split_name(top, parts=True)
    while (only := _only(_inside(at, within))) is not None:
        inner = _inside(f"{at}/{only}", within)
        same = own is not None and _is_same(own, split_name(only, parts=True))
        filling = {word.lower() for word in _TOKENS.findall(only)} <= _FILLING
        if not same and (len(inner) < 2 or "" in inner):
            break  # a class
        if not (same or filling):
            beside = [_inside(other, within) for other in splits.folders]
            if any(only in folders and len(folders) > 1 for folders in beside):
                break  # a class among others, in another split
            raise DataError(
                f"{shown(root)}: {shown(top, 60)} holds one folder, {shown(only, 60)}, and the folders in that seem to "
                f"be the classes ({listed(sorted(inner), 3)}). Name it: {shown(root / at / only)}"
            )
        at = f"{at}/{only}"
    return at


def _inside(folder: str, within: Iterable[str]) -> set[str]:
    """Names of the folders in a folder that hold images, itself ("") where images lie in it."""
    below = (path.removeprefix(folder) for path in within if path == folder or path.startswith(f"{folder}/"))
    return {rest.lstrip("/").partition("/")[0] for rest in below}


def _only(below: set[str]) -> str | None:
    return next(iter(below)) if len(below) == 1 and "" not in below else None


def _is_same(split: SplitName, other: SplitName | None) -> bool:
    """``train`` and ``training``, ``fold 1`` and ``fold 1``."""
    if other is None or other.rest not in ((), split.rest):
        return False
    first, second = sorted((split.value, other.value), key=len)
    return first == second or (second.startswith(first) and first.isalpha() and second.isalpha())


def take(root: Path, splits: TreeSplits, asked: str) -> frozenset[str] | None:
    """The folders that ``--split`` names; None where it is all.

    Raises:
        DataError: it names none of them.
    """
    if asked == ALL:
        return None
    found: set[str] = set()
    for word in (part.strip().casefold() for part in asked.split(",")):
        same = {name for name in splits.folders if name.casefold() == word} or {
            name for name in splits.folders if (of := split_name(name, parts=True)) is not None and of.value == word
        }
        if not same:
            raise DataError(
                f"{shown(root)}: no split {shown(word, 60)!r}. --split is one of {listed(splits.folders)}, several of "
                f"them with commas between, {ALL} or {NONE}."
            )
        found |= same
    return frozenset(found)


def records_of(origin: str, names: Sequence[str], asked: str | None) -> tuple[list[int] | None, tuple[str, ...]]:
    """Which records of an archive count, by the folders in their names; None where all do. And what to say of it.

    Raises:
        DataError: folders of several splits, and nobody said which.
    """
    paths = [name.removeprefix("./").lstrip("/") for name in names]
    tops = sorted({path.partition("/")[0] for path in paths if "/" in path})
    splits = find_splits(tops, paths) if tops and asked != NONE else None
    if splits is None:
        if asked not in (None, NONE):
            raise DataError(f"{shown(origin)}: no splits in it, train and test or the like. Leave --split out.")
        return None, ()
    if asked is None:
        raise DataError(
            f"{shown(origin)}: its records lie in folders that are splits of one set, {listed(splits.folders)}. Take "
            f"one with --split {shown(splits.folders[0], 60)}, or all records as one set with --split {ALL}."
        )
    wanted = take(Path(origin), splits, asked)
    if wanted is None:
        return None, (f"splits taken: {listed(splits.folders)}",)
    kept = [record for record, path in enumerate(paths) if wanted & set(path.split("/")[:-1])]
    left = len(paths) - len(kept)
    return kept, (f"splits taken: {listed(sorted(wanted))}; {left} records of others are left out",)


def _above(folders: Sequence[str], within: Iterable[str]) -> TreeSplits | None:
    """Where all that hold images are splits, or those that are share the folders below them; and ``train`` with
    ``test`` in any company, for nobody has both as classes."""
    below: dict[str, set[str]] = defaultdict(set)
    for path in within:
        top, _, rest = path.partition("/")
        below[top].add(rest.partition("/")[0])
    found = _siblings(folders)
    plain = {words for name in found if name in below and (words := _plain_split(name))}
    if found and (len(plain) > 1 or set(below) <= found or _shared([below[name] for name in found if name in below])):
        return TreeSplits(tuple(sorted(found)), above=True)
    found = _siblings(folders, parts=True)
    if set(below) <= found and _shared([below[name] for name in found]):
        return TreeSplits(tuple(sorted(found)), above=True)
    only = next(iter(below)) if len(below) == 1 else ""
    if len(folders) > 1 and "" not in below[only] and len(below[only]) > 1 and split_name(only):
        return TreeSplits((only,), above=True)  # beside folders without images
    return None


def _plain_split(name: str) -> frozenset[str]:
    """``train`` of ``train``, ``seg_train`` and ``train_2019``; nothing of a name with more in it."""
    of = split_name(name)
    return SPLITS.intersection(of.value.split()) if of is not None and not of.rest else frozenset()


def _siblings(names: Iterable[str], parts: bool = False) -> set[str]:
    """Those of the names that differ in the split alone: ``food_train`` and ``food_test``."""
    groups: dict[tuple[str, ...], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name in names:
        if (of := split_name(name, parts)) is not None:
            groups[of.rest][of.value].append(name)
    return {name for values in groups.values() if len(values) > 1 for same in values.values() for name in same}


def _shared(below: Sequence[set[str]]) -> bool:
    """Whether two of them hold a folder of one name."""
    seen: set[str] = set()
    for folders in below:
        if (folders & seen) - {""}:
            return True
        seen |= folders
    return False


def _in_names(folders: Sequence[str]) -> bool:
    rests = {of.rest for name in folders if (of := split_name(name)) is not None}
    return len(rests) > 1


def _below(within: set[str]) -> TreeSplits | None:
    """Where the folders in a class's folder are splits, all of them; at any depth below it."""
    children: dict[str, set[str]] = defaultdict(set)
    for path in within:
        parent, slash, name = path.rpartition("/")
        while slash and name not in children[parent]:
            children[parent].add(name)
            parent, slash, name = parent.rpartition("/")
    found: dict[str, dict[str, str]] = {}
    for parent, names in children.items():
        own = {name: of for name in names if (of := split_name(name)) is not None and _is_of(of, parent)}
        if len(own) == len(names):
            found[parent] = {name: of.value for name, of in own.items()}
    values = {value for own in found.values() for value in own.values()}
    classes = {path.partition("/")[0] for path in within}
    all_of_them = {parent.partition("/")[0] for parent in found} == classes
    beside = [parent for parent in found if parent in within]
    open_ = any(len(set(own.values())) > 1 for own in found.values()) or (all_of_them and len(values) > 1)
    if not open_ and not (beside and all_of_them and 2 * len(beside) >= len(found)):
        return None
    return TreeSplits(tuple(sorted({name for own in found.values() for name in own})), False, bool(beside))


def _is_of(split: SplitName, parent: str) -> bool:
    """``cat/cat_train`` is a split of cats; ``things/freight_train`` is a thing."""
    return set(split.rest) <= {word.lower() for word in _TOKENS.findall(parent)}
