"""Every key of a run, with values of every kind: each refusal is EvoRay's own sentence, none of pydantic's."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from evoray.config.loading import parse_config, validated
from evoray.config.schema import TABLES, RunConfig
from evoray.config.section import Section
from evoray.config.variants import table_at
from evoray.errors import ConfigError
from evoray.study.config import StudyConfig

MINIMAL = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "mnist5k"}}
PYDANTIC = (
    *("Input should", "Field required", "valid integer", "valid number", "valid string", "validation error", "type="),
    *(
        "union",
        "constrained",
        "literal[",
        "tuple[",
        "Extra inputs",
        "should have at",
        "instance of",
        "unable to",
        "ctx",
    ),
    *("valid tuple", "valid dictionary", "valid boolean", "Value error", "is not a valid", "String should", "int_"),
)
WRONG: tuple[Any, ...] = (
    *(True, False, 0, -1, 1.5, 10**12, 10**30, 1e300, float("nan"), float("inf"), float("-inf")),
    *("", "nothing like it", "auto", "\x1b[31m", "x" * 5000, date(2026, 1, 1), None),
    *([], [1], ["a"], [[1]], [["a", 1]], [None], [-1, 0.5], ["x"] * 20_000, {}, {"a": 1}, {"a": {"b": []}}),
)


def sections() -> list[tuple[str, dict[str, Any], type[Section]]]:
    """(section, what chooses its kind, its model): the plain ones, and every kind of mutation and search."""
    found: list[Any] = []
    for name, field in RunConfig.model_fields.items():
        if name in TABLES:
            key, where = TABLES[name]
            table = table_at(where)
            found += [(name, {key: one}, table.find(one).Section) for one in table.names]
        elif isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            found.append((name, {}, field.annotation))
    return found


REQUIRED = {"towards": {"towards": ["a.pth"]}}
"""Keys that a kind cannot do without."""
KEYS = [(section, chosen, key) for section, chosen, model in sections() for key in model.model_fields]


def refusal(values, model=RunConfig) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(values) if model is RunConfig else validated(model, values, "the configuration")
    return str(caught.value).removeprefix("the configuration: ")


def plain(message: str, *named: str) -> None:
    assert all(words in message for words in named), message
    assert not [words for words in PYDANTIC if words in message], message
    assert message.isprintable() and len(message) < 1500


def test_there_are_keys_to_try():
    assert len(KEYS) > 100 and ("mutation", {"kind": "layered"}, "prices") in KEYS


@pytest.mark.parametrize(("section", "chosen", "key"), KEYS, ids=lambda one: str(one) if isinstance(one, str) else "")
def test_a_wrong_value_of_any_key_is_one_plain_message(section, chosen, key):
    refused = 0
    for value in WRONG:
        values = {
            **MINIMAL,
            section: {**MINIMAL.get(section, {}), **chosen, **REQUIRED.get(str(chosen.get("kind")), {}), key: value},
        }
        try:
            parse_config(values)
        except ConfigError as error:
            refused += 1
            plain(str(error), f"{section}", key)
    assert refused > len(WRONG) / 3


@pytest.mark.parametrize("section", [*RunConfig.model_fields, "nothing", "a.b", ""])
@pytest.mark.parametrize("value", [3, "x\x1b[31m", [], [1], {"a": 1}, True, date(2026, 1, 1)], ids=repr)
def test_a_section_that_is_none(section, value):
    try:
        parse_config({**MINIMAL, section: value})
    except ConfigError as error:
        plain(str(error))


def with_key(path: str, value: Any) -> dict[str, Any]:
    section, _, key = path.rpartition(".")
    return {**MINIMAL, section: {**MINIMAL.get(section, {}), key: value}} if section else {**MINIMAL, key: value}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("mutation.include", "fc*", 'mutation.include = "fc*": give a list of texts, such as ["fc*"]'),
        ("fitness.constraints", "top1 >= 0.5", '"top1 >= 0.5": give a list of texts, such as ["top1 >= 0.5"]'),
        ("compute.workers", 0, 'compute.workers = 0: give a whole number from 1 to 10,000, or "auto"'),
        ("compute.workers", True, 'compute.workers = true: give a whole number from 1 to 10,000, or "auto"'),
        ("compute.resident_gib", -1, 'compute.resident_gib = -1: give a number from 0 to 65,536, or "auto"'),
        ("compute.deterministic", "perhaps", 'compute.deterministic = "perhaps": give true or false'),
        ("compute.dtype", "bf16", 'give "float32", "bfloat16", "float16" or "auto": did you mean "bfloat16"?'),
        ("data.outputs", ["a"], '999,999, "auto", "in-order", or "by-number" (entry 1 is "a")'),
        ("data.outputs", "by_number", '"auto", "in-order", or "by-number": did you mean "by-number"?'),
        ("data.path", 5, "data.path = 5: give a text"),
        ("data.select", 0, "data.select = 0: give a number above 0 and at most 1"),
        ("seed", "x", 'seed = "x": give a whole number from 0 to 9,223,372,036,854,775,807'),
        ("parent.mean", 0.5, "parent.mean = 0.5: give a list of numbers, such as [0.5]"),
        ("parent.mean", [0.5, "a"], 'parent.mean = [0.5, "a"]: give a list of numbers (entry 2 is "a")'),
        ("fitness.costs", [[0, 1], [0, "a"]], "give a text, or a list of lists of numbers (entry 2, 2 is \"a\")"),
        ("ensemble.method", "topk", 'give "top-k", "greedy", "weighted" or "majority": did you mean "top-k"?'),
        ("search.budget_images", 0, "search.budget_images = 0: give a whole number from 1 to 9,007,199,254,740,992"),
        ("mutation", "sigma", 'it is a section: write [mutation], and its keys below that, such as kind = "sigma"'),
        ("parent", [], "parent = []: it is a section: write [parent], and its keys below that"),
        ("fitness", "top1", 'it is a section: write [fitness], and its keys below that, such as name = "top1"'),
        ("data", "shards", 'write [data], and its keys below that, such as path = "shards"'),
        ("parent", "resnet18", 'write [parent], and its keys below that, such as name = "resnet18"'),
        ("mutation", 3, "mutation = 3: it is a section: write [mutation], and its keys below that"),
        ("seed", {"a": 1}, "a whole number from 0 to 9,223,372,036,854,775,807, as seed = …"),
        ("search", {"children": {"a": 1}}, "but a key: give a whole number from 1 to 1,000,000, as children = …"),
        ("compute", {"backend": "locl"}, 'Did you mean "local"?'),
        ("compute", {"device": "cude"}, 'Did you mean "cuda"?'),
        ("parent", {"weights": "random"}, "parent.name is missing: give a text"),
        ("search.strategy", "cma_es", 'did you mean "cma-es"?'),
        ("mutation.kind", "layerd", 'did you mean "layered"?'),
    ],
)  # fmt: skip
def test_key_value_and_what_is_allowed(path, value, message):
    assert refusal(with_key(path, value)).endswith(message)


@pytest.mark.parametrize(
    ("path", "value", "hint"),
    [
        ("mutation.sigm", 1, "did you mean mutation.sigma?"),
        ("compute.batch-size", 1, "did you mean compute.batch_size?"),
        ("compute.Workers", 1, "did you mean compute.workers?"),
        ("sgima", 1, "did you mean mutation.sigma?"),
        ("fitness.sgma", 1, "did you mean mutation.sigma?"),
        ("mutatoin", {"sigma": 1}, "did you mean [mutation]?"),
        ("fitnes", {"name": "nll"}, "did you mean [fitness]?"),
        ("sigma", 1, "sigma stands in [mutation]"),
        ("search.sigma", 1, "sigma stands in [mutation]"),
        ("mutation.children", 1, "children stands in [search]"),
        ("mutation.seed", 1, "seed stands at the top of the file, before any section"),
        ("size", 1, "size stands in [ensemble] or [soup]"),
        ("name", "x", "name stands in [parent], [task], [fitness] or [tracking]"),
        ("mutation.blocks", 3, 'blocks goes with mutation.kind = "layered"'),
        ("search.step", 3, 'step goes with search.strategy = "mu-lambda"'),
        ("search.learningrate", 3, "did you mean search.learning_rate?"),
        ("blocks", 3, "blocks stands in [mutation]"),
        ("xyzzy", 1, "(`evoray explain` lists every key)"),
        ("xyzzy", {}, "unknown section [xyzzy] (`evoray explain` lists every key)"),
    ],
)
def test_an_unknown_key_says_what_may_be_meant(path, value, hint):
    found = refusal(with_key(path, value))
    assert found.startswith("unknown ") and found.endswith(hint), found


def test_a_dotted_name_in_quotes():
    assert refusal({**MINIMAL, "mutation.sigma": 1}).endswith("write it without quotes, or sigma in [mutation]")


def test_every_wrong_key_has_a_sentence_and_ten_are_told():
    compute = {"workers": 0, "dtype": "x", "compile": "x", "layout": 1}
    assert refusal({**MINIMAL, "seed": -1, "compute": compute}).count("give ") == 5
    found = refusal({**MINIMAL, **{f"key{number}": 1 for number in range(15)}})
    assert found.count("unknown key") == 10 and found.endswith("; and 5 more")


STUDY = {"title": "a", "parents": ["a.toml"], "sparse": [{"parts": 10, "sigma": [0.1]}], "dense": {"sigma": [0.1]}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": [-1]}, "seeds = [-1]: give a list of whole numbers from 0"),
        ({"sparse": [{"parts": 1, "sigma": [0.1]}]}, "sparse.0.parts = 1: give a whole number from 2 to"),
        ({"sparse": [{"parts": 2, "sigma": [0]}]}, "sparse.0.sigma = [0]: give a list of numbers above 0 (at least 1)"),
        ({"dense": {"sigm": [1]}}, "unknown key dense.sigm = [1]: did you mean dense.sigma?"),
        ({"long": {"arms": {"a": {"side": "x"}}}}, 'long.arms.a.side = "x": give "sparse" or "dense"'),
        ({"sparse": 3}, "sparse = 3: give a list of tables (at least 1)"),
        ({"long": {"generations": 1}}, "long.generations = 1: give a whole number from 2 to 100,000"),
    ],
)
def test_tables_in_lists_and_tables_of_any_name(changes, message):
    found = refusal({**STUDY, **changes}, StudyConfig)
    assert message in found
    plain(found)
