"""Segmentation, from a folder of images and a folder of masks to a finished run: what every task must hold."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from digits_on_ground import MODELS, drawn, train
from outputs import cut_and_resumed
from PIL import Image
from safetensors.torch import load_file, save_file

from evoray.config import load_config
from evoray.data.splits import SearchClosed, Splits
from evoray.errors import ConfigError, DataError, ModelError
from evoray.evolution import evolve
from evoray.ingest.options import Options
from evoray.ingest.records.ingest import ingest_records, wanted_of
from evoray.runtime.progress import Progress
from evoray.storage import journal

CONFIG = """
[parent]
source = "module"
name = "groundmodels:make"
weights = "parent.safetensors"
[data]
path = "shards"
[task]
name = "segmentation"
[mutation]
parts = 4
[search]
children = 6
generations = 2
[ensemble]
size = 3
[soup]
method = "greedy"
[compute]
backend = "local"
workers = 1
batch_size = 16
"""


def prepared_in(folder, count, steps):
    (folder / "groundmodels.py").write_text(MODELS)
    models: dict = {}
    exec(MODELS, models)
    torch.manual_seed(0)
    network = models["make"]()
    if steps:
        train(network, *drawn(600, seed=1), steps)
    save_file(network.state_dict(), folder / "parent.safetensors")
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for number, (image, mask) in enumerate(zip(*drawn(count), strict=True)):
        Image.fromarray(image).save(folder / f"images/{number}.png")
        Image.fromarray(mask).save(folder / f"masks/{number}.png")
    (folder / "run.toml").write_text(CONFIG)
    options = Options(resize="none", masks=folder / "masks", workers=1, shard_size=40)
    wanted = wanted_of(options, "segmentation", (), ())
    ingest_records(str(folder / "images"), folder / "shards", wanted, Progress(), options)
    return folder / "run.toml"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return prepared_in(tmp_path_factory.mktemp("ground"), 120, 0)


def run(config, out, *changes, resume=False, progress=None, page=False):
    more = {} if progress is None else {"progress": progress}
    return evolve(load_config(config, changes), out, config_dir=config.parent, resume=resume, page=page, **more)


def files_of(result):
    lineages = [f"lineage/{name}" for name in result.directory.names("lineage") if name.endswith(".json")]
    return {name: result.directory.read(name) for name in ("population.parquet", "predictions.parquet", *lineages)}


def test_a_run_and_its_report(config, tmp_path, cli):
    summary = run(config, tmp_path / "run", page=True).summary
    for network in (summary["parent"]["test"], summary["best_child"], summary["soup"]):
        assert {"nll", "miou", "image_iou", "pixel_accuracy"} < set(network)
    assert summary["fitness"] == "nll" and set(summary["rebuilt"].values()) == {"same"}
    assert {one["metric"] for one in summary["comparisons"]} == {"nll", "image_iou"} and "ensemble" not in summary
    page = (tmp_path / "run" / "report.html").read_text()
    for words in ("NLL (nats per pixel)", "mIoU", "Image IoU", "Pixel accuracy", "On the test images"):
        assert words in page, words
    assert "top-1" not in page.lower()
    code, _, said = cli("export", tmp_path / "run", "best", "-o", tmp_path / "best.safetensors")
    assert code == 0, said
    gives_what_is_reported(config, load_file(tmp_path / "best.safetensors"), summary["best_child"])


def gives_what_is_reported(config, weights, reported):
    models: dict = {}
    exec(MODELS, models)
    network = models["make"]()
    network.load_state_dict(weights)
    images, masks = records_of_test(config)
    with torch.inference_mode():
        maps = network(torch.from_numpy(images) / 255)["out"]
        maps = torch.nn.functional.interpolate(maps, size=masks.shape[1:], mode="bilinear")
    answers, known = maps.argmax(1).numpy(), masks != 255
    shares = [
        np.sum((answers == one) & (masks == one)) / np.sum(((answers == one) | (masks == one)) & known)
        for one in np.unique(masks[known])
    ]
    assert reported["miou"] == pytest.approx(np.mean(shares), abs=1e-3)  # a pixel may lie at an edge
    loss = torch.nn.functional.cross_entropy(maps, torch.from_numpy(masks).long(), ignore_index=255, reduction="none")
    assert reported["nll"] == pytest.approx(np.mean(loss.sum((1, 2)).numpy() / known.sum((1, 2))), rel=1e-4)


def records_of_test(config):
    values = load_config(config)
    splits = Splits(values.data, values.seed, config.parent)
    splits.open_test(SearchClosed("test"))
    parts = [(splits.datasets["test"].load(shard), splits.rows["test"][shard]) for shard in splits.shards("test")]
    images, masks = (np.concatenate([shard[name][rows] for shard, rows in parts]) for name in ("image", "mask"))
    return images, masks


def test_stopped_and_resumed_it_ends_in_the_same_bytes(config, tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    whole = run(config, tmp_path / "whole")
    assert files_of(cut_and_resumed(functools.partial(run, config, tmp_path / "cut"), 9)) == files_of(whole)


def test_kept_activations_change_no_bit(config, tmp_path):
    layered = ('mutation.kind="layered"', "search.children=16", "search.generations=1")
    kept = run(config, tmp_path / "kept", *layered, "compute.keep_activations=true")
    whole = run(config, tmp_path / "whole", *layered, "compute.keep_activations=false")
    assert kept.summary["work"]["passes_saved"] > 0 and kept.population.equals(whole.population)


def test_mean_iou_is_a_fitness_and_its_races_are_by_image_iou(config, tmp_path):
    summary = run(config, tmp_path / "run", 'fitness.name="miou"', "search.generations=1").summary
    assert summary["fitness"] == "miou" and set(summary["rebuilt"].values()) == {"same"}
    with pytest.raises(ConfigError, match="'miou' is no mean of images"):
        run(config, tmp_path / "no", 'fitness.name="miou"', "search.racing=true")
    raced = ('fitness.name="image_iou"', "search.racing=true", "search.children=12", "search.generations=1")
    assert run(config, tmp_path / "raced", *raced).summary["racing"]["images"] > 0


PROBABILITIES = MODELS.replace('"out": self.last(found)', '"out": self.last(found).softmax(1)')
FEW = MODELS.replace("nn.Conv2d(16, 11, 3, padding=1)", "nn.Conv2d(16, 4, 3, padding=1)")
CUT = MODELS.replace("nn.Conv2d(16, 11, 3, padding=1)", "nn.Conv2d(16, 11, 3)")


@pytest.mark.parametrize(
    ("models", "match"),
    [
        (PROBABILITIES, "its outputs are probabilities"),
        (FEW, r"4 classes, 0 to 3, and the masks the label \d+"),
        (CUT, "maps of 10x10 for masks of 24x24 pixels"),
    ],
)
def test_networks_that_do_not_fit(config, tmp_path, models, match):
    name = f"groundmodels{len(models)}"
    (config.parent / f"{name}.py").write_text(models)
    with pytest.raises(ModelError, match=match):
        run(config, tmp_path / "run", f'parent.name="{name}:make"', 'parent.weights="random"')
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("key", ["temperature", "keep_logits"])
def test_there_is_no_ensemble(config, tmp_path, key):
    with pytest.raises(ConfigError, match=rf"ensemble\.{key} = true: segmentation makes no ensemble"):
        run(config, tmp_path / "run", f"ensemble.{key}=true")


def test_shards_of_another_task(config, tmp_path):
    with pytest.raises(DataError, match="shards of segmentation, and the run is of image-classification"):
        run(config, tmp_path / "run", 'task.name="image-classification"')


@pytest.mark.slow
def test_on_ray_it_is_the_same(config, tmp_path):
    whole = files_of(run(config, tmp_path / "whole"))
    assert files_of(run(config, tmp_path / "ray", 'compute.backend="ray"', "compute.workers=2")) == whole


@pytest.mark.slow  # trains for some seconds
def test_a_parent_that_was_trained_is_bettered_or_the_run_says_that_it_is_not(tmp_path):
    config = prepared_in(tmp_path, 800, 600)
    summary = run(config, tmp_path / "run", "search.children=32", "search.generations=2").summary
    masks = records_of_test(config)[1]
    ground = np.mean(masks[masks != 255] == 0)  # what the answer "ground" everywhere gets, and its mean IoU over 11
    parent = summary["parent"]["test"]
    assert parent["pixel_accuracy"] > ground and parent["miou"] > 2 * ground / 11
    assert summary["soup"]["nll"] < summary["parent"]["test"]["nll"] or "No improvement" in summary["verdict"]
