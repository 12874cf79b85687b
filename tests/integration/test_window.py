"""The mutation window and ``sigma = "auto"`` on a real parent, through the command line and the library."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from outputs import PulledPlug, StopsAfter, bytes_of

from evoray.errors import ConfigError, UsageError
from evoray.evolution import evolve
from evoray.search.window import window
from evoray.storage import journal

SWEEP = {"sigmas": (0.02, 0.2, 2.0), "densities": (1, 0.1), "children": 4, "images": 100}


@pytest.fixture(scope="module")
def swept(small_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("swept") / "window"
    return window(small_run(compute__workers=1), out, **SWEEP), out


def test_a_sweep_shows_the_window(swept):
    drawn, directory = swept
    assert json.loads((directory / "window.json").read_text()) == drawn
    cells = {(cell["parts"], cell["sigma"]): cell for cell in drawn["cells"]}
    assert cells.keys() == {(parts, sigma) for parts in (1, 10) for sigma in (0.02, 0.2, 2.0)}
    assert drawn["parent"]["n"] == 100
    assert all(cell["worst"] <= cell["median"] <= cell["best"] for cell in cells.values())
    assert abs(cells[10, 0.02]["mean"] - drawn["parent"]["top1"]) < 0.02
    assert cells[1, 2.0]["mean"] < 0.6 < cells[10, 0.2]["mean"]
    widest = {round(1 / one["density"]): one["sigma"] for one in drawn["widest"]}
    assert widest[1] <= widest[10]
    assert widest[10] >= 0.2
    ET.fromstring((directory / "window.svg").read_text())


def test_a_sweep_goes_on_where_it_stopped(swept, small_run, tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    config = small_run(compute__workers=1)
    with pytest.raises(PulledPlug):
        window(config, tmp_path / "cut", progress=StopsAfter(20), **SWEEP)
    seen = StopsAfter(10**9)
    assert window(config, tmp_path / "cut", progress=seen, **SWEEP) == swept[0]
    assert 10**9 - seen.left < 25 * 5 - 15


def test_a_window_can_join_a_run_but_not_another(small_run, tmp_path):
    before = evolve(small_run(compute__workers=1), tmp_path / "run", page=False)
    kept = bytes_of(before.directory)
    window(small_run(compute__workers=1), tmp_path / "run", **SWEEP)
    assert bytes_of(before.directory) == kept
    assert before.directory.exists("window.json")
    with pytest.raises(UsageError, match="cannot be resumed"):
        window(small_run(compute__workers=1, search__children=7), tmp_path / "run", **SWEEP)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"sigmas": (0.1, -1)}, "--sigmas"),
        ({"densities": (0,)}, "--densities"),
        ({"densities": (1e-9,)}, "less than one of the"),
        ({"images": 0}, "--images"),
        ({"share": 1.5}, "--share"),
    ],
)
def test_a_sweep_that_means_nothing_is_refused(small_run, tmp_path, wrong, words):
    with pytest.raises(ConfigError, match=words):
        window(small_run(), tmp_path / "window", **{**SWEEP, **wrong})
    assert not (tmp_path / "window").exists()


def test_the_command_prints_and_writes(cli, small_run, tmp_path, parent_file):
    path = tmp_path / "run.toml"
    path.write_text(
        f'[parent]\nsource = "module"\nname = "evoray.demo:small_cnn"\nweights = "{parent_file}"\n'
        'mean = [0.1307]\nstd = [0.3081]\n[data]\npath = "mnist5k"\nselect = 0.1\ntest = 0.1\n'
        '[compute]\nbackend = "local"\nworkers = 1\n'
    )
    common = ["window", path, "--out", tmp_path / "w", "--sigmas", "0.05,0.5", "--densities", "0.1"]
    code, out, _ = cli(*common, "--children", 3, "--images", 50)
    assert code == 0 and "Mutation window" in out and "window.svg" in out
    code, out, _ = cli(*common, "--children", 3, "--images", 50, "--json")
    assert code == 0 and len(json.loads(out)["cells"]) == 2
    code, _, err = cli("window", path, "--sigmas", "a,b")
    assert code == 2 and "--sigmas a,b" in err


@pytest.fixture(scope="module")
def auto(small_run):
    def make(**changes):
        return small_run(mutation__sigma="auto", compute__workers=1, **{"search__children": 40, **changes})

    return make


@pytest.fixture(scope="module")
def whole(auto, tmp_path_factory):
    """A run with a sigma of its own finding, never stopped; it is read alone."""
    return evolve(auto(), tmp_path_factory.mktemp("auto") / "run", page=False)


def test_auto_finds_a_sigma_and_says_how(whole):
    result, found = whole, whole.summary["mutation"]
    assert found["sigma"] == found["sigma_chosen"]["sigma"]
    assert 0.02 < found["sigma"] < 0.8
    assert result.directory.read_json("config.json")["mutation"]["sigma"] == found["sigma"]
    assert set(result.population["sigma"].to_pylist()) == {found["sigma"]}
    drawn = result.directory.read_json("window.json")
    assert drawn["chosen"] == found["sigma_chosen"]
    assert len(drawn["cells"]) == len(drawn["chosen"]["probes"]) == 11


def test_auto_costs_under_a_twentieth_of_a_run(auto, tmp_path):
    result = evolve(auto(data__select=0.1, search__generations=2), tmp_path / "run", page=False)
    assert 0.01 < result.summary["mutation"]["sigma_chosen"]["share_of_run"] < 0.05


@pytest.mark.parametrize(
    "after", [pytest.param(30, marks=pytest.mark.slow), 90, pytest.param(200, marks=pytest.mark.slow)]
)
def test_auto_goes_on_where_it_stopped(whole, auto, tmp_path, after, monkeypatch):
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    with pytest.raises(PulledPlug):
        evolve(auto(), tmp_path / "cut", progress=StopsAfter(after))
    resumed = evolve(auto(), tmp_path / "cut", resume=True, page=False)
    assert bytes_of(resumed.directory) == bytes_of(whole.directory)
    assert resumed.summary["mutation"] == whole.summary["mutation"]


def test_a_fixed_sigma_does_not_resume_as_auto(small_run, auto, tmp_path):
    evolve(small_run(compute__workers=1, search__children=40), tmp_path / "run", page=False)
    with pytest.raises(UsageError, match=r"mutation\.sigma was 0\.1 and is 'auto'"):
        evolve(auto(), tmp_path / "run", resume=True)


def test_auto_takes_any_fitness_and_scale(auto, tmp_path):
    result = evolve(auto(fitness__name="macro-f1", mutation__scale="absolute"), tmp_path / "run", page=False)
    assert 0.001 < result.summary["mutation"]["sigma"] < 0.1
