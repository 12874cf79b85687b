"""Damaged files of every format: a picture or one PictureError of one line, every time the same, nothing printed."""

from __future__ import annotations

import io
import random
import struct
import threading
import zlib

import numpy as np
import pytest
from odd_files import pgm, png, tiff
from pictures import encoded
from PIL import Image, ImageFile

from evoray.data import ImageTransform
from evoray.data.decoding.opening import one_error, one_line, opened, strict
from evoray.errors import DataError, PictureError, RunError
from evoray.ingest.ingest import ingest_folder

pytestmark = pytest.mark.filterwarnings("ignore")
NOISE = Image.effect_noise((24, 20), 99).convert("RGB")
DEEP = np.asarray(NOISE).astype(np.uint16) * 257


def exif():
    found = Image.Exif()
    found[0x0112], found[0x010E], found[0x829A] = 6, "described", (1, 3)
    found.get_ifd(0x8769)[0x9000] = b"0232"
    found.get_ifd(0x8825)[1] = "N"
    return found


def several(kind, **options):
    return encoded(NOISE, kind, save_all=True, append_images=[NOISE.rotate(180)], **options)


def rle():
    """A BMP of 8 bits in run lengths."""
    rows = b"".join(bytes([12, 1, 12, 2, 0, 0]) for _ in range(20)) + b"\0\1"
    palette = bytes(range(256)) * 4
    head = struct.pack("<IiiHHIIiiII", 40, 24, 20, 1, 8, 1, len(rows), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(palette) + len(rows), 0, 0, 54 + len(palette)) + head + palette + rows


WHOLE = {
    "JPEG": lambda: encoded(NOISE, "JPEG", exif=exif(), icc_profile=bytes(300), comment=b"comment"),
    "progressive JPEG": lambda: encoded(NOISE, "JPEG", progressive=True),
    "grey JPEG": lambda: encoded(NOISE.convert("L"), "JPEG", restart_marker_rows=1),
    "CMYK JPEG": lambda: encoded(NOISE.convert("CMYK"), "JPEG"),
    "MPO": lambda: several("MPO"),
    "PNG": lambda: encoded(NOISE, "PNG", exif=exif(), icc_profile=bytes(300)),
    "palette PNG": lambda: encoded(NOISE.convert("P"), "PNG", transparency=bytes(9)),
    "16-bit PNG": lambda: png(DEEP[:, :, 0]),
    "APNG": lambda: several("PNG"),
    "GIF": lambda: several("GIF", comment=b"comment"),
    "BMP": lambda: encoded(NOISE, "BMP"),
    "BMP in run lengths": rle,
    "PPM": lambda: encoded(NOISE, "PPM"),
    "PPM up to 999": lambda: pgm(DEEP % 1000, 999),
    "PGM in letters": lambda: pgm(DEEP[:, :, 0], 65535, plain=True),
    "TIFF": lambda: encoded(NOISE, "TIFF", exif=exif(), icc_profile=bytes(300)),
    "16-bit TIFF": lambda: tiff(DEEP[:, :, 0], "u2"),
    "BigTIFF": lambda: tiff(DEEP[:, :, 0], "u2", big=True),
    "TIFF in LZW": lambda: encoded(NOISE, "TIFF", compression="tiff_lzw"),
    "TIFF in deflate": lambda: encoded(NOISE, "TIFF", compression="tiff_adobe_deflate"),
    "TIFF in JPEG": lambda: encoded(NOISE, "TIFF", compression="jpeg"),
    "fax": lambda: encoded(NOISE.convert("1"), "TIFF", compression="group4"),
    "WebP": lambda: encoded(NOISE, "WEBP", exif=exif()),
    "lossless WebP": lambda: encoded(NOISE.convert("RGBA"), "WEBP", lossless=True),
    "moving WebP": lambda: several("WEBP"),
}


IN_C = ("TIFF in LZW", "TIFF in deflate", "TIFF in JPEG", "fax")
"""Decoded by libtiff, which prints what it finds wrong."""


def damaged(content, seed, count=60):
    """Cut, with a few bytes changed (most in the header), with a piece missing, doubled, or of zeros."""
    chance = random.Random(seed)
    for _ in range(count):
        found = bytearray(content)
        way = chance.randrange(6)
        start = chance.randrange(len(found))
        end = min(len(found), start + chance.randrange(1, 40))
        if way == 0:
            del found[start:]
        elif way == 1:
            del found[start:end]
        elif way == 2:
            found[start:start] = found[start:end]
        elif way == 3:
            found[start:end] = bytes(end - start)
        else:
            reach = len(found) if way == 4 else min(len(found), 80)
            for _ in range(chance.randrange(1, 4)):
                found[chance.randrange(reach)] = chance.choice([0, 1, 127, 128, 254, 255, chance.randrange(256)])
        yield bytes(found)


def outcome(content, transform):
    try:
        return transform(content).tobytes()
    except PictureError as error:
        return str(error)


