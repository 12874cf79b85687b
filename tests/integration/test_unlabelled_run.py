"""Runs that ask no labels: digits under noise, with their labels and with none, which are all zero then."""

from __future__ import annotations

import numpy as np
import pytest

from evoray.config import parse_config
from evoray.data import ImageTransform
from evoray.data.ready.packaged import PackagedDataset
from evoray.errors import DataError
from evoray.evolution import evolve
from evoray.ingest.ingest import ingest_dataset
from evoray.search.inputs import check_inputs

GREY = ImageTransform(resize=None, crop=None, channels=1)


class Digits(list):
    classes = tuple("0123456789")


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder, every = tmp_path_factory.mktemp("digits"), PackagedDataset("mnist5k")._all
    random = np.random.default_rng(0)
    noisy = np.clip(every.images[::20, 0] + random.normal(0, 90, every.images[::20, 0].shape), 0, 255).astype(np.uint8)
    labels, clean = every.labels[::20], every.images[7::40, 0]
    for name, images, given in (
        ("labelled", noisy, labels),
        ("unlabelled", noisy, np.zeros_like(labels)),
        ("clean", clean, np.zeros(len(clean))),
        ("small", clean[:, :20, :20], np.zeros(len(clean))),
    ):
        digits = Digits((image, int(label)) for image, label in zip(images, given, strict=True))
        ingest_dataset(digits, folder / name, GREY, workers=1, shard_size=80)
    return folder


@pytest.fixture(scope="module")
def config(shards, parent_file):
    def make(data, reference="clean", name="agreement", **more):
        fitness = {"name": name} | ({"reference": str(shards / reference)} if name == "agreement" else {})
        return parse_config(
            {
                "parent": {"source": "module", "name": "evoray.demo:small_cnn", "weights": str(parent_file)},
                "data": {"path": str(shards / data)},
                "fitness": fitness,
                "mutation": {"sigma": "auto", "parts": 2},
                "search": {"children": 8},
                "ensemble": {"size": 2},
                "compute": {"backend": "local", "workers": 1, "threads_per_worker": 1},
                **more,
            }
        )

    return make


@pytest.mark.parametrize("name", ["agreement", "entropy"])
def test_what_is_chosen_does_not_hang_on_labels(config, tmp_path, name):
    """Neither sigma nor best child nor soup; and a run with none says that its top-1 and NLL are worth nothing."""
    runs = {data: evolve(config(data, name=name), tmp_path / data, page=False) for data in ("labelled", "unlabelled")}
    lineages = [sorted((tmp_path / data / "lineage").glob("*.json")) for data in runs]
    assert [one.name for one in lineages[0]] == [one.name for one in lineages[1]]
    assert [one.read_bytes() for one in lineages[0]] == [one.read_bytes() for one in lineages[1]]
    labelled, unlabelled = (run.summary for run in runs.values())
    assert labelled["mutation"]["sigma"] == unlabelled["mutation"]["sigma"]
    assert labelled["best_child"][name] == unlabelled["best_child"][name]
    assert any("asks no labels" in note for note in unlabelled["notes"])
    assert "no better than chance" in unlabelled["verdict"] and "no better than chance" not in labelled["verdict"]


def test_the_best_child_agrees_better_with_clean_digits_than_its_parent(config, tmp_path):
    found = evolve(config("labelled"), tmp_path / "run", page=False).summary
    assert found["best_child"]["agreement"] < found["parent"]["test"]["agreement"]
    assert found["measures"]["agreement"]["higher_is_better"] is False


def test_a_resumed_run_must_find_the_same_clean_records(config, shards):
    identities = [check_inputs(config("labelled", one), None).identity() for one in ("clean", "labelled")]
    assert identities[0]["reference"] != identities[1]["reference"]
    assert "reference" not in check_inputs(config("labelled", name="entropy"), None).identity()


def test_clean_records_of_another_size_are_refused(config):
    for wrong in ("gone", ""):
        with pytest.raises(DataError, match=r"fitness\.reference = '"):
            check_inputs(config("labelled", reference=wrong), None)
    with pytest.raises(DataError, match=r"fitness\.reference = .*small.*\(1, 20, 20\).*Ingest both in the same way"):
        check_inputs(config("labelled", "small"), None)


def test_clean_records_that_are_not_there(config):
    with pytest.raises(DataError, match="nowhere"):
        check_inputs(config("labelled", "nowhere"), None)
