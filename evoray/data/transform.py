"""How an image file becomes the bytes that are stored."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torchvision.transforms import InterpolationMode, functional

from evoray.errors import DataError


class ImageTransform(BaseModel):
    """Pillow decodes; torchvision resizes the shorter side and cuts the centre; part of a dataset's identity.

    resize, crop in pixels; None leaves that step out. channels: 1 (grey) or 3 (RGB).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    resize: int | None = Field(256, ge=1)
    crop: int | None = Field(224, ge=1)
    interpolation: str = "bilinear"
    antialias: bool = True
    channels: int = 3
    decoder: Literal["pil"] = "pil"

    @field_validator("interpolation")
    @classmethod
    def _known_interpolation(cls, value: str) -> str:
        known = [mode.value for mode in InterpolationMode]
        if value not in known:
            raise DataError(f"interpolation {value!r}: give one of {', '.join(known)}.")
        return value

    @field_validator("channels")
    @classmethod
    def _grey_or_rgb(cls, value: int) -> int:
        if value not in (1, 3):
            raise DataError(f"channels {value}: give 1 (grey) or 3 (RGB).")
        return value

    def __call__(self, image: Image.Image) -> np.ndarray:
        """uint8 [C, H, W] of a decoded image."""
        image = image.convert("RGB" if self.channels == 3 else "L")
        if self.resize is not None:
            mode = InterpolationMode(self.interpolation)
            image = functional.resize(image, [self.resize], interpolation=mode, antialias=self.antialias)
        if self.crop is not None:
            image = functional.center_crop(image, [self.crop, self.crop])
        stored: np.ndarray = functional.pil_to_tensor(image).numpy()
        return stored


def as_image(value: object, source: str) -> Image.Image:
    """A PIL image of what a torch Dataset yields: a PIL image, or uint8 [H, W], [C, H, W] or [H, W, C]."""
    if isinstance(value, Image.Image):
        return value
    array = np.asarray(value)
    if array.dtype != np.uint8 or array.ndim not in (2, 3):
        raise DataError(
            f"{source}: {array.dtype} of shape {array.shape}. A Dataset yields PIL images or uint8 arrays; "
            "leave normalisation to the parent."
        )
    if array.ndim == 3 and array.shape[0] in (1, 3):
        array = np.moveaxis(array, 0, 2)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    return Image.fromarray(array)
