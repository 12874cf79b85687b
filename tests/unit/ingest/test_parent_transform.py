from __future__ import annotations

import pytest

from evoray.data import ImageTransform
from evoray.errors import ConfigError
from evoray.ingest.options import Options, chosen
from evoray.ingest.parent_transform import transform_for

MODULE = """
from torch import nn
from evoray import Parent
from evoray.models import Preprocessing

def bare():
    return nn.Linear(1, 1)

def whole():
    return Parent(nn.Linear(1, 1), preprocessing=Preprocessing(resize=40, crop=32, interpolation="bicubic", channels=1))

def cropped():
    return Parent(nn.Linear(1, 1), preprocessing=Preprocessing(crop=32))
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_parents.py").write_text(MODULE)
    (tmp_path / "mine.pth").write_bytes(b"")

    def make(source, name, weights=None):
        path = tmp_path / "c.toml"
        said = f'weights = "{weights}"\n' if weights else ""
        path.write_text(f'[parent]\nsource = "{source}"\nname = "{name}"\n{said}[data]\npath = "mock:"\n')
        return path

    return make


@pytest.mark.parametrize(
    ("source", "name", "weights", "cut", "why"),
    [
        (
            "torchvision",
            "resnet50",
            "IMAGENET1K_V1",
            (256, 224, "bilinear"),
            "as the weights IMAGENET1K_V1 of resnet50",
        ),
        (
            "torchvision",
            "resnet50",
            "IMAGENET1K_V2",
            (232, 224, "bilinear"),
            "as the weights IMAGENET1K_V2 of resnet50",
        ),
        ("torchvision", "resnet50", "resnet50-11ad3fa6.pth", (232, 224, "bilinear"), "IMAGENET1K_V2, whose file"),
        ("torchvision", "resnet50", "a/resnet50-0676ba61.pth", (256, 224, "bilinear"), "IMAGENET1K_V1, whose file"),
        ("torchvision", "vit_b_16", "vit_b_16_swag-9ac1b537.pth", (384, 384, "bicubic"), "IMAGENET1K_SWAG_E2E_V1"),
        ("timm", "resnet18", "a1_in1k", (235, 224, "bicubic"), "as the weights a1_in1k of resnet18"),
        ("timm", "vit_base_patch16_clip_224", "openai", (248, 224, "bicubic"), "as the weights openai of vit_base"),
        ("module", "own_parents:whole", None, (40, 32, "bicubic"), "the preprocessing that own_parents:whole brings"),
        ("module", "own_parents:cropped", None, (None, 32, "bilinear"), "--resize none --crop 32"),
    ],
)
@pytest.mark.parametrize("answered", [False, True])
def test_what_the_weights_say_is_taken_and_said(source, name, weights, cut, why, answered, config):
    found = transform_for(config(source, name, weights), "pil", answered=answered)
    assert (found.transform.resize, found.transform.crop, found.transform.interpolation) == cut
    assert found.why.startswith("transform: --resize") and why in found.why
    assert ("are not used" in found.why) == answered


@pytest.mark.parametrize(
    ("source", "name", "weights", "words"),
    [
        ("torchvision", "resnet18", "mine.pth", r"weights = 'mine.pth' is a file of yours.*resnet18 take --resize 256"),
        ("torchvision", "resnet50", "mine.safetensors", r"resnet50 take --resize 232 --crop 224 \(bilinear\)"),
        ("torchvision", "resnet50", "resnet50-00000000.pth", "is a file of yours"),
        ("torchvision", "resnet18", "resnet50-11ad3fa6.pth", "is a file of yours"),
        ("module", "own_parents:bare", None, "brings no resize or crop"),
    ],
)
def test_what_nothing_says_is_asked(source, name, weights, words, config):
    path = config(source, name, weights)
    with pytest.raises(ConfigError, match=rf"--for .*{words}.*Give --resize and --crop"):
        chosen(Options(config=path))[0]
    for answer in ({"resize": "64", "crop": 56}, {"resize": "64"}, {"crop": 56}, {"resize": "none"}):
        found = chosen(Options(config=path, **answer))[0]
        assert found == chosen(Options(**answer))[0]
        assert "as the options say" in chosen(Options(config=path, **answer))[1]


def test_without_a_configuration_the_options_have_their_defaults():
    assert chosen(Options())[0] == ImageTransform(resize=256, crop=224) and chosen(Options())[1] is None


def test_an_architecture_that_does_not_exist_is_named(config):
    with pytest.raises(ConfigError, match="no such classifier"):
        transform_for(config("torchvision", "resnet19", "mine.pth"), "pil", answered=True)


def test_of_random_weights_an_answer_counts_before_the_defaults(config):
    for source in ("torchvision", "timm"):
        path = config(source, "resnet18", "random")
        assert "whose weights are random" in chosen(Options(config=path))[1]
        found, why = chosen(Options(config=path, resize="64", crop=56))
        assert (found.resize, found.crop) == (64, 56) and "as the options say" in why


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize(
    ("source", "name", "weights"),
    [
        ("torchvision", "resnet50", "IMAGENET1K_V9"),
        ("torchvision", "resnet18", "IMAGENET1K_V2"),
        ("torchvision", "resnet50", "mychk"),
        ("timm", "resnet18", "a9_in1k"),
    ],
)
def test_weights_that_do_not_exist_are_refused_as_a_run_refuses_them(source, name, weights, answered, config):
    path = config(source, name, weights)
    with pytest.raises(ConfigError, match=rf'weights = "{weights}": (no such file, and none of|timm has no such)'):
        transform_for(path, "pil", answered=answered)


def test_a_file_without_a_suffix_is_asked_about(config, tmp_path):
    (tmp_path / "mychk").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"weights = 'mychk' is a file of yours"):
        transform_for(config("torchvision", "resnet50", "mychk"), "pil", answered=False)
