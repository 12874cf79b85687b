"""What a study lacks is named before it begins, all of it at once, each with its file and what to do."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from evoray.errors import UsageError
from evoray.study import cases, check_cases, load_study, unfinished

IMAGENET = Path(__file__).parents[3] / "jobs" / "configs" / "studies" / "imagenet.toml"


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    """No weights, no network, no shards: how often a fetch was tried."""
    tries = []

    def offline(*_, **__):
        tries.append(1)
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "urlopen", offline)
    monkeypatch.chdir(tmp_path)
    return tries


def problems(*overrides, images=False):
    planned = list(cases(load_study(IMAGENET, overrides), IMAGENET.parent))
    with pytest.raises(UsageError) as raised:
        check_cases(planned, images)
    return str(raised.value).splitlines()


def test_every_missing_file_is_named_with_where_it_goes(empty_cache, tmp_path):
    found = problems()
    names = sorted(path.name for path in (IMAGENET.parents[1] / "imagenet").glob("*.toml"))
    assert len(names) == 18
    weights, shards = found[1:19], found[20:]
    for name, line in zip(names, weights, strict=True):
        assert f"{name}: parent.weights" in line and "https://download.pytorch.org/models/" in line
        assert f"{tmp_path}/hub/checkpoints/" in line
    assert "--set run.parent.download=true" in found[19] and "--set run.parent.weights=random" in found[19]
    assert {line.split('"')[1] for line in shards} == {
        f"shards/imagenet-{one}"
        for one in (
            "224-224-bicubic",
            "232-224-bicubic",
            "236-224-bilinear",
            "256-224-bicubic",
            "256-224-bilinear",
            "342-299-bilinear",
        )
    }
    assert all("--images" in line for line in shards)
    assert empty_cache == [], "nothing is downloaded unasked"


def test_what_can_be_done_is_not_complained_of(empty_cache):
    assert len(problems(images=True)) == 1 + 18 + 1
    found = problems("run.parent.weights=random")
    assert len(found) == 1 + 6 and all("no shards there" in line for line in found[1:])
    planned = list(cases(load_study(IMAGENET, ["run.parent.weights=random"]), IMAGENET.parent))
    check_cases(planned, images=True)


def test_without_a_network_one_download_is_tried_and_not_eighteen(empty_cache):
    found = problems("run.parent.download=true", images=True)
    assert len(empty_cache) == 1
    assert "alexnet.toml" in found[1] and "could not be downloaded" in found[1] and "put the file at" in found[1]


def test_a_checkpoint_that_is_not_there_is_named(study_file):
    study = load_study(study_file, ['weights="parents/{parent}-seed{seed}.safetensors"'])
    with pytest.raises(UsageError) as raised:
        check_cases(list(cases(study, study_file.parent)), images=False)
    found = str(raised.value).splitlines()[1:]
    assert len(found) == 4, "two parents at two seeds"
    assert 'cnn.toml: parent.weights = "parents/cnn-seed0.safetensors": no such file' in found[0]


def test_a_study_that_is_finished_needs_nothing(study_file, tmp_path):
    study = load_study(study_file)
    assert [case.name for case in unfinished(study, study_file.parent, str(tmp_path / "out"), "cnn/*")] == [
        "cnn/seed0",
        "cnn/seed1",
    ]
    check_cases([], images=False)
