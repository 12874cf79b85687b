from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from evoray.data import open_dataset
from evoray.errors import ConfigError
from evoray.runtime.progress import Progress
from evoray.study import cases, ingest_missing, load_study
from evoray.study.images import local_shards

RUN = """
[parent]
name = "{name}"
weights = "random"
[data]
path = "{path}"
"""


@pytest.fixture
def photographs(tmp_path):
    """Four images of two classes, 40 to 60 pixels a side."""
    random = np.random.default_rng(0)
    for number in range(4):
        folder = tmp_path / "photographs" / f"class{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(256, size=(40 + 5 * number, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "photographs"


@pytest.fixture
def study_of(tmp_path, monkeypatch):
    """The cases of a study over parents, each with its data.path."""
    monkeypatch.chdir(tmp_path)

    def make(**parents):
        (tmp_path / "parents").mkdir(exist_ok=True)
        for name, path in parents.items():
            (tmp_path / "parents" / f"{name}.toml").write_text(RUN.format(name=name, path=path))
        path = tmp_path / "study.toml"
        path.write_text(
            'title = "S"\nparents = ["parents/*.toml"]\n'
            "[[sparse]]\nparts = 10\nsigma = [0.1]\n[dense]\nsigma = [0.01]\n"
        )
        return list(cases(load_study(path), tmp_path))

    return make


def test_parents_of_one_transform_share_shards_and_others_have_their_own(study_of, photographs, tmp_path):
    study = study_of(resnet18="shards/a", alexnet="shards/a", efficientnet_b0="shards/b", vit_b_16="mock:images=4")
    ingest_missing(study, str(photographs), Progress())
    transforms = {name: open_dataset(f"shards/{name}").manifest.transform for name in "ab"}
    assert (transforms["a"].interpolation, transforms["b"].interpolation) == ("bilinear", "bicubic")
    stamps = [path.stat().st_mtime_ns for path in sorted((tmp_path / "shards").rglob("*.json"))]
    ingest_missing(study, "nowhere", Progress())  # nothing is missing, so nothing is looked at
    assert [path.stat().st_mtime_ns for path in sorted((tmp_path / "shards").rglob("*.json"))] == stamps


def test_one_directory_for_two_transforms_is_refused(study_of, photographs, tmp_path):
    study = study_of(resnet18="shards/a", efficientnet_b0="shards/a")
    with pytest.raises(ConfigError, match="needs other images"):
        ingest_missing(study, str(photographs), Progress())
    assert not (tmp_path / "shards").exists()


def test_only_directories_of_this_machine_are_made(study_of, tmp_path):
    study = study_of(**{"a": "shards/one", "b": "mock:images=4", "c": "mnist5k", "d": "s3://bucket/shards"})
    assert [str(path) for path in local_shards(list(study))] == ["shards/one"]
