"""What is read goes by the content alone; anything else is named, and not a line of its plugin runs."""

from __future__ import annotations

import io
import os
import struct
import zipfile

import numpy as np
import pytest
from pictures import encoded
from PIL import EpsImagePlugin, Image

from evoray.data import ImageTransform
from evoray.data.decoding.formats import FORMATS, claimed, name_of
from evoray.errors import PictureError
from evoray.ingest.ingest import ingest_folder

pytestmark = pytest.mark.filterwarnings("ignore")

POSTSCRIPT = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 8 8
%%EndComments
(/tmp/owned) (w) file closefile
showpage
%%EOF
"""


def zipped():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.png", b"")
    return content.getvalue()


def numpy_array():
    content = io.BytesIO()
    np.save(content, np.zeros((4, 4)))
    return content.getvalue()


def picture(size=(16, 16)):
    """Made here, for the tests' photographs are opened through every plugin."""
    return Image.linear_gradient("L").resize(size).convert("RGB")


def saved(kind, mode="RGB"):
    return encoded(picture().convert(mode), kind)


def with_preview():
    return b"\xc5\xd0\xd3\xc6" + struct.pack("<II", 30, len(POSTSCRIPT)) + bytes(18) + POSTSCRIPT


REFUSED = {
    "EPS": (lambda: POSTSCRIPT, "PostScript"),
    "EPS by Pillow": (lambda: saved("EPS"), "PostScript"),
    "EPS with a preview": (with_preview, "PostScript"),
    "PDF": (lambda: saved("PDF"), "PDF"),
    "PSD": (lambda: b"8BPS\0\1" + bytes(40), "PSD"),
    "WMF": (lambda: b"\xd7\xcd\xc6\x9a\0\0" + bytes(80), "WMF"),
    "EMF": (lambda: b"\1\0\0\0" + bytes(36) + b" EMF" + bytes(60), "EMF"),
    "FITS": (lambda: b"SIMPLE  =                    T".ljust(2880), "FITS"),
    "HDF5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(60), "HDF5"),
    "GRIB": (lambda: b"GRIB" + bytes(4) + bytes([1]) + bytes(60), "GRIB"),
    "BUFR": (lambda: b"BUFR" + bytes(60), "BUFR"),
    "DICOM": (lambda: bytes(128) + b"DICM" + bytes(60), "DICOM"),
    "FlashPix": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "FPX"),
    "ICO": (lambda: saved("ICO"), "ICO"),
    "ICNS": (lambda: saved("ICNS"), "ICNS"),
    "DDS": (lambda: saved("DDS"), "DDS"),
    "TGA": (lambda: saved("TGA"), "TGA"),
    "PCX": (lambda: saved("PCX"), "PCX"),
    "SGI": (lambda: saved("SGI"), "SGI"),
    "XBM": (lambda: saved("XBM", "1"), "XBM"),
    "IM": (lambda: saved("IM"), "no picture that is known"),
    "JPEG 2000": (lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60), "JPEG 2000"),
    "AVIF": (lambda: b"\0\0\0\x20ftypavif" + bytes(60), "AVIF"),
    "HEIC": (lambda: b"\0\0\0\x20ftypheic" + bytes(60), "HEIC"),
    "MP4": (lambda: b"\0\0\0\x20ftypisom" + bytes(60), "film"),
    "QOI": (lambda: b"qoif" + bytes(60), "QOI"),
    "SVG": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "a web page": (lambda: b"\n<!DOCTYPE html><title>404</title>", "web page"),
    "an answer of a server": (lambda: b'{"error": "not found"}', "JSON"),
    "a zip": (zipped, "zip"),
    "an array": (numpy_array, "NumPy"),
    "a pointer of Git LFS": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
    "zeros": (lambda: bytes(5000), "zeros"),
    "nothing": (lambda: b"", "an empty file"),
    "text": (lambda: b"this is\nno image", r"a text \(this is no image\)"),
}


