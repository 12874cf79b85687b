from __future__ import annotations

import pytest
import torch

from evoray.models import small
from evoray.models.small import CLASSES, SMALL

WEIGHTS = {"cnn": 24_058, "resnet": 19_962, "vit": 41_674}


@pytest.fixture(params=SMALL)
def parent(request):
    torch.manual_seed(0)
    made = getattr(small, request.param)()
    made.model.eval()
    return made


def images(count):
    return torch.randn(count, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def test_the_numbers_of_weights_are_those_that_are_stated():
    for name, count in WEIGHTS.items():
        model = getattr(small, name)().model
        assert sum(p.numel() for p in model.parameters()) == count
        assert f"{count:,} weights" in type(model).__doc__


@pytest.mark.parametrize("count", [1, 2, 5])
def test_ten_logits_an_image(parent, count):
    with torch.inference_mode():
        assert parent.model(images(count)).shape == (count, CLASSES)


def test_an_images_logits_depend_on_no_other_image(parent):
    with torch.inference_mode():
        together, alone = parent.model(images(4)), torch.cat([parent.model(one[None]) for one in images(4)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_the_seed_makes_the_weights():
    for name in SMALL:
        made = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            made.append(torch.cat([p.flatten() for p in getattr(small, name)().model.parameters()]))
        assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])


def test_the_images_are_normalised_as_fashion_mnist(parent):
    own = parent.preprocessing
    assert (own.mean, own.std, own.channels) == ((0.2860,), (0.3530,), 1)
    assert own.resize is own.crop is None


def test_every_layer_can_learn(parent):
    """A weight without a gradient would be one that no mutation can make better."""
    parent.model(images(8)).square().sum().backward()
    assert [name for name, p in parent.model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_vit_without_positions_does_not_know_where_its_patches_are():
    torch.manual_seed(0)
    model = small.vit().model.eval()
    image = images(1)
    patches = image.view(1, 1, 4, 7, 4, 7)
    turned = patches.flip(2, 4).reshape(1, 1, 28, 28)
    with torch.inference_mode():
        assert not torch.allclose(model(image), model(turned), atol=1e-4)
        model.position.zero_()
        torch.testing.assert_close(model(image), model(turned), rtol=1e-4, atol=1e-5)
