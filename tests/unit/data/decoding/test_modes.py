"""The table of README, a row a test: what each mode of a picture becomes, to the byte, by both decoders."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_files import chunk, pgm, png, tiff
from pictures import encoded, photograph
from PIL import Image

from evoray.data import ImageTransform
from evoray.data.decoding.modes import in_bytes, refusal, scaled
from evoray.data.transform import as_image
from evoray.errors import DataError, PictureError

pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow's, on odd files

GRADIENT = np.array([0, 1, 128, 129, 255, 256, 257, 385, 386, 32767, 32768, 33023, 40000, 65279, 65406, 65535]).reshape(
    8, 2
)
"""Values on both sides of each rounding."""
GREY = np.round(GRADIENT * 255 / 65535).astype(np.uint8)
COLOUR = np.stack([GRADIENT, GRADIENT[::-1], GRADIENT[:, ::-1]], axis=2)
ALPHA = np.full((*GRADIENT.shape, 1), 7)


def stored(content, channels=1, decoder="pil", **options):
    found = ImageTransform(resize=None, crop=None, channels=channels, decoder=decoder, **options)(content)
    return found[0] if channels == 1 else found.transpose(1, 2, 0)


def lzw(values, photometric=1):
    return encoded(
        Image.fromarray(np.asarray(values, np.uint16)), "TIFF", compression="tiff_lzw", tiffinfo={262: photometric}
    )


TWELVE = np.array([[0, 8, 9, 2047], [2048, 4000, 4086, 4095]])

DEEP_GREY = {
    "PNG": (lambda: png(GRADIENT), GREY),
    "PNG with a gamma": (lambda: png(GRADIENT, before=[chunk(b"gAMA", (45455).to_bytes(4, "big"))]), GREY),
    "PNG that says 12 significant bits": (lambda: png(GRADIENT, before=[chunk(b"sBIT", b"\x0c")]), GREY),
    "PNG with a transparent grey": (lambda: png(GRADIENT, before=[chunk(b"tRNS", b"\x01\x00")]), GREY),
    "TIFF, little-endian": (lambda: tiff(GRADIENT, "u2"), GREY),
    "TIFF, big-endian": (lambda: tiff(GRADIENT, "u2", order=">"), GREY),
    "BigTIFF": (lambda: tiff(GRADIENT, "u2", big=True), GREY),
    "TIFF, compressed": (lambda: lzw(GRADIENT), GREY),
    "TIFF whose 0 is white": (lambda: tiff(GRADIENT, "u2", photometric=0), 255 - GREY),
    "compressed TIFF whose 0 is white": (lambda: lzw(GRADIENT, 0), 255 - GREY),
    "TIFF of 12 bits": (lambda: tiff(TWELVE, "u2", bits=12), np.round(TWELVE * 255 / 4095).astype(np.uint8)),
    "PGM": (lambda: pgm(GRADIENT, 65535), GREY),
    "PGM in letters": (lambda: pgm(GRADIENT, 65535, plain=True), GREY),
    "PGM up to 4095": (lambda: pgm(TWELVE, 4095), np.round(TWELVE * 255 / 4095).astype(np.uint8)),
    "PGM up to 1023": (lambda: pgm([[0, 2, 512, 1023]], 1023), np.array([[0, 0, 128, 255]])),
    "PGM up to 300, in letters": (lambda: pgm([[0, 150, 300]], 300, plain=True), np.array([[0, 128, 255]])),
}


@pytest.mark.parametrize("decoder", ["pil", "torchvision"])
@pytest.mark.parametrize("kind", DEEP_GREY)
def test_deep_grey_is_scaled_by_the_range_of_its_type(kind, decoder):
    make, expected = DEEP_GREY[kind]
    assert np.array_equal(stored(make(), decoder=decoder), expected)
    colour = stored(make(), channels=3, decoder=decoder)
    assert np.array_equal(colour, np.repeat(expected[:, :, None], 3, 2))


HIGH = (COLOUR >> 8).astype(np.uint8)

DEEP_COLOUR = {
    "PNG": (lambda: png(COLOUR, colour=2), HIGH),
    "PNG with alpha": (lambda: png(np.concatenate([COLOUR, ALPHA], 2), colour=6), HIGH),
    "grey PNG with alpha": (lambda: png(np.concatenate([COLOUR[:, :, :1], ALPHA], 2), colour=4), HIGH[:, :, [0, 0, 0]]),
    "TIFF, little-endian": (lambda: tiff(COLOUR, "u2", photometric=2), HIGH),
    "TIFF, big-endian": (lambda: tiff(COLOUR, "u2", photometric=2, order=">"), HIGH),
    "PPM": (lambda: pgm(COLOUR, 65535), np.round(COLOUR * 255 / 65535)),
    "PPM up to 1023": (lambda: pgm(np.minimum(COLOUR, 1023), 1023), np.round(np.minimum(COLOUR, 1023) * 255 / 1023)),
    "PPM in letters": (lambda: pgm(COLOUR, 65535, plain=True), np.round(COLOUR * 255 / 65535)),
}


@pytest.mark.parametrize("decoder", ["pil", "torchvision"])
@pytest.mark.parametrize("kind", DEEP_COLOUR)
def test_deep_colour_is_what_the_reference_makes_of_it(kind, decoder):
    make, expected = DEEP_COLOUR[kind]
    found = stored(make(), channels=3, decoder=decoder)
    assert np.array_equal(found, expected)


REFUSED = {
    "float TIFF": (lambda: tiff(GRADIENT / 65535, "f4"), r"mode F.*0 to 65535.*scaled as your network was trained"),
    "float TIFF, big-endian": (lambda: tiff(GRADIENT / 65535, "f4", order=">"), "mode F"),
    "compressed float TIFF": (
        lambda: encoded(Image.fromarray(np.ones((3, 4), "f4")), "TIFF", compression="tiff_lzw"),
        "mode F",
    ),
    "PFM": (lambda: b"Pf 2 1 -1.0\n" + np.array([0, 1], "<f4").tobytes(), "mode F"),
    "signed 16-bit TIFF": (lambda: tiff(GRADIENT - 32768, "i2"), r"mode I.*Save it as 8 bits"),
    "signed 16-bit TIFF, big-endian": (lambda: tiff(GRADIENT - 32768, "i2", order=">"), "mode I"),
    "32-bit TIFF": (lambda: tiff(GRADIENT, "i4"), "mode I"),
    "unsigned 32-bit TIFF": (lambda: tiff(GRADIENT, "u4"), "mode I"),
    "CIELAB TIFF": (lambda: encoded(Image.new("LAB", (3, 2)), "TIFF"), r"CIELAB.*Save it as RGB"),
    "TIFF of 13 bands": (lambda: tiff(np.zeros((2, 2, 13)), "u2"), r"13 bands\. Pick one or three"),
    "TIFF of doubles": (lambda: tiff(GRADIENT, "f8"), r"a TIFF that cannot be read \(unknown pixel mode\)"),
    "TIFF of 64-bit numbers": (lambda: tiff(GRADIENT, "u8"), "unknown pixel mode"),
    "TIFF of colour in floats": (lambda: tiff(COLOUR, "f4", photometric=2), "unknown pixel mode"),
    "TIFF of two bands": (lambda: tiff(COLOUR[:, :, :2], "u2"), "unknown pixel mode"),
    "JPEG of 12 bits": (
        lambda: encoded(photograph((8, 8)), "JPEG").replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"),
        "12-bit",
    ),
}


@pytest.mark.parametrize("decoder", ["pil", "torchvision"])
@pytest.mark.parametrize("kind", REFUSED)
def test_what_has_no_known_range_is_refused_with_what_to_do(kind, decoder):
    make, message = REFUSED[kind]
    for channels in (1, 3):
        with pytest.raises(PictureError, match=message):
            stored(make(), channels=channels, decoder=decoder)


RED, WHITE = (200, 40, 10), (255, 255, 255)


def plain(mode, colour, kind="PNG", **options):
    return encoded(Image.new(mode, (2, 1), colour), kind, **options)


def palette(kind, transparency):
    image = Image.new("P", (2, 1), 1)
    image.putpalette([9, 9, 9, *RED])
    return encoded(image, kind, transparency=transparency)


def adobe(colour):
    """CMYK as Adobe's programs write it: inverted, and marked so."""
    return encoded(Image.new("CMYK", (16, 16), colour), "JPEG", quality=100)


