from __future__ import annotations

import sys
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from evoray.config import ParentConfig
from evoray.errors import ConfigError, ModelError
from evoray.models import Parent, Preprocessing, check_outputs, load_parent, parent_preprocessing, write_state
from evoray.models import parent as loading
from evoray.runtime import importing

MODULE = """
from torch import nn
from evoray import Parent, Preprocessing

def plain():
    return nn.Linear(4, 3)

def whole():
    return Parent(nn.Linear(4, 3), "mine", Preprocessing(mean=(0.5,), std=(0.25,), channels=1), ("a", "b", "c"))

def number():
    return 3

class Small(nn.Linear):
    def __init__(self):
        super().__init__(4, 3)

class Wide(nn.Linear):
    def __init__(self, width, *, depth):
        super().__init__(width, 3)

class Builder:
    def make(self): return Small()
    def __call__(self): return Small()
    @staticmethod
    def static(): return Small()

import functools
built, wrapped, builder = Small(), Parent(Small()), Builder()
sized = functools.partial(Wide, 4, depth=1)
unsized = functools.partial(Wide, 4)
def needs(width): return Wide(width, depth=1)
def usual(width=4, *more, **keys): return Small()
def a_class(): return Small
def pair(): return Small(), None
def nothing(): Small()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "user_parents.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("user_parents", None)


def module(name, **keys):
    return ParentConfig(source="module", name=f"user_parents:{name}", **keys)


def test_random_torchvision_weights_are_the_seeds():
    config = ParentConfig(name="squeezenet1_1", weights="random")
    first, again, other = (load_parent(config, seed=seed).model.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_a_torchvision_architecture_brings_its_preprocessing():
    found = load_parent(ParentConfig(name="efficientnet_b1", weights="random")).preprocessing
    assert (found.resize, found.crop, found.interpolation) == (255, 240, "bilinear")
    assert found.mean == (0.485, 0.456, 0.406)


SQUEEZENET = {"name": "squeezenet1_1", "weights": "IMAGENET1K_V1"}
TIMM = {"source": "timm", "name": "resnet18", "weights": "a1_in1k"}


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """Empty caches of torch's and the hub's, and no network."""

    def offline(*_, **__):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", offline)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


@pytest.mark.parametrize(("config", "file"), [(SQUEEZENET, r"squeezenet1_1-.*\.pth"), (TIMM, "timm/resnet18.a1_in1k")])
def test_nothing_is_downloaded_unasked(config, file, cache):
    with pytest.raises(ModelError, match=rf"{file}.*parent\.download = true"):
        load_parent(ParentConfig(**config))


@pytest.mark.parametrize(("config", "file"), [(SQUEEZENET, r"squeezenet1_1-.*\.pth"), (TIMM, "timm/resnet18.a1_in1k")])
def test_weights_that_cannot_be_downloaded_name_the_file(config, file, cache):
    with pytest.raises(ModelError, match=rf"{file} could not be downloaded .*no network"):
        load_parent(ParentConfig(**config, download=True))


def test_an_enum_name_loads_its_own_weights_from_the_cache(monkeypatch, cache):
    from torchvision.models import SqueezeNet1_1_Weights, squeezenet1_1

    state = squeezenet1_1(weights=None).state_dict()
    torch.save(state, cache / SqueezeNet1_1_Weights.IMAGENET1K_V1.url.rpartition("/")[2])
    with pytest.raises(ModelError, match="damaged, its SHA-256"):
        load_parent(ParentConfig(**SQUEEZENET))
    monkeypatch.setattr("evoray.models.from_torchvision._check_name", lambda path: None)
    parent = load_parent(ParentConfig(**SQUEEZENET))
    assert all(torch.equal(parent.model.state_dict()[name], state[name]) for name in state)
    assert parent.classes is not None
    assert len(parent.classes) == 1000


def test_a_timm_tag_loads_its_own_weights_from_the_hubs_cache(monkeypatch, tmp_path):
    import timm

    state = timm.create_model("resnet18", pretrained=False).state_dict()
    save_file(state, tmp_path / "model.safetensors")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: str(tmp_path / "model.safetensors"))
    parent = load_parent(ParentConfig(**TIMM))
    assert all(torch.equal(parent.model.state_dict()[name], state[name]) for name in state)
    assert parent.classes is not None and parent.classes[0] == "n01440764" and len(parent.classes) == 1000
    assert (parent.preprocessing.resize, parent.preprocessing.crop) == (235, 224)
    assert parent.preprocessing.interpolation == "bicubic"


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "mobilenetv3_small_050"])
def test_timms_preprocessing_is_its_own_evaluation_transform(name):
    import timm

    parent = load_parent(ParentConfig(source="timm", name=name, weights="random"))
    own = timm.data.create_transform(**timm.data.resolve_model_data_config(parent.model), is_training=False)
    resize, crop = own.transforms[0], own.transforms[1]
    found = parent.preprocessing
    assert found.resize == resize.size and tuple(crop.size) == (found.crop, found.crop)
    assert found.interpolation == resize.interpolation.value
    assert (found.mean, found.std) == tuple(
        tuple(float(f"{v:.6g}") for v in own.transforms[-1].__dict__[k].tolist()) for k in ("mean", "std")
    )


def test_a_timm_tag_that_does_not_exist_names_those_that_do(cache):
    with pytest.raises(ConfigError, match=r"resnet18\.a1_in1k"):
        load_parent(ParentConfig(source="timm", name="resnet18", weights="a9_in1k"))


def test_every_classification_weight_of_torchvision_has_its_transform_and_classes():
    from torchvision import models

    names = models.list_models(module=models)
    assert len(names) >= 80
    for name in names:
        for member in models.get_model_weights(name).__members__:
            found = parent_preprocessing(ParentConfig(name=name, weights=member))
            preset = models.get_model_weights(name)[member].transforms()
            assert (found.resize, found.crop) == (preset.resize_size[0], preset.crop_size[0])
            assert (found.mean, found.std) == (tuple(preset.mean), tuple(preset.std))
            assert found.interpolation == preset.interpolation.value


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        ({"name": "resnet19", "weights": "random"}, ConfigError, "no such classifier"),
        ({"name": "resnet18", "weights": "IMAGENET1K_V9"}, ConfigError, "IMAGENET1K_V1"),
    ],
)
def test_what_does_not_exist_is_named(config, error, words):
    with pytest.raises(error, match=words):
        load_parent(ParentConfig(**config))


def test_timm_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match=r"evoray\[timm\]"):
        load_parent(ParentConfig(source="timm", name="resnet18", weights="random"))


def test_a_plain_module_takes_the_configurations_normalisation(folder):
    parent = load_parent(module("plain", mean=(0.1,), std=(0.2,)), folder)
    assert (parent.preprocessing.mean, parent.preprocessing.std) == ((0.1,), (0.2,))
    assert not parent.model.training


def test_a_parent_brings_its_own_and_refuses_another(folder):
    assert load_parent(module("whole"), folder).classes == ("a", "b", "c")
    with pytest.raises(ConfigError, match="brings its own"):
        load_parent(module("whole", mean=(0.1,), std=(0.2,)), folder)


def test_a_function_that_returns_no_module_is_refused(folder):
    with pytest.raises(ModelError, match="returned int"):
        load_parent(module("number"), folder)


def test_checkpoints_round_trip(folder, tmp_path):
    state = {"weight": torch.randn(3, 4), "bias": torch.randn(3)}
    write_state(tmp_path / "a.safetensors", state)
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    for name in ("a.safetensors", "a.pth"):
        parent = load_parent(module("plain", weights=name), folder)
        assert torch.equal(parent.model.state_dict()["weight"], state["weight"])
    assert not list(tmp_path.glob("*.part"))


def test_infinite_weights_are_refused(folder, tmp_path):
    save_file({"weight": torch.full((3, 4), torch.inf), "bias": torch.zeros(3)}, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="weight holds NaN or infinity"):
        load_parent(module("plain", weights="a.safetensors"), folder)


INFINITE = """
import torch
from torch import nn

