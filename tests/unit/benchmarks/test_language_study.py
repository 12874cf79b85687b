"""The table of ``tests/benchmarks/language/run.py``, on figures made up here; and that a stopped study goes on."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "language" / "run.py"


@pytest.fixture(scope="module")
def study():
    spec = importlib.util.spec_from_file_location("language_study", PATH)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def summary(**changes):
    gain = {"name": "best_child", "metric": "reward", "difference": 0.0234, "ci95": [-0.012, 0.059]}
    return {
        "splits": {"select": 64, "test": 128},
        "mutation": {"sigma": 0.05, "density": 0.1},
        "parent": {"select": {"reward": 0.375}, "test": {"reward": 0.390625}},
        "best_child": {"reward": 0.4140625},
        "soup": {"reward": 0.390625},
        "ensemble": {"reward": 0.421875},
        "comparisons": [gain, gain | {"name": "ensemble", "ci95": [None, None]}, gain | {"metric": "answer_tokens"}],
        "children": {
            "better_on_select": {"count": 20, "n": 64, "share": 0.3125, "ci95": [0.2024, 0.4406]},
            "select_test": {"n": 24, "spearman": -0.25, "ci95": [-0.6, 0.2], "pearson": -0.2},
        },
    } | changes


def test_a_line_says_gains_with_their_intervals(study):
    found = {"kind": "sums", "seed": 1, "way": "sparse", "seconds": 620.0} | study.reported(summary())
    line = study.markdown([found]).splitlines()[2]
    assert line == (
        "| sums | 1 | sparse | 0.05 | 39.06% | 41.41%, +2.3 [−1.2, +5.9] | 39.06% | 42.19%, +2.3 "
        "| 20 of 64 [20%, 44%] | −0.25 [−0.60, +0.20] | 10 min 20 s |"
    )


def test_cases_have_ways_that_differ_in_mutations_alone(study):
    assert len(list(study.cases())) == 8
    base = study.parse_config(
        {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "mnist5k"}}, "a test"
    )
    sparse, dense = (study.case_config(base, way) for way in ("sparse", "dense"))
    assert (sparse.mutation.parts, dense.mutation.parts) == (10, 1)
    assert sparse.model_copy(update={"mutation": dense.mutation}) == dense
    assert (dense.search.children, dense.statistics.children_on_test) == (64, 24)


def test_finished_cases_are_not_repeated(study, tmp_path, monkeypatch):
    asked = []

    def run_case(kind, seed, way, work, backend):
        asked.append((kind, seed, way))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return {"kind": kind, "seed": seed, "way": way, "seconds": 1.0} | study.reported(summary())

    monkeypatch.setattr(study, "run_case", run_case)
    monkeypatch.setattr(sys, "argv", ["run.py", str(tmp_path / "results"), "--work", str(tmp_path / "work")])
    with pytest.raises(KeyboardInterrupt):
        study.main()
    study.main()
    assert asked[2] == asked[3] and len(asked) == 9 and len(set(asked)) == 8
    assert len((tmp_path / "results" / "language.md").read_text().splitlines()) == 10
    one = json.loads((tmp_path / "results" / "sums-0-sparse.json").read_text())
    assert one["way"] == "sparse" and "cores" in one["device"]


def test_problems_that_were_half_made_are_made_again_and_shared(study, tmp_path, monkeypatch):
    made = []

    def prepare(folder, seed, backend, progress, **sizes):
        made.append((folder.name, sizes))
        assert not folder.exists()
        (folder / "test").mkdir(parents=True)
        (folder / "test" / "manifest.json").write_text("{}")

    monkeypatch.setattr(study, "prepare", prepare)
    monkeypatch.setattr(study, "load_config", lambda path: path)
    monkeypatch.setattr(study, "case_config", lambda config, way: way)
    asked = []
    monkeypatch.setattr(
        study,
        "evolve",
        lambda config, out, **how: asked.append((config, how["resume"])) or SimpleNamespace(summary=summary()),
    )
    (tmp_path / "sums-0-data").mkdir()
    for way in study.WAYS:
        assert study.run_case("sums", 0, way, tmp_path, "local")["sigma"] == 0.05
    assert made == [("sums-0-data", {"kind": "sums", "select": 64, "test": 128})]
    assert asked == [("sparse", "auto"), ("dense", "auto")]
