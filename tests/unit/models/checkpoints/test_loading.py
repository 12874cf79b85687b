"""Heads: as many outputs as the file has, said; torchvision's and timm's own loaders agree on the tensors."""

from __future__ import annotations

import re

import pytest
import torch
from checkpoints import prefixed, same

from evoray.config import ParentConfig
from evoray.errors import ConfigError, ModelError
from evoray.models import load_into, load_parent

TORCHVISION, TIMM = "squeezenet1_1", "test_resnet"


def drawn(model, seed=0):
    """A state of random values for a model."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(one.shape, generator=generator) if one.is_floating_point() else one
        for name, one in model.state_dict().items()
    }


def torchvision_model(name=TORCHVISION, **ways):
    from torchvision import models

    return models.get_model(name, weights=None, **ways)


def timm_model(name=TIMM, **ways):
    import timm

    return timm.create_model(name, pretrained=False, **ways)


def parent(source, name, path, **keys):
    return load_parent(ParentConfig(source=source, name=name, weights=str(path), **keys))


MAKES = [("torchvision", TORCHVISION, torchvision_model), ("timm", TIMM, timm_model)]


@pytest.mark.parametrize(("source", "name", "make"), MAKES)
@pytest.mark.parametrize("classes", [1, 2, 10, 1001])
def test_an_architecture_is_built_with_the_head_of_its_file(source, name, make, classes, tmp_path):
    state = drawn(make(num_classes=classes))
    torch.save(prefixed("module.", state), tmp_path / "a.pth")
    found = parent(source, name, tmp_path / "a.pth")
    assert same(found.model, state) and found.classes is None
    assert found.notes == (
        f'{tmp_path}/a.pth: stripped "module."',
        f"{name} built with {classes} outputs, as {tmp_path}/a.pth has, in place of its own 1000",
    )


@pytest.mark.parametrize(("source", "name", "make"), MAKES)
def test_classes_that_are_stated_must_be_the_files(source, name, make, tmp_path):
    state = drawn(make(num_classes=10))
    torch.save(state, tmp_path / "a.pth")
    assert parent(source, name, tmp_path / "a.pth", classes=10).notes == ()
    for wrong in (9, 1000):
        with pytest.raises(ModelError, match=rf"its head has 10 outputs, and parent\.classes = {wrong}\. Set .* = 10"):
            parent(source, name, tmp_path / "a.pth", classes=wrong)


@pytest.mark.parametrize(("source", "name", "make"), MAKES)
def test_random_weights_come_with_as_many_outputs_as_are_asked_for(source, name, make):
    found = load_parent(ParentConfig(source=source, name=name, weights="random", classes=7))
    own = make(num_classes=7).state_dict()
    assert {key: one.shape for key, one in found.model.state_dict().items()} == {
        key: one.shape for key, one in own.items()
    }


def test_named_weights_keep_their_outputs():
    with pytest.raises(ConfigError, match=r'parent\.classes = 10: the weights "IMAGENET1K_V1" have 1000 outputs'):
        load_parent(ParentConfig(name=TORCHVISION, weights="IMAGENET1K_V1", classes=10, download=False))


def test_a_module_parent_decides_its_outputs_itself(tmp_path):
    with pytest.raises(ConfigError, match="a module parent's function decides"):
        load_parent(ParentConfig(source="module", name="evoray.models.small:cnn", weights="random", classes=7))
    from evoray.models import small

    state = {
        name: one[:3] if name.startswith("output.") else one for name, one in small.SmallCNN().state_dict().items()
    }
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=r"its head has 3 outputs, the model's 10"):
        load_parent(ParentConfig(source="module", name="evoray.models.small:cnn", weights=str(tmp_path / "a.pth")))


@pytest.mark.parametrize("aux", [True, False])
def test_googlenet_with_and_without_auxiliary_heads(aux, tmp_path):
    state = drawn(torchvision_model("googlenet", num_classes=5, aux_logits=aux, init_weights=False))
    torch.save(state, tmp_path / "a.pth")
    found = parent("torchvision", "googlenet", tmp_path / "a.pth")
    assert same(found.model, state) and found.model.transform_input


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features.0.weight": torch.zeros(64, 1, 3, 3)}, r"features.0.weight is \(64, 1, 3, 3\), the model's is"),
        ({"classifier.1.bias": torch.zeros(5)}, r"classifier\.1\.(weight|bias) is"),
        ({"classifier.1.weight": torch.zeros(10, 256, 1, 1)}, r"classifier\.1\.weight is"),
    ],
)
def test_other_differences_are_no_head(change, words, tmp_path):
    torch.save(drawn(torchvision_model()) | change, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=words):
        parent("torchvision", TORCHVISION, tmp_path / "a.pth")


# ---------------------------------------------------------------- as the libraries load them


@pytest.mark.parametrize(
    "wrap",
    [
        lambda plain, average: {"state_dict": plain, "state_dict_ema": average},
        lambda plain, average: {"state_dict_ema": average, "state_dict": plain, "epoch": 3, "arch": "x"},
        lambda plain, average: {"model": plain, "model_ema": average},
        lambda plain, average: {"state_dict": plain, "model": average},
        lambda plain, average: {"state_dict": prefixed("module.", plain)},
        lambda plain, average: {"state_dict_ema": prefixed("_orig_mod.", average), "state_dict": plain},
        lambda plain, average: {"model": plain, "optimizer": {"state": {}, "param_groups": []}},
        lambda plain, average: plain,
    ],
)
def test_timms_own_loader_takes_the_same_tensors(wrap, tmp_path):
    from timm.models import load_checkpoint

    theirs = timm_model(num_classes=5)
    torch.save(wrap(drawn(theirs, 1), drawn(theirs, 2)), tmp_path / "a.pth.tar")
    load_checkpoint(theirs, str(tmp_path / "a.pth.tar"))
    assert same(parent("timm", TIMM, tmp_path / "a.pth.tar", classes=5).model, theirs.state_dict())


def test_timms_training_checkpoint(tmp_path):
    """Written by its own saver, with argparse.Namespace and an optimizer beside the weights."""
    from argparse import Namespace

    from timm.utils import CheckpointSaver, ModelEmaV3

    model = timm_model(num_classes=5)
    model.load_state_dict(drawn(model, 1))
    ema = ModelEmaV3(model)
    model.load_state_dict(drawn(model, 2))
    optimizer = torch.optim.AdamW(model.parameters())
    saver = CheckpointSaver(
        model, optimizer, args=Namespace(model=TIMM, lr=0.1), model_ema=ema, checkpoint_dir=str(tmp_path)
    )
    saver.save_checkpoint(3, metric=71.0)
    found = parent("timm", TIMM, tmp_path / "last.pth.tar")
    assert same(found.model, ema.module.state_dict())
    assert "took state_dict_ema (parent.weights_key takes another: state_dict)" in found.notes[0]
    assert same(parent("timm", TIMM, tmp_path / "last.pth.tar", weights_key="state_dict").model, model.state_dict())


def test_torchvisions_old_names_of_its_densenets(tmp_path):
    """Those of its published files, which its own loader renames."""
    state = drawn(torchvision_model("densenet121"))
    older = {
        re.sub(r"(denselayer\d+)\.(norm|conv)(\d)\.", r"\1.\2.\3.", name): one
        for name, one in state.items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in older
    torch.save(older, tmp_path / "a.pth")
    found = parent("torchvision", "densenet121", tmp_path / "a.pth")
    assert same(found.model, state) and "torchvision's old names" in found.notes[0]


def test_torchvisions_old_names_of_its_vits():
    """Those of its published files, which the module itself renames while it loads."""
    from torchvision.models import VisionTransformer

    ours, theirs = (VisionTransformer(32, 16, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=16) for _ in range(2))
    state = drawn(ours)
    older = {
        re.sub(r"mlp\.0\.", "mlp.linear_1.", re.sub(r"mlp\.3\.", "mlp.linear_2.", key)): state[key] for key in state
    }
    assert "encoder.layers.encoder_layer_0.mlp.linear_1.weight" in older
    theirs.load_state_dict(older)
    load_into(ours, older, "file")
    assert same(ours, state) and same(theirs, state)


@pytest.mark.parametrize(("source", "name", "make"), MAKES)
@pytest.mark.parametrize("file", ["weights", "model_best", "W.PTH"])
def test_a_file_is_found_beside_the_configuration_and_in_the_home(source, name, make, file, tmp_path, monkeypatch):
    state = drawn(make())
    torch.save(state, tmp_path / file)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WEIGHTS", str(tmp_path))
    for weights in (f"~/{file}", f"$WEIGHTS/{file}", f"${{WEIGHTS}}/{file}"):
        assert same(parent(source, name, weights).model, state)
    found = load_parent(ParentConfig(source=source, name=name, weights=f"./{file}"), tmp_path)
    assert same(found.model, state)
    monkeypatch.chdir(tmp_path)
    assert same(parent(source, name, file).model, state)


@pytest.mark.parametrize(("source", "name", "make"), MAKES)
def test_a_file_that_is_not_there_is_named(source, name, make):
    with pytest.raises(ConfigError, match=r'parent\.weights = "absent\.pth": no such file, and no'):
        parent(source, name, "absent.pth")
