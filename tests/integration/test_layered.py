"""A run of kind ``layered`` on a real parent: resumed, exported, rebuilt by NumPy alone, shown, and its window."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from outputs import PulledPlug, StopsAfter, bytes_of
from safetensors.torch import load_file

from evoray.errors import UsageError
from evoray.evolution import evolve
from evoray.mutation import Space
from evoray.search import auto_sigma
from evoray.search.window import window
from evoray.storage import journal

REBUILD = Path(__file__).parents[1] / "unit" / "mutation" / "rebuild_numpy.py"
NAMES = ["conv1", "conv2", "hidden", "output"]
ORDER = [f"{name}.{kind}" for name in NAMES for kind in ("weight", "bias")]


@pytest.fixture(scope="module")
def config(small_run):
    def make(**changes):
        layered = {"mutation__kind": "layered", "mutation__blocks": 4, "mutation__parts": 2}
        layered["mutation__allocation"] = "equal"
        return small_run(**{**layered, "search__children": 8, "search__generations": 2, **changes})

    return make


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory):
    seen, out = StopsAfter(10**9), tmp_path_factory.mktemp("layered") / "run"
    return out, evolve(config(), out, progress=seen), 10**9 - seen.left


def read(path):
    return json.loads(path.read_text())


def test_the_run_records_the_order_of_first_use(finished):
    out, result, _ = finished
    space = Space.from_json(read(out / "space.json"))
    assert (read(out / "space.json")["format"], space.format) == (2, 2)
    assert [space.tensors[number].name for number in space.depth] == ORDER
    assert {read(path)["format"] for path in (out / "lineage").glob("*.json")} == {2}
    assert result.summary["mutation"]["density"] == 1 / 8


def test_the_population_has_the_block_of_each_child(finished):
    rows = finished[1].population.to_pylist()
    assert [row["block"] for row in rows] == [0, 1, 2, 3] * 4
    assert {row["blocks"] for row in rows} == {4} and [row["part"] for row in rows[:8]] == [0] * 4 + [1] * 4
    assert len({row["mask_seed"] for row in rows}) == 2


@pytest.mark.parametrize("member", ["best", "soup", "g0000/c0003", "g0001/c0006"])
def test_export_equals_rebuild_equals_numpy(finished, cli, tmp_path, member):
    out, result, _ = finished
    exported, rebuilt = tmp_path / "exported.safetensors", tmp_path / "rebuilt.safetensors"
    code, _, errors = cli("export", out, member, "-o", exported)
    assert code == 0, errors
    lineage = out / "lineage" / f"{member}.json"
    if not lineage.exists():
        assert member not in {one["id"] for one in result.summary["ensemble"]["members"]}
        return
    assert cli("rebuild", lineage, out / "parent.safetensors", "-o", rebuilt)[0] == 0
    assert exported.read_bytes() == rebuilt.read_bytes()
    arguments = [lineage, out / "space.json", out / "parent.safetensors", tmp_path / "numpy.npz"]
    subprocess.run([sys.executable, "-I", str(REBUILD), *map(str, arguments)], check=True)
    found = load_file(exported)
    with np.load(tmp_path / "numpy.npz") as archive:
        assert sorted(archive.files) == sorted(found)
        assert all(torch.equal(torch.from_numpy(archive[name]), found[name]) for name in found)


def test_stopped_and_resumed_it_ends_in_the_same_bytes(finished, config, tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    out, result, units = finished
    with pytest.raises(PulledPlug):
        evolve(config(), tmp_path / "cut", progress=StopsAfter(int(0.6 * units)))
    resumed = evolve(config(), tmp_path / "cut", resume=True, page=False)
    assert bytes_of(resumed.directory) == bytes_of(result.directory)
    assert (tmp_path / "cut" / "space.json").read_bytes() == (out / "space.json").read_bytes()


@pytest.mark.parametrize("keep", [True, False])
def test_kept_activations_change_no_byte(finished, config, tmp_path, keep):
    run = evolve(config(compute__keep_activations=keep), tmp_path / "run", page=False)
    assert bytes_of(run.directory) == bytes_of(finished[1].directory)


def test_an_adaptive_run_records_its_prices_and_ends_in_the_same_bytes(config, tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    adaptive = config(mutation__allocation="adaptive", search__generations=3)
    seen = StopsAfter(10**9)
    whole = evolve(adaptive, tmp_path / "whole", progress=seen, page=False)
    mutation = read(tmp_path / "whole" / "config.json")["mutation"]
    prices = mutation["prices"]
    assert len(prices) == 4 and prices[0] == 1 and prices == sorted(prices, reverse=True)
    generations = {}
    for row in whole.population.to_pylist():
        generations.setdefault(row["generation"], []).append(row["block"])
    assert generations[0] == [0, 1, 2, 3] * 2 and any(blocks != generations[0] for blocks in generations.values())
    with pytest.raises(PulledPlug):
        evolve(adaptive, tmp_path / "cut", progress=StopsAfter((10**9 - seen.left) * 2 // 3))
    two = config(mutation__allocation="adaptive", search__generations=3, compute__workers=2)
    assert bytes_of(evolve(two, tmp_path / "cut", resume=True, page=False).directory) == bytes_of(whole.directory)


@pytest.mark.parametrize(("least", "count"), [(1, 4), (10**6, 1)])
def test_sigma_is_found_for_each_block_where_the_budget_is_enough(config, tmp_path, monkeypatch, least, count):
    monkeypatch.setattr(auto_sigma, "LEAST_IMAGES", least)
    auto = config(mutation__sigma="auto", mutation__parts=1, search__generations=3)
    run = evolve(auto, tmp_path / "run", page=False)
    sigma = read(tmp_path / "run" / "config.json")["mutation"]["sigma"]
    found = sigma if isinstance(sigma, list) else [sigma]
    assert len(found) == count and all(0.001 < one < 10 for one in found)
    rows = run.population.to_pylist()
    assert all(row["sigma"] == found[row["block"] % count] for row in rows)
    said = run.summary["mutation"]
    assert said["sigma"] == auto.mutation.model_copy(update={"sigma": tuple(found)}).one_sigma
    assert said["sigma_chosen"]["sigma"] == sigma
    if count > 1:
        assert [block["sigma"] for block in said["sigma_chosen"]["blocks"]] == found
        assert 0 < said["sigma_chosen"]["share_of_run"] < 0.1
    again = evolve(auto, tmp_path / "run", resume=True, page=False)
    assert again.summary["run_id"] == run.summary["run_id"]


def test_a_run_of_other_blocks_is_another_run(finished, config):
    with pytest.raises(UsageError, match=r"mutation\.blocks was 4 and is 5"):
        evolve(config(mutation__blocks=5), finished[0], resume=True)


def test_a_changed_order_is_refused(finished, cli, tmp_path):
    out, _, _ = finished
    for name in ("lineage/best.json", "parent.safetensors", "space.json"):
        (tmp_path / Path(name).name).write_bytes((out / name).read_bytes())
    space = read(tmp_path / "space.json")
    space["depth"] = space["depth"][::-1]
    (tmp_path / "space.json").write_text(json.dumps(space))
    files = tmp_path / "best.json", tmp_path / "parent.safetensors"
    code, _, errors = cli("rebuild", *files, "-o", tmp_path / "x.safetensors")
    assert code == 1 and "space digest differs" in " ".join(errors.split())
    assert not (tmp_path / "x.safetensors").exists()


def test_the_tables_name_blocks(finished, cli):
    code, printed, _ = cli("show", finished[0])
    assert code == 0
    assert "Block" in printed and "4/4" in printed
    assert "Block" in (finished[0] / "report.html").read_text()


def test_the_window_sweeps_parts_inside_blocks(config, tmp_path):
    drawn = window(config(), tmp_path / "window", sigmas=(0.02, 0.5), densities=(1, 0.2), children=4, images=50)
    assert {(cell["parts"], cell["density"]) for cell in drawn["cells"]} == {(4, 0.25), (20, 0.05)}
    assert [one["density"] for one in drawn["widest"]] == [0.25, 0.05]
    with pytest.raises(UsageError, match="less than one of the"):
        window(config(mutation__blocks=10_000, mutation__parts=10), tmp_path / "other", densities=(0.01,))
    assert not (tmp_path / "other").exists()
