"""Finished runs of texts and of numbers, as small as they can be, and a client of their server."""

from __future__ import annotations

import json

import numpy as np
import tiny_language
from starlette.testclient import TestClient

from evoray import evolve
from evoray.config import load_config
from evoray.data.splits import SearchClosed, Splits
from evoray.ingest.options import Options
from evoray.ingest.records.ingest import ingest_records, wanted_of
from evoray.runtime.progress import Progress

HEADERS = {"Authorization": "Bearer a-token-of-tests"}
MODELS = """
import torch
from torch import nn


class Rows(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.last = nn.Embedding(10, 4), nn.Linear(8, 1)

    def forward(self, rows):
        return self.last(self.table(rows).flatten(1))


def numbers():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))


def whole():
    torch.manual_seed(0)
    return Rows()


def pairs():
    draw = torch.Generator().manual_seed(0)
    return torch.utils.data.TensorDataset(
        torch.randint(0, 10, (40, 2), generator=draw), torch.randn(40, 1, generator=draw)
    )
"""
CONFIG = """
[parent]
source = "module"
name = "{name}"
[data]
path = "shards"
[task]
name = "{task}"
[search]
children = 2
[compute]
backend = "local"
workers = 1
device = "cpu"
"""


def texts(folder, pair=False, **options):
    """A run of a tiny BERT: the result, and its records as dictionaries, in the table's order."""
    tiny_language.saved(folder / "net")
    config = tiny_language.run_file(folder / "run.toml", "net", "text-classification")
    draw = tiny_language.texts(96)
    rows = [
        {"text": one, "label": "good" if one.split()[0] < "m" else "bad"} | ({"beside": other} if pair else {})
        for one, other in zip(draw[:48], draw[48:], strict=True)
    ]
    (folder / "t.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return finished(config, str(folder / "t.jsonl"), ("text", "beside") if pair else (), (), **options), rows


def numbers(folder, task="regression"):
    """A run of rows of three numbers, with their rows as dictionaries."""
    (folder / "served_numbers.py").write_text(MODELS)
    (folder / "run.toml").write_text(CONFIG.format(name="served_numbers:numbers", task=task))
    draw = np.random.default_rng(0).normal(size=(40, 3)).round(4)
    rows = [{"a": a, "b b": b, "c": c, "y": float(a > b), "z": float(b > c)} for a, b, c in draw.tolist()]
    (folder / "t.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return finished(folder / "run.toml", str(folder / "t.jsonl"), ("a", "b b", "c"), ("y", "z")), rows


def whole_numbers(folder, monkeypatch):
    """A run of pairs of rows of an embedding."""
    (folder / "served_numbers.py").write_text(MODELS)
    (folder / "run.toml").write_text(CONFIG.format(name="served_numbers:whole", task="regression"))
    monkeypatch.chdir(folder)
    return finished(folder / "run.toml", "served_numbers:pairs", (), ())


def finished(config, source, inputs, targets, **options):
    folder = config.parent
    wanted = wanted_of(Options(config=config, shard_size=16, **options), None, inputs, targets)
    ingest_records(source, folder / "shards", wanted, Progress())
    return evolve(load_config(config), folder / "run", config_dir=folder, page=False)


def order_of_test(config):
    """Names of the records of ``test``, in the order of predictions.parquet: ``record/7`` is the table's eighth."""
    values = load_config(config)
    splits = Splits(values.data, values.seed, config.parent)
    splits.open_test(SearchClosed("test"))
    found = []
    for shard in splits.shards("test"):
        sources = splits.datasets["test"].load(shard).sources
        found += [int(sources[row].rpartition("/")[2]) for row in splits.rows["test"][shard]]
    return found


def client_of(predictor, app):
    return TestClient(app(predictor), raise_server_exceptions=True, headers=HEADERS)
