"""What tests of trackers share: a run directory with a finished run in it, and a run's beginning as a request."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from evoray.tracking.base import Beginning

HERE = Path(__file__).parent


@pytest.fixture
def begin(tmp_path):
    """The request with which a run begins, for one of the trackers in ``fakes.py``."""

    def make(tracker, **settings):
        settings = {"directory": str(tmp_path / "out"), "name": "run", "artifacts": "lineage"} | settings
        config = {"mutation.sigma": 0.1, "search.children": 6, "mutation.antithetic": False, "parent.name": "cnn"}
        beginning = Beginning("abc", str(tmp_path / "run"), config, settings)
        name = tracker if ":" in tracker or tracker.islower() else f"fakes:{tracker}"
        return {"kind": "begin", "tracker": name, "config_dir": str(HERE), "beginning": asdict(beginning)}

    return make


@pytest.fixture
def told(tmp_path):
    """What a tracker of ``fakes.py`` wrote down."""
    return lambda: [json.loads(line) for line in (tmp_path / "out" / "told").read_text().splitlines()]
