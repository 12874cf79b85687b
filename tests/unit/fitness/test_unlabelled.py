from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evoray.fitness import FitnessSpec
from evoray.fitness.unlabelled import UNLABELLED
from evoray.tasks.image_classification import ImageClassification
from evoray.tasks.sums import merge_shards

TASK, CLASSES = ImageClassification(), tuple("abcdefg")
NOBODY = torch.zeros(0)


def made(name, clean=None):
    spec = FitnessSpec(name, CLASSES)
    return (spec if clean is None else spec.with_reference(TASK, clean, "a digest")).make(TASK, lambda _: None)


def row(fitness, logits):
    labels = torch.zeros(len(logits), dtype=torch.int64)
    return fitness.layout.row(TASK.sums(logits, labels), fitness.sums(logits, labels))


def value(fitness, logits):
    return fitness.value(row(fitness, logits))


def drawn(rows, seed=0, classes=7):
    return 3 * torch.randn(rows, classes, generator=torch.Generator().manual_seed(seed))


def certain(answers):
    return 1e4 * torch.nn.functional.one_hot(torch.tensor(answers), 7).float()


@pytest.mark.parametrize("classes", [2, 7, 1000])
def test_entropy_is_the_logarithm_of_the_classes_where_nothing_is_known(classes):
    assert value(made("entropy"), torch.ones(5, classes)) == pytest.approx(-math.log(classes), rel=1e-12)


def test_entropy_by_hand():
    logits = torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]).log()[:, [0, 1, 2]]
    assert value(made("entropy"), logits.clamp(min=-1e4)) == pytest.approx(-1.5 * math.log(2) / 2, rel=1e-6)


def test_one_class_for_all_has_no_entropy_and_no_information():
    collapsed = certain([3] * 8)
    assert value(made("entropy"), collapsed) == 0
    assert value(made("information"), collapsed) == pytest.approx(0, abs=1e-12)


def test_information_is_highest_where_answers_are_certain_and_of_every_class():
    assert value(made("information"), certain(range(7))) == pytest.approx(math.log(7), rel=1e-12)
    assert value(made("information"), torch.ones(9, 7)) == pytest.approx(0, abs=1e-12)
    two = value(made("information"), certain([0, 0, 0, 1]))
    assert two == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25), rel=1e-12)


def test_answers_that_are_none_of_the_datas_classes_count_as_one():
    others = torch.nn.functional.one_hot(torch.tensor([0, 8, 9]), 10).float() * 1e4
    expected = -(1 / 3) * math.log(1 / 3) - (2 / 3) * math.log(2 / 3)
    assert value(made("information"), others) == pytest.approx(expected, rel=1e-12)


@settings(deadline=None, max_examples=40)
@given(rows=st.integers(1, 30), seed=st.integers(0, 99))
def test_information_is_the_mean_of_how_far_records_are_from_their_mean(rows, seed):
    fitness, logits = made("information"), drawn(rows, seed)
    found = value(fitness, logits)
    assert -1e-12 <= found <= math.log(min(rows, 7)) + 1e-12
    assert fitness.compared(logits, NOBODY).mean() == pytest.approx(found, abs=1e-12)


def test_the_parent_agrees_with_itself_wholly_and_any_other_less():
    clean = drawn(40)
    fitness = made("agreement", clean)
    assert value(fitness, clean) == 0
    assert value(fitness, clean + torch.arange(40.0)[:, None]) == pytest.approx(0, abs=1e-5)  # the same answers
    leaning = clean + torch.tensor([4.0, 0, 0, 0, 0, 0, 0])
    assert value(fitness, leaning) < -0.5
    assert value(fitness, 2 * clean) < -0.5
    assert value(fitness, clean.mean(dim=0).expand(40, 7)) < -0.5


def test_agreement_by_hand():
    fitness = made("agreement", certain([0, 1]) / 1e4)
    scores = torch.zeros(2, 7)  # means differ by 5/14 in two classes and by 1/7 in five, deviations by 1/2 in two
    means = math.sqrt((2 * (5 / 14) ** 2 + 5 * (1 / 7) ** 2) / 7)
    assert value(fitness, scores) == pytest.approx(-means - math.sqrt(2 * 0.25 / 7), rel=1e-6)


@pytest.mark.parametrize("name", UNLABELLED)
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 99), order=st.permutations(range(24)))
def test_the_same_shards_give_the_same_bits_and_the_order_of_records_does_not_count(name, seed, order):
    fitness, logits = made(name, drawn(16, 1)), drawn(24, seed)
    shards = [row(fitness, part) for part in logits.split(7)]
    again = [row(fitness, part) for part in reversed(logits.split(7))][::-1]
    merged = fitness.value(merge_shards(np.stack(shards)))
    assert merged == fitness.value(merge_shards(np.stack(again)))
    assert value(fitness, logits[list(order)]) == pytest.approx(merged, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", UNLABELLED)
def test_outputs_that_are_no_numbers_are_no_fitness(name):
    logits = drawn(5)
    logits[2, 1] = math.nan
    assert math.isnan(value(made(name, drawn(16)), logits))


def test_a_data_set_of_some_of_the_networks_classes_is_compared_in_these():
    spec = FitnessSpec("agreement", CLASSES[:2], outputs=(5, 1)).with_reference(TASK, drawn(9), "a digest")
    (mean, spread), scores = spec.reference, drawn(9)[:, [5, 1]].double()
    scores = scores - scores.mean(dim=1, keepdim=True)
    assert mean == pytest.approx(scores.mean(dim=0).numpy(), rel=1e-6)
    assert spread == pytest.approx(scores.std(dim=0, unbiased=False).numpy(), rel=1e-6)
    assert value(replace(spec).make(TASK, lambda _: None), drawn(9)) == pytest.approx(0, abs=1e-12)
