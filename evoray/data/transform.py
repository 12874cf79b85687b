"""How an image file becomes the bytes that are stored."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import PIL
from PIL import Image
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from evoray.data.decoding.bounds import check_resized, check_side, check_size
from evoray.data.decoding.formats import check_lazy
from evoray.data.decoding.modes import Depth, in_bytes, refusal, scaled
from evoray.data.decoding.opening import one_error, opened, strict
from evoray.data.decoding.quiet import quiet_c
from evoray.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

_PILLOW = {
    "nearest": Image.Resampling.NEAREST,
    "nearest-exact": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
    "lanczos": Image.Resampling.LANCZOS,
}
"""torchvision's names, and what its transforms ask of Pillow."""
_TENSORS = ("nearest", "nearest-exact", "bilinear", "bicubic")
_LONGEST = 8192
"""Pixels of a side that may be asked for: 200 MB an image."""


class ImageTransform(BaseModel):
    """Decoded, resized by the shorter side, cut from the centre; part of a dataset's identity.

    resize, crop in pixels; None leaves that step out. channels: 1 (grey) or 3 (RGB).
    depth: what becomes of more than 8 bits a value (``decoding/modes.py``). Manifests that do not say it are older than
    the rule, and their images were clipped.
    decoder: ``pil`` gives the bytes of torchvision's reference transforms on ``Image.open(file).convert("RGB")`` (but
    for 16-bit grey, which that clips), and needs no torch; ``torchvision`` decodes and resizes tensors, faster, and
    differs by 1 of 255 (of 4,975 photographs' 749 million bytes: 1.1 million by 1, 30 by 2).
    Orientation in EXIF is ignored by both, as the reference does; a TIFF's own is heeded, as Pillow does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    resize: int | None = Field(256, ge=1, le=_LONGEST)
    crop: int | None = Field(224, ge=1, le=_LONGEST)
    interpolation: str = "bilinear"
    antialias: bool = True
    channels: int = 3
    decoder: Literal["pil", "torchvision"] = "pil"
    depth: Depth = "scale"

    @field_validator("interpolation")
    @classmethod
    def _known_interpolation(cls, value: str) -> str:
        if value not in _PILLOW:
            raise DataError(f"interpolation {value!r}: give one of {', '.join(_PILLOW)}.")
        return value

    @field_validator("channels")
    @classmethod
    def _grey_or_rgb(cls, value: int) -> int:
        if value not in (1, 3):
            raise DataError(f"channels {value}: give 1 (grey) or 3 (RGB).")
        return value

    @model_validator(mode="after")
    def _can_resize(self) -> ImageTransform:
        if self.decoder == "torchvision" and self.interpolation not in _TENSORS:
            raise DataError(f"interpolation {self.interpolation!r}: the decoder torchvision has none. Use pil.")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_older(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A manifest that is older than ``depth`` keeps its digest."""
        values: dict[str, Any] = write(self)
        if self.depth == "clip":
            del values["depth"]
        return values

    @property
    def decoded_by(self) -> str:
        """The libraries whose versions the stored bytes depend on."""
        pillow = f"pillow {PIL.__version__}"
        if self.decoder == "pil":
            return pillow
        return f"torchvision {version('torchvision')}, torch {version('torch')}, {pillow}"

    def __call__(self, image: bytes | Image.Image) -> np.ndarray:
        """uint8 [C, H, W] of an image file's bytes, or of a decoded image; read-only, in the decoder's layout.

        Raises:
            PictureError: the picture is damaged, of a kind that is not read, or beyond a bound.
        """
        with one_error():
            if self.decoder == "torchvision":
                return self._of_tensor(image)
            pixels = np.asarray(self._resized(self._opened(image)))
            return pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[None]

    def _opened(self, image: bytes | Image.Image) -> Image.Image:
        """With Pillow, whatever the file's name: CMYK and palettes as ``convert`` takes them; cut files raise."""
        if isinstance(image, bytes):
            with strict:
                image = opened(image)
                self._check_resized(image.size)
                image.load()
        else:
            check_lazy(image)
            check_size(image)
            self._check_resized(image.size)
            image.load()
        return in_bytes(image, "RGB" if self.channels == 3 else "L", self.depth)

    def _check_resized(self, size: tuple[int, int]) -> None:
        after = size if self.resize is None else shorter_side(*size, self.resize)
        check_resized(size, after)
        if self.crop is None:
            check_side(after)

    def _resized(self, image: Image.Image) -> Image.Image:
        width, height = image.size
        if self.resize is not None:
            how = _PILLOW[self.interpolation]
            width, height = shorter_side(width, height, self.resize)
            rows_first = image.height < 2 * image.width  # Pillow 13 may begin with the columns of a tall image
            if self.crop is not None and self.crop < width and rows_first and how != Image.Resampling.NEAREST:
                # Pillow's first pass works along rows and its second along columns, rounding between them: the
                # columns that the second would make only to be cut off can go before it, and no byte changes
                image = _cut(image.resize((width, image.height), how), (self.crop, image.height))
                width = self.crop
            image = image.resize((width, height), how)
        return image if self.crop is None else _cut(image, (self.crop, self.crop))

    def _of_tensor(self, image: bytes | Image.Image) -> np.ndarray:
        from torchvision.transforms.v2 import InterpolationMode, functional

        pixels: Any = self._tensor(image)
        if self.resize is not None:
            mode = InterpolationMode(self.interpolation)
            pixels = functional.resize(pixels, [self.resize], interpolation=mode, antialias=True)
        if self.crop is not None:
            pixels = functional.center_crop(pixels, [self.crop, self.crop])
        stored: np.ndarray = pixels.numpy()
        return stored

    def _tensor(self, image: bytes | Image.Image) -> Tensor:
        """uint8 [C, H, W]; only the usual JPEGs go past Pillow, the rest is decoded as the reference does it."""
        import torch
        from torchvision.transforms.functional import pil_to_tensor

        try:
            from torchvision.io import ImageReadMode, decode_jpeg  # deprecated since 0.29
        except ImportError:
            raise DataError(f"torchvision {version('torchvision')} has no decoder any more. Use pil.") from None

        modes = {(3, "RGB"): ImageReadMode.RGB, (3, "L"): ImageReadMode.RGB, (1, "L"): ImageReadMode.GRAY}
        if isinstance(image, bytes):
            header = opened(image)
            mode = modes.get((self.channels, header.mode))
            if header.format == "JPEG" and mode is not None:
                self._check_resized(header.size)
                content = torch.frombuffer(bytearray(image), dtype=torch.uint8)
                with quiet_c:
                    decoded: Tensor = decode_jpeg(content, mode=mode)
                return decoded
        tensor: Tensor = pil_to_tensor(self._opened(image))
        return tensor


