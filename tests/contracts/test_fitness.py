"""Every fitness: any sharding gives the same number, higher is better, and it names itself."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evoray.config import parse_constraint
from evoray.fitness import FitnessSpec, built_in, record_scores
from evoray.fitness.unlabelled import UNLABELLED
from evoray.tasks.image_classification import ImageClassification
from evoray.tasks.sums import merge_shards

TASK = ImageClassification()
BUILT_IN = built_in(TASK)
CLASSES = tuple("abcdefg")
OF_ALL = ("balanced-accuracy", "macro-f1", "worst-class", "information", "agreement")
"""No mean of records."""
N = 37


class ClassRecall:
    """A user's measure that is no mean over images, so it needs sums of its own."""

    width = 14

    def sums(self, logits, labels):
        right = (logits.argmax(1) == labels).double()
        one_hot = torch.nn.functional.one_hot(labels, 7).double()
        return torch.cat([one_hot.sum(0), (one_hot * right[:, None]).sum(0)])

    def value(self, sums):
        counts, hits = sums[:7], sums[7:]
        return float(np.mean(hits[counts > 0] / counts[counts > 0]))


TARGETS = {
    "user:margin": lambda logits, labels: logits.gather(1, labels[:, None])[:, 0],
    "user:recall": ClassRecall,
}
COSTS = np.arange(49, dtype=np.float64).reshape(7, 7) * (1 - np.eye(7)) + 0.1 * (1 - np.eye(7))
CONSTRAINTS = (parse_constraint("class-accuracy >= parent - 0.1"),)
CLEAN = np.random.default_rng(1).normal(size=(2, 7))
SPECS = [
    FitnessSpec(name, CLASSES, COSTS if name == "cost" else None, constraints, reference=CLEAN)
    for name in (*BUILT_IN, *TARGETS)
    for constraints in ((), CONSTRAINTS)
]


def make(spec):
    return spec.make(TASK, TARGETS.__getitem__)


def vector(fitness, logits, labels):
    sums = fitness.sums(logits, labels)
    assert sums.dtype == np.float64
    assert sums.shape == (fitness.layout.own,)
    return fitness.layout.row(TASK.sums(logits, labels), sums)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name + ("+constraint" if spec.constraints else ""))
@settings(deadline=None, max_examples=40)
@given(cuts=st.lists(st.integers(1, N - 1), max_size=4), seed=st.integers(0, 99), wide=st.booleans())
def test_any_sharding_gives_the_same_number(spec, cuts, seed, wide):
    """``wide``: a network with more outputs than the data has classes."""
    fitness = make(spec)
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(N, 7 + 2 * wide, generator=generator)
    labels = torch.randint(7, (N,), generator=generator)
    edges = sorted({0, N, *cuts})
    rows = [vector(fitness, logits[a:b], labels[a:b]) for a, b in itertools.pairwise(edges)]
    whole = fitness.value(vector(fitness, logits, labels))
    assert math.isfinite(whole)
    merged = fitness.value(merge_shards(np.stack(rows)))
    assert merged == pytest.approx(whole, rel=1e-12)
    if spec.name in ("top1", "top5", "balanced-accuracy", "macro-f1", "worst-class"):
        assert merged == whole  # counts: not a bit may differ


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name + ("+constraint" if spec.constraints else ""))
def test_better_answers_are_fitter(spec):
    if spec.name == "user:recall" or spec.name in set(BUILT_IN) - set(UNLABELLED):
        labels = torch.arange(N) % 7
        right = torch.nn.functional.one_hot(labels, 7).float() * 4
        wrong = torch.nn.functional.one_hot((labels + 1) % 7, 7).float() * 4 - 3 * right
        fitness = make(spec)
        assert fitness.value(vector(fitness, right, labels)) > fitness.value(vector(fitness, wrong, labels))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.name}{'-constrained' if spec.constraints else ''}")
def test_a_score_an_image_has_the_fitness_as_its_mean(spec):
    fitness = make(spec)
    if fitness.scores is None:
        assert spec.constraints or spec.name in (*OF_ALL, "user:recall")
        return
    logits, labels = torch.randn(N, 7), torch.arange(N) % 7
    scores = record_scores(fitness, TASK, logits, labels)
    assert scores.shape == (N,)
    assert scores.mean() == pytest.approx(fitness.value(vector(fitness, logits, labels)), rel=1e-12)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name + ("+constraint" if spec.constraints else ""))
@settings(deadline=None, max_examples=40)
@given(order=st.permutations(range(11)), outputs=st.integers(7, 11), seed=st.integers(0, 99))
def test_a_network_that_numbers_its_outputs_otherwise_has_the_same_fitness(spec, order, outputs, seed):
    """Of 7 to 11 outputs seven are the data's classes; the others are nobody's, wherever they stand."""
    if spec.name == "user:recall":
        return  # knows the numbers of the outputs by heart
    order = [place for place in order if place < outputs]
    generator = torch.Generator().manual_seed(seed)
    logits, labels = torch.randn(N, outputs, generator=generator), torch.randint(7, (N,), generator=generator)
    plain, other = make(spec), make(dataclasses.replace(spec, outputs=tuple(order.index(c) for c in range(7))))
    found = other.value(vector(other, logits[:, order], torch.tensor(order).argsort()[labels]))
    before = plain.value(vector(plain, logits, labels))
    assert found == pytest.approx(before, rel=1e-9)
    if spec.name in ("top1", "cost", "balanced-accuracy", "macro-f1", "worst-class"):
        assert found == before  # not a bit


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name + ("+constraint" if spec.constraints else ""))
def test_a_fitness_says_its_name_and_its_direction(spec):
    measure = make(spec).measure
    assert measure.label and measure.short and measure.words
    assert measure.higher_is_better == (spec.name not in ("nll", "brier", "cost", "entropy", "agreement"))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name + ("+constraint" if spec.constraints else ""))
@settings(deadline=None, max_examples=20)
@given(labels=st.lists(st.integers(0, 6), min_size=N, max_size=N), seed=st.integers(0, 99))
def test_a_fitness_without_labels_looks_at_none(spec, labels, seed):
    """Not in its value, and not where records are compared."""
    if spec.name not in UNLABELLED:
        return
    fitness, logits = make(spec), torch.randn(N, 9, generator=torch.Generator().manual_seed(seed))
    found, zeros = torch.tensor(labels), torch.zeros(N, dtype=torch.int64)
    assert fitness.value(vector(fitness, logits, found)) == fitness.value(vector(fitness, logits, zeros))
    compared = [record_scores(fitness, TASK, logits, one) for one in (found, zeros)]
    assert compared[0].shape == (N,)
    assert compared[0].tobytes() == compared[1].tobytes()


def test_a_fitness_that_is_no_mean_is_compared_by_the_tasks_first_score():
    logits, labels = torch.randn(N, 7), torch.arange(N) % 7
    found = record_scores(make(FitnessSpec("macro-f1", CLASSES)), TASK, logits, labels)
    assert found.tolist() == (-TASK.scores(logits, labels)["nll"]).tolist()
