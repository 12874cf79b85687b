"""Pillow's path gives the reference's bytes on every odd file; torchvision's is off by one of 255 at most."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import BAD, ODD, PHOTOGRAPHS, encoded, photograph, reference
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor

from evoray.data import ImageTransform
from evoray.data.transform import as_image
from evoray.errors import DataError
from evoray.ingest.ingest import ingest_folder

pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow's and torchvision's, on odd files


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
        ingest_folder(
            tmp_path / "tree", tmp_path / decoder, ImageTransform(resize=48, crop=48, decoder=decoder), workers=1
        )
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
        "import sys, pathlib, evoray.data as data; from evoray.ingest.ingest import ingest_folder;"
        "here = pathlib.Path(sys.argv[1]);"
        "ingest_folder(here / 'tree', here / 'shards', data.ImageTransform(), workers=1);"
        "sys.exit(', '.join({'torch', 'pandas'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True)
    assert ended.stderr == "\n" and importlib.util.find_spec("pandas") is not None


@pytest.mark.parametrize("decoder", ["pil", "torchvision"])
def test_without_a_resize_and_a_crop_the_pixels_are_those_of_the_file(decoder):
    picture = photograph((13, 7))
    found = ImageTransform(resize=None, crop=None, decoder=decoder)(encoded(picture, "PNG"))
    assert found.shape == (3, 7, 13) and found.dtype == np.uint8
    assert np.array_equal(found, pil_to_tensor(picture).numpy())


def test_a_crop_without_a_resize_takes_the_centre():
    pixels = np.arange(25, dtype=np.uint8).reshape(5, 5)
    found = ImageTransform(resize=None, crop=3, channels=1)(Image.fromarray(pixels))
    assert found.tolist() == [[[6, 7, 8], [11, 12, 13], [16, 17, 18]]]


def test_a_crop_beyond_the_image_has_a_black_border_and_the_odd_line_last():
    pixels = np.full((2, 2), 9, np.uint8)
    found = ImageTransform(resize=None, crop=5, channels=1)(Image.fromarray(pixels))
    expected = np.zeros((1, 5, 5), np.uint8)
    expected[0, 1:3, 1:3] = 9
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("wrong", [{"interpolation": "bilinaer"}, {"channels": 2}])
def test_a_transform_that_does_not_exist_is_refused(wrong):
    with pytest.raises(DataError, match=str(next(iter(wrong.values())))):
        ImageTransform(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"resize": 0},
        {"crop": 0},
        {"resize": 8193},
        {"crop": 10**9},
        {"decoder": "opencv"},
        {"sharpen": True},
        {"depth": "guess"},
    ],
)
def test_a_key_or_a_value_that_is_unknown_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ImageTransform(**wrong)


PIXELS = np.random.default_rng(0).integers(256, size=(4, 6, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Image.fromarray(PIXELS), PIXELS),
        (PIXELS, PIXELS),
        (PIXELS.transpose(2, 0, 1), PIXELS),
        (PIXELS[:, :, 0], PIXELS[:, :, 0]),
        (PIXELS[:, :, :1], PIXELS[:, :, 0]),
        (PIXELS[None, :, :, 0], PIXELS[:, :, 0]),
    ],
    ids=["PIL", "[H, W, 3]", "[3, H, W]", "[H, W]", "[H, W, 1]", "[1, H, W]"],
)
def test_a_records_image_may_have_its_channels_first_last_or_not_at_all(value, expected):
    assert np.array_equal(np.asarray(as_image(value, "record/0")), expected)


@pytest.mark.parametrize("shape", [(3, 6, 3), (3, 1, 3), (3, 3, 3), (1, 6, 3), (3, 6, 1), (1, 6, 1), (1, 1, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_array_whose_channels_may_be_at_either_end_is_refused_and_a_tensor_is_channels_first(shape, dtype):
    value = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    with pytest.raises(DataError, match=rf"^record/7: .*{re.escape(str(list(shape)))}.* first axis or its last. Give "):
        as_image(value, "record/7")
    found = np.asarray(as_image(torch.from_numpy(value), "record/7"))
    assert found.shape[:2] == shape[1:]
    if dtype == np.uint8:
        assert np.array_equal(found.reshape(*shape[1:], shape[0]), value.transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (np.zeros((1, 1, 1), np.uint8), (1, 1)),
        (np.zeros((3, 6, 4), np.uint8), (4, 6)),
        (np.zeros((3, 6, 2), np.uint8), (2, 6)),
        (np.zeros((4, 6, 3), np.uint8), (6, 4)),
        (Image.new("RGB", (6, 3)), (6, 3)),
        (Image.new("RGB", (3, 1)), (3, 1)),
    ],
)
def test_a_thin_picture_that_can_be_read_in_one_way_is_read(value, size):
    assert as_image(value, "record/7").size == size


@pytest.mark.parametrize("value", [PIXELS / 255, PIXELS.astype(np.int64), np.zeros(4, np.uint8), "text", None])
def test_what_is_no_image_of_bytes_is_named_with_its_record(value):
    with pytest.raises(DataError, match=r"^record/7: .* of shape .*leave normalisation to the parent"):
        as_image(value, "record/7")
