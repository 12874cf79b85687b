"""What a run says of its inputs before it begins: classes, normalisation, fitness, and what its parent is worth."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from evoray.config import ParentConfig
from evoray.data.schema import IMAGES, counted
from evoray.errors import ModelError
from evoray.fitness import Fitness, as_known, with_fitness
from evoray.fitness.constraints import Constrained
from evoray.fitness.purity import Tried, try_fitness
from evoray.fitness.unlabelled import UNLABELLED
from evoray.models import ClassMap, Parent
from evoray.search.trial import Trial
from evoray.tasks.base import Outputs, Task, as_dict, as_text
from evoray.tasks.chance import CHANCE, no_better_than_chance
from evoray.tasks.outputs import tensors_of
from evoray.tasks.sums import SumsLayout


@dataclass(frozen=True)
class Announced:
    """notes: what belongs to the run's record; trial: of the parent on a few images, and not recorded.

    one_number: a user's fitness gives one number for many images.
    """

    notes: tuple[str, ...] = ()
    trial: tuple[str, ...] = ()
    one_number: bool = False


def announced(
    config: ParentConfig,
    parent: Parent,
    fitness: Fitness,
    classes: ClassMap | None,
    trial: Trial,
    config_dir: Path | None = None,
) -> Announced:
    """Everything to be said; what a user's network raises here is the run's to report.

    Raises:
        ModelError: the parent's outputs are not finite. ConfigError: the user's fitness cannot be used.
    """
    notes = [classes.said] if classes else []
    notes += _normalisation(config, parent) if trial.normalisation[0] else ()
    try:
        outputs, targets = trial.quick
    except Exception:  # whatever a network raises: the run meets it on the workers and names it
        return Announced(tuple(notes))
    _check_finite(parent, trial, outputs, targets)
    if fitness.name in UNLABELLED:
        notes.append(
            f'fitness.name = "{fitness.name}" asks no labels. Top-1 and NLL, and what looks at them (constraints, '
            'ensemble.method = "greedy" or "weighted", ensemble.temperature), go by those that the data has: made-up '
            "ones mean nothing there."
        )
    labels = None if classes is None else classes.chosen or range(len(classes.classes))
    tried = try_fitness(fitness, outputs, targets, labels, config_dir)
    try:
        told = tuple(_parent(trial, fitness, classes, outputs, targets))
    except Exception:  # a task of the user's own: as above
        return Announced(tuple(notes))
    if tried is not None:
        notes += _averaged(fitness, tried, len(targets), len(trial.splits.shards("select")), trial.splits.counted)
    return Announced(tuple(notes), told, tried is not None and tried.one_number)


def _normalisation(config: ParentConfig, parent: Parent) -> Iterator[str]:
    mean, std = parent.preprocessing.mean, parent.preprocessing.std
    if mean is None or std is None:
        yield (
            "images arrive as x/255, from 0 to 1: neither the parent nor the configuration gives mean and std. If it "
            "was trained on normalised images, set parent.mean and parent.std."
        )
    elif config.mean is None and config.source != "module" and _is_own_file(config):
        numbers = ", ".join(f"{value:.4g}" for value in mean)
        yield (
            f"images are normalised as {config.source} does for {config.name} (mean {numbers}), for {config.weights} "
            "says nothing of it. If its training had others, set parent.mean and parent.std."
        )


def _is_own_file(config: ParentConfig) -> bool:
    """Names of weights and tags have neither dots nor slashes."""
    return config.weights is not None and any(sign in config.weights for sign in "./")


def _check_finite(parent: Parent, trial: Trial, outputs: Outputs, targets: Tensor) -> None:
    """A child whose outputs are not finite has failed, and so has every child of such a parent."""
    for tensor in tensors_of(outputs):
        wrong = ~tensor.isfinite() if tensor.is_floating_point() else torch.zeros(1, 1, dtype=torch.bool)
        if not wrong.any():
            continue
        images = int(wrong.flatten(1).any(1).sum())
        raise ModelError(
            f"the parent {parent.name}: its outputs are NaN or infinite for {images} of {len(targets)} "
            f"{trial.splits.counted} of select. Mask outputs with a large negative number, such as -1e4, in place of "
            "-inf; else look at its normalisation, its divisions and logarithms, and the type that it computes in."
        )


def _averaged(fitness: Fitness, tried: Tried, images: int, shards: int, what: str) -> Iterator[str]:
    """A user's function that gives one number, as far as a few images show."""
    if tried.failed is not None:
        yield (
            f"fitness.name = {fitness.name!r}, tried on {images} {what} of select before the run: {tried.failed}. "
            f"If it gives one number for many {what}, that is averaged over shards."
        )
    elif tried.one_number:
        yield (
            f"fitness.name = {fitness.name!r} gives one number for many {what}: the run takes its mean over the "
            f"{shards} shards of select, each by its {what} (on test over groups of a shard's {what}). A measure that "
            f"is no mean of {what}, such as macro-F1 or AUC, so depends on the shards: return "
            f"{counted('one score an image', what)}, or give an object with width, sums and value."
        )


