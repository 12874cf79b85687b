"""From a picture of any mode to bytes: one rule a mode, never guessed from a picture's own values.

8 bits a value are taken as Pillow's ``convert`` takes them, which is the reference: alpha and transparency are dropped,
palettes looked up, CMYK turned into RGB. So is 16-bit colour, whose high bytes Pillow keeps. 16-bit grey, which
``convert`` would clip at 255, is scaled by the range of its type; what has no such range is refused.
"""

from typing import Any, Literal

import numpy as np
from PIL import Image

from evoray.errors import PictureError

Depth = Literal["scale", "clip"]
"""What becomes of more than 8 bits a value; ``clip`` is how shards were made before there was a rule."""

_ROWS = 256
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0
_REMEDY = "Save it as 8 bits (0 to 255) or as unsigned 16 bits (0 to 65535), scaled as your network was trained."


def in_bytes(image: Image.Image, mode: Literal["L", "RGB"], depth: Depth = "scale") -> Image.Image:
    """A decoded picture in ``mode``, 8 bits a value.

    Raises:
        PictureError: a mode whose range, or whose colours, are not known.
    """
    if image.mode == mode:
        return image  # ``convert`` copies what is right already
    if depth == "scale":
        image = _of_eight_bits(image)
    return image if image.mode == mode else image.convert(mode)


def scaled(values: np.ndarray, top: int = 65535, inverted: bool = False) -> np.ndarray:
    """uint8: ``values`` * 255 / ``top``, rounded; ``top`` is the largest that the type can hold, and none is above it.

    inverted: 0 is white.
    """
    found = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _ROWS):  # a block at a time: the products take four bytes each
        rows = slice(start, start + _ROWS)
        block = np.minimum(values[rows].astype(np.uint32), top)
        found[rows] = ((top - block if inverted else block) * 510 + top) // (2 * top)
    return found


def refusal(image: Image.Image) -> str | None:
    """Why a picture has no bytes by any rule, and what to do; None where it has."""
    if image.mode == "F":
        return f"floating-point values (mode F), whose black and white are not known. {_REMEDY}"
    if image.mode == "I" and not _is_deep_grey(image):
        return f"signed or 32-bit whole numbers (mode I), whose black and white are not known. {_REMEDY}"
    if image.mode == "LAB":
        return "colours in CIELAB (mode LAB), which Pillow cannot convert. Save it as RGB."
    return None


def _of_eight_bits(image: Image.Image) -> Image.Image:
    if (reason := refusal(image)) is not None:
        raise PictureError(reason)
    if _is_deep_grey(image):
        return Image.fromarray(scaled(np.asarray(image), *_range(image)))
    return image.convert("LA") if image.mode == "La" else image


def _is_deep_grey(image: Image.Image) -> bool:
    """16 bits in two bytes, or in the four that Pillow takes for a PGM, whose values it scales to 0 … 65535."""
    return image.mode.startswith("I;16") or (image.mode == "I" and getattr(image, "format", None) in ("PPM", "PNG"))


def _range(image: Image.Image) -> tuple[int, bool]:
    """The largest value of a deep grey picture, and whether 0 is white, which Pillow heeds for 8 bits alone."""
    tags: Any = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE, (16,))
    return (4095 if bits == (12,) else 65535), tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
