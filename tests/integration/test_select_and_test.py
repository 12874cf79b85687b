"""``test`` is opened once, when the last child is judged; constraints and other fitnesses through a whole run."""

from __future__ import annotations

import pytest

from evoray.backends.local import LocalBackend
from evoray.data.splits import SearchClosed
from evoray.errors import RunError
from evoray.evaluation.units.children import ChildrenUnit
from evoray.evolution import evolve
from evoray.results.panel import Panel
from evoray.runtime.progress import Progress
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
    summary = result.summary
    assert summary["fitness"] == next(iter(summary["measures"])) == name
    sign = 1 if summary["measures"][name]["higher_is_better"] else -1
    assert values[0] * sign > 0
    for figures in (*summary["parent"].values(), *(summary[one] for one in ("best_child", "soup", "ensemble"))):
        assert 0 < figures[name] < 1
    assert summary["comparisons"][0]["metric"] == "fitness" and "fitness" not in summary["verdict"]
    assert summary["classes"] == {"data": 10, "outputs": 10, "data_classes": None, "how": "by number"}
    assert summary["notes"] == [summary["notes"][0]] and summary["warnings"] == []


class Notes(Progress):
    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)


ONE_NUMBER = """
def right(logits, labels):
    return (logits.argmax(1) == labels).float().mean()
"""


def test_what_a_guessing_parent_and_a_fitness_of_one_number_mean_is_said_and_recorded(small_run, tmp_path):
    (tmp_path / "one_number.py").write_text(ONE_NUMBER)
    parent = {"source": "module", "name": "evoray.models.small:cnn", "weights": "random"}
    config = small_run(fitness__name="one_number:right", data__select=0.05, data__test=0.05)
    values = {**config.model_dump(), "parent": parent}
    told = Notes()
    result = evolve(values, tmp_path / "run", config_dir=tmp_path, page=False, progress=told)
    averaged = "'one_number:right' gives one number for many images"
    (first, few, on_all) = (
        next(i for i, one in enumerate(told.said) if words in one)
        for words in (averaged, "images of select: top-1", "the parent on all 210 images of select: right 0.")
    )
    assert first < few < told.said.index("starting the local backend") < on_all
    notes, summary = result.summary["notes"], result.summary
    assert len(notes) == 2 and averaged in notes[1]
    (warning,) = summary["warnings"]
    assert summary["verdict"].endswith(warning) and "no better than chance on these 210 images" in warning
    assert 0 <= summary["parent"]["test"]["one_number:right"] < 0.3
