from __future__ import annotations

import io
import json

import numpy as np
import pytest

from evoray.study.peers import table
from evoray.study.peers.runner import Plan


@pytest.fixture
def finished(plan):
    """Writes outcomes whose losses on ``test`` are the parent's less a share of them; (share, share) by budget."""

    def write(problem, arm, share, setting=None, select=0.5, **more):
        random = np.random.default_rng(7)
        losses = random.uniform(0.5, 1.5, 60)
        shares = share if isinstance(share, tuple) else (share, share)
        values = [losses * (1 - one) + 0.001 * random.standard_normal(60) for one in shares]
        path = plan.path(problem, arm, setting)
        path.parent.mkdir(parents=True, exist_ok=True)
        stored = io.BytesIO()
        np.savez(stored, evaluations=values[0], seconds=values[1])
        path.with_suffix(".npz").write_bytes(stored.getvalue())
        told = {"top1": 0.5, "select": select, "seconds": 2.0, "evaluations": 60}
        answers = {name: told | {"nll": one.mean()} for name, one in zip(table.BUDGETS, values, strict=True)}
        sizes = {"select": 40, "test": 60, "evaluations": 60}
        found = {"arm": arm, "case": problem, "setting": setting, "sizes": sizes, "answers": answers}
        path.write_text(json.dumps(found | more))

    return write


@pytest.fixture
def compared(plan, finished):
    for problem in plan.problems():
        finished(problem, "parent", 0.0)
        finished(problem, "evoray", 0.10, ensemble={"nll": 0.8})
        finished(problem, "own-loop", (0.05, 0.15), setting=0.003, select=0.4)
        finished(problem, "own-loop", 0.5, setting=0.001, select=0.6)
        finished(problem, "evoray-cma-es", 0.09 if problem == "resnet-1" else 0.02)
    return plan


def rows(text, heading):
    block = text.split(f"### {heading}")[1].split("\n\n")[1]
    return {
        line.split(" | ")[0].strip("| "): [c.strip(" |") for c in line.split(" | ")[1:]] for line in block.split("\n")
    }


def test_gains_are_percent_of_the_parents_loss_at_the_setting_that_select_prefers(compared):
    text = table.markdown(table.read_cells(compared), compared)
    equal = rows(text, "Test NLL under the parent's")
    assert equal["**EvoRay, default** (decomposition)"] == ["10.0", "10.0", "10.0"]
    assert equal["loop of one's own, (1+1)"] == ["5.0", "5.0", "5.0"]
    assert rows(text, "The same after the CPU seconds")["loop of one's own, (1+1)"] == ["15.0", "15.0", "15.0"]


def test_who_is_ahead_is_counted_by_budget_and_only_what_is_clear_is_clear(compared):
    text = table.markdown(table.read_cells(compared), compared)
    against = rows(text, "EvoRay's default against each")
    assert against["loop of one's own, (1+1)"] == ["2 of 2", "2", "0", "0 of 2", "0", "2"]
    assert against["EvoRay CMA-ES"] == ["2 of 2", "2", "0", "–", "–", "–"]


def test_a_strategy_stands_where_it_is_near_the_default(compared):
    text = table.markdown(table.read_cells(compared), compared)
    assert rows(text, "Strategies of EvoRay")["EvoRay CMA-ES"] == ["0.90", "resnet-1", "1 of 2"]


def test_what_is_not_there_is_a_dash_and_a_mean_says_of_how_many(compared):
    compared.path("resnet-1", "evoray-cma-es", None).unlink()
    text = table.markdown(table.read_cells(compared), compared)
    assert rows(text, "Test NLL under the parent's")["EvoRay CMA-ES"] == ["2.0", "–", "2.0 of 1"]


def test_tables_are_written_with_every_number(compared):
    path = table.write_tables(compared)
    assert path.read_text() == table.markdown(table.read_cells(compared), compared)
    found = json.loads((compared.out / "peers.json").read_text())
    loop = found["problems"]["resnet-0"]["arms"]["own-loop"]
    assert set(loop["settings"]) == {"0.003", "0.001"} and loop["setting"] == 0.003
    assert loop["default_minus_this"]["evaluations"][0] < 0 < loop["default_minus_this"]["seconds"][0]
    assert str(compared.out) not in (compared.out / "peers.json").read_text()


def test_nothing_finished_is_an_empty_table(plan):
    assert table.read_cells(plan) == {}
    assert "### What it cost" in table.markdown({}, plan)
    assert isinstance(plan, Plan)
