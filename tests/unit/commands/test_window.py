from __future__ import annotations

import json

import pytest

from evoray.errors import UsageError
from evoray.search import window as module

CELL = {"sigma": 0.1, "density": 0.5, "mean": 0.8, "std": 0.01, "best": 0.85, "worst": 0.7, "share_better": 0.25}
DRAWN = {"parent": {"n": 100, "top1": 0.9}, "cells": [CELL], "widest": []}


@pytest.fixture
def swept(monkeypatch):
    asked = []

    def window(config, out, **options):
        asked.append((config, out, options))
        return dict(DRAWN)

    monkeypatch.setattr(module, "window", window)
    return asked


def test_every_option_arrives(evoray, swept, config_file):
    words = ("--sigmas", "0.05, 0.1 0.2", "--densities", "1,.5", "--children", 3, "--images", 50, "--share", 0.9)
    evoray("window", config_file, *words, "--out", "some/where", "--set", "seed=9", "--json")
    ((config, out, options),) = swept
    assert (config.seed, out) == (9, "some/where")
    assert (options["sigmas"], options["densities"]) == ((0.05, 0.1, 0.2), (1.0, 0.5))
    assert (options["children"], options["images"], options["share"]) == (3, 50, 0.9)
    assert options["config_dir"] == config_file.parent.resolve()


def test_without_options_the_grid_is_the_librarys(evoray, swept, config_file):
    found = json.loads(evoray("window", config_file, "--json"))
    ((_, out, options),) = swept
    assert (out, found["directory"]) == ("runs/mine-window", "runs/mine-window")
    assert (options["sigmas"], options["densities"]) == (module.SIGMAS, module.DENSITIES)
    assert (options["children"], options["images"], options["share"]) == (12, None, 0.95)
    assert found["cells"] == [CELL]


def test_the_table_and_the_pictures_place_are_printed(evoray, swept, config_file):
    shown = evoray("window", config_file)
    for words in ("the parent has 90.00%", "80.00%", "picture: runs/mine-window/window.svg"):
        assert words in shown


@pytest.mark.parametrize("option", ["--sigmas", "--densities"])
def test_what_is_no_number_is_named(option, evoray, swept, config_file):
    with pytest.raises(UsageError, match=rf"{option} 0\.1,x: write numbers with commas"):
        evoray("window", config_file, option, "0.1,x")
    evoray("window", config_file, "--children", 1, code=2)
    assert swept == []
