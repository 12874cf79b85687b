"""A network built once more, that shares nothing with the first but what is loaded."""

from __future__ import annotations

import pytest
import torch

from evoray.config import ParentConfig
from evoray.errors import ModelError
from evoray.models import Parent, fresh, fresh_network, load_parent

MODULE = """
import torch
from torch import nn

KEPT = nn.Linear(3, 2)
built = []

def plain():
    return nn.Linear(3, 2)

def kept():
    return KEPT

def other():
    built.append(1)
    return nn.Linear(3, len(built))

def named():
    built.append(1)
    return nn.Linear(3, 2, bias=len(built) % 2 == 1)

def once():
    built.append(1)
    if len(built) % 2 == 0:
        raise OSError("gone")
    return nn.Linear(3, 2)
"""


@pytest.fixture
def load(tmp_path):
    (tmp_path / "own.py").write_text(MODULE)

    def loaded(name) -> tuple[Parent, ParentConfig]:
        config = ParentConfig(source="module", name=f"own:{name}")
        return load_parent(config, tmp_path), config

    return loaded


@pytest.mark.parametrize("name", ["plain", "kept"])
def test_it_holds_what_is_loaded_and_shares_nothing(load, tmp_path, name):
    parent, config = load(name)
    before = parent.model.weight.detach().clone()
    state = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}
    model = fresh_network(parent, config, tmp_path, 0, state)
    assert torch.equal(model.weight, state["weight"]) and not model.training
    assert torch.equal(parent.model.weight, before)
    assert model.weight.data_ptr() != parent.model.weight.data_ptr()


def test_what_no_checkpoint_holds_is_drawn_otherwise(tmp_path):
    (tmp_path / "drawn.py").write_text(
        "import torch\nfrom torch import nn\ndef make():\n    model = nn.Linear(3, 2)\n"
        "    model.table = torch.rand(5)\n    return model\n"
    )
    config = ParentConfig(source="module", name="drawn:make")
    parent = load_parent(config, tmp_path)
    model = fresh_network(parent, config, tmp_path, 0, parent.model.state_dict())
    assert not torch.equal(model.table, parent.model.table)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("once", "OSError: gone"), ("other", "size mismatch for weight"), ("named", r"tensors are others then \(bias\)")],
)
def test_what_cannot_be_built_twice_is_refused(load, tmp_path, name, reason):
    parent, config = load(name)
    with pytest.raises(ModelError, match=f"cannot be built a second time.*{reason}"):
        fresh_network(parent, config, tmp_path, 0, parent.model.state_dict())


def test_published_weights_are_not_read_again():
    config = ParentConfig(name="squeezenet1_1", weights="random")
    parent = load_parent(config)
    named = config.model_copy(update={"weights": "IMAGENET1K_V1"})  # whose file is not on this machine
    model = fresh_network(parent, named, None, 0, parent.model.state_dict())
    for one, other in zip(model.parameters(), parent.model.parameters(), strict=True):
        assert torch.equal(one, other)


def _library(name):
    config = ParentConfig(source="torchvision", name=name, weights="random", classes=5)
    parent = load_parent(config, seed=3)
    return config, parent, {key: one.clone() for key, one in parent.model.state_dict().items()}


def test_a_librarys_network_in_haste_is_built_without_numbers_and_answers_as_the_usual_one(monkeypatch):
    config, parent, state = _library("squeezenet1_1")
    usual = fresh_network(parent, config, None, 0, state)
    before = torch.get_rng_state()
    monkeypatch.setattr("evoray.models.fresh.load_parent", None)  # so that only the quick way is left
    quick = fresh_network(parent, config, None, 0, state, quick=True)
    assert torch.equal(torch.get_rng_state(), before) and not quick.training
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(quick(image), usual(image)) and torch.equal(quick(image), parent.model(image))


@pytest.mark.parametrize("change", ["type", "shape", "name"])
def test_other_tensors_than_it_was_built_with_take_the_usual_way(change):
    config, _, state = _library("squeezenet1_1")
    key = "classifier.1.bias"
    own = state.pop(key)
    if change != "name":
        state[key] = own.double() if change == "type" else own[:2]
    assert fresh._filled_in(config, 0, state) is None


@pytest.mark.parametrize("kept", ["buffer", "attribute"])
def test_what_is_in_no_state_is_missing_in_haste(monkeypatch, kept):
    config, _, state = _library("squeezenet1_1")
    make = fresh.architecture

    def with_more(config, *, seed):
        model = make(config, seed=seed)
        more = torch.ones(3, device="meta")
        model.register_buffer("more", more, persistent=False) if kept == "buffer" else setattr(model, "more", more)
        model.register_forward_pre_hook(lambda module, args: (args[0] * module.more[:, None, None],))
        return model

    monkeypatch.setattr("evoray.models.fresh.architecture", with_more)
    found = fresh._filled_in(config, 0, state)
    if kept == "buffer":
        assert found is None
    else:
        with pytest.raises(Exception, match="meta"):
            found(torch.randn(1, 3, 64, 64))


def test_a_users_code_is_never_built_without_numbers(load, tmp_path):
    parent, config = load("plain")
    assert fresh._filled_in(config, 0, dict(parent.model.state_dict())) is None