@pytest.fixture
def gs(tmp_path, monkeypatch):
    """Programs that plugins would start, each of which leaves a trace; and plugins that would leave one."""
    (tmp_path / "bin").mkdir()
    for name in ("gs", "djpeg", "ffmpeg", "dcraw"):
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\ntouch {tmp_path}/trace\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    Image.init()

    def traced(*_):
        (tmp_path / "trace").touch()
        raise AssertionError("a plugin ran")

    for name in [name for name in Image.OPEN if name not in FORMATS]:
        monkeypatch.setitem(Image.OPEN, name, (traced, traced))
    return tmp_path / "trace"


@pytest.mark.parametrize("decoder", ["pil", "torchvision"])
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_listed_is_named_and_not_decoded(kind, decoder, gs):
    make, name = REFUSED[kind]
    content = make()
    gs.unlink(missing_ok=True)  # Pillow's own writers may have left it
    with pytest.raises(PictureError, match=rf"{name}.*which is not read\. Formats that are: JPEG, PNG"):
        ImageTransform(decoder=decoder)(content)
    assert not gs.exists()


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp", "a.ppm", "a.bmp"])
def test_postscript_under_any_name_is_listed_and_ghostscript_not_started(name, gs, tmp_path):
    (tmp_path / "tree" / "class").mkdir(parents=True)
    (tmp_path / "tree" / "class" / name).write_bytes(POSTSCRIPT)
    (tmp_path / "tree" / "class" / "good.JPEG").write_bytes(saved("JPEG"))
    manifest = ingest_folder(tmp_path / "tree", tmp_path / "shards", ImageTransform(resize=8, crop=8), workers=1)
    assert [(one.source, one.error[:16]) for one in manifest.unreadable] == [(f"class/{name}", "PostScript (EPS)")]
    assert not gs.exists()


@pytest.mark.parametrize("decoder", ["pil", "torchvision"])
def test_postscript_that_a_dataset_opened_is_not_run(decoder, tmp_path):
    image = Image.open(io.BytesIO(saved("EPS")), formats=["EPS"])
    with pytest.raises(PictureError, match="EPS, which is a program and not run"):
        ImageTransform(decoder=decoder)(image)


def test_the_trap_itself_would_have_been_sprung(gs):
    """What ``Image.open`` does unasked: it goes through every plugin."""
    with pytest.raises(AssertionError, match="a plugin ran"):
        Image.open(io.BytesIO(POSTSCRIPT))
    assert gs.exists()


@pytest.mark.parametrize("decoder", ["pil", "torchvision"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "WEBP", "MPO"])
def test_every_listed_format_is_read(kind, decoder, gs):
    content = encoded(picture((24, 16)), kind, **({"lossless": True} if kind == "WEBP" else {}))
    found = ImageTransform(resize=None, crop=None, decoder=decoder)(content)
    expected = np.asarray(Image.open(io.BytesIO(content), formats=FORMATS).convert("RGB")).transpose(2, 0, 1)
    assert np.abs(found.astype(int) - expected).max() <= (1 if decoder == "torchvision" else 0)
    assert claimed(content) == kind.replace("MPO", "JPEG")
    assert not gs.exists()


def test_a_hint_says_no_more_than_the_first_bytes():
    assert claimed(b"\xff\xd8\xff\xe0rest") == "JPEG"
    assert claimed(b"GIF89a") == "GIF"
    assert claimed(b"GIF") is None and claimed(b"") is None
    assert name_of(b"\xef\xbb\xbf  <html>") == "a web page (HTML)"
    assert name_of(b"\x7fELF") == "a program"
    assert name_of(b"\x01\x02\x03\xfe") == "no picture that is known"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"ARROW1\0\0", r"an Arrow file (Feather)"),
        (b"\xff\xff\xff\xff\x18\x01\0\0", "an Arrow stream (Hugging Face's datasets)"),
        (b"7z\xbc\xaf'\x1c", "a 7z archive"),
        (b"Rar!\x1a\x07", "a RAR archive"),
        (b"(\xb5/\xfd", "a zstd file"),
        (b"\x80\x04\x95", "a pickle of Python's"),
        (b"404: Not Found\n", "a text (404: Not Found)"),
        (b"<Error><Code>AccessDenied</Code>", "an answer of a server's (XML)"),
        (b"a" * 600, f"a text ({'a' * 18} … {'a' * 18})"),
    ],
)
def test_what_is_met_under_a_wrong_name_is_told(content, name):
    assert name_of(content) == name
