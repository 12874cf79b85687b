"""Pictures as somebody sends them, made as the run's were."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evoray.data import ImageTransform, ShardDataset
from evoray.data.records import Records
from evoray.errors import PictureError, UsageError
from evoray.runtime.reading import kind_of, shown
from evoray.serving.plan import Limits, Refused
from evoray.tasks.inputs import IMAGE

PICTURE = "application/octet-stream"
"""Taken as a picture of whatever format, like every image/*: its first bytes say which."""


@dataclass(frozen=True)
class Pictures:
    """shape: [C, H, W] of the network's. See ``Intake``."""

    transform: ImageTransform
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    key: str = "image"
    said: str = "picture"
    bodies: str = "a picture (image/jpeg, image/png, …) or application/json"
    may_fail: bool = False

    @property
    def example(self) -> str:
        return '{"images": ["BASE64", …]}'

    @property
    def size(self) -> str:
        channels, height, width = self.shape
        return f"{width} x {height}, {'grey' if channels == 1 else 'RGB'}"

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"takes": "pictures", "picture": self.size, "how": f"Pictures become {self.size}, as the run's own."}

    @property
    def blank(self) -> np.ndarray:
        return np.zeros(self.shape, dtype=np.uint8)

    def takes(self, media: str) -> bool:
        return media == PICTURE or media.startswith("image/")

    def of_body(self, body: bytes) -> bytes:
        return body

    def several(self, value: Any) -> bool:
        return isinstance(value, list)

    def of_value(self, value: Any, where: str) -> bytes:
        """A file's bytes."""
        if not isinstance(value, str):
            raise Refused(422, f"{where}: {kind_of(value)} where base64 is expected.")
        try:
            found = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise Refused(422, f"{where}: no base64. Give the file's bytes, without data:…;base64,") from None
        if not found:
            raise Refused(422, f"{where}: empty.")
        return found

    def prepare(self, given: bytes, limits: Limits) -> np.ndarray:
        """uint8 [C, H, W] of a picture's file, as the run's data was made.

        Raises:
            Refused: 415 for another format, 413 for too many pixels, 422 for a damaged picture or another size.
        """
        from evoray.data.decoding.formats import FORMATS, claimed, name_of

        if claimed(given) is None:
            raise Refused(415, f"This is {name_of(given)}. Pictures that are read: {', '.join(FORMATS)}.")
        _check_pixels(given, limits.pixels)
        try:
            found = np.ascontiguousarray(self.transform(given))
        except PictureError as error:
            raise Refused(422, f"The picture cannot be read: {shown(error)}") from None
        if found.shape != self.shape:
            raise Refused(422, f"The picture is {found.shape[2]} x {found.shape[1]}: the network takes {self.size}.")
        return found

    def records(self, prepared: Sequence[np.ndarray]) -> Records:
        return Records(0, {IMAGE: np.stack(prepared)}, [""] * len(prepared))


def pictures_of(dataset: ShardDataset) -> Pictures:
    """How a run's were made; data that comes ready is resized to its own size.

    Raises:
        UsageError: nothing says how.
    """
    channels, height, width = dataset.image_shape
    manifest, read = getattr(dataset, "manifest", None), getattr(dataset, "read", {})
    known = getattr(manifest, "transform", None) or read.get("transform")
    if known is None and height != width:
        raise UsageError(f"{shown(dataset.name)}: nothing says how a picture becomes {width} x {height} pixels.")
    made: Mapping[str, Any] = {"resize": height, "crop": height, "channels": channels}
    if isinstance(known, dict):
        made = {"depth": "clip", **known}  # what a manifest leaves out is older than the rule
    transform = known if isinstance(known, ImageTransform) else ImageTransform(**made)
    names = tuple(dataset.classes) or tuple(read.get("target", ()))
    return Pictures(transform, (channels, height, width), names)


def _check_pixels(content: bytes, pixels: int) -> None:
    """By the header alone."""
    from evoray.data.decoding.opening import one_error, opened

    try:
        with one_error():
            width, height = opened(content).size
    except PictureError as error:
        raise Refused(422, f"The picture cannot be read: {shown(error)}") from None
    if width * height > pixels:
        raise Refused(413, f"The picture has {width:,} x {height:,} pixels, and {pixels:,} in all is the most.")
