"""The shape of a run's documents: what is read is checked, what is not may be anything."""

from __future__ import annotations

import copy

import pyarrow as pa
import pytest
from finished_files import config, population, summary

from evoray.errors import UsageError
from evoray.storage.documents import MODELS, check_document, check_table

__all__ = ["config", "population", "summary"]


def test_what_a_run_wrote_is_handed_on_as_it_is(summary, config, population):
    before = copy.deepcopy(summary)
    assert check_document("summary.json", summary, "it") is summary and summary == before
    assert check_document("config.json", config, "it") is config
    assert check_table("population.parquet", population, "it") is population


@pytest.mark.parametrize("value", [{}, {"more": {"of": ["another", "version"]}}, {"parent": {"test": {"auroc": 0.5}}}])
def test_keys_of_other_versions_and_tasks_are_let_through(value):
    for name in MODELS:
        if name not in ("journal/identity.json", "config.json"):
            assert check_document(name, value, "it") == value
    assert check_document("unknown.json", [1], "it") == [1]


@pytest.mark.parametrize(
    ("name", "value", "where"),
    [
        ("summary.json", [], "the document"),
        ("summary.json", {"verdict": 3}, "verdict"),
        ("summary.json", {"verdict": "x" * 20_000}, "verdict"),
        ("summary.json", {"parent": {"test": {"nll": "0.5"}}}, "parent.test.nll"),
        ("summary.json", {"parent": {"test": {"nll": True}}}, "parent.test.nll"),
        ("summary.json", {"parent": 3}, "parent"),
        ("summary.json", {"ensemble": {"members": {}}}, "ensemble.members"),
        ("summary.json", {"work": {"stages": {"child": "x"}}}, "work.stages.child"),
        ("summary.json", {"soup_recalibrated": {}}, "soup_recalibrated.buffers_sha256"),
        ("summary.json", {"splits": {"select": {}}}, "splits.select"),
        ("config.json", {"parent": {}, "mutation": "partition"}, "mutation"),
        ("config.json", {}, "parent"),
        ("config.json", 7, "the document"),
        ("journal/identity.json", {}, "run_id"),
        ("journal/identity.json", {"run_id": 3}, "run_id"),
        ("journal/identity.json", {"run_id": "x", "parent": "p", "space": "s", "data": {"select": 1}}, "data.select"),
        ("window.json", {"cells": [{"density": 0}]}, "cells.0.density"),
        ("window.json", {"cells": [{"sigma": -1.0}]}, "cells.0.sigma"),
        ("window.json", {"widest": [{}]}, "widest.0.density"),
    ],
)
def test_a_value_of_another_kind_is_named_with_what_to_do(name, value, where):
    with pytest.raises(
        UsageError, match=rf"^here/it: damaged \({where}( =|:| is) .*\)\. Take the file as the run wrote it"
    ):
        check_document(name, value, "here/it")


def test_a_population_of_other_kinds_is_named(population):
    wrong = population.set_column(0, "child_id", pa.array([None] * population.num_rows, pa.string()))
    with pytest.raises(UsageError, match=r"^it: damaged .*child_id has empty cells"):
        check_table("population.parquet", wrong, "it")
