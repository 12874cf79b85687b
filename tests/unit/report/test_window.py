from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from evoray.errors import UsageError
from evoray.report.measures import ShownMeasure
from evoray.report.window import picture, window_figure, window_grid


def cell(sigma, parts, mean):
    return {
        "sigma": sigma,
        "density": 1 / parts,
        "parts": parts,
        "children": 4,
        "mean": mean,
        "std": 0.01,
        "best": mean + 0.02,
        "worst": mean - 0.03,
        "median": mean,
        "share_better": 0.25,
        "nll": None,
    }


@pytest.fixture
def document():
    return {
        "format": 1,
        "metric": "top1",
        "scale": "rms",
        "parent": {"n": 500, "top1": 0.9, "nll": 0.3},
        "cells": [cell(sigma, parts, 0.9 - sigma / parts) for parts in (1, 10) for sigma in (0.4, 0.1, 0.2)],
        "widest": [
            {"density": 1.0, "sigma": None, "share_kept": 0.95},
            {"density": 0.1, "sigma": 0.4, "share_kept": 0.95},
        ],
    }


def test_the_figure_has_a_panel_a_density_and_units(document):
    drawn = window_figure(document)
    for words in ("Density 1<", "Density 0.1<", "Top-1 (%)", "Sigma (of a tensor", "Parent", "Widest sigma"):
        assert words in drawn
    ET.fromstring(picture(document))
    assert window_figure(document) == drawn


def test_nothing_to_show_is_no_figure(document):
    assert window_figure({**document, "cells": []}) is None


def test_the_table_marks_the_widest(document):
    grid = window_grid(document)
    assert len(grid.rows) == 6
    assert [row[1] for row in grid.rows if row[1].endswith("*")] == ["0.4 *"]
    assert grid.rows[0][0] == "1" and grid.rows[0][2] == "80.00%"
    assert "95.00%" in grid.note


@pytest.mark.parametrize("damage", ["mean", "sigma"])
def test_a_damaged_document_is_named(document, damage):
    del document["cells"][0][damage]
    with pytest.raises(UsageError, match=damage):
        window_figure(document)
    with pytest.raises(UsageError, match=r"parent\.top1"):
        window_grid({**document, "parent": {}})


def test_a_window_of_another_tasks_figure(document):
    measures = {"mae": ShownMeasure("mae", "Mean absolute error", "MAE", "metres", False, "mean absolute error")}
    other = {**document, "metric": "mae", "parent": {"n": 500, "mae": 1.5}}
    drawn = window_figure(other, measures)
    assert "MAE (metres)" in drawn and "Mean absolute error of children" in drawn and "Top-1" not in drawn
    none = [{**cell, "mean": None, "std": None, "best": None, "worst": None} for cell in other["cells"]]
    assert window_figure({**other, "cells": none}, measures) is None
    assert window_figure({**other, "cells": [none[0], *other["cells"][1:]]}, measures)
    grid = window_grid(other)
    assert "mae on 500 select images; the parent has 1.5000" in grid.title and grid.rows[0][2] == "0.8000"
