import io

import numpy as np
import pytest
import torch
from PIL import Image

from evoray.errors import DataError
from evoray.ingest.segmentation.labels import labels_of
from evoray.ingest.segmentation.palette import read_palette

VALUES = np.array([[0, 1, 2], [20, 255, 7]], np.uint8)


def indexed(values):
    image = Image.fromarray(values, "P")
    image.putpalette(list(range(255, -1, -1)) * 3)
    return image


def file(image, kind="PNG", **how):
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


PICTURES = {
    "grey": Image.fromarray(VALUES),
    "palette": indexed(VALUES),
    "16 bits": Image.fromarray(VALUES.astype(np.uint16) * 257),
    "grey as RGB": Image.fromarray(VALUES).convert("RGB"),
    "grey as RGBA": Image.fromarray(VALUES).convert("RGBA"),
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("name", PICTURES)
def test_labels_as_they_stand_in_the_file(name, kind):
    expected = VALUES.astype(int) * (257 if name == "16 bits" else 1)
    assert labels_of(file(PICTURES[name], kind), None, "a").tolist() == expected.tolist()


def test_one_bit():
    assert labels_of(file(Image.fromarray(VALUES > 1)), None, "a").tolist() == (VALUES > 1).astype(int).tolist()


@pytest.mark.parametrize(
    "mask", [VALUES, VALUES.astype(np.int64), torch.from_numpy(VALUES)[None].long(), VALUES.astype(np.uint16)]
)
def test_arrays_and_tensors(mask):
    assert labels_of(mask, None, "a").tolist() == VALUES.tolist()


COLOURS = np.zeros((1, 2, 3), np.uint8)
COLOURS[0, 1] = 128, 64, 128
NAMED = read_palette("#000000=ground, #804080=road")


@pytest.mark.parametrize("mask", [file(Image.fromarray(COLOURS)), COLOURS, np.moveaxis(COLOURS, 2, 0)])
def test_colours_by_a_palette(mask):
    assert labels_of(mask, NAMED, "a").tolist() == [[0, 1]]


def transparent():
    image = Image.fromarray(VALUES).convert("RGBA")
    image.putpixel((0, 0), (0, 0, 0, 0))
    return image


@pytest.mark.parametrize(
    ("mask", "palette", "match"),
    [
        (file(Image.fromarray(VALUES), "JPEG"), None, "is a JPEG, whose values are not those"),
        (file(Image.fromarray(VALUES), "PPM"), None, "is a PPM"),
        (file(Image.fromarray(COLOURS)), None, "in colours, #804080 among them.*--palette"),
        (file(Image.fromarray(COLOURS)), read_palette("#000000=ground"), "#804080, which the palette does not name"),
        (file(Image.fromarray(VALUES)), read_palette("0=a,1=b"), "the mask has 2, which the palette"),
        (file(Image.fromarray(COLOURS)), read_palette("0=a,1=b"), "in colours"),
        (file(transparent()), None, "transparent parts"),
        (file(Image.fromarray(VALUES.astype(np.float32)), "TIFF"), None, "mode F"),
        (file(Image.fromarray(COLOURS).convert("CMYK"), "TIFF"), None, "mode CMYK"),
        (b"\x89PNG\r\n\x1a\n nothing", None, "a: the mask cannot be read"),
        (VALUES.astype(float), None, "float64 .* whole numbers"),
        (-VALUES.astype(int), None, "the label -1"),
        (VALUES[0], None, r"uint8 \[3\]"),
        (object(), None, "whole numbers"),
    ],
)
def test_what_is_no_mask(mask, palette, match):
    with pytest.raises(DataError, match=match):
        labels_of(mask, palette, "a")


def test_grey_of_few_bits_is_no_number():
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 1, 2, 0, 0, 0, 0))  # 4 x 1 pixels of 2 bits
    content = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes([0, 0b00011011]))) + chunk(b"IEND", b"")
    with pytest.raises(DataError, match="grey of 2 bits a pixel"):
        labels_of(content, None, "a")
    assert labels_of(content, read_palette("0=a,85=b,170=c,255=d"), "a").tolist() == [[0, 1, 2, 3]]
