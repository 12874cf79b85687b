"""Records by the command line: what is wrong is said in one message, exit 2, and nothing is written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from evoray.data.reader import read_manifest

USERS = """
import torch
from torch import nn
from evoray.models import Parent, Preprocessing

class Answers(nn.Module):
    def __init__(self, many, how):
        super().__init__()
        torch.manual_seed(0)
        self.net, self.how = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, many)), how

    def forward(self, x):
        return HOW[self.how](self.net(x))

class Both:
    def __init__(self, value):
        self.loss, self.logits = None, value

HOW = {
    "tensor": lambda y: y, "squeezed": lambda y: y.squeeze(), "tuple": lambda y: (y, y * 0),
    "dictionary": lambda y: {"aux": y * 0, "out": y}, "object": Both, "none": lambda y: None,
    "unknown": lambda y: {"a": y, "b": y}, "mean": lambda y: y.mean(), "one": lambda y: y[:1],
    "nan": lambda y: y / 0 * 0,
}

def make(how, many=1):
    return lambda: Answers(many, how)

globals().update({how: make(how) for how in HOW})
many = make("tensor", 3)

def picture():
    return nn.Conv2d(3, 1, 3)

def convolution():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    return Parent(net, Preprocessing(mean=(0.5,) * 3, std=(0.25,) * 3))

def odds(how):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 1), how)

def binary():
    return odds(nn.Identity())

def binary_flat():
    return odds(nn.Flatten(0))

def binary_sigmoid():
    return odds(nn.Sigmoid())

def binary_two():
    net, two = binary(), nn.Linear(16, 2)
    with torch.no_grad():
        two.weight.copy_(torch.cat([net[1].weight * 0, net[1].weight]))
        two.bias.copy_(torch.cat([net[1].bias * 0, net[1].bias]))
    return nn.Sequential(nn.Flatten(), two)

def embedding():
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(20, 1))

def tokens():
    ids = torch.randint(10, (60, 5), generator=torch.Generator().manual_seed(0))
    return torch.utils.data.TensorDataset(ids, ids.double().mean(1))