def make(name, value):
    model = nn.BatchNorm1d(2)
    model.register_buffer("mask", torch.zeros(2))
    getattr(model, name).data[0] = value
    return model

def mask():
    return make("mask", -torch.inf)

def nan_mask():
    return make("mask", torch.nan)

def mean():
    return make("running_mean", torch.inf)

def variance():
    return make("running_var", torch.inf)

def weight():
    return make("weight", torch.inf)
"""


@pytest.mark.parametrize(
    ("name", "tensor"),
    [("mask", None), ("nan_mask", "mask"), ("mean", "running_mean"), ("variance", "running_var"), ("weight", "weight")],
)
def test_of_what_is_infinite_masks_alone_are_taken(tmp_path, name, tensor):
    (tmp_path / "infinite.py").write_text(INFINITE)
    infinite = ParentConfig(source="module", name=f"infinite:{name}")
    if tensor is None:
        assert load_parent(infinite, tmp_path).model.mask.tolist() == [-torch.inf, 0]
        return
    with pytest.raises(ModelError, match=f"tensor {tensor} holds NaN or infinity"):
        load_parent(infinite, tmp_path)


@pytest.mark.parametrize(
    ("model", "classes", "words"),
    [
        (nn.Linear(4, 3), 5, "3 outputs, the data 5 classes"),
        (nn.Identity(), 2, None),
        (nn.Linear(9, 3), 3, "cannot evaluate"),
        (nn.Unflatten(1, (2, 2)), 2, "has to return logits"),
    ],
)
def test_outputs_are_checked(model, classes, words):
    sample = torch.zeros(2, 4)
    if words is None:
        assert check_outputs(model, sample, classes) == 4
        return
    with pytest.raises(ModelError, match=words):
        check_outputs(model, sample, classes)


def test_public_types_are_those_of_the_library():
    import evoray

    assert evoray.Parent is Parent
    assert evoray.Preprocessing is Preprocessing


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_inputs_are_scaled_as_the_weights_were_trained(name):
    """torchvision sets it wherever it loads weights, so a checkpoint of theirs needs it too."""
    parent = load_parent(ParentConfig(name=name, weights="random"))
    assert parent.model.transform_input


@pytest.mark.parametrize("name", ["Small", "Builder.static", "builder", "builder.make", "sized", "usual"])
def test_a_class_without_arguments_and_whatever_can_be_called_build_a_parent(folder, name):
    one, other = (load_parent(module(name), folder, seed=seed).model for seed in (1, 1))
    assert one is not other and torch.equal(one.weight, other.weight), "built anew, from the run's seed"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "built",
            r"a network that is built already \(Small\)\. Name a function that builds it: def make\(\): ret",
        ),
        ("wrapped", r"a network that is built already \(Parent\)"),
        ("Wide", r"needs arguments \(missing a required argument: 'width'\).* def make\(\): return Wide\(…\)"),
        ("unsized", r"needs arguments \(missing a required (keyword-only )?argument: 'depth'\)"),
        ("needs", r"needs arguments \(missing a required argument: 'width'\).* return needs\(…\)"),
        ("Builder.make", r"needs arguments \(missing a required argument: 'self'\)"),
        ("nn", "module, neither a function nor a class"),
        ("__name__", "str, neither a function nor a class"),
        ("a_class", r"returned the class Small, not an nn\.Module or an evoray\.Parent\. Return Small\(\)"),
        ("pair", "returned tuple, not an nn.Module"),
        ("nothing", "returned NoneType, not an nn.Module"),
    ],
)
def test_what_builds_no_parent_is_refused_with_what_to_name(folder, name, words):
    with pytest.raises(ModelError, match=words) as caught:
        load_parent(module(name), folder)
    assert str(caught.value).startswith(f'parent.name = "user_parents:{name}": ')


def test_the_folders_lock_is_taken_before_that_of_the_seed(tmp_path, monkeypatch):
    """In the other order two runs in two threads wait for each other."""
    (tmp_path / "own_locks.py").write_text("import torch\n\n\ndef make():\n    return torch.nn.Linear(2, 2)\n")
    held, seeded = [], loading.seeded

    def watched(*given):
        held.append(importing._lock._is_owned())
        return seeded(*given)

    monkeypatch.setattr(loading, "seeded", watched)
    load_parent(ParentConfig(source="module", name="own_locks:make"), tmp_path)
    assert held == [True, True]
