"""Which mask is whose: by names, exactly or but for what is hung on them."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evoray.errors import DataError
from evoray.ingest.labels.columns import listed
from evoray.runtime.reading import shown

LABEL_IDS, TRAIN_IDS = "_labelIds", "_labelTrainIds"
"""Ends of Cityscapes' names of masks, beside which lie pictures of them in colours and of single objects."""
_OF_MASK = re.compile(
    rf"(.+?)(?:[_-](?:gtFine|gtCoarse))?(?:{LABEL_IDS}|{TRAIN_IDS}|"
    r"[ _.-]+(?:masks?|seg|segmentation|labels?|gt|groundtruth|annotation|L))",
    re.I,
)
_OF_IMAGE = re.compile(r"(.+?)[ _.-]+(?:leftImg8bit|image|img|sat)", re.I)


@dataclass(frozen=True)
class Paired:
    """Images and their masks, in the images' order; without: images and masks that have no other half."""

    images: tuple[str, ...]
    masks: tuple[str, ...]
    without: tuple[int, int] = (0, 0)


def paired(images: Sequence[str], masks: Sequence[str], places: tuple[str, str], leave_out: bool) -> Paired:
    """By path without suffix; else without what is hung on names; else by the names alone, whatever their folders.

    Args:
        places: where either lie, for messages. leave_out: what has no other half is left out.

    Raises:
        DataError: an image without a mask, a mask without an image, or two masks of one image; names them.
    """
    masks = _meant(masks)
    ways: list[Callable[[str, re.Pattern[str]], str]] = [lambda name, _: _path(name), _bare, _last]
    tried = [_by(images, masks, way) for way in ways]
    best = max(tried, key=lambda found: (len(found.of), not found.twice))
    if best.twice:
        name, both = next(iter(best.twice.items()))
        raise DataError(f"{places[1]}: {shown(name, 60)} has several masks, {listed(both, 3)}. Leave one of each.")
    lacking = [name for name in images if name not in best.of]
    used = set(best.of.values())
    spare = [name for name in masks if name not in used]
    if not best.of or (lacking and not leave_out):
        first = lacking[0]
        raise DataError(
            f"{places[1]}: no mask for {len(lacking)} of {len(images)} images, the first {shown(first)}, whose mask "
            f"would be {shown(_path(first).lstrip('/'))}.png. Add them, or leave such images out with --listed-only."
        )
    if spare and not leave_out:
        raise DataError(
            f"{places[0]}: no image for {len(spare)} of {len(masks)} masks, the first {shown(spare[0])}. Add them, or "
            "leave such masks out with --listed-only."
        )
    kept = tuple(name for name in images if name in best.of)
    return Paired(kept, tuple(best.of[name] for name in kept), (len(lacking), len(spare)))


def apart(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Images and masks of one folder: ``1.jpg`` beside ``1_mask.png``."""
    held = {_path(name) for name in names} | {_bare(name, _OF_IMAGE) for name in names}
    masks = [name for name in names if (bare := _bare(name, _OF_MASK)) != _path(name) and bare in held]
    return [name for name in names if name not in set(masks)], masks


@dataclass(frozen=True)
class _Found:
    of: dict[str, str]
    twice: dict[str, list[str]]


def _by(images: Sequence[str], masks: Sequence[str], way: Callable[[str, re.Pattern[str]], str]) -> _Found:
    named: dict[str, list[str]] = defaultdict(list)
    for mask in masks:
        named[way(mask, _OF_MASK)].append(mask)
    keys = {image: way(image, _OF_IMAGE) for image in images}
    counts: dict[str, int] = defaultdict(int)
    for key in keys.values():
        counts[key] += 1
    twice = {image: named[key] for image, key in keys.items() if len(named.get(key, ())) > 1}
    of = {image: named[key][0] for image, key in keys.items() if key in named and counts[key] == 1}
    return _Found(of, twice)


def _meant(masks: Sequence[str]) -> list[str]:
    """Of Cityscapes' several pictures of a mask the labels."""
    for end in (LABEL_IDS, TRAIN_IDS):
        if found := [name for name in masks if _path(name).endswith(end)]:
            return found
    return list(masks)


def _path(name: str) -> str:
    folder, _, file = name.rpartition("/")
    return f"{folder}/{file.rpartition('.')[0] or file}"


def _bare(name: str, hung: re.Pattern[str]) -> str:
    folder, _, file = _path(name).rpartition("/")
    match = hung.fullmatch(file)
    return f"{folder}/{match[1] if match else file}"


def _last(name: str, hung: re.Pattern[str]) -> str:
    return _bare(name, hung).rpartition("/")[2]
