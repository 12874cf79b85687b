from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import jsonschema
import pytest

from evoray.begin.schema import run_schema, schema_of, section_summary, variants_of
from evoray.config import RunConfig, parse_config
from evoray.config.schema import TABLES
from evoray.errors import ConfigError
from evoray.study.config import StudyConfig

CONFIGS = sorted((Path(__file__).parents[3] / "jobs" / "configs").rglob("*.toml"))
RUN = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "shards"}}


@cache
def checker(study=False):
    found = schema_of(StudyConfig) if study else run_schema()
    jsonschema.Draft7Validator.check_schema(found)
    return jsonschema.Draft7Validator(found)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_configuration_of_the_project_fits(path):
    values = tomllib.loads(path.read_text())
    assert [error.message for error in checker("studies" in path.parts).iter_errors(values)] == []


@pytest.mark.parametrize(
    "more",
    [
        {"mutation": {"kind": "layered", "blocks": 4, "sigma": [0.1, 0.1, 0.2, 0.3]}},
        {"mutation": {"sigma": "auto", "parts": 3}},
        {"mutation": {"kind": "stretch:Stretch", "by": 3}},
        {"search": {"strategy": "cma-es", "dimensions": 4}},
        {"search": {"strategy": "hill:Hill", "steps": 2}},
        {"task": {"name": "generation", "reward": "rewards:exact", "stop": ["\n"]}},
        {"task": {"name": "mine:Task", "any": True}},
        {"guard": [{"path": "others", "keep": "top1 >= parent - 0.01"}]},
        {"guard": {"data": {"path": "others"}, "keep": "nll <= parent", "task": {"name": "regression"}}},
        {"ensemble": {"size": 3}, "seed": 4},
        {"tracking": {"to": ["mlflow", "mine:Tracker"], "patience": 2.5}},
    ],
)
def test_what_a_run_may_say_fits(more):
    assert checker().is_valid(RUN | more)


@pytest.mark.parametrize("to", ["mlflow", ["mlflow"], ["mlflow", "wandb"], [], "", [""], 3, {}, ["x"] * 17])
def test_trackers_are_named_as_the_configuration_takes_them(to):
    given = RUN | {"tracking": {"to": to}}
    try:
        parse_config(given)
    except ConfigError:
        assert not checker().is_valid(given)
    else:
        assert checker().is_valid(given)


@pytest.mark.parametrize(
    "more",
    [
        {"mutaton": {}},
        {"mutation": {"sgima": 0.1}},
        {"mutation": {"blocks": 4}},  # a key of another kind
        {"mutation": {"kind": "partitoin"}},
        {"search": {"children": 0}},
        {"search": {"dimensions": 4}},
        {"task": {"name": "regression", "reward": "a:b"}},
        {"compute": {"dtype": "float8"}},
        {"guard": [{"keep": "top1 >= parent"}]},
        {"seed": "1"},
    ],
)
def test_what_no_run_may_say_does_not(more):
    assert not checker().is_valid(RUN | more)


def test_keys_are_described_with_their_defaults_and_no_file_writes_null():
    found = run_schema()
    compute = found["$defs"]["ComputeConfig"]["properties"]
    assert compute["batch_size"]["default"] == 256 and "forward pass" in compute["batch_size"]["description"]
    assert compute["accelerator"] == {
        "type": "string",
        "maxLength": 4096,
        "description": compute["accelerator"]["description"],
    }
    assert "null" not in str(found).replace("'null'", "null").split("description")[0]


def test_every_key_has_a_description():
    found = run_schema()
    tables = {name: one for name, one in found["$defs"].items() if "properties" in one}
    silent = [f"{name}.{key}" for name, one in tables.items() for key, value in one["properties"].items()
              if not value.get("description")]  # fmt: skip
    assert silent == []


def test_a_section_has_a_model_for_each_of_its_variants():
    for section in ("mutation", "search"):
        key = TABLES[section][0]
        assert all(model.model_fields[key].default == name for name, model, _ in variants_of(section))
    keys = {name: set(model.model_fields) for name, model, _ in variants_of("task")}
    assert keys["regression"] == {"name"} and "reward" in keys["generation"]
    assert section_summary("parent") == "The pretrained network."
    assert all(section_summary(name) for name in RunConfig.model_fields if name != "seed")
