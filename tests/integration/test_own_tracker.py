"""A tracker from outside the package: one file, one method, told what happens; and it cannot stop a run."""

from __future__ import annotations

import json
import sys

import pytest

from evoray.evolution import evolve
from evoray.runtime.importing import import_function

TRACKER = '''
import json

class Tracker:
    """Writes a line an event."""

    def __init__(self, path, breaks=False):
        self.path, self.breaks = path, breaks

    def observe(self, event):
        with open(self.path, "a") as file:
            file.write(json.dumps([type(event).__name__, str(event)]) + "\\n")
        if self.breaks:
            raise OSError("the tracking server is away")
'''


@pytest.fixture
def tracker(tmp_path, monkeypatch):
    (tmp_path / "users_tracker.py").write_text(TRACKER)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield import_function("users_tracker:Tracker", tmp_path)
    sys.modules.pop("users_tracker", None)


def names(path):
    return [json.loads(line)[0] for line in path.read_text().splitlines()]


@pytest.mark.parametrize("breaks", [False, True])
def test_it_is_told_everything_in_order_and_the_run_ends_the_same(small_run, tmp_path, tracker, breaks):
    config = small_run(search__generations=2, data__select=0.05, data__test=0.05)
    result = evolve(config, tmp_path / "run", page=False, observers=[tracker(tmp_path / "events", breaks)])
    seen = [name for name in names(tmp_path / "events") if name not in ("Noted", "StageProgress")]
    assert (seen[0], seen[-1]) == ("RunStarted", "RunEnded")
    lines = [json.loads(line) for line in result.directory.read("metrics.jsonl").splitlines()]
    assert seen.count("RoundDone") == len(lines) == 4, "children and soups of two generations"
    assert seen.index("WorkersChanged") < seen.index("RoundDone")
    assert seen.index("StageStarted") < seen.index("RoundDone")
    assert result.summary["verdict"] in (tmp_path / "events").read_text().splitlines()[-1]


def test_a_run_that_fails_says_so_in_its_last_event(small_run, tmp_path, tracker):
    source = """
def broken(logits, labels):
    if len(labels) < 8:  # as it is given groups of images at the end alone
        raise ValueError('no such class')
    return logits.gather(1, labels[:, None])[:, 0]
"""
    (tmp_path / "users_fitness.py").write_text(source)
    with pytest.raises(Exception, match="no such class"):
        evolve(
            small_run(fitness__name="users_fitness:broken", data__select=0.1, data__test=0.1),
            tmp_path / "run",
            config_dir=tmp_path,
            observers=[tracker(tmp_path / "events")],
        )
    last = (tmp_path / "events").read_text().splitlines()[-1]
    assert json.loads(last)[0] == "RunEnded"
    assert "no such class" in last
