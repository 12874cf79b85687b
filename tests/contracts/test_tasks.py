"""Every task: one row and many say the same, scores are what figures are made of, and a run ends with its files.

The last one is a user's: one file outside the package, and nothing of EvoRay knows it.
"""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from evoray.config import parse_config
from evoray.data import open_dataset
from evoray.data.records import Ragged, Records
from evoray.evolution import evolve
from evoray.tasks.base import Preparation
from evoray.tasks.generation.speech import Speech
from evoray.tasks.outputs import some_of
from evoray.tasks.registry import TASKS, make_task, of_run
from evoray.tasks.sums import SumsLayout, merge_shards

BRIGHTNESS = '''
"""Regression: how bright is an image? The label is of no use to it."""

import math
from typing import NamedTuple

import numpy as np
import torch

from evoray.data.normalise import normalise
from evoray.data.schema import Schema
from evoray.tasks.base import Batch, Figure, Measure, ScoredTask


class Guess(NamedTuple):
    value: torch.Tensor
    logits: torch.Tensor


class Brightness(ScoredTask):
    schema = Schema(task="brightness", columns={"image": "fixed_size_binary"}, target="image")
    columns = ("n", "invalid", "absolute", "squared")
    measures = {
        "mae": Measure("Mean absolute error", "", False, "MAE"),
        "rmse": Measure("Root mean squared error", "", False, "RMSE"),
    }
    scored = ("mae",)

    def batch(self, records, rows, how):
        images = torch.from_numpy(np.ascontiguousarray(records.images[rows]))
        return Batch(normalise(images.to(how.device), how.mean, how.std, how.dtype), len(rows))

    def batch_bytes(self, records, count, how):
        return count * math.prod(records.images.shape[1:]) * how.dtype.itemsize

    def targets(self, records, rows, device):
        return torch.from_numpy(records.images[rows].mean(axis=(1, 2, 3)) / 255).to(device)

    def outputs(self, network, batch):
        logits = network(batch.inputs)
        return Guess(logits.float().mean(dim=1).sigmoid(), logits)

    def sums(self, outputs, targets):
        off = self.scores(outputs, targets)["mae"]
        bad = np.count_nonzero(~np.isfinite(off))
        return np.array([len(off), bad, math.fsum(off), math.fsum(off * off)])

    def scores(self, outputs, targets):
        return {"mae": (outputs.value.double() - targets.double()).abs().cpu().numpy()}

    def figures(self, total):
        values = {"mae": total["absolute"] / total["n"], "rmse": math.sqrt(total["squared"] / total["n"])}
        return {name: Figure(value, self.measures[name]) for name, value in values.items()}

    def evaluated(self, records):
        off = records["mae"]
        values = {"mae": float(np.mean(off)), "rmse": float(np.sqrt(np.mean(off * off)))}
        return {name: Figure(value, self.measures[name]) for name, value in values.items()}
'''
OUTSIDE = "brightness_task:Brightness"


REWARD = "def vowels(prompt, answer, record):\n    return sum(one in 'aeiou' for one in answer) / 7\n"


class Letters:
    """A tokenizer: token n is the n-th letter."""

    def decode(self, tokens, **how):
        return "".join(chr(97 + token % 26) for token in tokens)


@pytest.fixture(params=[*TASKS, OUTSIDE])
def task(request, tmp_path):
    (tmp_path / "brightness_task.py").write_text(BRIGHTNESS)
    (tmp_path / "contract_reward.py").write_text(REWARD)
    if request.param != "generation":
        return of_run(make_task(request.param, tmp_path), "abcd")
    settings = {"reward": "contract_reward:vowels", "max_new_tokens": 5}
    return of_run(make_task(request.param, tmp_path, settings), "", Speech(Letters(), (0,), 0))


def vectors(target):
    """120 records of five numbers each."""
    inputs = np.random.default_rng(0).normal(size=(120, 5)).astype(np.float32)
    return Records(0, {"input": inputs, "target": target(inputs)}, [f"record/{row}" for row in range(120)])


def texts(**columns):
    """120 records of up to nine tokens each."""
    draw = np.random.default_rng(0)
    tokens = Ragged.of([draw.integers(1, 30, size=draw.integers(2, 10)) for _ in range(120)], "int32")
    return Records(0, {"input_ids": tokens, **columns}, [f"record/{row}" for row in range(120)])


