"""Files that ask for more than a picture may: refused by their header, within a moment and without the memory."""

from __future__ import annotations

import contextlib
import functools
import io
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from odd_files import chunk, png, png_header, tiff, tiff_of
from pictures import encoded, photograph
from PIL import Image

from evoray.data import ImageTransform
from evoray.data.decoding.bounds import ENCODED_BYTES, PIXELS, check_encoded, check_header, check_resized, check_size
from evoray.errors import PictureError

pytestmark = pytest.mark.filterwarnings("ignore")
TRANSFORM = ImageTransform(resize=32, crop=16)
JPEG = encoded(Image.new("RGB", (16, 16), "red"), "JPEG")


def jpeg_of(width, height, content=JPEG):
    place = content.index(b"\xff\xc2" if b"\xff\xc2" in content else b"\xff\xc0") + 5
    return content[:place] + struct.pack(">HH", height, width) + content[place + 4 :]


def progressive(width, height, scans):
    content = jpeg_of(width, height, encoded(photograph((64, 64)), "JPEG", progressive=True))
    return content[:-2] + b"\xff\xda\0\x08\1\1\0\1\x3f\0" * scans + content[-2:]


def gif(screen, frame):
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0, 0, 0)
    return head + b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02L\x01\0;"


def vp8l(width, height):
    bits = struct.pack("<I", (width - 1) | (height - 1) << 14)
    body = b"VP8L" + struct.pack("<I", 6) + b"\x2f" + bits + b"\0"
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def vp8x(width, height):
    sides = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + sides
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def bmp(width, height):
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 0, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def tags(**changed):
    """A TIFF of 4 x 4 greys with some of its tags changed."""
    base = {256: (4, [4]), 257: (4, [4]), 258: (3, [8]), 259: (3, [1]), 262: (3, [1]), 273: (4, [8]), 277: (3, [1])}
    base |= {278: (4, [4]), 279: (4, [16])}
    return tiff_of(base | {int(tag[1:]): value for tag, value in changed.items()}, bytes(16))


def segments(count, name=0xE1, content=b"Exif\0\0x"):
    one = bytes([0xFF, name]) + struct.pack(">H", len(content) + 2) + content
    return JPEG[:2] + one * count + JPEG[2:]


MANY = r"pixels, more than the [0-9,]+ that such a picture may have\. Cut it into tiles"
PILLOW = r"more pixels than a picture may have \(100,000,000, or twice PIL\.Image\.MAX_IMAGE_PIXELS.*Cut it into tiles"

REFUSED = {
    "PNG": (lambda: png_header(60_000, 60_000), PILLOW),
    "PNG, just above": (lambda: png_header(10_001, 10_000), r"10,001 x 10,000 pixels, more than the 100,000,000"),
    "PNG beyond Pillow's own limit": (lambda: png_header(2**31 - 1, 2**31 - 1), PILLOW),
    "PNG of 16 bits": (lambda: png_header(10_000, 5_001, 16, 0), r"more than the 50,000,000"),
    "JPEG": (lambda: jpeg_of(65_500, 65_500), PILLOW),
    "JPEG that Pillow would only warn of": (lambda: jpeg_of(12_000, 12_000), r"12,000 x 12,000 " + MANY),
    "progressive JPEG": (lambda: progressive(9_000, 9_000, 0), r"more than the 66,666,666"),
    "JPEG of many scans": (lambda: progressive(4_000, 4_000, 2_000), r"2,0\d\d scans over 16,000,000 pixels"),
    "JPEG of many Exif segments": (lambda: segments(30_000), "more than 256 Exif segments"),
    "JPEG of many segments": (lambda: segments(100_000, 0xFE, b"x"), "more than 20,000 segments"),
    "GIF": (lambda: gif((65_535, 65_535), (1, 1)), PILLOW),
    "GIF whose frame leaves the screen": (lambda: gif((1, 1), (12_000, 12_000)), r"12,000 x 12,000 " + MANY),
    "BMP": (lambda: bmp(12_000, 12_000), MANY),
    "BMP, upside down": (lambda: bmp(12_000, -12_000), MANY),
    "WebP": (lambda: vp8l(16_383, 16_383), PILLOW),
    "WebP that Pillow would only warn of": (lambda: vp8l(8_000, 8_000), r"8,000 x 8,000 .*more than the 50,000,000"),
    "WebP with a canvas": (lambda: vp8x(2**24, 2**24), PILLOW),
    "PGM": (lambda: b"P5 100000 1001 255\n", r"100,000 x 1,001 " + MANY),
    "PBM in letters": (lambda: b"P1 20000 20000\n1 0", PILLOW),
    "TIFF": (lambda: tags(t256=(4, [100_000]), t257=(4, [1_001])), MANY),
    "compressed TIFF": (lambda: tags(t256=(4, [100_000]), t257=(4, [1_001]), t259=(3, [5])), MANY),
    "BigTIFF": (lambda: tiff(np.zeros((2, 2)), "u1", big=True, more=[(256, 4, [50_000_001])]), MANY),
    "TIFF of many strips": (lambda: tags(t273=(4, [8] * 500_001), t257=(4, [500_001])), r"tag 273 claims 500,001"),
    "TIFF of many bits a sample": (lambda: tags(t258=(3, [8] * 600_000)), r"tag 258 claims 600,000"),
    "TIFF of a million bands": (lambda: tags(t277=(4, [1_000_000])), "1,000,000 bands"),
    "TIFF of one large tile": (
        lambda: tags(t322=(4, [65_536]), t323=(4, [65_536]), t324=(4, [8]), t325=(4, [16]), t259=(3, [5])),
        r"tiles of 65,536 x 65,536",
    ),
    "TIFF of many tags": (lambda: tags(**{f"t{10_000 + i}": (3, [1]) for i in range(5_000)}), r"5,009 tags"),
}  # fmt: skip


