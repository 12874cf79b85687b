"""What tests of trackers share: a run directory with a finished run in it, and a run's beginning as a request."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from finished_files import config, population, summary

from evoray.runtime.events import RoundDone
from evoray.storage.directory import RunDirectory
from evoray.tracking.base import Beginning

__all__ = ["config", "population", "summary"]

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


@pytest.fixture
def finished(tmp_path, summary, population, config):
    """A run directory with a finished run of three rounds in it."""
    directory = RunDirectory(str(tmp_path / "run"))
    rounds = [RoundDone(number, "child", 8, 0, -1.0, -2.0, 0.5) for number in range(3)]
    directory.write("metrics.jsonl", "".join(json.dumps(one.to_dict()) + "\n" for one in rounds).encode())
    directory.write_json("summary.json", summary)
    directory.write_json("config.json", config)
    directory.write_json("journal/identity.json", {"run_id": "abc", "parent": "p", "space": "s", "data": {}})
    directory.write_table("population.parquet", population)
    for name in ("best", "soup"):
        directory.write_json(f"lineage/{name}.json", {"entries": [name]})
    return directory
