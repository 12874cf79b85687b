"""What is refused before a run, where two keys do not go together or a name is misspelt."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from evoray.config import parse_config, parse_constraint
from evoray.config.guard import parse_keep
from evoray.errors import ConfigError
from evoray.fitness import FitnessSpec
from evoray.search.guards.checked import _check_figure
from evoray.search.inputs import _check_racing
from evoray.tasks.registry import make_task

BASE = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "mock:"}, "search": {"racing": True}}


@pytest.mark.parametrize("what", ["images", "records"])
@pytest.mark.parametrize("constraints", [["top1 >= parent - 0.005"], ["nll <= 0.5", "top1 >= 0.1"]])
def test_racing_and_constraints_are_both_named_with_what_to_give_up(constraints, what):
    config = parse_config(BASE | {"fitness": {"constraints": constraints}})
    with pytest.raises(ConfigError) as refused:
        _check_racing(config, SimpleNamespace(scores=None), 1000, what)
    for words in ("search.racing = true", "fitness.constraints = [", *constraints, "search.racing = false", what):
        assert words in str(refused.value)


def test_a_fitness_that_is_no_mean_is_another_matter():
    config = parse_config(BASE | {"fitness": {"name": "macro-f1"}})
    with pytest.raises(ConfigError, match=r"fitness\.name = 'macro-f1' is no mean of images") as refused:
        _check_racing(config, SimpleNamespace(scores=None), 1000, "images")
    assert "constraints" not in str(refused.value)


@pytest.mark.parametrize(
    ("spec", "meant"),
    [
        (FitnessSpec("top_1"), "top1"),
        (FitnessSpec("macro_f1"), "macro-f1"),
        (FitnessSpec("ballanced-accuracy"), "balanced-accuracy"),
        (FitnessSpec("nll", constraints=(parse_constraint("top11 >= 0.1"),)), "top1"),
        (FitnessSpec("zzz"), None),
    ],
)
def test_a_misspelt_figure(spec, meant):
    with pytest.raises(ConfigError, match="is none of") as refused:
        spec.make(make_task("image-classification"), lambda name: None)
    assert (f'Did you mean "{meant}"?' in str(refused.value)) if meant else ("Did you mean" not in str(refused.value))


def test_a_misspelt_figure_of_a_guard():
    with pytest.raises(ConfigError, match=r'no figure of regression, which has .*\. Did you mean "mse"\?'):
        _check_figure(make_task("regression"), parse_keep("msee <= parent + 0.1"))
