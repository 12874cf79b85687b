"""A user's strategy and kind of mutation: one file beside the configuration each, and nothing changed in EvoRay."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from evoray.demo import small_cnn
from evoray.errors import LineageError, UsageError
from evoray.evaluation.host import ModelHost
from evoray.evolution import evolve
from evoray.mutation import Lineage, Space, apply_lineage, child_state, rebuild
from evoray.search.window import window

CONTRACTS = Path(__file__).parents[1] / "contracts"


@pytest.fixture
def folder(tmp_path, parent_file):
    """A configuration's folder with the user's two files, under names that no other folder has."""
    shutil.copy(parent_file, tmp_path / "parent.safetensors")
    (tmp_path / "own_hill.py").write_text((CONTRACTS / "user_strategy.py").read_text())
    kind = (CONTRACTS / "user_kind.py").read_text().replace("user_kind:", "own_stretch:")
    (tmp_path / "own_stretch.py").write_text(kind)
    return tmp_path


def values(folder, **sections):
    return {
        "parent": {"source": "module", "name": "evoray.demo:small_cnn", "weights": str(folder / "parent.safetensors")},
        "data": {"path": "mnist5k", "select": 0.05, "test": 0.05},
        "ensemble": {"size": 2},
        "compute": {"backend": "local"},
        **sections,
    }


def as_toml(values):
    return "\n".join(
        f"[{name}]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())
        for name, keys in values.items()
    )


def population(out):
    return pq.read_table(out / "population.parquet")


def test_a_strategy_of_a_users_own(cli, folder):
    search = {"strategy": "own_hill:Hill", "children": 4, "generations": 2, "order": "first"}
    config = values(folder, search=search)
    (folder / "run.toml").write_text(as_toml(config))
    code, _, errors = cli("run", folder / "run.toml", "--out", folder / "one")
    assert code == 0, errors
    evolve(config, folder / "other", config_dir=folder, page=False)
    assert population(folder / "one").equals(population(folder / "other"))
    assert json.loads((folder / "one" / "config.json").read_text())["search"]["order"] == "first"
    code, _, errors = cli("run", folder / "run.toml", "--out", folder / "one", "--resume", "--set", "search.order=last")
    assert code == 2
    assert "search.order was 'first' and is 'last'" in " ".join(errors.split())


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"strategy": "own_hill:Hill", "margin": -1}, ["search.margin = -1"]),
        ({"strategy": "own_hill:Hill", "margins": 1}, ["unknown key search.margins"]),
        ({"strategy": "own_hill:Valley"}, ["own_hill", "has no Valley"]),
        ({"strategy": "own_valley:Hill"}, ["no module own_valley", "Put it into"]),
        ({"strategy": "own_hill:HillSearch"}, ["search.strategy", "evoray.strategies.base.Strategy"]),
    ],
)
def test_a_wrong_name_or_key_of_a_users_own_is_usage(cli, folder, search, words):
    (folder / "run.toml").write_text(as_toml(values(folder, search=search)))
    code, _, errors = cli("run", folder / "run.toml", "--out", folder / "out")
    assert code == 2
    for word in words:
        assert word in " ".join(errors.split())
    assert "Traceback" not in errors
    assert not (folder / "out").exists()


def read(path):
    return json.loads(path.read_text())


@pytest.mark.parametrize("strategy", ["decomposition", "cma-es"])
def test_a_kind_of_mutation_of_a_users_own(cli, folder, strategy):
    search = {"strategy": strategy, "children": 5, "generations": 2}
    config = values(folder, search=search, mutation={"kind": "own_stretch:Stretch", "sigma": 0.2})
    out, exported = folder / "run", folder / "child.safetensors"
    assert evolve(config, out, config_dir=folder, page=False).summary["mutation"]["density"] == 0.25
    names = ["child", "stretch", "stretches", "seed", "strength", "entries", "select_n"]
    assert population(out).column_names[2:9] == names
    row = population(out).to_pylist()[-1]
    assert cli("export", out, row["child_id"], "-o", exported)[0] == 0
    state, space = load_file(out / "parent.safetensors"), Space.from_json(read(out / "space.json"))
    base = Lineage.from_json(read(out / f"lineage/bases/g{row['generation']:04d}.json")["entries"])
    if strategy == "cma-es":
        lineage = base.then(Lineage.from_json(json.loads(row["entries"])).entries)
    else:
        mutation = {"kind": "own_stretch:Stretch"} | {name: row[name] for name in names[1:5]}
        lineage = base.then(Lineage.from_json([{"weight": 1.0, "mutation": mutation}]).entries)
    assert len(lineage.entries) > len(base.entries)
    expected = child_state(state, space, lineage)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in load_file(exported).items())
    best = read(out / "lineage" / "best.json")
    assert {entry["mutation"]["kind"] for entry in best["entries"]} == {"own_stretch:Stretch"}
    assert rebuild(best, state, space).keys() == state.keys()


def test_what_the_host_evaluates_of_a_users_kind_is_what_is_rebuilt(folder, monkeypatch):
    """In ranges, scattered or streamed, alone or several on top of each other."""
    monkeypatch.syspath_prepend(str(folder))
    model = small_cnn()
    space = Space.from_state(model.state_dict(), [name for name, _ in model.named_parameters()], "rms")
    host = ModelHost(model, space, "cpu")
    parent = host.flat.numpy().copy()
    kind = {"kind": "own_stretch:Stretch", "seed": 5, "strength": -0.5}
    few, many = ({**kind, "stretch": 1, "stretches": stretches} for stretches in (200, 2))
    for mutations in ([few], [many], [few, few], [many, few]):
        tail = Lineage.from_json([{"weight": 0.5, "mutation": one} for one in mutations]).entries
        with host.child(tail):
            assert host.flat.numpy().tobytes() == apply_lineage(parent.copy(), space, tail).tobytes()
        assert host.flat.numpy().tobytes() == parent.tobytes()


def test_a_kind_without_a_density_of_its_own_is_not_swept(folder):
    from evoray.config import parse_config

    config = parse_config(values(folder, mutation={"kind": "own_stretch:Stretch"}), config_dir=folder)
    with pytest.raises(UsageError, match="cannot be swept"):
        window(config, folder / "window", config_dir=folder)
    assert not (folder / "window").exists()


def test_a_lineage_of_a_kind_that_is_not_there_is_refused():
    entry = {"weight": 1.0, "mutation": {"kind": "own_absent:Stretch", "seed": 1}}
    with pytest.raises(LineageError, match=r"entry 0: its kind is .own_absent:Stretch.*import own_absent first"):
        Lineage.from_json([entry])
    with pytest.raises(LineageError, match=r"entry 0: kind = .* is none of partition"):
        Lineage.from_json([entry | {"mutation": {"kind": "gaussian"}}])