"""
CONFIG = """
[parent]
source = "module"
name = "recordmodels:tensor"
[data]
path = "shards"
[task]
name = "regression"
[mutation]
parts = 4
[search]
children = 6
[ensemble]
size = 2
[compute]
backend = "local"
workers = 1
"""


def table(rows=64, columns="abcd", seed=0):
    values = np.random.default_rng(seed).normal(size=(rows, 4))
    lines = [",".join(f"{one:.5f}" for one in row) + f",{2 * row[0] - row[1]:.5f}" for row in values]
    return "\n".join([",".join(columns) + ",y", *lines, ""])


@pytest.fixture
def place(tmp_path, monkeypatch, cli):
    (tmp_path / "recordmodels.py").write_text(USERS)
    (tmp_path / "run.toml").write_text(CONFIG)
    (tmp_path / "t.csv").write_text(table())
    monkeypatch.chdir(tmp_path)
    code, _, errors = cli("data", "ingest", "t.csv", "shards", "--for", "run.toml", "--target", "y")
    assert code == 0, errors
    return tmp_path


def refused(cli, *arguments, code=2):
    found, _, errors = cli(*arguments)
    assert found == code and errors.count("error") == 1 and "Traceback" not in errors, errors
    return " ".join(errors.split())


def test_one_answer_in_any_form_gives_the_same_run(place, cli):
    summaries = []
    for how in ("tensor", "tuple", "dictionary", "object"):
        code, _, errors = cli("run", "run.toml", "--out", how, "--set", f"parent.name=recordmodels:{how}")
        assert code == 0, errors
        summary = json.loads((place / how / "summary.json").read_text())
        summaries.append([summary[key] for key in ("parent", "best_child", "soup", "comparisons")])
    assert summaries.count(summaries[0]) == len(summaries)
    assert list(summaries[0][0]["test"]) == ["n", "mse", "mae", "r2"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("many", "gives 3 values a record, and the target 1. Its last layer"),
        ("none", "returns a NoneType, in which no part is known as its answer"),
        ("unknown", "returns a dict with a, b"),
        ("mean", "returns [] for 2 records"),
        ("one", "returns [1, 1] for 2 records"),
        ("nan", "outputs are NaN or infinite"),
        ("picture", "cannot be judged on records of regression: RuntimeError"),
    ],
)
def test_a_network_that_does_not_fit(place, cli, name, says):
    assert says in refused(cli, "run", "run.toml", "--out", "new", "--set", f"parent.name=recordmodels:{name}")
    assert not (place / "new").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("task.name=image-classification", "shards of regression, and the run is of image-classification"),
        ("task.name=multi-label", "shards of regression"),
        ("task.name=segmentations", "is none of image-classification"),
        ("fitness.name=nll", "is none of mse, mae, r2"),
        ("data.outputs=[0]", "data.outputs"),
        ("ensemble.temperature=true", "makes no ensemble"),
    ],
)
def test_a_configuration_that_does_not_fit(place, cli, change, says):
    assert says in refused(cli, "run", "run.toml", "--out", "new", "--set", change)
    assert not (place / "new").exists()


@pytest.mark.parametrize(
    ("text", "target", "says"),
    [
        (
            table(columns="bacd", seed=1),
            "y",
            "input is float32, 4 of b, a, c, d, and of data.path float32, 4 of a, b, c, d",
        ),
        (table(seed=1), "d", "is float32, 4 of a, b, c, y"),
        (table(), "y", "the same records as data.path"),
        ("a,b,c,d,y\n" + table().split("\n", 1)[1].split("\n", 1)[1], "y", None),
    ],
)
def test_test_records_of_another_kind(place, cli, text, target, says):
    (place / "test.csv").write_text(text)
    assert cli("data", "ingest", "test.csv", "test", "--for", "run.toml", "--target", target)[0] == 0
    command = ("run", "run.toml", "--out", "new", "--set", "data.test_path=test")
    if says is None:  # other records
        assert cli(*command)[0] == 0
        return
    assert says in refused(cli, *command)
    assert not (place / "new").exists()


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ("a,y\n1,2\n,3\n", ["--target", "y"], "column a, record 1 (the first is 0): empty"),
        ("a,y\n1,2\nnan,3\n", ["--target", "y"], "record 1"),
        ("a,y\n1,2\nx,3\n", ["--target", "y"], "x is no number"),
        ("a,y\n1,2\n", ["--target", "z"], "has no such column. It has a, y"),
        ("a,y\n1,2\n", [], "name the columns of the target"),
        ("a,y\n1,2\n", ["--target", "y", "--task", "multi-label"], "labels are 0 or 1"),
    ],
)
def test_a_table_that_does_not_fit(place, cli, text, arguments, says):
    (place / "bad.csv").write_text(text)
    before = sorted(path.name for path in place.iterdir())
    assert says in refused(cli, "data", "ingest", "bad.csv", "new", "--for", "run.toml", *arguments)
    assert sorted(path.name for path in place.iterdir()) == before


def test_a_damaged_shard_and_an_edited_manifest(place, cli):
    shard, manifest = place / "shards" / "shard-00000.arrow", place / "shards" / "manifest.json"
    good = shard.read_bytes()
    shard.write_bytes(good[:-9] + b"x" + good[-8:])
    assert "damaged, its SHA-256" in refused(cli, "run", "run.toml", "--out", "new")
    code, out, errors = cli("data", "verify", "shards")
    assert code == 2 and "1 damaged" in out and "shard-00000.arrow" in errors
    shard.write_bytes(good)
    manifest.write_text(manifest.read_text().replace('"regression"', '"multi-label"'))
    for command in (("run", "run.toml", "--out", "new"), ("data", "verify", "shards"), ("data", "show", "shards")):
        assert "not what was written" in refused(cli, *command)
    assert not (place / "new").exists()


def test_whole_numbers_look_rows_of_an_embedding_up(place, cli):
    assert cli("data", "ingest", "recordmodels:tokens", "ids", "--task", "regression")[0] == 0
    assert read_manifest(place / "ids").columns["input"].type == "int64"
    code, _, errors = cli(
        *("run", "run.toml", "--out", "r", "--set", "data.path=ids", "--set", "parent.name=recordmodels:embedding")
    )
    assert code == 0, errors


@pytest.mark.parametrize("task", ["multi-label", "regression"])
def test_images_with_targets_of_numbers(place, cli, task):
    """By one command from a folder and a table; the run still counts images."""
    (place / "pictures").mkdir()
    random, lines = np.random.default_rng(0), ["file,a,b"]
    for number in range(40):
        pixels = random.integers(256, size=(14, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / "pictures" / f"{number}.png")
        lines.append(f"{number}.png,{int(pixels[..., 0].mean() > 128)},{int(pixels[..., 1].mean() > 128)}")
    (place / "list.csv").write_text("\n".join([*lines, ""]))
    code, _, said = cli(
        *("data", "ingest", "pictures", "with", "--task", task, "--labels", "list.csv"),
        *("--target", "a", "--target", "b", "--resize", "12", "--crop", "10", "--workers", "1"),
    )
    assert code == 0, said
    code, out, _ = cli("data", "verify", "with")
    assert code == 0 and out.startswith("40 images")
    changes = {"task.name": task, "data.path": "with", "parent.name": "recordmodels:convolution"}
    sets = [part for key, value in changes.items() for part in ("--set", f"{key}={value}")]
    code, _, said = cli("run", "run.toml", "--out", "new", *sets)
    assert code == 0 and "the parent on 20 images of select" in " ".join(said.split()), said
    summary = json.loads((place / "new" / "summary.json").read_text())
    assert "counted" not in summary and summary["parent"]["test"]["n"] == 20


def test_the_readmes_example_runs(tmp_path, monkeypatch, cli):
    """A regression in twenty lines, as a newcomer types it."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    section = readme.partition("### Any task")[2].partition("#### A reward for answers")[0]
    model, config = (re.search(rf"```{kind}\n(.*?)```", section, re.S)[1] for kind in ("python", "toml"))
    commands = [line.removeprefix("uv run evoray ").split() for line in section.splitlines() if "uv run" in line]
    (tmp_path / "model.py").write_text(model)
    (tmp_path / "run.toml").write_text(config)
    network: dict = {}
    exec(model, network)
    torch.manual_seed(0)
    torch.save(network["net"]().state_dict(), tmp_path / "trained.pth")
    rows = np.random.default_rng(0).normal(size=(80, 9)).round(4).tolist()
    header = ",".join([*(f"x{n}" for n in range(8)), "price"])
    (tmp_path / "houses.csv").write_text("\n".join([header, *(",".join(map(str, row)) for row in rows), ""]))
    monkeypatch.chdir(tmp_path)
    extra = ["--set", "compute.backend=local", "--set", "search.children=8"]
    for command in commands:
        code, _, said = cli(*command, *(extra if command[0] == "run" else []))
        assert code == 0, said
    summary = json.loads((tmp_path / "runs/houses/summary.json").read_text())
    assert summary["fitness"] == "model:within_a_tenth" and set(summary["parent"]["test"]) > {"mse", "mae", "r2"}