def shallow(bits, byte):
    """A grey PNG of fewer than 8 bits a value, one pixel in the high bits of a byte."""
    header = struct.pack(">IIBBBBB", 1, 1, bits, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes([0, byte])))
        + chunk(b"IEND", b"")
    )


BYTES = {
    "alpha is dropped": (lambda: plain("RGBA", (*RED, 0)), RED),
    "alpha of grey is dropped": (lambda: plain("LA", (77, 0)), (77, 77, 77)),
    "a transparent colour is a colour": (lambda: plain("RGB", RED, transparency=RED), RED),
    "a transparent grey is a grey": (lambda: plain("L", 77, transparency=77), (77, 77, 77)),
    "a transparent place of a palette is its colour": (lambda: palette("PNG", 1), RED),
    "a palette with transparencies": (lambda: palette("PNG", b"\x80\x00"), RED),
    "a GIF's transparent place": (lambda: palette("GIF", 1), RED),
    "a palette with alpha": (lambda: encoded(pa(), "TIFF"), RED),
    "alpha in a WebP": (lambda: plain("RGBA", (*RED, 0), "WEBP", lossless=True, exact=True), RED),
    "alpha in a TIFF": (lambda: plain("RGBA", (*RED, 9), "TIFF"), RED),
    "premultiplied alpha in a TIFF": (lambda: tiff([[[100, 20, 5, 128]]], "u1", 2, more=[(338, 3, [1])]), (199, 39, 9)),
    "premultiplied grey in a TIFF": (lambda: tiff([[[64, 128]]], "u1", more=[(338, 3, [1])]), (127, 127, 127)),
    "one bit, black": (lambda: plain("1", 0), (0, 0, 0)),
    "one bit, white": (lambda: plain("1", 1), WHITE),
    "one bit in a TIFF whose 0 is white": (
        lambda: encoded(Image.new("1", (2, 1), 1), "TIFF", compression="group4"),
        WHITE,
    ),
    "two bits": (lambda: shallow(2, 0b10000000), (170, 170, 170)),
    "four bits": (lambda: shallow(4, 0b01010000), (85, 85, 85)),
    "8 bits whose 0 is white": (lambda: tiff([[0, 55]], "u1", photometric=0), WHITE),
    "CMYK in a TIFF": (lambda: plain("CMYK", (0, 255, 255, 0), "TIFF"), (255, 0, 0)),
    "CMYK in a JPEG, as Adobe writes it": (lambda: adobe((0, 255, 255, 0)), (255, 0, 0)),
    "YCbCr in a TIFF": (lambda: plain("YCbCr", (76, 85, 255), "TIFF"), (254, 0, 0)),
    "a PPM up to 15": (lambda: pgm([[[15, 5, 0]]], 15), (255, 85, 0)),
    "a bitmap in letters": (lambda: b"P1 2 1\n0 1", WHITE),
    "an ICC profile is ignored": (lambda: plain("RGB", RED, icc_profile=b"profile"), RED),
    "a gamma is ignored": (lambda: png([[RED]], 2, 8, before=[chunk(b"gAMA", (100000).to_bytes(4, "big"))]), RED),
}