class OfTokens(torch.nn.Module):
    """Takes what tasks of text give, by name; sums up embeddings of tokens that are not hidden."""

    def __init__(self, outputs):
        super().__init__()
        self.embedding = torch.nn.Embedding(30, outputs)

    def forward(self, input_ids, attention_mask):
        return {"logits": (self.embedding(input_ids) * attention_mask[..., None]).sum(1)}


class NextTokens(OfTokens):
    """Scores of the next token [b, t, 30]."""

    def __init__(self):
        super().__init__(30)

    def forward(self, input_ids, attention_mask):
        return {"logits": self.embedding(input_ids)}


def questions():
    """Of two to four choices, each of one to three tokens; zeros stand for choices that are not there."""
    draw = np.random.default_rng(0)
    parts = draw.integers(1, 4, size=(120, 5)) * (np.arange(5) < draw.integers(3, 6, size=(120, 1)))
    columns = {
        "input_ids": Ragged.of([draw.integers(1, 30, size=one.sum()) for one in parts], "int32"),
        "parts": Ragged.of(parts, "int32"),
        "choice_bytes": Ragged.of(4 * parts[:, 1:], "int32"),
        "label": np.array([draw.integers((one > 0).sum() - 1) for one in parts]),
    }
    return Records(0, columns, [f"record/{row}" for row in range(120)])


def masked():
    """Images of 12 x 8 in three channels, and masks of four classes, some of whose pixels have no label."""
    draw = np.random.default_rng(0)
    masks = draw.integers(0, 4, size=(120, 12, 8)).astype(np.uint8)
    masks[draw.random(masks.shape) < 0.1] = 255
    masks[:, :6] = np.minimum(masks[:, :6], np.arange(120)[:, None, None] % 4)
    images = (60 * masks[:, None] + draw.integers(0, 60, size=(120, 3, 12, 8))).astype(np.uint8)
    return Records(0, {"image": images, "mask": masks}, [f"record/{row}" for row in range(120)])


def prompts():
    return texts(prompt=["say"] * 120, record=["{}"] * 120, number=np.arange(120))


RECORDS = {
    "segmentation": masked,
    "generation": prompts,
    "multiple-choice": questions,
    "language-modelling": lambda: texts(bytes=np.arange(120) % 7 + 3),
    "text-classification": lambda: texts(label=np.arange(120) % 4),
    "multi-label": lambda: vectors(lambda inputs: (inputs[:, :3] + inputs[:, 2:] > 0.5).astype(np.uint8)),
    "regression": lambda: vectors(lambda inputs: inputs[:, :2] * [2, -1] + inputs[:, 2:4]),
}
"""Of tasks that do not take the images of image classification."""
NETWORKS = {
    "text-classification": lambda: OfTokens(4),
    "language-modelling": NextTokens,
    "multiple-choice": NextTokens,
    "segmentation": lambda: torch.nn.Conv2d(3, 4, 4, stride=4),
    "generation": NextTokens,
}
"""Of tasks whose networks are not one layer from the whole input to a row."""


@pytest.fixture
def seen(task):
    """Outputs of a small network on 100 records, and their targets."""
    records = RECORDS.get(task.schema.task, lambda: open_dataset("mnist5k").load(0))()
    rows = np.arange(100)
    channels = records.images.shape[1] if hasattr(records, "images") else 1
    how = Preparation(torch.device("cpu"), torch.float32, False, (0.5,) * channels, (0.25,) * channels)
    torch.manual_seed(0)
    batch = task.batch(records, rows, how)
    assert batch.count == len(rows)
    if task.schema.task in NETWORKS:
        network = NETWORKS[task.schema.task]().requires_grad_(False)
        return task.outputs(network, batch), task.targets(records, rows, how.device)
    many = 10 if "target" not in records else records["target"].shape[1]
    width = batch.inputs[0].numel()
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(width, many)).requires_grad_(False)
    return task.outputs(network, batch), task.targets(records, rows, how.device)


