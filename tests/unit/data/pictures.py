"""Pictures that several tests store: trees of random ones, a photograph in every odd form, and files that are none."""

from __future__ import annotations

import importlib.util
import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image
from torchvision.transforms import InterpolationMode, functional

from evoray.data import ImageTransform

SMALL = ImageTransform(resize=20, crop=16)
AS_THEY_ARE = ImageTransform(resize=None, crop=None)
GREY = ImageTransform(resize=None, crop=None, channels=1)
PHOTOGRAPHS = sorted((Path(importlib.util.find_spec("foolbox").origin).parent / "data").glob("imagenet_*"))


def make_tree(root, per_class=9, classes=3, seed=0):
    """An ImageFolder tree of random pictures, each of a size of its own."""
    random = np.random.default_rng(seed)
    for label in range(classes):
        (root / f"class{label}").mkdir(parents=True)
        for number in range(per_class):
            size = (int(random.integers(20, 40)), int(random.integers(20, 40)), 3)
            Image.fromarray(random.integers(256, size=size, dtype=np.uint8)).save(
                root / f"class{label}" / f"{number}.png"
            )
    return root


def grey_records(count, side=8, seed=0):
    """(grey picture, label 0 or 1), as a list: it may stand for a torch Dataset."""
    random = np.random.default_rng(seed)
    return [(Image.fromarray(random.integers(256, size=(side, side), dtype=np.uint8)), i % 2) for i in range(count)]


def save(path, size=(9, 8), kind="PNG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(256, size=(*size, 3), dtype=np.uint8)).save(path, kind)
    return path


def photograph(size=(97, 64)):
    return Image.open(PHOTOGRAPHS[0]).convert("RGB").resize(size)


def encoded(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def reference(content, transform):
    """torchvision's own preset on what ImageFolder's loader gives; 16-bit grey scaled, which the loader clips."""
    image = Image.open(io.BytesIO(content))
    if image.mode == "I;16":
        image = Image.fromarray(np.round(np.asarray(image) / 257).astype(np.uint8))
    image = image.convert("RGB" if transform.channels == 3 else "L")
    mode = InterpolationMode(transform.interpolation)
    image = functional.resize(image, [transform.resize], interpolation=mode, antialias=True)
    return functional.pil_to_tensor(functional.center_crop(image, [transform.crop, transform.crop])).numpy()


def turned():
    """A JPEG that asks to be shown on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(photograph(), "JPEG", exif=exif)


def sixteen_bits():
    values = np.linspace(0, 65535, 97 * 64).astype(np.uint16).reshape(64, 97)
    return encoded(Image.fromarray(values), "PNG")


def palette_with_transparency():
    picture = photograph().convert("P")
    return encoded(picture, "PNG", transparency=bytes(range(256)))


ODD = {
    "jpeg": lambda: encoded(photograph(), "JPEG"),
    "progressive": lambda: encoded(photograph(), "JPEG", progressive=True),
    "cmyk": lambda: encoded(photograph().convert("CMYK"), "JPEG"),
    "grey": lambda: encoded(photograph().convert("L"), "JPEG"),
    "png": lambda: encoded(photograph(), "PNG"),
    "alpha": lambda: encoded(photograph().convert("RGBA"), "PNG"),
    "grey and alpha": lambda: encoded(photograph().convert("LA"), "PNG"),
    "one bit": lambda: encoded(photograph().convert("1"), "PNG"),
    "16 bits": sixteen_bits,
    "palette": lambda: encoded(photograph().convert("P"), "PNG"),
    "palette with transparency": palette_with_transparency,
    "turned": turned,
    "gif": lambda: encoded(photograph().convert("P"), "GIF"),
    "webp": lambda: encoded(photograph(), "WEBP"),
    "tiff": lambda: encoded(photograph(), "TIFF"),
    "bmp": lambda: encoded(photograph(), "BMP"),
}


def cut(content, left):
    return content[: int(len(content) * left)]


BAD = {
    "cut jpeg": lambda: cut(encoded(photograph((300, 200)), "JPEG"), 0.5),
    "jpeg without its end": lambda: encoded(photograph((300, 200)), "JPEG")[:-2],
    "cut png": lambda: cut(encoded(photograph((300, 200)), "PNG"), 0.5),
    "text": lambda: b"this is no image",
    "nothing": lambda: b"",
    "only a header": lambda: encoded(photograph(), "JPEG")[:30],
    "a bomb": lambda: b"BM" + struct.pack("<IHHIIiiHHIIiiII", 0, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0),
}
