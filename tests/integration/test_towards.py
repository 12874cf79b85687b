"""Runs of kind ``towards``: checkpoints merged by each strategy, resumed, exported and rebuilt to the bit."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from outputs import PulledPlug, StopsAfter, bytes_of
from safetensors.torch import load_file

from evoray.demo import small_cnn
from evoray.errors import UsageError
from evoray.evolution import evolve
from evoray.models import read_state

STRATEGIES = {
    "decomposition": {"strategy": "decomposition", "children": 4, "generations": 2},
    "cma-es": {"strategy": "cma-es", "dimensions": 2, "children": 4, "generations": 2},
    "one-plus-lambda": {"strategy": "one-plus-lambda", "children": 4, "generations": 2},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory, parent_file):
    folder = tmp_path_factory.mktemp("checkpoints")
    shutil.copy(parent_file, folder / "parent.safetensors")
    state = {name: one.clone() for name, one in read_state(parent_file).items()}
    for number in (1, 2):
        draw = torch.Generator().manual_seed(number)
        own = {name: one + 0.02 * torch.randn(one.shape, generator=draw) for name, one in state.items()}
        torch.save({"state_dict": own}, folder / f"{number}.pth")
    return folder


def config(files, strategy="decomposition", backend="local", **mutation):
    others = [str(files / f"{number}.pth") for number in (1, 2)]
    return {
        "parent": {
            "source": "module",
            "name": "evoray.demo:small_cnn",
            "weights": str(files / "parent.safetensors"),
        },
        "data": {"path": "mnist5k", "select": 0.02, "test": 0.02},
        "ensemble": {"size": 2},
        "compute": {"backend": backend} | ({"workers": 2} if backend == "ray" else {}),
        "search": STRATEGIES[strategy],
        "mutation": {"kind": "towards", "towards": others, "sigma": 0.5, **mutation},
    }


@pytest.fixture(scope="module", params=STRATEGIES)
def finished(request, files, tmp_path_factory):
    out = tmp_path_factory.mktemp("towards") / "run"
    seen = StopsAfter(10**9)
    result = evolve(config(files, request.param), out, progress=seen)
    return request.param, out, result, 10**9 - seen.left


def recipe_of(row):
    """[(weight, coefficients)] of a child of the first generation."""
    if row["entries"]:
        return [(one["weight"], one["mutation"]["coefficients"]) for one in json.loads(row["entries"])]
    return [(1.0, json.loads(row["coefficients"]))]


def test_a_child_is_what_its_row_says(cli, files, finished, tmp_path):
    """parent + w1 d1 + w2 d2, by hand in float32; exported from the row, and the best one rebuilt from its lineage."""
    _, out, result, _ = finished
    row = result.population.to_pylist()[1]
    code, _, errors = cli("export", out, row["child_id"], "-o", tmp_path / "child.safetensors")
    assert code == 0, errors
    found, parent = load_file(tmp_path / "child.safetensors"), read_state(files / "parent.safetensors")
    others = [read_state(files / f"{number}.pth") for number in (1, 2)]
    for name in small_cnn().state_dict():
        expected = parent[name]
        for weight, coefficients in recipe_of(row):
            moved = torch.zeros_like(expected)
            for coefficient, other in zip(coefficients, others, strict=True):
                moved = moved + torch.tensor(coefficient) * (other[name] - parent[name])
            expected = expected + torch.tensor(weight) * moved
        assert torch.equal(found[name], expected)


def test_export_and_rebuild_are_the_same_file(cli, files, finished, tmp_path):
    _, out, _, _ = finished
    lineage = out / "lineage" / "best.json"
    flags = [flag for number in (2, 1) for flag in ("--towards", files / f"{number}.pth")]
    assert cli("export", out, "best", "-o", tmp_path / "a.safetensors")[0] == 0
    code, _, errors = cli("rebuild", lineage, files / "parent.safetensors", "-o", tmp_path / "b.safetensors", *flags)
    assert code == 0, errors
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert lineage.stat().st_size < 10_000


def test_a_killed_run_goes_on_to_the_same_bytes(files, finished, tmp_path):
    strategy, _, result, seen = finished
    with pytest.raises(PulledPlug):
        evolve(config(files, strategy), tmp_path / "run", progress=StopsAfter(seen // 2))
    moved = tmp_path / "moved"
    shutil.copytree(files, moved)
    resumed = evolve(config(moved, strategy), tmp_path / "run", resume=True)
    assert bytes_of(resumed.directory) == bytes_of(result.directory)


@pytest.fixture
def one_run(files, tmp_path):
    """A finished run whose checkpoints lie in a folder of its own."""
    shutil.copytree(files, own := tmp_path / "own")
    evolve(config(own, "one-plus-lambda"), tmp_path / "run", page=False)
    return own, tmp_path / "run"


def test_a_checkpoint_that_changed_or_went(cli, files, one_run, tmp_path):
    own, out = one_run
    shutil.copy(own / "1.pth", own / "2.pth")
    output = tmp_path / "a.safetensors"
    code, _, errors = cli("export", out, "best", "-o", output)
    assert code == 1 and "missing, or its file changed" in " ".join(errors.split())
    state = read_state(own / "1.pth")
    torch.save({name: one + 1 for name, one in state.items()}, own / "2.pth")
    with pytest.raises(UsageError, match=r"checkpoints\.2 was"):
        evolve(config(own, "one-plus-lambda"), out, resume=True)
    (own / "2.pth").unlink()
    code, _, errors = cli("export", out, "best", "-o", output)
    assert code == 2 and "no such file" in " ".join(errors.split()) and "--towards" in errors
    with pytest.raises(UsageError, match=r"mutation\.towards.*no such file"):
        evolve(config(own, "one-plus-lambda"), out, resume=True)
    assert not output.exists()
    flags = ["--towards", files / "1.pth", "--towards", files / "2.pth"]
    assert cli("export", out, "best", "-o", output, *flags)[0] == 0
    assert cli("export", out, "parent", "-o", tmp_path / "parent.safetensors")[0] == 0
    code, _, errors = cli(
        "rebuild", out / "lineage/best.json", own / "parent.safetensors", "-o", tmp_path / "b.safetensors"
    )
    assert code == 1 and "--towards" in errors and not (tmp_path / "b.safetensors").exists()


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["decomposition", "cma-es"])
def test_ray_finds_what_the_local_backend_finds(files, tmp_path, strategy):
    local, ray = (evolve(config(files, strategy, name), tmp_path / name) for name in ("local", "ray"))
    assert bytes_of(ray.directory) == bytes_of(local.directory)
    differences = 2 * 4 * sum(one.numel() for one in small_cnn().parameters())
    assert ray.summary["work"]["bytes_to_workers"] > 1.5 * differences  # and the parent itself
