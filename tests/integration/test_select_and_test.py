"""``test`` is opened once, when the last child is judged; constraints and other fitnesses through a whole run."""

from __future__ import annotations

import pytest

from evoray.backends.local import LocalBackend
from evoray.data.splits import SearchClosed
from evoray.errors import RunError
from evoray.evaluation.units.children import ChildrenUnit
from evoray.evolution import evolve
from evoray.results.panel import Panel
from evoray.search.inputs import check_inputs
from evoray.search.population import Population
from evoray.search.session import Session
from evoray.search.workers import open_workers


def test_a_worker_cannot_read_test_before_the_end(small_run):
    inputs = check_inputs(small_run(compute__workers=1), None)
    backend, _ = open_workers(inputs)
    try:
        assert isinstance(backend, LocalBackend)
        (evaluator,) = backend._states
        with pytest.raises(RunError, match="before the search was over"):
            evaluator.prepared("test", 0)
        with pytest.raises(RunError, match="before the search was over"):
            inputs.splits.shards("test")
    finally:
        backend.close()


def test_a_warm_worker_cannot_read_test_in_its_next_run(small_run):
    backend, _ = open_workers(check_inputs(small_run(compute__workers=1), None))
    try:
        (evaluator,) = backend._states
        with evaluator.splits.opened(SearchClosed("run")):
            shard = evaluator.splits.shards("test")[0]
            evaluator.prepared("test", shard)
        with pytest.raises(RunError, match="before the search was over"):
            evaluator.prepared("test", shard)
    finally:
        backend.close()


def test_nothing_reads_test_while_children_are_evaluated(small_run, tmp_path, monkeypatch):
    """Every reading of every worker, in order: select, then one closing, then test."""
    seen = []
    run, close = ChildrenUnit.run, Session.close_search
    monkeypatch.setattr(ChildrenUnit, "run", lambda unit, evaluator: (seen.append(unit.split), run(unit, evaluator))[1])
    monkeypatch.setattr(Session, "close_search", lambda session: (seen.append("closed"), close(session))[1])
    evolve(small_run(), tmp_path / "run", page=False)
    end = seen.index("closed")
    assert set(seen[:end]) == {"select"}
    assert seen.count("closed") == 1
    assert "select" not in seen[end:]


def test_no_child_is_evaluated_once_test_is_open(small_run, tmp_path, monkeypatch):
    evaluate, figures, kept = Population.evaluate, Panel.figures, []

    def remember(population, asked, key=None):
        kept.append((population, asked))
        return evaluate(population, asked, key)

    def greedy(panel, name):
        evaluate(*kept[0])
        return figures(panel, name)

    monkeypatch.setattr(Population, "evaluate", remember)
    monkeypatch.setattr(Panel, "figures", greedy)
    with pytest.raises(RunError, match="after the search was over"):
        evolve(small_run(), tmp_path / "run", page=False)


def test_who_breaks_a_constraint_ranks_last(small_run, tmp_path):
    bound = "nll <= parent - 0.001"
    result = evolve(small_run(search__children=20, fitness__constraints=(bound,)), tmp_path / "run", page=False)
    rows = result.population.to_pylist()
    broke = [row for row in rows if row["status"].startswith(f"breaks {bound}")]
    kept = [row for row in rows if row["status"] == "ok"]
    assert broke and kept and len(broke) + len(kept) == 20
    assert max(row["rank"] for row in kept) < min(row["rank"] for row in broke)
    parent = result.summary["parent"]["select"]["nll"]
    assert all(row["select_nll"] <= parent - 0.001 for row in kept)
    assert all(row["select_nll"] > parent - 0.001 for row in broke)


@pytest.mark.parametrize("name", ["macro-f1", "worst-class", "brier"])
def test_fitnesses_that_are_no_loss_of_the_network(small_run, tmp_path, name):
    result = evolve(small_run(fitness__name=name), tmp_path / "run", page=False)
    ranked = sorted(result.population.to_pylist(), key=lambda row: row["rank"])
    values = [row["select_fitness"] for row in ranked]
    assert values == sorted(values, reverse=True)
    assert result.summary["fitness"] == name
