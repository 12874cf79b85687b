"""A newcomer with a checkpoint and a folder of pictures: every command that ``init`` names, in its order."""

from __future__ import annotations

import json
import re
import shlex

import pytest
import torch
from pictures import make_tree
from torchvision import models
from typer.testing import CliRunner

from evoray.cli import app

SAID = """\
mine.pth: 338 tensors, which are those of shufflenet_v2_x0_5 (torchvision)
its head has 3 outputs
photos: images
class folders, sorted as ImageFolder sorts them
24 images of 3 classes. First: class0/0.png is class0; class0/1.png is class0; class0/2.png is class0
images a class: class0: 8, class1: 8, class2: 8
task: image-classification, for images with classes

run.toml: written. What comes next:
  1. evoray data ingest photos shards/photos --for run.toml --resize 256 --crop 224
  2. evoray check run.toml
  3. evoray run run.toml --out runs/run
  4. evoray show runs/run
"""
SMALL = ("--set", "compute.backend=local", "--set", "search.children=2", "--set", "ensemble.size=2")


@pytest.fixture
def typed(tmp_path, monkeypatch):
    """What a command prints; it has to end well."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    torch.manual_seed(0)
    torch.save(models.shufflenet_v2_x0_5(num_classes=3).state_dict(), "mine.pth")
    make_tree(tmp_path / "photos", per_class=8)

    def call(line, *more):
        result = CliRunner().invoke(app, [*shlex.split(line.removeprefix("evoray ")), *more])
        assert result.exit_code == 0, result.output + str(result.exception)
        return result.stdout

    return call


@pytest.mark.slow
def test_from_a_checkpoint_and_pictures_to_a_better_one(typed, tmp_path):
    said = typed("evoray init --parent mine.pth --data photos")
    assert said == SAID
    ingest, check, run, show = re.findall(r"\d\. (evoray .*)", said)
    assert typed(ingest.replace("256 --crop 224", "32 --crop 32"), "--workers", "1").startswith(
        "24 images of 3 classes"
    )
    plan = json.loads(typed(check, *SMALL, "--json"))
    assert plan["problems"] == [] and plan["classes"]["assumed"]
    assert max(map(len, typed(check, *SMALL).splitlines())) <= 120
    typed(run, *SMALL, "--set", "statistics.children_on_test=1")
    assert "On the test images" in typed(show)
    done = json.loads(typed("evoray show runs/run --json"))["work"]
    assert done["images"] == pytest.approx(plan["passes"], rel=0.5)  # soups that are tried hang on what is found
    assert typed("evoray report runs/run").strip().endswith("report.html")
    typed("evoray export runs/run best -o best.safetensors")
    assert "shufflenet_v2_x0_5" in typed("evoray init --parent best.safetensors --data photos --out again.toml")