def test_sums_of_parts_are_sums_of_the_whole(task, seen):
    outputs, targets = seen
    layout = SumsLayout(task.columns)
    parts = [
        task.sums(some_of(outputs, rows), targets[rows])
        for rows in torch.split(torch.arange(len(targets)), [30, 50, 20])
    ]
    whole, merged = task.sums(outputs, targets), merge_shards(np.stack(parts))
    assert whole.dtype == np.float64 and whole.shape == (len(task.columns),)
    assert merged == pytest.approx(whole, rel=1e-12)
    assert (layout.count(merged), layout.is_valid(merged)) == (len(targets), True)
    assert list(task.figures(layout.by_name(whole))) == list(task.measures)


def test_scores_are_what_figures_are_made_of(task, seen):
    outputs, targets = seen
    figures = task.figures(SumsLayout(task.columns).by_name(task.sums(outputs, targets)))
    scores = task.scores(outputs, targets)
    assert tuple(scores) == task.scored
    for name, values in scores.items():
        assert values.shape == (len(targets),)
        assert values.mean() == pytest.approx(figures[name].value, rel=1e-12)


def test_what_the_final_test_keeps_gives_the_same_figures(task, seen):
    outputs, targets = seen
    records = task.records(task.predictions(outputs), targets)
    assert tuple(records) == task.kept
    evaluated = task.evaluated(records)
    for name, figure in task.figures(SumsLayout(task.columns).by_name(task.sums(outputs, targets))).items():
        assert evaluated[name].value == pytest.approx(figure.value, rel=1e-12)
    for name, values in task.scores(outputs, targets).items():
        assert task.compared(records)[name] == pytest.approx(values, rel=1e-12)


def test_a_task_from_outside_runs_to_the_end(tmp_path, parent_file):
    from evoray.demo import demo_config

    (tmp_path / "brightness_task.py").write_text(BRIGHTNESS)
    values = demo_config(0, parent_file, "local").model_dump()
    values["data"] |= {"select": 0.05, "test": 0.05}
    values["search"] |= {"children": 6, "generations": 2}
    values["task"] = {"name": OUTSIDE}
    values["fitness"] = {"name": "mae", "constraints": ("rmse <= parent + 0.5",)}
    config = parse_config(values)
    results = [evolve(config, tmp_path / one, config_dir=tmp_path, page=one == "one") for one in ("one", "two")]
    summary, population = results[0].summary, results[0].population
    assert results[1].population.equals(population)
    assert list(summary["parent"]["test"]) == ["n", "mae", "rmse"]
    assert "ensemble" not in summary and {one["metric"] for one in summary["comparisons"]} == {"mae"}
    assert summary["measures"]["mae"] | {"said": ""} == {
        **vars(make_task(OUTSIDE, tmp_path).measures["mae"]),
        "said": "",
    }
    page = (tmp_path / "one" / "report.html").read_text()
    assert "Mean absolute error on select" in page and "mean absolute error on test (lower is better)" in page
    assert "NLL" not in page and "accuracy" not in summary["verdict"]
    rows = population.sort_by("rank").to_pylist()
    assert [name for name in population.column_names if name.startswith("select_")] == [
        *("select_n", "select_mae", "select_rmse", "select_fitness")
    ]
    assert [row["select_mae"] for row in rows] == sorted(row["select_mae"] for row in rows)
    assert all(row["select_fitness"] == -row["select_mae"] for row in rows)
    assert summary["best_child"]["id"] == rows[0]["child_id"]
    assert rows[0]["select_mae"] < summary["parent"]["select"]["mae"] or not math.isfinite(rows[0]["select_mae"])
    assert json.loads((tmp_path / "one" / "config.json").read_text())["task"] == {"name": OUTSIDE}


def test_a_race_of_a_task_from_outside(tmp_path, parent_file):
    from evoray.demo import demo_config

    (tmp_path / "brightness_task.py").write_text(BRIGHTNESS)
    values = demo_config(0, parent_file, "local").model_dump()
    values["data"] |= {"select": 0.15, "test": 0.05}
    values["search"] |= {"children": 24, "racing": True, "confidence": 0.8}
    values["task"], values["fitness"] = {"name": OUTSIDE}, {"name": "mae"}
    values["mutation"]["sigma"] = "auto"
    result = evolve(parse_config(values), tmp_path / "run", config_dir=tmp_path, page=False)
    assert result.summary["racing"]["images"] < result.summary["racing"]["images_without"]
    assert json.loads((tmp_path / "run" / "window.json").read_text())["metric"] == "mae"