@pytest.fixture
def two_classes(place, cli):
    random = np.random.default_rng(0)
    for number in range(40):
        pixels = random.integers(256, size=(4, 4), dtype=np.uint8)
        (place / "tree" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / "tree" / "ab"[number % 2] / f"{number}.png")
    code, _, said = cli("data", "ingest", "tree", "two", "--resize", "none", "--channels", "1", "--workers", "1")
    assert code == 0, said

    def run(name):
        changes = {"task.name": "image-classification", "data.path": "two", "parent.name": f"recordmodels:{name}"}
        return "run", "run.toml", "--out", name, *(p for key, one in changes.items() for p in ("--set", f"{key}={one}"))

    return run


def test_a_head_with_one_output_is_a_classifier(two_classes, place, cli):
    found = {}
    for name in ("binary", "binary_flat", "binary_two"):
        code, _, said = cli(*two_classes(name))
        assert code == 0, said
        found[name] = json.loads((place / name / "summary.json").read_text())
        one = "the parent has one output a record, taken as the log-odds of the data's second class, b"
        assert (one in found[name]["notes"]) == (name != "binary_two")
    assert found["binary"]["parent"] == found["binary_flat"]["parent"]
    for figure, value in found["binary_two"]["parent"]["test"].items():
        assert found["binary"]["parent"]["test"][figure] == pytest.approx(value, abs=1e-6)
    assert found["binary"]["best_child"] == found["binary_flat"]["best_child"]


def test_a_sigmoid_at_its_end_is_refused(two_classes, place, cli):
    assert "Return what goes into that last step" in refused(cli, *two_classes("binary_sigmoid"))
    assert not (place / "binary_sigmoid").exists()
