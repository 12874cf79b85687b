"""Pictures as somebody sends them."""

from __future__ import annotations

import io

from PIL import Image


def encoded(picture, kind="PNG", **how):
    """A file's bytes of an array uint8 [C, H, W] or [H, W]."""
    pixels = picture if picture.ndim == 2 else picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0)
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, kind, **how)
    return sink.getvalue()
