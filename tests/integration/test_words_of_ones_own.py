"""A task of a user's own whose targets are words and whose answers are voted on, from a table to a run's files."""

from __future__ import annotations

import numpy as np
import torch
from safetensors.torch import save_file

from evoray import evolve
from evoray.ingest.options import Options
from evoray.ingest.records.ingest import ingest_records, wanted_of
from evoray.runtime.progress import Progress

MODULE = '''
from typing import NamedTuple

import torch
from torch import nn

from evoray.data.schema import Schema
from evoray.tasks.base import Figure, Measure
from evoray.tasks.generation.votes import Votes
from evoray.tasks.inputs import answer_of
from evoray.tasks.targets import TargetTask

WORDS = ("no", "yes", "maybe")


def net():
    return nn.Linear(2, 3)


class Said(NamedTuple):
    key: torch.Tensor
    reward: torch.Tensor


class Words(TargetTask):
    schema = Schema(task="regression", columns={"target": "string"}, target="target")
    columns = ("n", "invalid", "wrong")
    scored = ("wrong",)
    measures = {"wrong": Measure("Wrong words", "fraction", False, "Wrong")}

    def targets(self, records, rows, device):
        return torch.tensor([WORDS.index(records["target"][row]) for row in rows], device=device)

    def outputs(self, network, batch):
        reward, key = answer_of(network, batch).float().max(dim=1)
        return Said(key, reward)

    def records(self, outputs, targets):
        wrong = (outputs.key != targets).double()
        return {"wrong": torch.where(outputs.reward.isfinite(), wrong, torch.nan).cpu().numpy()}

    def figures(self, total):
        return {"wrong": Figure(total["wrong"] / total["n"], self.measures["wrong"])}

    def combine(self, method):
        return Votes()

    def text(self):
        """A name of its own choice."""
'''


def test_words_in_a_table_are_judged_and_voted_on(tmp_path):
    (tmp_path / "said_task.py").write_text(MODULE)
    inputs = np.random.default_rng(0).normal(size=(200, 2)).round(3)
    words = np.array(["no", "yes", "maybe"])[(inputs[:, 0] > 0).astype(int) + (inputs.sum(axis=1) > 1)]
    rows = [f"{a},{b},{word}\n" for (a, b), word in zip(inputs, words, strict=True)]
    (tmp_path / "t.csv").write_text("".join(["a,b,said\n", *rows]))
    torch.manual_seed(0)
    save_file(torch.nn.Linear(2, 3).state_dict(), tmp_path / "parent.safetensors")
    values = {
        "parent": {"source": "module", "name": "said_task:net", "weights": str(tmp_path / "parent.safetensors")},
        "data": {"path": str(tmp_path / "shards")},
        "task": {"name": "said_task:Words"},
        "mutation": {"parts": 1, "sigma": 0.3},
        "search": {"children": 6},
        "ensemble": {"size": 3},
        "compute": {"backend": "local", "workers": 1},
    }
    (tmp_path / "run.toml").write_text(
        "".join(f"[{k}]\n" + "".join(f"{n} = {_toml(v)}\n" for n, v in s.items()) for k, s in values.items())
    )
    wanted = wanted_of(Options(config=tmp_path / "run.toml"), None, (), ("said",))
    assert wanted is not None
    ingest_records(str(tmp_path / "t.csv"), tmp_path / "shards", wanted, Progress())
    result = evolve(values, tmp_path / "run", config_dir=tmp_path)
    summary = result.summary
    assert 0 <= summary["best_child"]["wrong"] <= 1 and summary["ensemble"]["members"]
    assert summary["rebuilt"]["best_child"] == "same"
    assert not (tmp_path / "run" / "answers.parquet").exists()
    assert "votes" in result.directory.read_table("predictions.parquet").column_names


def _toml(value):
    return f'"{value}"' if isinstance(value, str) else value
