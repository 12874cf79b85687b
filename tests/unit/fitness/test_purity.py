from __future__ import annotations

import itertools
import math
import random
import sys
import time

import numpy as np
import pytest
import torch

from evoray.config import parse_constraint
from evoray.errors import ConfigError
from evoray.fitness import FitnessSpec
from evoray.fitness.purity import try_fitness
from evoray.runtime.importing import import_function
from evoray.tasks.image_classification import ImageClassification

TASK = ImageClassification()
CLASSES = 3
TARGETS = torch.tensor([0, 1, 2, 0])
with torch.inference_mode():
    OUTPUTS = torch.nn.functional.one_hot(TARGETS, CLASSES) * 5.0 + torch.arange(12).view(4, 3) / 100


def tried(function, labels=range(CLASSES), constraints=(), config_dir=None, name="fit:f"):
    spec = FitnessSpec(name, ("a", "b", "c"), constraints=tuple(map(parse_constraint, constraints)))
    fitness = spec.make(TASK, (lambda _: function) if function else (lambda name: import_function(name, config_dir)))
    return try_fitness(fitness, OUTPUTS, TARGETS, labels, config_dir)


def right(logits, labels):
    return (logits.argmax(1) == labels).float()


class Metric:
    """As torchmetrics': update(), compute(), and a reset() that its user has to call."""

    def __init__(self):
        self.hit = self.n = 0

    def update(self, logits, labels):
        self.hit, self.n = self.hit + int(right(logits, labels).sum()), self.n + len(labels)

    def compute(self):
        return self.hit / self.n


def reset_forgotten():
    metric = Metric()

    def accuracy(logits, labels):
        metric.update(logits, labels)
        return metric.compute()

    return accuracy


def drift(every=1):
    calls = itertools.count()
    return lambda logits, labels: right(logits, labels) + 0.01 * (next(calls) // every)


def running_mean():
    mean = []

    def smoothed(logits, labels):
        mean[:] = [0.9 * mean[0] + 0.1 * right(logits, labels).mean()] if mean else [right(logits, labels).mean()]
        return mean[0]

    return smoothed


class RunningSums:
    """An object with width, sums and value whose sums grow."""

    width = 2

    def __init__(self):
        self.total = torch.zeros(2)

    def sums(self, logits, labels):
        self.total += torch.stack([right(logits, labels).sum(), torch.tensor(float(len(labels)))])
        return self.total

    def value(self, sums):
        return sums[0]


def half_by_torch(logits, labels):
    rows = torch.randperm(len(labels))[: len(labels) // 2]
    return right(logits, labels)[rows].mean()


def half_by_numpy(logits, labels):
    rows = np.random.default_rng().permutation(len(labels))[: len(labels) // 2]
    return right(logits, labels)[torch.from_numpy(rows)].mean()


IMPURE = {
    "reset() forgotten": reset_forgotten,
    "counts its calls": drift,
    "counts its calls by tens": lambda: drift(10),
    "running mean": running_mean,
    "sums that grow": RunningSums,
    "a random half (torch)": lambda: half_by_torch,
    "a random half (numpy)": lambda: half_by_numpy,
    "noise (random)": lambda: lambda x, y: right(x, y) + random.random(),
    "noise that breaks ties": lambda: lambda x, y: right(x, y) + 1e-7 * torch.rand(len(y)),
    "the clock": lambda: lambda x, y: right(x, y) * (time.perf_counter() % 1),
}


@pytest.mark.parametrize("constraints", [(), ("top1 >= 0.1",)])
@pytest.mark.parametrize("make", [*IMPURE.values()], ids=[*IMPURE])
def test_a_fitness_that_depends_on_more_than_its_arguments_is_refused(make, constraints):
    with pytest.raises(ConfigError, match=r"fitness.name = 'fit:f': .* outputs givee?.* \(outputs, targets\) alone"):
        tried(make(), constraints=constraints)


def seeded(logits, labels):
    torch.manual_seed(0)
    return half_by_torch(logits, labels)


def own_generator(logits, labels):
    rows = torch.randperm(len(labels), generator=torch.Generator().manual_seed(3))[: len(labels) // 2]
    return right(logits, labels)[rows].mean()


class Mean:
    width = 2

    def sums(self, logits, labels):
        return torch.stack([right(logits, labels).sum(), torch.tensor(float(len(labels)))])

    def value(self, sums):
        return sums[0] / sums[1]


def with_a_metric_of_its_own(logits, labels):
    metric = Metric()
    metric.update(logits, labels)
    return metric.compute()


@pytest.mark.parametrize(
    ("function", "one"),
    [
        (right, False),
        (lambda x, y: right(x, y).mean(), True),
        (lambda x, y: right(x, y).tolist(), False),
        (lambda x, y: right(x, y).numpy(), False),
        (lambda x, y: 0.5, True),
        (lambda x, y: torch.log_softmax(x, 1)[torch.arange(len(y)), y], False),
        (seeded, True),
        (own_generator, True),
        (with_a_metric_of_its_own, True),
        (Mean, False),
    ],
)
@pytest.mark.parametrize("labels", [None, range(CLASSES)])
def test_a_fitness_of_its_arguments_alone_is_taken(function, one, labels):
    found = tried(function, labels)
    assert (found.one_number, found.failed) == (one, None)


@pytest.mark.parametrize("name", ["nll", "macro-f1", "brier"])
def test_what_is_built_in_is_not_asked(name):
    assert tried(None, name=name) is None


def in_place(logits, labels):
    logits -= logits.max()
    return right(logits, labels)


def ends(logits, labels):
    sys.exit("no metric")


@pytest.mark.parametrize("labels", [None, range(CLASSES)])
@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x, y: None, "fit:f returned None, which is no number. It may end without a return"),
        (lambda x, y: "0.5", "fit:f returned a str"),
        (lambda x, y: {"top1": 0.5}, "fit:f returned a dict"),
        (lambda x, y: x, r"returned shape \(4, 3\) for 4 records: return one score a record"),
        (lambda x: 0.5, "it raised TypeError"),
        (lambda x, y: x.argmx(1), "it raised AttributeError"),
        (lambda x, y: missing(x), "it raised NameError: name 'missing' is not defined"),  # noqa: F821
        (ends, "it ends the program: .*no metric.*Raise an exception"),
        (lambda x, y: torch.full((len(y),), math.nan), "NaN or infinity for 4 of 4 records.*Guard its logarithms"),
        (lambda x, y: (x.softmax(1)[:, 0] - 1e9).clamp(min=0).log(), "NaN or infinity for 4 of 4 records"),
    ],
)
def test_a_fitness_that_cannot_work_is_refused(function, words, labels):
    with pytest.raises(ConfigError, match=f"fitness.name = 'fit:f': .*{words}"):
        tried(function, labels)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (in_place, "it raised RuntimeError: Inplace update"),
        (lambda x, y: 1 / 0, "it raised ZeroDivisionError"),
        (lambda x, y: x.view(7, 7), "it raised RuntimeError"),
        (lambda x, y: math.nan, "it gives NaN or infinity for 64 records"),
    ],
)
def test_what_fails_beside_every_class_too_is_refused(function, words):
    with pytest.raises(ConfigError, match=f"fitness.name = 'fit:f': {words}"):
        tried(function)
    assert tried(function, labels=None).failed


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: 1 / (len(y) > 4),
        lambda x, y: math.nan if (y.bincount(minlength=3) < 2).any() else right(x, y).mean(),
        lambda x, y: torch.stack([right(x, y)[y == one][1] for one in range(3)]).mean(),
    ],
)
def test_what_fails_on_few_images_alone_is_said(function):
    assert tried(function).failed