def pa():
    image = Image.new("PA", (2, 1), (1, 0))
    image.putpalette([9, 9, 9, *RED])
    return image


@pytest.mark.parametrize("decoder", ["pil", "torchvision"])
@pytest.mark.parametrize("kind", BYTES)
def test_eight_bits_are_taken_as_the_reference_takes_them(kind, decoder):
    make, expected = BYTES[kind]
    content = make()
    found = stored(content, channels=3, decoder=decoder)
    assert tuple(found[0, 0]) == expected
    if kind != "premultiplied grey in a TIFF":  # which ``convert`` refuses
        assert np.array_equal(found, np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))


def pages(kind, **options):
    first, second = (Image.new("RGB" if kind != "GIF" else "L", (4, 2), level) for level in ("#c8c8c8", 0))
    return encoded(first, kind, save_all=True, append_images=[second], **options)


@pytest.mark.parametrize("decoder", ["pil", "torchvision"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("GIF", {}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("MPO", {}),
    ],
)
def test_of_many_pictures_the_first_is_taken(kind, options, decoder):
    assert np.array_equal(stored(pages(kind, **options), decoder=decoder), np.full((2, 4), 200))


SIDEWAYS = np.array([[10, 60, 110], [160, 210, 255]], np.uint8)


def turned(kind, **options):
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(Image.fromarray(SIDEWAYS), kind, exif=exif, **options)


@pytest.mark.parametrize("decoder", ["pil", "torchvision"])
@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_an_orientation_in_exif_is_ignored(kind, options, decoder):
    assert np.array_equal(stored(turned(kind, **options), decoder=decoder), SIDEWAYS)


@pytest.mark.parametrize("decoder", ["pil", "torchvision"])
def test_an_orientation_in_a_jpeg_is_ignored(decoder):
    assert stored(turned("JPEG"), decoder=decoder).shape == SIDEWAYS.shape


@pytest.mark.parametrize("decoder", ["pil", "torchvision"])
@pytest.mark.parametrize(
    "values", [SIDEWAYS.astype(np.uint8), SIDEWAYS.astype(np.uint16) * 257], ids=["8 bits", "16 bits"]
)
def test_an_orientation_of_a_tiff_is_the_files_own_and_pillow_turns_it(values, decoder):
    content = tiff(values, values.dtype.str[1:], more=[(274, 3, [6])])
    assert np.array_equal(stored(content, decoder=decoder), np.rot90(SIDEWAYS, -1))


def test_shards_from_before_there_was_a_rule_can_still_be_made():
    assert stored(png(GRADIENT), depth="clip").tolist() == np.minimum(GRADIENT, 255).tolist()
    assert stored(tiff([[0.5, 300.0]], "f4"), depth="clip").tolist() == [[0, 255]]


@given(st.integers(1, 65535), st.integers(0, 65535))
def test_scaling_rounds_to_the_nearest(top, value):
    value = min(value, top)
    exact = value * 255 / top
    for inverted in (False, True):
        found = int(scaled(np.array([[value]], np.uint16), top, inverted)[0, 0])
        assert abs(found - (255 - exact if inverted else exact)) <= 0.5


def test_scaling_covers_every_value_and_goes_by_blocks():
    values = np.arange(65536, dtype=np.uint16).reshape(1024, 64)
    assert np.array_equal(scaled(values), np.round(values / 257).astype(np.uint8))
    assert scaled(np.array([[5000]], np.uint16), 4095).tolist() == [[255]], "what is above the range is its end"


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L"])
def test_a_deep_picture_of_a_dataset_is_scaled_too(mode):
    values = GRADIENT.astype(">u2" if mode == "I;16B" else "<u2")
    image = Image.frombytes(mode, GRADIENT.shape[::-1], values.tobytes())
    assert np.array_equal(stored(as_image(image, "record/0")), GREY)
    assert np.asarray(in_bytes(image, "RGB")).shape == (*GRADIENT.shape, 3)


@pytest.mark.parametrize("values", [GRADIENT, COLOUR, COLOUR.transpose(2, 0, 1), GRADIENT[:, :, None]])
def test_arrays_of_16_bits_are_scaled(values):
    expected = np.round(values * 255 / 65535).astype(np.uint8)
    found = np.asarray(as_image(values.astype(np.uint16), "record/0"))
    assert np.array_equal(found, np.asarray(as_image(expected, "record/0"))) and found.shape[:2] == GRADIENT.shape


@pytest.mark.parametrize(("mode", "reason"), [("F", "mode F"), ("I", "mode I"), ("LAB", "CIELAB")])
def test_a_picture_of_a_dataset_whose_range_is_not_known_stops_the_ingest(mode, reason):
    with pytest.raises(DataError, match=rf"^record/7: a PIL image of .*{reason}.* Save it as") as raised:
        as_image(Image.new(mode, (2, 2)), "record/7")
    assert not isinstance(raised.value, PictureError), "the records are not what was said: none of them is to blame"
    assert refusal(Image.new("HSV", (2, 2))) is None
