"""Every configuration of ImageNet's builds, and takes images as its own transform cuts them."""

from __future__ import annotations

from pathlib import Path

import pytest
from torchvision import models

from evoray.config import load_config
from evoray.search.inputs import check_inputs

CORRUPTED = Path(__file__).parents[2] / "jobs" / "configs" / "imagenet-c.toml"
CONFIGS = sorted((Path(__file__).parents[2] / "jobs" / "configs" / "imagenet").glob("*.toml"))


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_builds_at_its_own_input_size(path):
    own = load_config(path)
    crop = models.get_model_weights(own.parent.name)[own.parent.weights].transforms().crop_size[0]
    mock = f"mock:images=4,size={crop},classes=1000"
    inputs = check_inputs(load_config(path, ["parent.weights=random", f"data.path={mock}"]), path.parent)
    assert inputs.splits.described["select"].image_shape == (3, crop, crop)
    assert inputs.parent.preprocessing.crop == crop
    assert len(inputs.parent.preprocessing.mean) == 3
    assert inputs.space.n > 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize(("name", "norms"), [("vit_b_16", '"*ln*", "heads*"'), ("resnet50", '"*bn*"')])
def test_adaptation_to_corruptions_moves_the_norms_alone_and_asks_no_labels(name, norms):
    """A ViT without its weights answers 0 whatever its norms are, so its head is mutated too here."""
    mock = "mock:images=4,size=224,classes=1000"
    own = [f"parent.name={name}", "parent.weights=random", f"data.path={mock}", f"mutation.include=[{norms}]"]
    inputs = check_inputs(load_config(CORRUPTED, own), CORRUPTED.parent)
    assert any("asks no labels" in note for note in inputs.notes)
    moved = [one.name for one in inputs.space.tensors if not one.name.startswith("heads")]
    assert moved and all("ln" in one or "bn" in one for one in moved)
    assert load_config(CORRUPTED).mutation.include == ("*ln*",)
    nearer = [*own, "fitness.name=agreement", f"fitness.reference={mock},seed=1"]
    assert check_inputs(load_config(CORRUPTED, nearer), CORRUPTED.parent).fitness.reference.shape == (2, 1000)
    assert inputs.config.search.children == 28
