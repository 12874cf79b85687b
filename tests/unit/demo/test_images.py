from __future__ import annotations

import torch

from evoray.config import parse_config
from evoray.demo import MEAN, STD, SmallCNN, demo_config, small_cnn


def test_the_parent_has_the_weights_that_are_stated():
    count = sum(parameter.numel() for parameter in small_cnn().parameters())
    assert count == 105_866 and f"{count:,} weights" in SmallCNN.__doc__


def test_ten_logits_an_image_that_depend_on_no_other():
    torch.manual_seed(0)
    model = small_cnn().eval()
    images = torch.randn(3, 1, 28, 28)
    with torch.inference_mode():
        together = model(images)
        torch.testing.assert_close(together[1:2], model(images[1:2]), rtol=1e-5, atol=1e-6)
    assert together.shape == (3, 10)


def test_the_configuration_is_one_that_a_user_could_write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = demo_config(3, tmp_path / "parent.safetensors", "local")
    assert parse_config(config.model_dump(mode="json")) == config
    assert (config.seed, config.compute.backend, config.parent.mean, config.parent.std) == (3, "local", MEAN, STD)
    assert config.parent.name == "evoray.demo:small_cnn"


def test_the_weights_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from pathlib import Path

    assert demo_config(0, Path("p.safetensors"), "ray").parent.weights == str(tmp_path / "p.safetensors")