@pytest.mark.parametrize("decoder", ["pil", "torchvision"])
@pytest.mark.parametrize("kind", REFUSED)
def test_a_bomb_is_refused_by_its_header(kind, decoder):
    make, message = REFUSED[kind]
    content = make()
    begun = time.perf_counter()
    tracemalloc.start()
    try:
        with pytest.raises(PictureError, match=message):
            ImageTransform(resize=32, crop=16, decoder=decoder)(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * 2**20 and time.perf_counter() - begun < 5


@pytest.mark.parametrize("decoder", ["pil", "torchvision"])
@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1), (2, 50_000)])
def test_a_sliver_is_bounded_by_what_it_is_resized_to(size, decoder):
    content = encoded(Image.new("L", size), "PNG")
    with pytest.raises(PictureError, match=rf"{size[0]:,} x {size[1]:,} pixels would be resized to .*100,000,000"):
        ImageTransform(resize=256, crop=224, decoder=decoder)(content)
    if size[0] == 2:
        assert ImageTransform(resize=32, crop=16, decoder=decoder)(content).shape == (3, 16, 16)
    assert ImageTransform(resize=None, crop=4, decoder=decoder)(content).shape == (3, 4, 4)


@functools.cache
def zeros():
    """200 MB in 200 kB; not at import, as both processes of the suite collect this file."""
    return zlib.compress(bytes(200 * 2**20))


LOOP = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0"
"""An Exif directory whose sub-directory and whose next one are itself."""


def apng(frames):
    return png([[[9, 9, 9]]], 2, 8, before=[chunk(b"acTL", struct.pack(">II", frames, 0))])


def animation(kind, frames, **options):
    pictures = [Image.new("RGB", (4, 4), (level, 0, 0)) for level in range(frames)]
    return encoded(pictures[0], kind, save_all=True, append_images=pictures[1:], **options)


def page_loop():
    content = bytearray(encoded(Image.new("L", (4, 4)), "TIFF"))
    place = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, place)[0]
    struct.pack_into("<I", content, place + 2 + 12 * count, place)
    return bytes(content)


def gif_of_comments():
    plain = encoded(Image.new("L", (4, 4)), "GIF")
    place = plain.index(b",")
    return plain[:place] + (b"!\xfe" + (b"\xff" + b"c" * 255) * 1000 + b"\0") * 20 + plain[place:]


QUICK = {
    "text that unpacks to 200 MB": lambda: png([[[9, 9, 9]]], 2, 8, before=[chunk(b"zTXt", b"a\0\0" + zeros())]),
    "international text": lambda: png([[[9, 9, 9]]], 2, 8, before=[chunk(b"iTXt", b"a\0\1\0\0\0" + zeros())]),
    "text behind the pixels": lambda: png([[[9, 9, 9]]], 2, 8, after=[chunk(b"zTXt", b"a\0\0" + zeros())]),
    "a profile that unpacks to 200 MB": lambda: png([[[9, 9, 9]]], 2, 8, before=[chunk(b"iCCP", b"a\0\0" + zeros())]),
    "pixels that unpack to 200 MB": lambda: png_header(4, 4)[:33] + chunk(b"IDAT", zeros()) + chunk(b"IEND", b""),
    "ten thousand texts": lambda: png([[[9, 9, 9]]], 2, 8, [chunk(b"tEXt", b"%d\0x" % i) for i in range(10_000)]),
    "an APNG that claims 2^31 frames": lambda: apng(2**31 - 1),
    "an APNG without frames": lambda: apng(0),
    "a GIF of 250 frames": lambda: animation("GIF", 250),
    "a WebP of 100 frames": lambda: animation("WEBP", 100),
    "a GIF of comments": gif_of_comments,
    "a TIFF whose next page is itself": page_loop,
    "a TIFF of 200 pages": lambda: animation("TIFF", 200),
    "Exif in itself, JPEG": lambda: encoded(Image.new("RGB", (4, 4)), "JPEG", exif=LOOP),
    "Exif in itself, PNG": lambda: encoded(Image.new("RGB", (4, 4)), "PNG", exif=LOOP),
    "Exif in itself, WebP": lambda: encoded(Image.new("RGB", (4, 4)), "WEBP", exif=LOOP),
    "Exif in itself, TIFF": lambda: tags(t34665=(4, [8])),
    "200 segments": lambda: segments(200),
}  # fmt: skip


