from __future__ import annotations

from types import SimpleNamespace

import pytest

from evoray.config.guard import parse_keep
from evoray.results.guards import _holds, _said
from evoray.statistics import Comparison
from evoray.tasks.image_classification import ImageClassification

MEASURES = ImageClassification().measures


def judge(text):
    splits = SimpleNamespace(images=lambda split: 400)
    guard = SimpleNamespace(keep=parse_keep(text), name="high")
    return SimpleNamespace(guard=guard, counted="images", session=SimpleNamespace(splits=splits))


@pytest.mark.parametrize(
    ("text", "ours", "parents", "holds"),
    [
        ("top1 >= parent - 0.02", 0.88, 0.9, True),
        ("top1 >= parent - 0.02", 0.879, 0.9, False),
        ("top1 >= parent - 0.02", 0.95, 0.9, True),
        ("top1 >= parent", 0.9, 0.9, True),
        ("nll <= parent + 0.1", 0.35, 0.25, True),
        ("nll <= parent + 0.1", 0.351, 0.25, False),
        ("nll <= parent", 0.1, 0.25, True),
        ("nll <= parent + 0.1", None, 0.25, False),
        ("nll <= parent + 0.1", 0.25, None, False),
    ],
)
def test_whether_it_is_held_on_test(text, ours, parents, holds):
    figure = parse_keep(text).metric
    assert _holds(judge(text), {figure: ours}, {figure: parents}) is holds


def compared(name, figure, difference):
    return Comparison(name, figure, difference, (difference - 0.015, difference + 0.015), 0.5)


TOLD = "guard high (top1 >= parent - 0.02, 400 images of its test): the parent has 90.00% top-1 accuracy, "


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"best_child": 0.89}, f"The run holds {TOLD}the best child 89.00% (-1 [-2.5, 0.5] points)."),
        (
            {"best_child": 0.89, "soup": 0.8},
            f"The run breaks {TOLD}the best child 89.00% (-1 [-2.5, 0.5] points) holds it, the soup 80.00% "
            "(-10 [-11.5, -8.5] points).",
        ),
        ({"ensemble": None}, f"The run breaks {TOLD}the ensemble no."),
    ],
)
def test_the_verdicts_sentence(values, words):
    tested = {"parent": {"top1": 0.9}} | {name: {"top1": value} for name, value in values.items()}
    one = judge("top1 >= parent - 0.02")
    holds = {name: _holds(one, tested[name], tested["parent"]) for name in values}
    found = [compared(name, "top1", value - 0.9) for name, value in values.items() if value is not None]
    assert _said(one, MEASURES["top1"], tested, holds, found) == words


def test_a_run_that_hands_back_the_parent_alone():
    said = _said(judge("nll <= parent"), MEASURES["nll"], {"parent": {"nll": 0.25}}, {}, [])
    assert said == (
        "The run holds guard high (nll <= parent, 400 images of its test), as nothing but the parent stands: the "
        "parent has 0.25 NLL."
    )
