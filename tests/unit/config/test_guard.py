from __future__ import annotations

import json

import pytest

from evoray.config import GuardConfig, load_config, parse_config
from evoray.config.guard import parse_keep
from evoray.errors import ConfigError

RUN = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "mnist5k"}}
KEEP = "top1 >= parent - 0.01"


def guarded(*guards):
    return parse_config({**RUN, "guard": list(guards)})


@pytest.mark.parametrize(
    ("text", "metric", "at_least", "bound"),
    [
        ("top1 >= parent - 0.01", "top1", True, -0.01),
        ("top1>=parent-0.01", "top1", True, -0.01),
        ("  macro-f1 >= parent ", "macro-f1", True, 0.0),
        ("nll <= parent + 5e-2", "nll", False, 0.05),
        ("bits_per_byte <= parent", "bits_per_byte", False, 0.0),
    ],
)
def test_what_is_kept(text, metric, at_least, bound):
    found = parse_keep(text)
    assert (found.metric, found.at_least, found.relative, found.bound) == (metric, at_least, True, bound)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("top1 > parent - 0.01", "write it as"),
        ("top1", "write it as"),
        ("", "write it as"),
        ("top1 >= parent * 0.9", "write it as"),
        ("parent - 0.01 <= top1", "write it as"),
        ("top1 >= parent - x", "x is no number"),
        ("top1 >= parent - inf", "must be finite"),
        ("top1 >= 0.9", "kept against the parent"),
        ("nll <= 0.5", "kept against the parent"),
        ("top1 >= parent + 0.01", "the parent itself would break it"),
        ("nll <= parent - 0.01", "the parent itself would break it"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_the_files_key(text, words):
    with pytest.raises(ConfigError, match=rf"guard\.0\.keep = .*{words}"):
        guarded({"path": "fashion-mnist", "keep": text})


def test_path_is_short_for_data():
    assert guarded({"path": "a/b", "keep": KEEP}).guard == guarded({"data": {"path": "a/b"}, "keep": KEEP}).guard


@pytest.mark.parametrize(
    ("path", "name"),
    [("shards/fashion", "fashion"), ("s3://bucket/x/", "x"), ("mock:images=5,size=8", "mock-images-5-size-8")],
)
def test_a_name_is_made_of_the_path(path, name):
    (guard,) = guarded({"path": path, "keep": KEEP}).guard
    assert guard.name == name


@pytest.mark.parametrize(
    ("guards", "words"),
    [
        ([{"path": "a/x", "keep": KEEP}, {"path": "b/x", "keep": KEEP}], '2 guards are named "x"'),
        ([{"path": "a", "data": {"path": "a"}, "keep": KEEP}], "give path, or data with a path in it, and not both"),
        ([{"keep": KEEP}], r"guard\.0\.data is missing"),
        ([{"path": "a"}], r"guard\.0\.keep is missing"),
        ([{"path": "a", "keep": KEEP, "name": "a/b"}], r"guard\.0\.name = "),
        ([{"path": "a", "keep": KEEP, "candidates": 0}], r"guard\.0\.candidates = 0"),
        ([{"path": "a", "keep": KEEP, "kept": 1}], r"unknown key guard\.0\.kept"),
        ([{"data": {"path": "a", "select": 0.7, "test": 0.7}, "keep": KEEP}], "overlap"),
        ([{"path": "a", "keep": KEEP, "task": {"name": "nothing"}}], 'guard.0.task: name = "nothing" is none of'),
        ([{"path": "a", "keep": KEEP, "task": {"normalise": "bytes"}}], r"guard\.0\.task: unknown key normalise"),
        (
            [{"path": "a", "keep": KEEP, "task": {"name": "multiple-choice", "normalise": "byes"}}],
            r"guard\.0\.task: normalise = 'byes': Input should be 'tokens', 'bytes' or 'none'",
        ),
        ([{"path": "a", "keep": KEEP}] * 40, "guard"),
        (["a"], "guard"),
        (3, "guard"),
    ],
)
def test_tables_that_say_no_guard_are_refused(guards, words):
    with pytest.raises(ConfigError, match=words):
        parse_config({**RUN, "guard": guards})


def test_two_of_one_set_need_names():
    found = guarded({"path": "a", "keep": KEEP}, {"path": "a", "keep": "nll <= parent + 1", "name": "loss"})
    assert [one.name for one in found.guard] == ["a", "loss"]


@pytest.mark.parametrize("head", ["[[guard]]", "[guard]"])
def test_in_a_file(head, tmp_path):
    (tmp_path / "run.toml").write_text(
        f'[parent]\nname = "resnet18"\nweights = "random"\n[data]\npath = "mnist5k"\n{head}\nkeep = "{KEEP}"\n'
        'data = {path = "fashion-mnist", select = 0.2, outputs = "by-number"}\ntask = {name = "image-classification"}\n'
    )
    (guard,) = load_config(tmp_path / "run.toml").guard
    assert (guard.name, guard.data.select, guard.data.outputs) == ("fashion-mnist", 0.2, "by-number")
    assert guard.task is not None and guard.candidates == 32


def test_a_run_without_one_is_recorded_as_before():
    plain = parse_config(RUN)
    assert plain.guard == () and "guard" not in plain.model_dump()
    recorded = json.loads(json.dumps(guarded({"path": "a", "keep": KEEP}).model_dump(mode="json")))
    assert parse_config(recorded).guard == (GuardConfig(name="a", data={"path": "a"}, keep=KEEP),)