@pytest.mark.parametrize("decoder", ["pil", "torchvision"])
@pytest.mark.parametrize("kind", WHOLE)
def test_damage_gives_a_picture_or_one_line_and_nothing_on_the_terminal(kind, decoder, capfd):
    transform = ImageTransform(resize=12, crop=8, decoder=decoder)
    content = WHOLE[kind]()
    assert transform(content).shape == (3, 8, 8)
    refused = 0
    for one in damaged(content, kind):
        found = outcome(one, transform)
        refused += isinstance(found, str)
        if isinstance(found, str):
            assert found and "\n" not in found and " at 0x" not in found and len(found) <= 600, found
            assert outcome(one, transform) == found
    assert refused >= 5
    captured = capfd.readouterr()
    assert captured.out == ""
    if not (kind in IN_C or decoder == "torchvision"):  # which print in a worker to nowhere
        assert captured.err == ""


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_cut_anywhere_is_never_taken_for_a_whole_one(kind):
    """But for what stands behind the first picture, or in its last few bits."""
    content = WHOLE[kind]()
    whole = ImageTransform(resize=None, crop=None)(content)
    for left in (0, 1, 2, 3, 8, 16, 30, len(content) // 4, len(content) // 3):
        found = outcome(content[:left], ImageTransform(resize=None, crop=None))
        assert isinstance(found, str) or found == whole.tobytes()


@pytest.mark.parametrize(
    "error",
    [
        struct.error("unpack"), zlib.error("-3"), MemoryError(), RecursionError("deep"), OverflowError("big"),
        ZeroDivisionError("division"), SyntaxError("bad marker"), AssertionError(), KeyError("mode"), EOFError(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), ValueError("two\nlines"), OSError(-2), IndexError("end"),
        Image.DecompressionBombError("bomb"), StopIteration(), NotImplementedError("later"), BufferError("held"),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_whatever_a_decoder_raises_is_one_kind(error, monkeypatch):
    def load(_):
        raise error

    content = encoded(NOISE, "PNG")
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(PictureError) as raised:
        ImageTransform()(content)
    assert str(raised.value).startswith(f"{type(error).__name__}: ") and "\n" not in str(raised.value)


@pytest.mark.parametrize("error", [DataError("labels"), RunError("disk")])
def test_errors_of_evoray_stay_what_they_are(error):
    with pytest.raises(type(error), match=str(error)), one_error():
        raise error


def test_ctrl_c_is_no_damage():
    with pytest.raises(KeyboardInterrupt), one_error():
        raise KeyboardInterrupt


def test_a_reason_has_no_address_and_no_control_characters():
    said = one_line(OSError("cannot identify image file <_io.BytesIO object at 0x7f00aa>"))
    assert said == "OSError: cannot identify image file"
    assert one_line(ValueError("\x1b[31mred\x07")) == r"ValueError: \x1b[31mred\x07"
    assert len(one_line(ValueError("x" * 9000))) == 300


CUT = {
    "JPEG": lambda: encoded(NOISE, "JPEG")[:-40],
    "JPEG without its end": lambda: encoded(NOISE, "JPEG")[:-2],
    "progressive JPEG": lambda: WHOLE["progressive JPEG"]()[:-60],
    "PNG": lambda: encoded(NOISE, "PNG")[:-200],
    "GIF": lambda: encoded(NOISE, "GIF")[:-100],
    "BMP": lambda: encoded(NOISE, "BMP")[:-100],
    "PPM": lambda: encoded(NOISE, "PPM")[:-100],
    "TIFF": lambda: tiff(DEEP[:, :, 0], "u2").replace(
        struct.pack("<HHII", 273, 4, 1, 8), struct.pack("<HHII", 273, 4, 1, 500)
    ),
}


@pytest.mark.parametrize("lenient", [True, False])
@pytest.mark.parametrize("kind", CUT)
def test_a_cut_file_is_refused_whatever_the_users_program_has_told_pillow(kind, lenient, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    with pytest.raises(PictureError, match=r"trunc|broken|cut|bytes not processed|enough image data|decoder error"):
        ImageTransform(resize=None, crop=None)(CUT[kind]())
    assert ImageFile.LOAD_TRUNCATED_IMAGES is lenient


def test_the_users_setting_comes_back_when_the_last_thread_is_through(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    inside, seen = threading.Barrier(4), []

    def work():
        for _ in range(50):
            with strict:
                inside.wait()
                seen.append(ImageFile.LOAD_TRUNCATED_IMAGES)
                inside.wait()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {False} and len(seen) == 200
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
    with pytest.raises(ZeroDivisionError), strict:
        _ = 1 / 0
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_a_dataset_that_opens_cut_files_itself_keeps_its_own_rule(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert ImageTransform(resize=12, crop=8)(Image.open(io.BytesIO(CUT["JPEG"]()))).shape == (3, 8, 8)


def test_opening_reads_the_header_alone():
    content = encoded(NOISE, "PNG")
    image = opened(content[: len(content) // 2])
    assert (image.format, image.size) == ("PNG", (24, 20))
    with pytest.raises(PictureError, match="OSError: Truncated File Read"), one_error():
        opened(content[:20])
    with pytest.raises(PictureError, match="a PNG that cannot be read"):
        opened(content.replace(b"IHDR", b"IHDX"))


def test_an_ingest_lists_every_bad_kind_and_says_why(tmp_path):
    (tmp_path / "tree" / "a").mkdir(parents=True)
    for name, content in (("good.png", encoded(NOISE, "PNG")), ("float.tif", tiff(DEEP[:, :, 0] / 65535, "f4")),
                          ("cut.jpg", CUT["JPEG"]()), ("page.jpg", b"<html>"), ("empty.bmp", b"")):  # fmt: skip
        (tmp_path / "tree" / "a" / name).write_bytes(content)
    manifest = ingest_folder(tmp_path / "tree", tmp_path / "shards", ImageTransform(resize=8, crop=8), workers=1)
    assert {one.source[2:]: one.error.split(",")[0].split(" (")[0] for one in manifest.unreadable} == {
        "cut.jpg": "OSError: image file is truncated",
        "empty.bmp": "an empty file",
        "float.tif": "floating-point values",
        "page.jpg": "a web page",
    }
    (tmp_path / "tree" / "a" / "good.png").unlink()
    with pytest.raises(DataError, match=r"none of 4 files could be decoded; the first: a/cut\.jpg: OSError"):
        ingest_folder(tmp_path / "tree", tmp_path / "none", ImageTransform(resize=8, crop=8), workers=1)
