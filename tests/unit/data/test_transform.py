"""Pillow's path gives the reference's bytes on every odd file; torchvision's is off by one of 255 at most."""

from __future__ import annotations

import importlib.util
import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import InterpolationMode, functional

from evoray.data import ImageTransform
from evoray.errors import DataError
from evoray.ingest.ingest import ingest_folder

pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow's and torchvision's, on odd files
PHOTOGRAPHS = sorted((Path(importlib.util.find_spec("foolbox").origin).parent / "data").glob("imagenet_*"))


def photograph(size=(97, 64)):
    return Image.open(PHOTOGRAPHS[0]).convert("RGB").resize(size)


def encoded(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


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


def reference(content, transform):
    """torchvision's own preset on what ImageFolder's loader gives."""
    image = Image.open(io.BytesIO(content)).convert("RGB" if transform.channels == 3 else "L")
    mode = InterpolationMode(transform.interpolation)
    image = functional.resize(image, [transform.resize], interpolation=mode, antialias=True)
    return functional.pil_to_tensor(functional.center_crop(image, [transform.crop, transform.crop])).numpy()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ODD)
def test_odd_files_are_read_as_the_reference_reads_them(kind, channels):
    transform = ImageTransform(resize=48, crop=40, channels=channels)
    content = ODD[kind]()
    assert np.array_equal(transform(content), reference(content, transform))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ODD)
def test_torchvisions_decoder_is_off_by_one_at_most(kind, channels, interpolation):
    transform = ImageTransform(
        resize=48, crop=40, channels=channels, interpolation=interpolation, decoder="torchvision"
    )
    content = ODD[kind]()
    found, expected = transform(content), reference(content, transform)
    assert (found.dtype, found.shape) == (np.uint8, expected.shape)
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_torchvisions_decoder_is_off_by_one_at_most_on_photographs():
    for path in PHOTOGRAPHS:
        for interpolation in ("bilinear", "bicubic"):
            transform = ImageTransform(interpolation=interpolation, decoder="torchvision")
            content = path.read_bytes()
            assert np.abs(transform(content).astype(int) - reference(content, transform)).max() <= 1


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from([1, 3]),
    st.sampled_from(["nearest", "bilinear", "bicubic"]),
)
def test_any_size_is_cut_as_torchvision_cuts_it(width, height, resize, crop, channels, interpolation):
    if max(width, height) > 40 * min(width, height):
        return  # a sliver becomes an image of thousands of pixels
    pixels = np.random.default_rng(0).integers(256, size=(height, width, 3), dtype=np.uint8)
    content = encoded(Image.fromarray(pixels), "PNG")
    transform = ImageTransform(resize=resize, crop=crop, channels=channels, interpolation=interpolation)
    assert np.array_equal(transform(content), reference(content, transform))


@pytest.mark.parametrize("interpolation", ["nearest", "nearest-exact", "bicubic", "box", "hamming", "lanczos"])
def test_every_interpolation_is_torchvisions(interpolation):
    transform = ImageTransform(resize=30, crop=20, interpolation=interpolation)
    content = encoded(photograph(), "PNG")
    assert np.array_equal(transform(content), reference(content, transform))


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


@pytest.mark.parametrize("decoder", ["pil", "torchvision"])
@pytest.mark.parametrize("kind", BAD)
def test_what_the_reference_refuses_is_listed(kind, decoder, tmp_path):
    (tmp_path / "tree" / "a").mkdir(parents=True)
    (tmp_path / "tree" / "a" / "bad.JPEG").write_bytes(BAD[kind]())
    (tmp_path / "tree" / "a" / "good.JPEG").write_bytes(encoded(photograph(), "JPEG"))
    transform = ImageTransform(resize=48, crop=40, decoder=decoder)
    manifest = ingest_folder(tmp_path / "tree", tmp_path / "shards", transform, workers=1)
    assert [one.source for one in manifest.unreadable] == ["a/bad.JPEG"]
    assert manifest.unreadable[0].error
    assert manifest.rows == 1


def test_the_decoder_is_part_of_the_identity(tmp_path):
    (tmp_path / "tree" / "a").mkdir(parents=True)
    (tmp_path / "tree" / "a" / "good.JPEG").write_bytes(encoded(photograph((48, 48)), "PNG"))
    made = [
        ingest_folder(tmp_path / "tree", tmp_path / decoder, ImageTransform(resize=48, crop=48, decoder=decoder))
        for decoder in ("pil", "torchvision")
    ]
    assert made[0].shards == made[1].shards
    assert made[0].digest != made[1].digest
    assert "torchvision" in made[1].decoder and "torchvision" not in made[0].decoder


def test_an_interpolation_that_tensors_do_not_have_is_refused():
    with pytest.raises(DataError, match="lanczos"):
        ImageTransform(interpolation="lanczos", decoder="torchvision")


def test_decoding_with_pillow_does_not_wait_for_torch_nor_pandas(tmp_path):
    """pyarrow imports pandas by itself where it is installed, which takes longer than decoding 400 images."""
    (tmp_path / "tree" / "a").mkdir(parents=True)
    (tmp_path / "tree" / "a" / "good.JPEG").write_bytes(encoded(photograph((48, 48)), "JPEG"))
    script = (
        "import sys, pathlib, evoray.data as data; here = pathlib.Path(sys.argv[1]);"
        "data.ingest_folder(here / 'tree', here / 'shards', data.ImageTransform(), workers=1);"
        "sys.exit(', '.join({'torch', 'pandas', 'evoray.config'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True)
    assert ended.stderr == "\n" and importlib.util.find_spec("pandas") is not None