@pytest.mark.parametrize("kind", QUICK)
def test_what_a_file_holds_beside_its_first_picture_costs_nothing(kind):
    content = QUICK[kind]()
    begun = time.perf_counter()
    tracemalloc.start()
    try:
        with contextlib.suppress(PictureError):  # some are refused, and may be
            assert TRANSFORM(content).shape == (3, 16, 16)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 64 * 2**20 and time.perf_counter() - begun < 5


@pytest.mark.parametrize("limit", [None, 10, 10**12])
def test_pillows_own_limit_stays_the_users_and_ours_holds_beside_it(limit, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(PictureError):
        TRANSFORM(png_header(60_000, 60_000))
    assert limit == Image.MAX_IMAGE_PIXELS


def test_a_picture_of_a_dataset_is_held_to_the_same_bounds():
    with pytest.raises(PictureError, match=r"12,000 x 12,000 " + MANY):
        TRANSFORM(Image.open(io.BytesIO(png_header(12_000, 12_000))))


def test_the_largest_picture_is_at_the_limit_and_not_below():
    image = Image.open(io.BytesIO(png_header(10_000, 10_000)))
    assert image.width * image.height == PIXELS
    check_size(image)
    check_resized((1, 1), (10_000, 10_000))
    with pytest.raises(PictureError):
        check_resized((1, 1), (10_000, 10_001))
    check_encoded(ENCODED_BYTES)
    with pytest.raises(PictureError, match=r"536,870,913 bytes"):
        check_encoded(ENCODED_BYTES + 1)


@pytest.mark.parametrize("head", [b"P6 9 9 254\n", b"P5 9 9 300\n", b"P3 9 9 255\n"])
def test_what_python_decodes_number_by_number_has_a_lower_bound(head):
    image = Image.open(io.BytesIO(head))
    check_size(image, 32 * 2**20)
    with pytest.raises(PictureError, match=r"decoded one by one.*Save it as a PNG"):
        check_size(image, 32 * 2**20 + 1)
    check_size(Image.open(io.BytesIO(b"P6 9 9 255\n")), 32 * 2**20 + 1)


@pytest.mark.parametrize("cut", [2, 4, 7, 9, 15, 30])
def test_a_header_that_ends_is_left_to_the_decoder(cut):
    for content in (tags(), tags()[:8].replace(b"II*\0", b"MM\0*"), segments(15_000, 0xFE, bytes(20))[: 300_000 + cut]):
        check_header(content[:cut] if content.startswith((b"II", b"MM")) else content)
    check_header(b"II+\0" + b"\xff" * 60)


def test_a_large_photograph_with_metadata_is_no_bomb():
    exif = Image.Exif()
    exif[0x010E] = "x" * 60_000
    noise = Image.effect_noise((1200, 900), 99).convert("RGB")
    for kind, options in (("JPEG", {"exif": exif, "quality": 95, "progressive": True}), ("PNG", {"exif": exif})):
        content = encoded(noise, kind, **options)
        assert len(content) > 256 * 2**10
        assert TRANSFORM(content).shape == (3, 16, 16)


def test_a_picture_that_is_stored_as_it_is_has_sides_that_a_shard_may_have():
    for resize, size in ((None, (1, 65_537)), (8, (1, 8_193))):
        with pytest.raises(PictureError, match=r"to be stored, and 65,536 a side are the most\. Give a crop"):
            ImageTransform(resize=resize, crop=None)(Image.new("L", size))
    assert ImageTransform(resize=None, crop=4)(Image.new("L", (1, 65_537))).shape == (3, 4, 4)
    assert ImageTransform(resize=None, crop=None, channels=1)(Image.new("L", (1, 65_536))).shape == (1, 65_536, 1)


LARGEST = {
    "RGB": ("RGB", (10_000, 10_000), "PNG", {"compress_level": 1}),
    "with alpha": ("RGBA", (10_000, 10_000), "PNG", {"compress_level": 1}),
    "progressive": ("RGB", (8_100, 8_200), "JPEG", {"progressive": True, "subsampling": 0}),
    "CMYK": ("CMYK", (10_000, 10_000), "JPEG", {}),
    "WebP": ("RGBA", (7_000, 7_100), "WEBP", {"lossless": True, "method": 0}),
    "16 bits": ("I;16", (7_000, 7_100), "PPM", {}),
    "TIFF": ("RGBA", (10_000, 10_000), "TIFF", {"compression": "tiff_lzw"}),
}
PEAK = """
import re, sys
from evoray.data import ImageTransform
content = open(sys.argv[1], "rb").read()
ImageTransform()(content)
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", LARGEST)
def test_the_largest_picture_of_each_kind_takes_less_than_a_gigabyte(kind, tmp_path):
    mode, size, form, options = LARGEST[kind]
    Image.new(mode, size, 7 if mode == "I;16" else (1, 2, 3, 4)[: len(mode)]).save(tmp_path / "large", form, **options)
    ended = subprocess.run([sys.executable, "-c", PEAK, tmp_path / "large"], capture_output=True, text=True, check=True)
    assert int(ended.stdout) < 2**20  # in KiB, the program itself with it
