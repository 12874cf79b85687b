"""Networks out of a run: by name, by lineage alone, and refused when anything on the way was changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from evoray.evolution import evolve

REBUILD = Path(__file__).parents[1] / "unit" / "mutation" / "rebuild_numpy.py"


@pytest.fixture(scope="module")
def finished(tmp_path_factory, parent_file):
    from evoray.config import parse_config
    from evoray.demo import demo_config

    values = demo_config(0, parent_file, "local").model_dump()
    values["data"] |= {"select": 0.05, "test": 0.05}
    values["search"] |= {"children": 12, "generations": 2}
    values["ensemble"] |= {"size": 3}
    out = tmp_path_factory.mktemp("finished") / "run"
    return out, evolve(parse_config(values), out)


def members(result):
    return [member["id"] for member in result.summary["ensemble"]["members"]]


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("member", ["parent", "best", "soup", "g0000/c0011", "member"])
def test_export_equals_rebuild_equals_numpy(finished, cli, tmp_path, member):
    out, result = finished
    name = members(result)[0] if member == "member" else member
    exported = tmp_path / "exported.safetensors"
    code, _, errors = cli("export", out, name, "-o", exported)
    assert code == 0, errors
    lineage = out / "lineage" / f"{name}.json"
    if not lineage.exists():
        return
    rebuilt = tmp_path / "rebuilt.safetensors"
    assert cli("rebuild", lineage, out / "parent.safetensors", "-o", rebuilt)[0] == 0
    assert exported.read_bytes() == rebuilt.read_bytes()
    arguments = [lineage, out / "space.json", out / "parent.safetensors", tmp_path / "numpy.npz"]
    subprocess.run([sys.executable, "-I", str(REBUILD), *map(str, arguments)], check=True)
    with np.load(tmp_path / "numpy.npz") as archive:
        assert same({key: torch.from_numpy(archive[key]) for key in archive.files}, load_file(exported))


def test_rebuild_needs_the_two_files_alone(finished, cli, tmp_path):
    out, _ = finished
    for name in ("lineage/soup.json", "parent.safetensors"):
        (tmp_path / Path(name).name).write_bytes((out / name).read_bytes())
    code, _, errors = cli(
        "rebuild", tmp_path / "soup.json", tmp_path / "parent.safetensors", "-o", tmp_path / "o.safetensors"
    )
    assert code == 0, errors


def test_the_export_loads_into_the_model_and_is_what_was_judged(finished, cli, tmp_path):
    """The exported soup, evaluated from scratch on the test images, has the reported NLL."""
    from evoray.data import normalise, open_dataset, split_rows
    from evoray.demo import MEAN, STD, SmallCNN

    out, result = finished
    cli("export", out, "soup", "-o", tmp_path / "soup.safetensors")
    model = SmallCNN().eval()
    model.load_state_dict(load_file(tmp_path / "soup.safetensors"))
    dataset = open_dataset("mnist5k")
    rows = split_rows(dataset.shard_rows, {"select": 0.05, "test": 0.05}, 0)["test"]
    losses = []
    with torch.inference_mode():
        for index, chosen in enumerate(rows):
            shard = dataset.load(index)
            images = normalise(torch.from_numpy(shard.images[chosen]), MEAN, STD, torch.float32)
            logits = model(images).double()
            losses.append(
                torch.nn.functional.cross_entropy(logits, torch.from_numpy(shard.labels[chosen]), reduction="none")
            )
    assert torch.cat(losses).mean().item() == pytest.approx(result.summary["soup"]["nll"], rel=1e-5)


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.fixture
def copied(finished, tmp_path):
    out, _ = finished
    for name in ("lineage/best.json", "space.json", "parent.safetensors", "lineage/parent.json"):
        target = tmp_path / "run" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((out / name).read_bytes())
    (tmp_path / "run" / "config.json").write_text("{}")
    return tmp_path / "run"


def test_a_changed_parent_is_refused(copied, cli, tmp_path):
    flip(copied / "parent.safetensors", -1)
    for command in (
        ("export", copied, "best"),
        ("rebuild", copied / "lineage/best.json", copied / "parent.safetensors"),
    ):
        code, _, errors = cli(*command, "-o", tmp_path / "x.safetensors")
        assert code == 1
        assert "parent digest differs" in " ".join(errors.split())
        assert not (tmp_path / "x.safetensors").exists()


def test_a_changed_space_is_refused(copied, cli, tmp_path):
    space = json.loads((copied / "space.json").read_text())
    space["tensors"][0]["scale"] = 0.5  # a number whose shortest decimal is itself
    (copied / "space.json").write_text(json.dumps(space))
    for command in (
        ("export", copied, "best"),
        ("rebuild", copied / "lineage/best.json", copied / "parent.safetensors"),
    ):
        code, _, errors = cli(*command, "-o", tmp_path / "x.safetensors")
        assert code == 1
        assert "space digest differs" in " ".join(errors.split())


@pytest.mark.parametrize("key", ["weight", "sigma", "noise_seed"])
def test_a_changed_lineage_is_refused(copied, cli, tmp_path, key):
    path = copied / "lineage/best.json"
    document = json.loads(path.read_text())
    entry = document["entries"][-1]
    holder = entry if key == "weight" else entry["mutation"]
    holder[key] = holder[key] + 1
    path.write_text(json.dumps(document))
    code, _, errors = cli("export", copied, "best", "-o", tmp_path / "x.safetensors")
    assert code == 1
    assert "lineage digest differs" in " ".join(errors.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody", "-o", "x.safetensors"), "no such member"),
        (("best", "-o", "x.jpg"), ".safetensors"),
        (("best", "-o", "absent/x.safetensors"), "no such directory"),
    ],
)
def test_wrong_usage_is_refused(finished, cli, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, _, errors = cli("export", finished[0], *arguments)
    assert code == 2
    assert words in " ".join(errors.split())


def test_an_existing_file_is_kept_unless_told(finished, cli, tmp_path):
    target = tmp_path / "x.safetensors"
    target.write_text("mine")
    assert cli("export", finished[0], "best", "-o", target)[0] == 2
    assert target.read_text() == "mine"
    assert cli("export", finished[0], "best", "-o", target, "--overwrite")[0] == 0


def test_show_and_report(finished, cli):
    out, result = finished
    code, printed, _ = cli("show", out)
    assert code == 0
    assert members(result)[0] in printed
    (out / "report.html").unlink()
    assert cli("report", out)[0] == 0
    assert "<svg" in (out / "report.html").read_text()


def test_show_names_what_is_no_run(cli, tmp_path):
    code, _, errors = cli("show", tmp_path)
    assert code == 2
    assert "no summary.json" in " ".join(errors.split())
