from __future__ import annotations

import shutil
from fractions import Fraction

import numpy as np
import pytest
import torch
import torchvision
from pictures import PHOTOGRAPHS
from PIL import Image

from evoray.data import ArrowDataset, ImageTransform, normalise
from evoray.errors import DataError
from evoray.ingest.ingest import ingest_folder

WEIGHTS = [
    "AlexNet_Weights.IMAGENET1K_V1",
    "ResNet50_Weights.IMAGENET1K_V1",
    "ResNet50_Weights.IMAGENET1K_V2",
    "EfficientNet_B1_Weights.IMAGENET1K_V2",
    "EfficientNet_B3_Weights.IMAGENET1K_V1",
    "Inception_V3_Weights.IMAGENET1K_V1",
    "ConvNeXt_Tiny_Weights.IMAGENET1K_V1",
    "Swin_T_Weights.IMAGENET1K_V1",
    "Swin_V2_T_Weights.IMAGENET1K_V1",
    "ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1",
    "RegNet_Y_400MF_Weights.IMAGENET1K_V2",
    "MobileNet_V3_Large_Weights.IMAGENET1K_V2",
]


@pytest.mark.parametrize("name", WEIGHTS)
def test_shard_and_normalise_equal_the_reference_transform(name, tmp_path):
    family, _, member = name.partition(".")
    reference = getattr(torchvision.models, family)[member].transforms()
    transform = ImageTransform(
        resize=reference.resize_size[0],
        crop=reference.crop_size[0],
        interpolation=reference.interpolation.value,
        antialias=bool(reference.antialias),
    )
    root = tmp_path / "photographs" / "all"
    root.mkdir(parents=True)
    for file in PHOTOGRAPHS[:3]:
        shutil.copy(file, root)
    ingest_folder(root.parent, tmp_path / "shards", transform, workers=1)
    shard = ArrowDataset(tmp_path / "shards").load(0)
    batch = normalise(torch.from_numpy(shard.images.copy()), reference.mean, reference.std, torch.float32)
    for image, source in zip(batch, shard.sources, strict=True):
        with Image.open(root.parent / source) as picture:
            assert torch.equal(image, reference(picture.convert("RGB")))


def test_every_byte_is_right_to_the_last_bit_but_one():
    """Against exact fractions of the float32 mean and standard deviation."""
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    mean, std = (0.485,), (0.229,)
    found = normalise(images, mean, std, torch.float32).flatten().numpy()
    exact_mean, exact_std = (Fraction(float(np.float32(value[0]))) for value in (mean, std))
    for value, number in zip(range(256), found, strict=True):
        exact = float((Fraction(value, 255) - exact_mean) / exact_std)
        assert abs(number - exact) <= 3e-7 * max(1.0, abs(exact))


def test_each_channel_has_its_own_mean_and_std():
    images = torch.full((2, 3, 2, 2), 255, dtype=torch.uint8)
    found = normalise(images, (0.0, 0.5, 1.0), (1.0, 0.25, 0.5), torch.float32)
    assert found[:, :, 0, 0].tolist() == [[1.0, 2.0, 0.0]] * 2


def test_one_value_serves_all_channels():
    images = torch.arange(24, dtype=torch.uint8).view(2, 3, 2, 2)
    one = normalise(images, (0.5,), (0.25,), torch.float32)
    assert torch.equal(one, normalise(images, (0.5,) * 3, (0.25,) * 3, torch.float32))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_shorter_type_is_rounded_once_at_the_end(dtype):
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    long, short = (normalise(images, (0.485,), (0.229,), kind) for kind in (torch.float32, dtype))
    assert short.dtype == dtype and torch.equal(short, long.to(dtype))


def test_the_stored_bytes_stay_as_they_are():
    images = torch.arange(16, dtype=torch.uint8).view(1, 1, 4, 4)
    before = images.clone()
    normalise(images, (0.5,), (0.5,), torch.float32)
    assert torch.equal(images, before)


def test_an_empty_batch_is_empty():
    assert normalise(torch.zeros(0, 3, 4, 4, dtype=torch.uint8), (0,) * 3, (1,) * 3, torch.float32).shape == (
        0,
        3,
        4,
        4,
    )


def test_a_mean_for_other_channels_is_refused():
    with pytest.raises(DataError, match="1 channels"):
        normalise(torch.zeros(2, 1, 4, 4, dtype=torch.uint8), (0.5,) * 3, (0.5,) * 3, torch.float32)


@pytest.mark.parametrize(("mean", "std"), [((0.5,), (0.5,) * 3), ((0.5,) * 3, (0.5,)), ((), (1.0,))])
def test_mean_and_std_are_each_checked(mean, std):
    images = torch.zeros(2, 2, 4, 4, dtype=torch.uint8)
    with pytest.raises(DataError, match=r"2 channels, the parent's mean and std [03].*--for CONFIG"):
        normalise(images, mean, std, torch.float32)
