"""Runs of networks that onnxruntime runs: images, texts and numbers; resumed, exported and rebuilt to the bit."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tiny_language
import tiny_onnx
import torch
from outputs import PulledPlug, StopsAfter, bytes_of

from evoray.config import load_config
from evoray.data.splits import SearchClosed, Splits
from evoray.errors import ConfigError, ModelError
from evoray.evolution import evolve
from evoray.ingest.options import Options
from evoray.ingest.records.ingest import ingest_records, wanted_of
from evoray.models.onnx.file import read_onnx, with_integers
from evoray.runtime.progress import Progress
from evoray.storage import journal

CONFIG = """
[parent]
source = "onnx"
name = "net.onnx"
[data]
path = "{data}"
[task]
name = "{task}"
[mutation]
parts = 2
sigma = 0.2
[search]
children = 6
generations = 2
[ensemble]
size = 2
[compute]
backend = "local"
workers = 1
batch_size = 16
"""
INTEGERS = {"parent__integers": '"rounded"', "mutation__sigma": 0.05}
IMAGES = f"mock:images=96,size={tiny_onnx.SIDE},classes={tiny_onnx.CLASSES},channels=1,shard_size=32"


def run_file(folder, made, data="shards", task="image-classification"):
    tiny_onnx.saved(folder / "net.onnx", made)
    path = folder / "run.toml"
    path.write_text(CONFIG.format(data=data, task=task))
    return path


def run(config, out, **overrides):
    values = [f"{key.replace('__', '.')}={value}" for key, value in overrides.items()]
    return evolve(load_config(config, values), out, config_dir=config.parent, page=False)


@pytest.fixture(scope="module")
def quantized(tmp_path_factory):
    return run_file(tmp_path_factory.mktemp("onnx"), tiny_onnx.quantized(), IMAGES)


@pytest.fixture(scope="module")
def finished(quantized, tmp_path_factory):
    return run(quantized, tmp_path_factory.mktemp("finished") / "run")


def test_a_run_of_images(finished):
    summary = finished.summary
    assert set(summary["rebuilt"].values()) == {"same"} and summary["ensemble"]["members"]
    assert any("run by onnxruntime" in one for one in summary["notes"])
    assert summary["parent"]["test"]["nll"] != summary["best_child"]["nll"]


def test_its_exports_are_files_that_answer_alone(finished, quantized, cli, tmp_path):
    """The soup's scores are those of its file in onnxruntime alone."""
    where = str(finished.directory.location)
    code, _, said = cli("export", where, "soup", "-o", tmp_path / "soup.onnx")
    assert code == 0, said
    splits = Splits(load_config(quantized).data, 0, quantized.parent)
    splits.open_test(SearchClosed("run"))
    logits, labels = [], []
    for shard in splits.shards("test"):
        records, rows = splits.datasets["test"].load(shard), splits.rows["test"][shard]
        image = records.images[rows].astype(np.float32) / 255
        logits.append(tiny_onnx.run_alone(tmp_path / "soup.onnx", image=image))
        labels.append(records.labels[rows])
    logits, labels = np.concatenate(logits).astype(np.float64), np.concatenate(labels)
    nll = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels]
    assert nll.mean() == pytest.approx(finished.summary["soup"]["nll"], rel=1e-7)
    lineage, parent = f"{where}/lineage/soup.json", quantized.parent / "net.onnx"
    code, _, said = cli("rebuild", lineage, parent, "-o", tmp_path / "again.onnx")
    assert code == 0, said
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "soup.onnx").read_bytes()
    assert cli("export", where, "best", "-o", tmp_path / "best.safetensors")[0] == 0


@pytest.mark.parametrize("after", [3, 14])
def test_stopped_and_resumed_it_ends_in_the_same_bytes(finished, quantized, tmp_path, monkeypatch, after):
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    config, folder = load_config(quantized), quantized.parent
    with pytest.raises(PulledPlug):
        evolve(config, tmp_path / "cut", config_dir=folder, progress=StopsAfter(after))
    resumed = evolve(config, tmp_path / "cut", config_dir=folder, resume=True, page=False)
    assert bytes_of(resumed.directory) == bytes_of(finished.directory)


@pytest.mark.parametrize("how", [{}, {"masked": False}, {"segments": True}, {"length": 16}])
def test_a_run_of_texts(tmp_path, how):
    """Padding changes nothing: hidden by the graph's mask, or each text by itself where it has none."""
    config = run_file(tmp_path, tiny_onnx.texts(**how), task="text-classification")
    tiny_language.tokenizer(tmp_path)
    wanted = wanted_of(Options(config=config, shard_size=16), None, (), ())
    ingest_records(str(tiny_language.table(tmp_path / "t.jsonl", 40)), tmp_path / "shards", wanted, Progress())
    summary = run(config, tmp_path / "one").summary
    assert set(summary["rebuilt"].values()) == {"same"}
    other = run(config, tmp_path / "other", compute__batch_size=3).summary
    assert other["parent"]["test"]["nll"] == pytest.approx(summary["parent"]["test"]["nll"], rel=1e-5)


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_run_of_numbers(tmp_path, outputs):
    config = run_file(tmp_path, tiny_onnx.numbers_in(outputs), task="regression")
    random = np.random.default_rng(0)
    columns = ["a", "b", "c", "d", *("y", "z")[:outputs]]
    rows = [",".join(columns), *(",".join(f"{one:.4f}" for one in random.normal(size=len(columns))) for _ in range(60))]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    wanted = wanted_of(Options(config=config, shard_size=16), None, ("a", "b", "c", "d"), tuple(columns[4:]))
    ingest_records(str(tmp_path / "t.csv"), tmp_path / "shards", wanted, Progress())
    summary = run(config, tmp_path / "run").summary
    assert set(summary["rebuilt"].values()) == {"same"} and summary["parent"]["test"]["mse"] > 0


