from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from evoray.errors import LineageError, UsageError
from evoray.serving.networks import Copies, Recipes
from evoray.serving.plan import Plan
from evoray.serving.predictor import Predictor


@pytest.fixture
def plan(served_run):
    return Plan(served_run.directory.location, "ensemble", ".")


def test_recipes_answer_as_copies_do(plan, test_pictures):
    copies, recipes = Predictor(plan), Predictor(dataclasses.replace(plan, copies=0))
    assert isinstance(copies.network, Copies)
    assert isinstance(recipes.network, Recipes)
    some = list(test_pictures[:9])
    answers = copies.answers(some, [10] * 9)
    assert recipes.answers(some, [10] * 9) == answers
    assert recipes.answers(some, [10] * 9) == answers  # and once more: every recipe is undone
    assert recipes.network.said == "3 recipes on one network"


@pytest.mark.parametrize("member", ["soup", "best", "parent", "g0000/c0001"])
def test_a_member_is_what_is_exported(plan, served_run, test_pictures, member, tmp_path):
    import torch

    from evoray.demo import small_cnn
    from evoray.models import read_state
    from evoray.results.export import export_member

    export_member(served_run.directory, member, tmp_path / "net.safetensors", None)
    model = small_cnn().eval()
    model.load_state_dict(read_state(tmp_path / "net.safetensors"))
    images = (torch.from_numpy(test_pictures[:4]).float() / 255 - 0.1307) / 0.3081
    with torch.inference_mode():
        wanted = model(images).double().softmax(1).float()
    found = Predictor(dataclasses.replace(plan, member=member)).answers(list(test_pictures[:4]), [10] * 4)
    for row, answer in zip(wanted, found, strict=True):
        for one in answer["classes"]:
            assert one["probability"] == pytest.approx(float(row[one["output"]]), abs=1e-6)


@pytest.mark.parametrize("copies", [2**30, 0])
def test_a_changed_recipe_is_never_served(plan, tmp_path, copies):
    shutil.copytree(plan.location, tmp_path / "run")
    member = json.loads((tmp_path / "run/ensemble.json").read_text())["members"][-1]["id"]
    file = Path(tmp_path / f"run/lineage/{member}.json")
    document = json.loads(file.read_text())
    document["entries"][-1]["mutation"]["sigma"] = 0.5
    file.write_text(json.dumps(document))
    with pytest.raises(LineageError, match="digest"):
        Predictor(dataclasses.replace(plan, location=str(tmp_path / "run"), copies=copies))


def test_a_run_without_an_ensemble_says_so(plan, tmp_path):
    shutil.copytree(plan.location, tmp_path / "run")
    (tmp_path / "run/ensemble.json").unlink()
    with pytest.raises(UsageError, match="Serve soup or best"):
        Predictor(dataclasses.replace(plan, location=str(tmp_path / "run")))


def test_a_parent_whose_checkpoint_is_gone_is_served(plan, tmp_path, test_pictures):
    """The run keeps it."""
    shutil.copytree(plan.location, tmp_path / "run")
    config = json.loads((tmp_path / "run/config.json").read_text())
    config["parent"]["weights"] = "/nowhere/parent.safetensors"
    (tmp_path / "run/config.json").write_text(json.dumps(config))
    moved = Predictor(dataclasses.replace(plan, location=str(tmp_path / "run")))
    some = list(np.asarray(test_pictures[:2]))
    assert moved.answers(some, [3, 3]) == Predictor(plan).answers(some, [3, 3])
