from __future__ import annotations

import copy

import pytest

from evoray.report.brief import WIDTH, brief
from evoray.results.write import RunResult
from evoray.storage.directory import RunDirectory


def test_a_result_is_a_few_lines(summary, population, tmp_path):
    text = repr(RunResult(RunDirectory("runs/first"), summary, population))
    lines = text.splitlines()
    assert lines[0] == "RunResult in runs/first" and len(lines) < 10
    assert max(map(len, lines)) <= WIDTH or lines[-1].count(",") >= 3
    assert summary["verdict"][:40] in text and "on test: parent " in text
    for network in ("best child", "soup", "ensemble"):
        assert network in lines[-1]


@pytest.mark.parametrize("key", ["verdict", "parent", "soup", "ensemble", "best_child", "fitness", "measures"])
@pytest.mark.parametrize("value", [None, 3, {}, "\x1b[31m" * 1000, ...])
def test_whatever_the_summary_says_or_lacks(summary, key, value):
    changed = copy.deepcopy(dict(summary))
    if value is ...:
        changed.pop(key, None)
    else:
        changed[key] = value
    text = brief("somewhere", changed)
    assert text.startswith("RunResult in somewhere") and len(text) < 2000 and "\x1b" not in text


def test_a_figure_has_the_runs_own_name_and_way_to_write_it(summary):
    accuracy = copy.deepcopy(dict(summary)) | {"fitness": "top1"}
    accuracy["parent"]["test"]["top1"] = 0.5
    assert "top-1 accuracy (higher is better) on test: parent 50.00%" in brief("x", accuracy)
