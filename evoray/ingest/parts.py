"""Folders that are parts of one set of images by their names, and no classes: ``images_001`` beside ``images_002``."""

import re
from collections.abc import Sequence

_PICTURE_WORDS = "images image imgs img pictures picture pics photos photo jpegs jpeg jpgs jpg pngs png"
_PICTURES = frozenset(_PICTURE_WORDS.split())
_PART_WORDS = "part parts batch set subset group chunk shard archive zip folder dir data volume vol disk"
_PARTS = frozenset(_PART_WORDS.split())
"""What may be a class where a list of labels does not lie beside: ``part_1`` may be a screw."""
_FILLS = "more other others extra additional all new old original raw resized cropped small large full external"
_FILLING = frozenset(_FILLS.split())
_TOKENS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def are_parts(folders: Sequence[str], listed: bool) -> bool:
    """Whether all of them are called images or parts of such, and differ in nothing but a number or what kind they are.

    Args:
        folders: those on top that hold images, two or more.
        listed: whether a list of labels lies beside them.
    """
    words = [[word.lower() for word in _TOKENS.findall(name)] for name in folders]
    if len(folders) < 2 or not all(words):
        return False
    if listed and all(_PICTURES & (own := set(one)) and own <= _PICTURES | _FILLING for one in words):
        return True
    numbered = all(len(one) > 1 and one[-1].isdecimal() for one in words)
    alike = len({tuple(one[:-1]) for one in words}) == 1
    last = words[0][-2] if numbered else ""
    return numbered and alike and (last in _PICTURES or (listed and last in _PARTS))
