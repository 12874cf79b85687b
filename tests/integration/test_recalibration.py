"""``soup.recalibrate``: the soup with BatchNorm statistics of its own, beside the soup."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from outputs import FILES, PulledPlug, StopsAfter
from torch import nn
from torch.optim.swa_utils import update_bn

from evoray.config import parse_config
from evoray.data import open_dataset
from evoray.errors import LineageError
from evoray.evolution import evolve
from evoray.models import batchnorm_layers, measured, read_state, statistics_of, with_buffers
from evoray.models.small import cnn
from evoray.results.export import export_member
from evoray.storage import journal
from evoray.storage.directory import RunDirectory


def config(**search):
    return parse_config(
        {
            "seed": 3,
            "parent": {"source": "module", "name": "evoray.models.small:cnn", "weights": "random"},
            "data": {"path": "mnist5k", "select": 0.05, "test": 0.05},
            "search": {"children": 6, **search},
            "soup": {"recalibrate": True},
            "ensemble": {"size": 2},
            "compute": {"backend": "local", "workers": 1, "threads_per_worker": 1},
        }
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return evolve(config(), tmp_path_factory.mktemp("recalibrated") / "run")


def network(seed=0):
    torch.manual_seed(seed)
    return cnn().model.eval()


def test_one_batch_gives_what_torch_gives():
    model, images = network(), torch.randn(64, 1, 28, 28)
    before = {name: values.clone() for name, values in model.named_buffers()}
    with measured(model) as moments, torch.no_grad():
        model(images)
    assert all(torch.equal(values, before[name]) for name, values in model.named_buffers())
    found = statistics_of({name: one.num_features for name, one in batchnorm_layers(model).items()}, moments.row())
    reference = network()
    update_bn([images], reference)
    own = dict(reference.named_buffers())
    assert found.keys() == {name for name in own if not name.endswith("num_batches_tracked")}
    for name, values in found.items():
        np.testing.assert_allclose(values, own[name].numpy(), rtol=1e-4, atol=1e-6)


def test_moments_of_batches_add_up_to_those_of_all_images():
    """In the first layer, whose input no statistics have touched."""
    model, batches = network(), torch.randn(5, 32, 1, 28, 28)
    with measured(model) as moments, torch.no_grad():
        for batch in batches:
            model(batch)
    found = statistics_of({name: one.num_features for name, one in batchnorm_layers(model).items()}, moments.row())
    first = next(one for one in model.modules() if isinstance(one, nn.Conv2d))
    seen = first(batches.flatten(0, 1)).detach().double()
    name = next(iter(batchnorm_layers(model)))
    np.testing.assert_allclose(found[f"{name}.running_mean"], seen.mean((0, 2, 3)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[f"{name}.running_var"], seen.var((0, 2, 3), unbiased=True), rtol=1e-5)


def test_buffers_are_put_back():
    model = network()
    name = f"{next(iter(batchnorm_layers(model)))}.running_mean"
    before = dict(model.named_buffers())[name].clone()
    with with_buffers(model, {name: np.ones(16, np.float32)}):
        assert (dict(model.named_buffers())[name] == 1).all()
    assert torch.equal(dict(model.named_buffers())[name], before)


def test_what_is_exported_is_what_was_measured(finished, tmp_path):
    told = finished.summary["soup_recalibrated"]
    written = export_member(finished.directory, "soup_recalibrated", tmp_path / "own.safetensors", None)
    soup = export_member(finished.directory, "soup", tmp_path / "soup.safetensors", None)
    assert written != soup
    data, told_of = open_dataset("mnist5k"), finished.directory.read_table("predictions.parquet")
    images = np.concatenate([data.load(shard).images for shard in range(len(data.shard_rows))])[told_of["index"]]
    parent = cnn().preprocessing
    batch = (torch.from_numpy(images).float() / 255 - parent.mean[0]) / parent.std[0]
    truth = torch.tensor(told_of["label"].to_pylist())
    for name, expected in (("own", told["nll"]), ("soup", finished.summary["soup"]["nll"])):
        model = cnn().model.eval()
        model.load_state_dict(read_state(tmp_path / f"{name}.safetensors"))
        with torch.no_grad():
            assert float(nn.functional.cross_entropy(model(batch).double(), truth)) == pytest.approx(expected, rel=1e-5)


def test_it_is_compared_like_the_others(finished):
    found = {(one["name"], one["metric"]) for one in finished.summary["comparisons"]}
    assert {("soup_recalibrated", "nll"), ("soup_recalibrated", "top1")} <= found
    assert finished.summary["soup_recalibrated"]["layers"] == 3
    assert "Soup, recalibrated" in finished.directory.read("report.html").decode()


@pytest.mark.parametrize("backend", ["local", pytest.param("ray", marks=pytest.mark.slow)])
def test_stopped_and_on_any_backend_the_same_bytes(finished, tmp_path, monkeypatch, backend):
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    other = config().model_copy(update={"compute": config().compute.model_copy(update={"backend": backend})})
    with pytest.raises(PulledPlug):
        evolve(other, tmp_path / "run", progress=StopsAfter(7 * 5 + 2))
    resumed = evolve(other, tmp_path / "run", resume=True, page=False)
    for name in (*FILES, "lineage/soup_recalibrated.safetensors"):
        assert resumed.directory.read(name) == finished.directory.read(name), name


def test_a_flipped_byte_is_refused(finished, tmp_path):
    copy = RunDirectory(str(tmp_path / "copy"))
    for name in ("summary.json", "space.json", "parent.safetensors", "lineage/soup.json"):
        copy.write(name, finished.directory.read(name))
    content = bytearray(finished.directory.read("lineage/soup_recalibrated.safetensors"))
    content[-1] ^= 1
    copy.write("lineage/soup_recalibrated.safetensors", bytes(content))
    with pytest.raises(LineageError, match="damaged"):
        export_member(copy, "soup_recalibrated", tmp_path / "x.safetensors", None)


def test_without_batchnorm_nothing_is_done(tmp_path, parent_file):
    values = config().model_dump()
    values["parent"] |= {"name": "evoray.demo:small_cnn", "weights": str(parent_file)}
    result = evolve(parse_config(values), tmp_path / "run", page=False)
    assert "soup_recalibrated" not in result.summary
