"""At its end a run looks whether its exports give what it reports, and says so where they do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from evoray.config import ParentConfig, parse_config
from evoray.data.splits import SearchClosed, Splits
from evoray.evaluation.host import cast_floating
from evoray.evolution import evolve
from evoray.models import load_parent
from evoray.results import rebuilt
from evoray.results.export import export_member
from evoray.runtime.events import Noted

NETWORKS = Path(__file__).parents[1] / "evaluation"


class Notes:
    def __init__(self):
        self.said = []

    def observe(self, event):
        if isinstance(event, Noted):
            self.said.append(event.text)


@pytest.fixture
def run(tmp_path):
    def done(name, **sections):
        values = {
            "parent": {"source": "module", "name": f"networks:{name}"},
            "data": {"path": "mock:images=64,size=8,classes=5"},
            "search": {"children": 4},
            "ensemble": {"size": 2},
            "compute": {"backend": "local", "workers": 1, "batch_size": 8, "threads_per_worker": 1},
        }
        notes = Notes()
        resume = sections.pop("resume", False)
        config = parse_config(values | sections, config_dir=NETWORKS)
        found = evolve(config, tmp_path / "run", config_dir=NETWORKS, resume=resume, page=False, observers=[notes])
        return found, notes.said

    return done


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["Groups", "BiasesKeptAtEval"])
def test_a_pure_network_is_the_same(run, tmp_path, name, dtype):
    compute = {"backend": "local", "workers": 1, "batch_size": 8, "threads_per_worker": 1, "dtype": dtype}
    found, said = run(name, soup={"recalibrate": True}, compute=compute)
    names = ["best_child", "soup"] + (["soup_recalibrated"] if name == "Groups" else [])
    assert found.summary["rebuilt"] == dict.fromkeys(names, "same")
    assert not [text for text in said if "export" in text]
    assert "Not valid" not in found.verdict


def test_a_network_that_changes_during_a_run_is_said(run):
    found, said = run("ChangesLater")
    assert found.verdict.startswith("Not valid. ")
    assert "its exported weights give nll" in found.summary["rebuilt"]["soup"]
    assert any("workers measured" in text for text in said)


def test_exports_that_load_otherwise_by_then_are_said(run, monkeypatch):
    """What stands in the networks' module changed while the run went on."""
    monkeypatch.setattr(rebuilt, "child_state", lambda state, space, lineage: dict(state))
    found, _ = run("Plain")
    assert "gives other outputs on test, by up to" in found.summary["rebuilt"]["best_child"]


def test_what_cannot_be_checked_is_said_and_the_run_is_written(run, monkeypatch):
    def fails(*arguments):
        raise RuntimeError("no memory")

    monkeypatch.setattr(rebuilt, "same_as_fresh", fails)
    found, said = run("Plain")
    assert found.summary["rebuilt"]["best_child"] == "not checked: RuntimeError: no memory"
    assert "Not valid" not in found.verdict and any("could not be checked" in text for text in said)
    monkeypatch.undo()
    again, said = run("Plain", resume=True)
    assert set(again.summary["rebuilt"].values()) == {"same"} and any(
        "RuntimeError: no memory; its end" in one for one in said
    )
    assert again.summary["work"]["evaluations"] == 0 and again.population.equals(found.population)
    assert "finished already" in run("Plain", resume=True)[1][-1]


def test_an_export_gives_the_reported_score(run, tmp_path):
    """The issue's own words: a fresh network with the exported file, on all of ``test``, in another process's way."""
    found, _ = run("BiasesKeptAtEval")
    path = tmp_path / "best.safetensors"
    export_member(found.directory, "best", path, None)
    config = ParentConfig(source="module", name="networks:BiasesKeptAtEval", weights=str(path))
    model = cast_floating(load_parent(config, NETWORKS, seed=99).model, torch.float32, torch.device("cpu"))
    splits = Splits(parse_config(found.directory.read_json("config.json"), config_dir=NETWORKS).data, 0, NETWORKS)
    splits.open_test(SearchClosed("x"))
    shard = splits.datasets["test"].load(0)
    rows = splits.rows["test"][0]
    with torch.inference_mode():
        logits = model(torch.from_numpy(np.ascontiguousarray(shard.images[rows])) / 255)
    nll = torch.nn.functional.cross_entropy(logits.double(), torch.from_numpy(shard.labels[rows]))
    assert float(nll) == pytest.approx(found.summary["best_child"]["nll"], abs=1e-6)


SHARE = """
import numpy as np
class Share:
    width = 2
    def sums(self, logits, labels): return np.array([float((logits.argmax(1) == labels).sum()), float(len(labels))])
    def value(self, sums): return sums[0] / sums[1]
share = Share()
"""


@pytest.mark.parametrize("more", [0, 50])
def test_a_fitness_is_compared_as_well(run, tmp_path, monkeypatch, more):
    """more: right answers that workers counted beyond those there were, as a function that keeps a count does."""
    (tmp_path / f"share{more}.py").write_text(SHARE)
    monkeypatch.syspath_prepend(str(tmp_path))
    smallest, seen = rebuilt._smallest_group, []

    def drifted(session, final):
        group = smallest(session, final)
        seen.append(group)
        group.sums["best_child"][-2] += more
        return group

    monkeypatch.setattr(rebuilt, "_smallest_group", drifted)
    found, _ = run("Plain", fitness={"name": f"share{more}:share"})
    assert 0 < len(seen[0].rows) <= rebuilt.GROUP
    said = dict(found.summary["rebuilt"])
    assert (said.pop("best_child") == "same") is (more == 0) and set(said.values()) <= {"same"}
    if more:
        assert found.verdict.startswith("Not valid. ")
        assert f"its exported weights have share{more}:share" in found.summary["rebuilt"]["best_child"]


@pytest.mark.parametrize("name", ["macro-f1", "brier", "worst-class"])
def test_what_is_no_mean_of_images_is_the_same(run, name):
    found, _ = run("Plain", fitness={"name": name})
    assert found.summary["rebuilt"]["best_child"] == "same"
