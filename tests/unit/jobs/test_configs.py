"""Every configuration that is shipped loads, and names what exists."""

from __future__ import annotations

from pathlib import Path

import pytest
from torchvision import models

from evoray.config import load_config
from evoray.study import cases, load_study

CONFIGS = Path(__file__).parents[3] / "jobs" / "configs"
STUDIES = sorted((CONFIGS / "studies").glob("*.toml"))
RUNS = sorted(set(CONFIGS.rglob("*.toml")) - set(STUDIES))
IMAGENET = sorted((CONFIGS / "imagenet").glob("*.toml"))


@pytest.mark.parametrize("path", RUNS, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_a_run_loads(path):
    config = load_config(path)
    if config.parent.source == "module":
        module, _, function = config.parent.name.partition(":")
        assert module == "evoray.models.small"
        assert hasattr(models, function) or hasattr(__import__(module, fromlist=[function]), function)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_loads_and_all_of_its_runs_can_be_planned(path):
    study = load_study(path)
    planned = [one for case in cases(study, path.parent) for one in (*case.grid(), *case.sweep())]
    runs = {one.directory: one.config for one in planned}
    assert runs
    # a sigma of the sweep may be the grid's as well: then it is one run, of one configuration
    assert all(runs[one.directory] == one.config for one in planned)


def test_imagenets_parents_share_shards_where_their_transforms_are_one():
    assert len(IMAGENET) >= 12
    wanted: dict[str, set[tuple[int, int, str]]] = {}
    for path in IMAGENET:
        config = load_config(path)
        assert config.parent.name == path.stem
        preset = models.get_model_weights(config.parent.name)[config.parent.weights].transforms()
        transform = (preset.resize_size[0], preset.crop_size[0], preset.interpolation.value)
        wanted.setdefault(config.data.path, set()).add(transform)
        assert config.data.path == "shards/imagenet-{}-{}-{}".format(*transform)
    assert all(len(transforms) == 1 for transforms in wanted.values())