def _parent(
    trial: Trial, fitness: Fitness, classes: ClassMap | None, outputs: Outputs, targets: Tensor
) -> Iterator[str]:
    """Its figures on the images of the trial, the run's fitness first unless that is a function of the user's."""
    task = trial.task
    n, sums = len(targets), task.sums(outputs, targets)
    figures = task.figures(SumsLayout(task.columns).by_name(sums))
    shown, broken = figures, None
    if ":" not in fitness.name:
        row = fitness.layout.row(sums, fitness.sums(outputs, targets))
        shown, broken = with_fitness(figures, fitness, row), _broken(fitness, row)
    yield f"the parent on {n} {trial.splits.counted} of select: {as_text(shown)}"
    if broken is not None:
        yield f"on these {n} {trial.splits.counted} {broken}"
    if said := of_chance(as_dict(n, figures), classes, trial.splits.counted):
        yield said


def of_chance(figures: Mapping[str, float | int | None], classes: ClassMap | None, what: str = IMAGES) -> str | None:
    """What is to be said of a parent with these figures (``as_dict``), where it is no better than chance."""
    n = int(figures["n"] or 0)
    if classes is None or n == 0:
        return None
    return no_better_than_chance(figures, n, len(classes.classes), classes.outputs, what=what)


def _broken(fitness: Fitness, total: np.ndarray) -> str | None:
    return fitness.broken_by_parent(total) if isinstance(fitness, Constrained) else None


def parent_line(
    task: Task,
    fitness: Fitness,
    classes: ClassMap | None,
    total: np.ndarray,
    trial: Sequence[str] = (),
    what: str = IMAGES,
) -> str:
    """The parent's figures on all of ``select``, the run's fitness first, and whether it is any better than chance.

    trial: what was said before the run; a parent no better than chance is spoken of once. what: ``Splits.counted``.
    """
    figures, n = task.figures(fitness.layout.by_name(total)), fitness.layout.count(total)
    line = f"the parent on all {n} {what} of select: {as_text(with_fitness(figures, fitness, total))}"
    if (broken := _broken(fitness, total)) is not None:
        line = f"{line}. There {broken.removesuffix('.')}"
    if any(CHANCE in one for one in trial):
        return line
    return f"{line}. {said}" if (said := of_chance(as_dict(n, figures), classes, what)) else line


def standing(fitness: Fitness, best: str, value: float, parent: float) -> str:
    """``best so far: NLL 0.2251 (g0000/c0012), the parent 0.2420``, from fitnesses on the same images.

    best: its name; value: its fitness.
    """
    measure = fitness.measure
    own, before = (measure.show(as_known(fitness, one)) for one in (value, parent))
    return f"best so far: {measure.words} {own} ({best}), the parent {before}"