def test_layers_are_in_the_order_of_the_graph(quantized, tmp_path):
    layered = {"mutation__kind": '"layered"', "mutation__blocks": 4, "search__children": 4}
    result = run(quantized, tmp_path / "run", **layered)
    assert set(result.summary["rebuilt"].values()) == {"same"}
    space = json.loads(result.directory.read("space.json"))
    first, last = (space["tensors"][space["depth"][at]]["name"] for at in (0, -1))
    assert (first, last) == ("image.scale", "logits.scale")


@pytest.mark.parametrize("how", [{"rows": 8}, {"last": ("Softmax",)}, {"dtype": np.float16}])
def test_graphs_that_people_bring(tmp_path, how):
    """So many records a pass, with a softmax, in half precision."""
    summary = run(run_file(tmp_path, tiny_onnx.images(**how), IMAGES), tmp_path / "run").summary
    assert set(summary["rebuilt"].values()) == {"same"}
    assert not any("compute.dtype" in one for one in summary["notes"])


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (tiny_onnx.images(side=28), r"takes image float32 \[\?, 1, 28, 28\], and the data gives \[2, 1, 12, 12\]"),
        (tiny_onnx.images(channels=3), r"takes image float32 \[\?, 3, 12, 12\]"),
        (tiny_onnx.texts(), "takes input_ids.*attention_mask"),
    ],
)
def test_graphs_of_other_data_are_refused_before_the_run(tmp_path, made, said):
    with pytest.raises(ModelError, match=said):
        run(run_file(tmp_path, made, IMAGES), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def whole_steps(quantized, tmp_path_factory):
    return run(quantized, tmp_path_factory.mktemp("integers") / "run", **INTEGERS)


def test_a_run_of_integer_weights(whole_steps, quantized, cli, tmp_path, monkeypatch):
    """Resumed it ends in the same bytes; its soup is a file of int8, and the same again from its lineage."""
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    config = load_config(quantized, [f"{key.replace('__', '.')}={one}" for key, one in INTEGERS.items()])
    assert set(whole_steps.summary["rebuilt"].values()) == {"same"}
    assert json.loads(whole_steps.directory.read("space.json"))["format"] == 4
    assert any("integer weights too, by whole steps" in one for one in whole_steps.summary["notes"])
    with pytest.raises(PulledPlug):
        evolve(config, tmp_path / "cut", config_dir=quantized.parent, progress=StopsAfter(9))
    resumed = evolve(config, tmp_path / "cut", config_dir=quantized.parent, resume=True, page=False)
    assert bytes_of(resumed.directory) == bytes_of(whole_steps.directory)
    where, parent = str(whole_steps.directory.location), quantized.parent / "net.onnx"
    for member in ("best", "soup"):
        code, _, said = cli("export", where, member, "-o", tmp_path / f"{member}.onnx")
        assert code == 0, said
        code, _, said = cli("rebuild", f"{where}/lineage/{member}.json", parent, "-o", tmp_path / f"{member}2.onnx")
        assert code == 0, said
        assert (tmp_path / f"{member}2.onnx").read_bytes() == (tmp_path / f"{member}.onnx").read_bytes()
    before, after = (with_integers(read_onnx(path)) for path in (parent, tmp_path / "best.onnx"))
    changed = (after["head.weight"].int() - before["head.weight"].int()).abs()
    assert after["head.weight"].dtype == torch.int8 and changed.any()


@pytest.mark.parametrize(
    ("made", "said"), [(tiny_onnx.images(), "has no int8 or uint8 weights"), (tiny_onnx.numbers_in(), "Leave it out")]
)
def test_integer_weights_that_are_not_there(tmp_path, made, said):
    with pytest.raises(ConfigError, match=said):
        run(run_file(tmp_path, made, IMAGES), tmp_path / "run", **INTEGERS)


@pytest.mark.slow
def test_on_ray_integer_weights_are_the_same(whole_steps, quantized, tmp_path):
    ray = run(quantized, tmp_path / "ray", compute__backend='"ray"', compute__workers=2, **INTEGERS)
    assert ray.population.equals(whole_steps.population)
    assert ray.summary["soup"] == whole_steps.summary["soup"]


@pytest.mark.slow
def test_on_ray_it_is_the_same(finished, quantized, tmp_path):
    ray = run(quantized, tmp_path / "ray", compute__backend='"ray"', compute__workers=2)
    assert ray.population.equals(finished.population)
    assert ray.summary["soup"] == finished.summary["soup"]
