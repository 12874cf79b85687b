from __future__ import annotations

import dataclasses
import json
import re
import shutil
from types import SimpleNamespace

import pytest
import torch
from sent import encoded

from evoray.errors import EvorayError, UsageError
from evoray.serving.plan import Limits, Plan
from evoray.serving.predictor import SERVED, Predictor
from evoray.tasks.registry import TASKS

LIMITS = Limits()


def test_answers_are_those_of_the_run(predictor, served_run, test_pictures):
    """Each picture of test, as a PNG, alone or with others: the ensemble's probabilities to float32's precision."""
    table = served_run.directory.read_table("predictions.parquet").to_pydict()
    prepared = [predictor.intake.prepare(encoded(one), LIMITS) for one in test_pictures]
    found = predictor.answers(prepared[:50], [10] * 50) + [predictor.answers([one], [10])[0] for one in prepared[50:]]
    for answer, classes, probabilities in zip(found, table["classes"], table["probabilities"], strict=True):
        given = {one["output"]: one["probability"] for one in answer["classes"]}
        assert given.keys() == set(classes)
        assert [given[at] for at in classes] == pytest.approx(probabilities, abs=1e-6)
        assert answer["classes"][0]["name"] == str(classes[0])


def test_a_temperature_counts(predictor):
    assert predictor._temperature != 1


def test_few_classes_are_given_where_few_are_asked_for(predictor, test_pictures):
    (answer,) = predictor.answers(list(test_pictures[:1]), [2])
    first, second = answer["classes"]
    assert first["probability"] >= second["probability"] > 0


def test_what_is_not_finite_is_no_answer(predictor):
    assert "error" in predictor._answer(torch.full((10,), float("nan")), 5)


def test_names_of_outputs(predictor, served_run):
    names = predictor._names(served_run.directory, SimpleNamespace(classes=None), 12)
    assert names == (*map(str, range(10)), "output 10", "output 11")
    named = predictor._names(served_run.directory, SimpleNamespace(classes=tuple("abcdefghijkl")), 12)
    assert named[-2:] == ("k", "l")


def changed(served_run, folder, **sections):
    shutil.copytree(served_run.directory.location, folder)
    config = json.loads((folder / "config.json").read_text())
    for name, values in sections.items():
        config[name] |= values
    (folder / "config.json").write_text(json.dumps(config))
    return Plan(str(folder), "soup", ".")


def test_a_class_at_another_output(served_run, tmp_path):
    plan = changed(served_run, tmp_path / "run")
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    summary["classes"]["data_classes"] = [1, 0, *range(2, 10)]
    (tmp_path / "run/summary.json").write_text(json.dumps(summary))
    assert Predictor(plan).names[:3] == ("1", "0", "2")


@pytest.mark.parametrize("name", [*sorted(TASKS.keys() - set(SERVED)), "my_tasks:Own"])
def test_a_task_that_is_not_served(served_run, tmp_path, name):
    with pytest.raises(UsageError, match=f"a run of {name} cannot be served. Tasks that can: image-classification"):
        Predictor(changed(served_run, tmp_path / "run", task={"name": name}))


def test_data_that_is_gone(served_run, tmp_path):
    plan = changed(served_run, tmp_path / "run", data={"path": "/nowhere/shards"})
    with pytest.raises(UsageError, match="--data"):
        Predictor(plan)
    assert Predictor(dataclasses.replace(plan, data="mnist5k")).names[3] == "3"


SHAPES = {"a list": b"[]", "null": b"null", "a number": b"7", "an object": b"{}", "bytes": b"\xff\xfe\0"}
FILES = ["config.json", "ensemble.json", "space.json", "parent.safetensors", "lineage/parent.json", "summary.json"]
BUILT_AGAIN = {("parent.safetensors", "removed")}


@pytest.mark.parametrize("damage", [*SHAPES, "cut", "removed"])
@pytest.mark.parametrize("name", [*FILES, "a member"])
def test_a_damaged_run_is_refused_in_words(served_run, tmp_path, name, damage):
    plan = dataclasses.replace(changed(served_run, tmp_path / "run"), member="ensemble")
    if name == "a member":
        name = f"lineage/{served_run.summary['ensemble']['members'][0]['id']}.json"
    file = tmp_path / "run" / name
    content = file.read_bytes()
    file.unlink()
    if damage != "removed":
        file.write_bytes(SHAPES.get(damage, content[: len(content) // 2]))
    if (name, damage) in BUILT_AGAIN or name == "lineage/parent.json":  # the ensemble's own lineages say the same
        Predictor(plan)
        return
    with pytest.raises(EvorayError, match=re.escape(file.stem)):
        Predictor(plan)