def test_a_class_that_few_images_lack_is_no_fault():
    found = tried(lambda x, y: math.nan if (y == 1).sum() < 2 else right(x, y).mean())
    assert "gives NaN or infinity" in found.failed


def test_the_line_of_the_users_file_is_named(tmp_path):
    (tmp_path / "fit_line.py").write_text("def f(logits, labels):\n    logits /= 2\n    return logits[:, 0]\n")
    with pytest.raises(ConfigError, match=r"fit_line.py, line 2: logits /= 2"):
        tried(None, config_dir=tmp_path, name="fit_line:f")


BASELINE = """
base = {}
class Kept:
    def __call__(self, logits, labels):
        score = (logits.argmax(1) == labels).float().mean()
        return score - base.setdefault("KEY", score)
kept = Kept()
def plain(logits, labels):
    return (logits.argmax(1) == labels).float()
"""


def test_what_the_first_call_leaves_behind_is_refused(tmp_path):
    (tmp_path / "fit_base.py").write_text(BASELINE)
    with pytest.raises(ConfigError, match="imported anew and called on other outputs first"):
        tried(None, config_dir=tmp_path, name="fit_base:kept")
    assert tried(None, config_dir=tmp_path, name="fit_base:plain").failed is None
    assert "fit_base_anew" not in sys.modules


@pytest.mark.parametrize("key", ["len(labels)", "labels.shape", "tuple(labels.tolist())", "str(labels)"])
@pytest.mark.parametrize("mean", ["", ".mean()"])
def test_answers_kept_for_other_outputs_are_refused(tmp_path, key, mean):
    name = f"fit_kept{abs(hash((key, mean)))}"
    right = f"(logits.argmax(1) == labels).float(){mean}"
    (tmp_path / f"{name}.py").write_text(f"kept = {{}}\ndef f(logits, labels):\n"
        f"    return kept.setdefault({key}, {right})\n")  # fmt: skip
    with pytest.raises(ConfigError, match="imported anew and called on other outputs first"):
        tried(None, config_dir=tmp_path, name=f"{name}:f")


def test_a_module_that_can_be_imported_once_only_is_taken(tmp_path):
    once = "import sys\nassert not hasattr(sys, 'fit_once')\nsys.fit_once = 1\ndef f(x, y):\n    return x[:, 0]\n"
    (tmp_path / "fit_once.py").write_text(once)
    assert tried(None, config_dir=tmp_path, name="fit_once:f").failed is None
    del sys.fit_once


def test_too_many_classes_are_not_made_up(monkeypatch):
    monkeypatch.setattr("evoray.fitness.purity.NUMBERS", 100)
    assert tried(lambda x, y: 1 / 0).failed and not tried(right).failed
