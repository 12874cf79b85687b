"""Regression and multi-label, from a CSV and from a torch Dataset of tensors: what every task must hold."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from outputs import PulledPlug, StopsAfter
from safetensors.torch import load_file

from evoray.config import load_config
from evoray.data.splits import SearchClosed, Splits
from evoray.evolution import evolve
from evoray.storage import journal

USERS = """
import torch
from torch import nn

def make(many):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, many))

def one():
    return make(1)

def three():
    return make(3)

def labels():
    inputs = torch.randn(1200, 4, generator=torch.Generator().manual_seed(0))
    return torch.utils.data.TensorDataset(inputs, (inputs[:, :3] > 0.2).long())
"""
CONFIG = """
[parent]
source = "module"
name = "numbermodels:{network}"
[data]
path = "shards"
[task]
name = "{task}"
[mutation]
parts = 4
[search]
children = 8
generations = 2
[ensemble]
size = 3
[soup]
method = "greedy"
[compute]
backend = "local"
workers = 1
"""


@dataclass(frozen=True)
class Case:
    task: str
    network: str
    ingest: tuple[str, ...]
    figures: tuple[str, ...]
    on_the_page: tuple[str, ...]
    measured: object
    """Figures of outputs and targets, float64 [n, k] each, in NumPy."""


def errors(found, wanted):
    off = found - wanted
    return {
        "mse": np.mean(off**2),
        "mae": np.mean(np.abs(off)),
        "r2": 1 - np.sum(off**2) / np.sum((wanted - wanted.mean()) ** 2),
    }


def label_errors(found, wanted):
    given, right = found > 0, wanted > 0
    return {
        "bce": np.mean(np.logaddexp(0, found) - found * wanted),
        "exact": np.mean(np.all(given == right, axis=1)),
        "accuracy": np.mean(given == right),
        "f1": 2 * np.sum(given & right) / (np.sum(given) + np.sum(right)),
    }


CASES = {
    "regression": Case(
        *("regression", "one", ("t.csv", "shards", "--target", "y")),
        ("mse", "mae", "r2"),
        ("Mean squared error (squared units of the target)", "Mean absolute error", "R²"),
        errors,
    ),
    "multi-label": Case(
        *("multi-label", "three", ("numbermodels:labels", "shards")),
        ("bce", "exact", "accuracy", "f1"),
        ("Cross-entropy (nats per label)", "Accuracy", ">F1<"),
        label_errors,
    ),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture
def config(case, tmp_path, monkeypatch, cli):
    values = np.random.default_rng(0).normal(size=(1200, 4))
    rows = [",".join(f"{one:.5f}" for one in (*row, 2 * row[0] - row[1])) for row in values]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c,d,y", *rows, ""]))
    (tmp_path / "numbermodels.py").write_text(USERS)
    (tmp_path / "run.toml").write_text(CONFIG.format(task=case.task, network=case.network))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    code, _, said = cli("data", "ingest", *case.ingest, "--for", "run.toml", "--shard-size", "256")
    assert code == 0, said
    return tmp_path / "run.toml"


def run(config, out, *changes, resume=False, progress=None, page=False):
    more = {} if progress is None else {"progress": progress}
    return evolve(load_config(config, changes), out, config_dir=config.parent, resume=resume, page=page, **more)


def files_of(result):
    names = [name for name in ("population.parquet", "predictions.parquet") if name in result.directory.names("")]
    assert "population.parquet" in names
    lineages = [f"lineage/{name}" for name in result.directory.names("lineage") if name.endswith(".json")]
    return {name: result.directory.read(name) for name in (*names, *lineages)}


def test_stopped_at_any_unit_it_ends_in_the_same_bytes(config, tmp_path):
    seen = StopsAfter(10**9)
    whole = run(config, tmp_path / "whole", progress=seen)
    units = 10**9 - seen.left
    for after in (units // 4, units // 2, units - 2):
        with pytest.raises(PulledPlug):
            run(config, tmp_path / f"{after}", progress=StopsAfter(after))
        assert files_of(run(config, tmp_path / f"{after}", resume=True)) == files_of(whole)


@pytest.mark.slow  # on one core a Ray takes half a minute to start
def test_on_ray_and_on_two_workers_it_ends_in_the_same_bytes(config, tmp_path, on_ray):
    whole = files_of(run(config, tmp_path / "whole"))
    assert files_of(run(config, tmp_path / "ray", 'compute.backend="ray"', "compute.workers=2")) == whole


def test_racing_and_a_sigma_that_is_found(config, tmp_path, case):
    changes = ("search.racing=true", "search.confidence=0.7", "search.children=24", 'mutation.sigma="auto"')
    result = run(config, tmp_path / "run", *changes)
    assert result.summary["racing"]["images"] < result.summary["racing"]["images_without"]
    window = json.loads((tmp_path / "run" / "window.json").read_text())
    assert (window["metric"], window["counted"]) == (case.figures[0], "records")
    dropped = [row["status"] for row in result.population.to_pylist() if row["status"].startswith("dropped")]
    assert dropped and all("records" in one and "images" not in one for one in dropped)


def test_a_window(config, tmp_path, case, cli):
    code, out, said = cli(
        *("window", config, "--out", tmp_path / "w", "--sigmas", "0.05,0.2", "--densities", "0.25"),
        *("--children", "4"),
    )
    assert code == 0, said
    document = json.loads((tmp_path / "w" / "window.json").read_text())
    assert set(document["parent"]) == {"n", case.figures[0]} and "select records" in " ".join(out.split())


def test_the_report_speaks_its_figures_and_units(config, tmp_path, case):
    summary = run(config, tmp_path / "run", page=True).summary
    for network in (summary["parent"]["test"], summary["best_child"], summary["soup"]):
        assert set(case.figures) < set(network) and "nll" not in network
    page = (tmp_path / "run" / "report.html").read_text()
    for words in (*case.on_the_page, "On the test records", "Record passes"):
        assert words in page, words
    assert "image" not in page.replace("data:image/", "").replace("image/svg", ""), "they are no images"
    assert summary["measures"][case.figures[0]]["unit"]


@pytest.mark.parametrize("member", ["best", "soup"])
def test_an_export_gives_the_reported_figures_in_plain_pytorch(config, tmp_path, case, cli, member):
    result = run(config, tmp_path / "run")
    code, _, said = cli("export", tmp_path / "run", member, "-o", tmp_path / "out.safetensors")
    assert code == 0, said
    models: dict = {}
    exec(USERS, models)
    network = models[case.network]()
    network.load_state_dict(load_file(tmp_path / "out.safetensors"))
    inputs, targets = records_of_test(config, tmp_path)
    with torch.inference_mode():
        outputs = network(torch.from_numpy(inputs)).double().numpy()
    reported = result.summary["best_child" if member == "best" else "soup"]
    for name, value in case.measured(outputs, targets).items():
        assert reported[name] == pytest.approx(value, rel=1e-6, abs=1e-9)


def records_of_test(config, folder):
    """Inputs float32 and targets float64 of the split ``test``, as a user would gather them."""
    values = load_config(config)
    splits = Splits(values.data, values.seed, folder)
    splits.open_test(SearchClosed("test"))
    parts = [(splits.datasets["test"].load(shard), splits.rows["test"][shard]) for shard in splits.shards("test")]
    inputs, targets = (np.concatenate([shard[name][rows] for shard, rows in parts]) for name in ("input", "target"))
    return inputs, targets.astype(np.float64)
