from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from evoray.config import ComputeConfig, DataConfig, ParentConfig, RunConfig, parse_config
from evoray.errors import ConfigError

PARENT = {"name": "resnet18", "weights": "random"}
MINIMAL = {"parent": PARENT, "data": {"path": "mnist5k"}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mean": [0.5]}, "mean and std go together"),
        ({"std": [0.5]}, "mean and std go together"),
        ({"mean": [0.5], "std": [0.5, 0.5, 0.5]}, "one value a channel"),
        ({"mean": [0.5] * 2, "std": [0.5] * 2}, "one value a channel"),
        ({"mean": [0.5], "std": [0.0]}, "every std must be > 0"),
        ({"mean": [0.5], "std": [-1.0]}, "every std must be > 0"),
        ({"mean": [float("nan")], "std": [1.0]}, "must be finite"),
        ({"mean": [0.5], "std": [float("inf")]}, "must be finite"),
        ({"source": "module"}, 'a module parent is named "package.module:function"'),
        ({"weights": None}, "weights is missing"),
        ({"source": "hub"}, "torchvision"),
        ({"source": "transformers", "weights": "a.safetensors"}, "lie in the folder that name says"),
    ],
)
def test_a_parent_that_cannot_be_is_refused(changes, words):
    with pytest.raises(ValidationError, match=words):
        ParentConfig(**{**PARENT, **changes})


@pytest.mark.parametrize("channels", [1, 3])
def test_a_parents_normalisation_has_a_value_a_channel(channels):
    found = ParentConfig(**PARENT, mean=[0.5] * channels, std=[0.25] * channels)
    assert (found.mean, found.std) == ((0.5,) * channels, (0.25,) * channels)


def test_a_module_may_bring_its_own_weights():
    assert ParentConfig(source="module", name="package.module:f").weights is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"select": 0.0}, "select"),
        ({"select": 1.1}, "select"),
        ({"test": -0.1}, "test"),
        ({"select": 0.6, "test": 0.5}, "overlap"),
        ({"cache_dir": "relative/path"}, r"absolute path, or one in ~"),
        ({"cache_gb": 0}, "cache_gb"),
        ({"outputs": [-1]}, "outputs"),
        ({"outputs": "by-hand"}, "outputs"),
    ],
)
def test_data_that_cannot_be_is_refused(changes, words):
    with pytest.raises(ValidationError, match=words):
        DataConfig(path="mnist5k", **changes)


def test_one_set_is_halved_and_two_are_taken_whole_unless_a_share_is_given():
    assert (DataConfig(path="a").select, DataConfig(path="a").test) == (0.5, 0.5)
    two = DataConfig(path="a", test_path="b", test=0.25)
    assert (two.select, two.test) == (1.0, 0.25)
    assert DataConfig(path="a", test_path="b", select=0.7, test=0.7).test == 0.7, "two sets do not overlap"


@pytest.mark.parametrize("folder", ["/scratch", "~/shards", None])
def test_a_cache_is_where_every_node_has_one(folder):
    assert DataConfig(path="a", cache_dir=folder).cache_dir == folder


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:1"])
def test_a_device_is_pytorchs(device):
    assert ComputeConfig(device=device).device == device
    with pytest.raises(ValidationError, match="none of auto, cpu, cuda"):
        ComputeConfig(device=device.upper())


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": 0},
        {"workers": "many"},
        {"cpus_per_worker": 0},
        {"gpus_per_worker": -1},
        {"batch_size": 0},
        {"threads_per_worker": 0},
        {"resident_gib": float("inf")},
        {"dtype": "float64"},
        {"layout": "nhwc"},
    ],
)
def test_a_value_out_of_its_range_is_refused_by_its_key(wrong):
    with pytest.raises(ConfigError, match=f"compute.{next(iter(wrong))}"):
        parse_config({**MINIMAL, "compute": wrong})


def test_a_configuration_is_written_and_read_back():
    config = parse_config({**MINIMAL, "seed": 5, "mutation": {"sigma": "auto", "include": ["a*", "b"]}})
    again = parse_config(json.loads(config.model_dump_json()))
    assert again == config and again.mutation.include == ("a*", "b")


def test_a_configuration_is_not_changed_in_place():
    config = parse_config(MINIMAL)
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 3
    chosen = config.with_sigma(0.3)
    assert (chosen.mutation.sigma, config.mutation.sigma) == (0.3, 0.1)
    assert chosen.model_copy(update={"mutation": config.mutation}) == config


@pytest.mark.parametrize("seed", [-1, 2**63, 0.5, "x"])
def test_a_seed_is_a_whole_number_of_63_bits(seed):
    with pytest.raises(ConfigError, match="seed"):
        parse_config({**MINIMAL, "seed": seed})
    assert parse_config({**MINIMAL, "seed": 2**63 - 1}).seed == 2**63 - 1


def test_parent_and_data_have_no_default():
    for missing in ("parent", "data"):
        with pytest.raises(ConfigError, match=missing):
            parse_config({key: value for key, value in MINIMAL.items() if key != missing})
    required = [name for name, field in RunConfig.model_fields.items() if field.is_required()]
    assert required == ["parent", "data"]


def test_a_task_has_keys_of_its_own_and_no_others():
    plain = parse_config(MINIMAL)
    assert plain.task.settings == {} and plain.model_dump()["task"] == {"name": "image-classification"}
    assert json.loads(plain.model_dump_json())["task"] == {"name": "image-classification"}
    own = parse_config({**MINIMAL, "task": {"name": "multiple-choice", "normalise": "bytes"}})
    assert own.task.settings == {"normalise": "bytes"}
    assert parse_config(own.model_dump()).task == own.task
    for task, words in (
        ({"normalise": "bytes"}, 'normalise goes with task.name = "multiple-choice"'),
        ({"name": "multiple-choice", "normalise": "words"}, "normalise"),
        ({"name": "multiple-choice", "length": 3}, "length"),
    ):
        with pytest.raises(ConfigError, match=words):
            parse_config({**MINIMAL, "task": task})


def test_a_transformers_parent_needs_no_weights():
    assert ParentConfig(source="transformers", name="net").weights is None
