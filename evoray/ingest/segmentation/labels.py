"""A mask as the label of every pixel: palettes by their index and grey by its value, as they stand in the file."""

from typing import Any

import numpy as np
from PIL import Image

from evoray.data.decoding.opening import one_error, opened, strict
from evoray.errors import DataError, PictureError
from evoray.ingest.segmentation.palette import HOW, UNKNOWN, Palette
from evoray.runtime.reading import shown

LOSSLESS = ("PNG", "TIFF", "BMP", "GIF")
"""Formats whose values are those that were written; PGM's are scaled when they are read."""
_SCALED = ("L;2", "L;4")
"""Grey of fewer bits, whose values every reader spreads over 0 to 255."""


def labels_of(mask: Any, palette: Palette | None, where: str) -> np.ndarray:
    """uint16 [H, W] of a file's bytes, a PIL image, or an array or tensor of whole numbers.

    Raises:
        DataError: a picture that is no mask, or a value that the palette does not name.
    """
    values = _values(mask, palette, where)
    if palette is None:
        return values.astype(np.uint16)
    found = palette(values)
    if len(unknown := values[found == UNKNOWN]):
        first = palette.named(int(unknown[0]))
        raise DataError(f"{where}: the mask has {first}, which the palette does not name. Add it, or call it ignore.")
    return found


def _values(mask: Any, palette: Palette | None, where: str) -> np.ndarray:
    """[H, W] of whole numbers from 0, or of packed colours where the palette is of colours."""
    if not isinstance(mask, bytes | Image.Image):
        return _of_array(mask, palette, where)
    try:
        with strict, one_error():
            image = opened(mask) if isinstance(mask, bytes) else mask
            _check_format(image, palette is None, where)
            image.load()
            coloured = palette is not None and palette.coloured
            return _colours(image, where) if coloured else _numbers(image, where)
    except PictureError as error:
        raise DataError(f"{where}: the mask cannot be read: {shown(error)}") from None


def _check_format(image: Image.Image, plain: bool, where: str) -> None:
    kind = getattr(image, "format", None)
    if kind is not None and kind not in LOSSLESS:
        raise DataError(f"{where}: the mask is a {kind}, whose values are not those that were written. Save it as PNG.")
    tile: Any = next(iter(getattr(image, "tile", ())), None)
    if plain and tile is not None and tile[-1] in _SCALED:
        raise DataError(
            f"{where}: the mask is grey of {tile[-1][2]} bits a pixel, which stand for shares of white and not for "
            f"numbers. Save it with 8 bits, or say what its values mean. {HOW}."
        )


def _numbers(image: Image.Image, where: str) -> np.ndarray:
    mode = image.mode
    if mode in ("RGB", "RGBA", "LA", "PA"):
        return _grey(np.asarray(image), mode, where)
    if mode not in ("1", "L", "P", "I") and not mode.startswith("I;16"):
        raise DataError(f"{where}: a picture of mode {mode}, and masks are palette or grey pictures. Save it as PNG.")
    return _whole(np.asarray(image), where)


def _grey(pixels: np.ndarray, mode: str, where: str) -> np.ndarray:
    """Grey that is stored as a colour; alpha is let go where it is the same everywhere."""
    if mode in ("RGBA", "LA", "PA"):
        pixels, alpha = pixels[..., :-1], pixels[..., -1]
        if alpha.min() != alpha.max():
            raise DataError(f"{where}: the mask has transparent parts, which say nothing of classes. Save it without.")
    if (pixels != pixels[..., :1]).any():
        row, column = np.argwhere((pixels != pixels[..., :1]).any(axis=-1))[0]
        colour = "".join(f"{value:02x}" for value in pixels[row, column])
        raise DataError(f"{where}: the mask is in colours, #{colour} among them, and no colour is a class. {HOW}.")
    return np.asarray(pixels[..., 0])


def _colours(image: Image.Image, where: str) -> np.ndarray:
    """int32 [H, W]: red * 65536 + green * 256 + blue."""
    if image.mode not in ("1", "L", "P", "RGB", "RGBA", "LA", "PA"):
        raise DataError(f"{where}: a picture of mode {image.mode}, and the palette is of colours. Save it as RGB.")
    pixels = np.asarray(image.convert("RGB")).astype(np.int32)
    return np.asarray(pixels[..., 0] * 65536 + pixels[..., 1] * 256 + pixels[..., 2])


def _of_array(mask: Any, palette: Palette | None, where: str) -> np.ndarray:
    try:
        found = np.asarray(mask.detach().cpu() if hasattr(mask, "detach") else mask)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{where}: its mask is a {type(mask).__name__} and no array ({shown(error)}).") from None
    if palette is not None and palette.coloured and found.ndim == 3 and found.dtype == np.uint8:
        return _colours(Image.fromarray(np.moveaxis(found, 0, 2) if found.shape[0] == 3 else found), where)
    found = found[0] if found.ndim == 3 and found.shape[0] == 1 else found
    if found.ndim != 2 or found.dtype.kind not in "bui":
        raise DataError(
            f"{where}: its mask is {found.dtype} {list(found.shape)}. Give [height, width] of whole numbers, a class "
            "each, or a PIL image."
        )
    return _whole(found, where)


def _whole(values: np.ndarray, where: str) -> np.ndarray:
    """Values that labels may have."""
    if values.dtype.kind == "i" and values.size and (values.min() < 0 or values.max() > 65535):
        bad = values[(values < 0) | (values > 65535)][0]
        raise DataError(f"{where}: the mask has the label {bad}; labels are 0 to 65535, and 255 is what is left out.")
    return values
