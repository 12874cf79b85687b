"""No two stages of a run share a name, and a run that is stopped inside any of the last ones goes on."""

from __future__ import annotations

from collections import Counter

import pytest
from outputs import FILES, PulledPlug, StopsAfter

from evoray.evolution import evolve
from evoray.runtime.events import StageStarted
from evoray.storage import journal
from evoray.strategies import STRATEGIES


class Stages:
    """The names of a run's stages, and how much of each was left to do."""

    def __init__(self):
        self.seen = []

    def observe(self, event):
        if isinstance(event, StageStarted):
            self.seen.append((event.stage, event.total))


@pytest.mark.parametrize("method", ["greedy", "uniform"])
@pytest.mark.parametrize("strategy", list(STRATEGIES.names))
def test_no_two_stages_share_a_name(small_run, tmp_path, strategy, method):
    config = small_run(
        search__strategy=strategy,
        search__children=4,
        search__generations=1 if strategy == "randopt" else 2,
        mutation__subspace="static" if strategy == "cma-es" else "dynamic",
        mutation__parts=1 if strategy == "randopt" else 10,
        soup__method=method,
        ensemble__method="greedy" if method == "greedy" else "top-k",
        data__select=0.02,
        data__test=0.02,
    )
    stages = Stages()
    evolve(config, tmp_path / "run", page=False, observers=[stages])
    twice = {name for name, count in Counter(name for name, _ in stages.seen).items() if count > 1}
    assert not twice
    assert any(name.startswith("final/") for name, _ in stages.seen)


@pytest.mark.parametrize("method", ["greedy", pytest.param("uniform", marks=pytest.mark.slow)])
def test_a_run_goes_on_inside_its_last_soups(small_run, tmp_path, monkeypatch, method):
    """Fails where a final soup is recorded under the name of the generation's own soups: KeyError on resume."""
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    config = small_run(soup__method=method, data__select=0.02, data__test=0.02, compute__workers=1)
    stages = Stages()
    whole = evolve(config, tmp_path / "whole", page=False, observers=[stages]).directory
    before = sum(total for name, total in stages.seen[: [n.startswith("final/") for n, _ in stages.seen].index(True)])
    last = sum(total for name, total in stages.seen if name.startswith("final/"))
    for unit in sorted({0, 1, last // 2, last - 1, last}):
        out = tmp_path / f"stopped{unit}"
        with pytest.raises(PulledPlug):
            evolve(config, out, page=False, progress=StopsAfter(before + unit))
        resumed = evolve(config, out, page=False, resume=True).directory
        assert {name: resumed.read(name) for name in FILES} == {name: whole.read(name) for name in FILES}