def shorter_side(width: int, height: int, side: int) -> tuple[int, int]:
    """torchvision's ``Resize(side)``: the longer side is rounded down."""
    if width <= height:
        return side, int(side * height / width)
    return int(side * width / height), side


def _cut(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The centre, of (width, height)."""
    left, top = (start_of(length, crop) for length, crop in zip(image.size, size, strict=True))
    return image.crop((left, top, left + size[0], top + size[1]))


def start_of(length: int, crop: int) -> int:
    """torchvision's ``CenterCrop``: rounds half to even; a smaller image gets a black border, the odd pixel last."""
    return -((crop - length) // 2) if crop > length else round((length - crop) / 2.0)


CHANNELS = (1, 3)
"""Of an array; its last axis may be RGBA as well."""


def as_image(value: object, source: str) -> Image.Image:
    """A PIL image of what a torch Dataset yields: a PIL image, or uint8 or uint16 [H, W], [C, H, W] or [H, W, C].

    uint16 becomes uint8 as 16-bit files do. Where both ends may be channels ([3, W, 3]) a tensor has them first, as
    torch has; NumPy arrays come in both orders, so one is refused.
    """
    if isinstance(value, Image.Image):
        if (reason := refusal(value)) is not None:
            raise DataError(f"{source}: a PIL image of {reason}")
        return value
    array = np.asarray(value)
    if array.dtype not in (np.uint8, np.uint16) or array.ndim not in (2, 3):
        raise DataError(
            f"{source}: {array.dtype} of shape {array.shape}. A Dataset yields PIL images, uint8 or uint16 arrays; "
            "leave normalisation to the parent."
        )
    if either_end(array.shape) and not is_tensor(value):
        raise DataError(
            f"{source}: an array of shape {list(array.shape)}, whose channels may be its first axis or its last. Give "
            "a PIL image (Image.fromarray takes [H, W, C]) or a torch tensor, which is read as [C, H, W]."
        )
    if array.dtype == np.uint16:
        array = scaled(array)
    if array.ndim == 3 and array.shape[0] in CHANNELS:
        array = np.moveaxis(array, 0, 2)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    return Image.fromarray(array)


def either_end(shape: Sequence[int]) -> bool:
    """Whether an image's channels may be its first axis or its last; of a single pixel both are the same."""
    return len(shape) == 3 and shape[0] in CHANNELS and shape[2] in CHANNELS and tuple(shape) != (1, 1, 1)


def is_tensor(value: object) -> bool:
    """Whether it is torch's; decoding needs no torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)
