"""A user's own task with records of a kind of its own: from a torch Dataset to a finished run."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import TensorDataset

from evoray import evolve
from evoray.config import parse_config
from evoray.data.schema import Schema
from evoray.errors import ConfigError, DataError
from evoray.ingest.options import Options
from evoray.ingest.records.gather import Wanted, gather_dataset
from evoray.ingest.records.ingest import ingest_records, wanted_of
from evoray.runtime.progress import Progress

PLANTS = """
import math
import numpy as np
import torch
from torch import nn
from torch.utils.data import TensorDataset
from evoray.data.schema import Schema
from evoray.tasks.base import Batch, Figure, Measure, ScoredTask


class Plants(ScoredTask):
    schema = Schema(task="plants", columns={"soil": "fixed_size_binary", "plants": "int64"}, target="plants")
    columns = ("n", "invalid", "off")
    measures = {"off": Measure("Plants off", "", False, "Off")}
    scored = ("off",)

    def batch(self, records, rows, how):
        return Batch(torch.from_numpy(np.array(records["soil"][rows])).to(how.device, how.dtype), len(rows))

    def batch_bytes(self, records, count, how):
        return count * records["soil"].shape[1] * how.dtype.itemsize

    def targets(self, records, rows, device):
        return torch.from_numpy(np.array(records["plants"][rows])).to(device)

    def outputs(self, network, batch):
        return network(batch.inputs)[:, 0]

    def scores(self, outputs, targets):
        return {"off": (outputs.double() - targets).abs().cpu().numpy()}

    def sums(self, outputs, targets):
        off = self.scores(outputs, targets)["off"]
        return np.array([len(off), np.count_nonzero(~np.isfinite(off)), math.fsum(off)])

    def figures(self, total):
        return {"off": Figure(total["off"] / total["n"], self.measures["off"])}

    def evaluated(self, records):
        return {"off": Figure(float(np.mean(records["off"])), self.measures["off"])}


def fields():
    soil = torch.rand(40, 3, generator=torch.Generator().manual_seed(0))
    return TensorDataset(soil, (soil.sum(1) * 10).long())


def net():
    torch.manual_seed(0)
    return nn.Linear(3, 1)
"""
RUN = {
    "parent": {"source": "module", "name": "ownplants:net"},
    "data": {"path": "shards"},
    "task": {"name": "ownplants:Plants"},
    "mutation": {"parts": 2},
    "search": {"children": 3},
    "compute": {"backend": "local", "workers": 1, "device": "cpu", "dtype": "float32"},
}


def test_records_of_a_kind_of_ones_own_are_searched_on(tmp_path, monkeypatch):
    (tmp_path / "ownplants.py").write_text(PLANTS)
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "run.toml"
    config.write_text(
        "".join(f"[{name}]\n" + "".join(f"{k} = {v!r}\n" for k, v in of.items()) for name, of in RUN.items())
    )
    wanted = wanted_of(Options(config=config), None, (), ())
    assert wanted.kind == "plants"
    found = ingest_records("ownplants:fields", tmp_path / "shards", wanted, Progress())
    assert (found["rows"], found["task"]) == (40, "ownplants:Plants")
    summary = evolve(parse_config(RUN, config_dir=tmp_path), tmp_path / "run", config_dir=tmp_path, page=False).summary
    assert summary["splits"] == {"select": 20, "test": 20}
    assert 0 < summary["best_child"]["off"] < 30 and summary["parent"]["test"]["off"] > 0


def asked(target, columns, kind="plants"):
    schema = Schema(task="plants", columns=columns, target=target)
    return Wanted("ownplants:Plants", kind=kind, schema=schema)


WHOLE = TensorDataset(torch.ones(2, 3), torch.tensor([1, 2]))
HALF = TensorDataset(torch.ones(2, 3), torch.tensor([1, 2.5]))


def test_columns_have_the_schema_s_names_and_types():
    found = gather_dataset(WHOLE, asked("y", {"x": "fixed_size_binary", "y": "int32", "source": "string"}))
    assert (found.target, found.columns["y"].type, found.columns["y"].shape) == ("y", "int32", ())
    assert found.values["y"].tolist() == [1, 2] and found.values["x"].shape == (2, 3)
    found = gather_dataset(HALF, asked("target", {"target": "fixed_size_binary"}))
    assert set(found.columns) == {"input", "target"} and found.columns["target"].shape == (1,)


@pytest.mark.parametrize(
    ("columns", "error", "says"),
    [
        ({"y": "int64"}, DataError, r"its target is not all int64, which plants asks for"),
        (
            {"y": "float", "a": "fixed_size_binary", "b": "list"},
            DataError,
            r"asks for a \(fixed\w+\), b \(list\) as well",
        ),
        ({"y": "list"}, DataError, r"asks for y \(list\) as well. Name in its schema"),
        ({"y": "float", "image": "fixed_size_binary"}, ConfigError, "not read from a Dataset"),
    ],
)
def test_what_a_dataset_cannot_give_is_refused(columns, error, says):
    with pytest.raises(error, match=says):
        gather_dataset(HALF, asked("y", columns))
