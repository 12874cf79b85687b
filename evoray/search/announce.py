"""What a run says of its inputs before it begins: classes, normalisation, fitness, and what its parent is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from evoray.config import ParentConfig
from evoray.fitness import Fitness, with_fitness
from evoray.fitness.user import gives_one_number
from evoray.models import ClassMap, Parent
from evoray.search.trial import Trial
from evoray.tasks.base import Outputs, Task, as_dict, as_text
from evoray.tasks.chance import CHANCE, no_better_than_chance
from evoray.tasks.sums import SumsLayout


@dataclass(frozen=True)
class Announced:
    """notes: what belongs to the run's record; trial: of the parent on a few images, and not recorded."""

    notes: tuple[str, ...] = ()
    trial: tuple[str, ...] = ()


def announced(
    config: ParentConfig, parent: Parent, fitness: Fitness, classes: ClassMap | None, trial: Trial
) -> Announced:
    """Everything to be said; what a user's network or function raises here is the run's to report."""
    notes = [classes.said] if classes else []
    notes += _normalisation(config, parent)
    try:
        outputs, targets = trial.quick
        told = tuple(_parent(trial.task, fitness, classes, outputs, targets))
    except Exception:  # whatever a network raises: the run meets it on the workers and names it
        return Announced(tuple(notes))
    notes += _averaged(fitness, outputs, targets, len(trial.splits.shards("select")))
    return Announced(tuple(notes), told)


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


def _averaged(fitness: Fitness, outputs: Outputs, targets: Tensor, shards: int) -> Iterator[str]:
    """A user's function that gives one number, as far as a few images show."""
    try:
        one_number = gives_one_number(fitness, outputs, targets)
    except Exception as error:
        yield (
            f"fitness.name = {fitness.name!r} raised {type(error).__name__} on {len(targets)} images of select, tried "
            "before the run. If it gives one number for many images, that is averaged over shards."
        )
        return
    if one_number:
        yield (
            f"fitness.name = {fitness.name!r} gives one number for many images: the run takes its mean over the "
            f"{shards} shards of select, each by its images (on test over groups of a shard's images). A measure that "
            "is no mean of images, such as macro-F1 or AUC, so depends on the shards: return one score an image, or "
            "give an object with width, sums and value."
        )


def _parent(task: Task, fitness: Fitness, classes: ClassMap | None, outputs: Outputs, targets: Tensor) -> Iterator[str]:
    """Its figures on the images of the trial, the run's fitness first unless that is a function of the user's."""
    n, sums = len(targets), task.sums(outputs, targets)
    figures = task.figures(SumsLayout(task.columns).by_name(sums))
    shown = figures
    if ":" not in fitness.name:
        shown = with_fitness(figures, fitness, fitness.layout.row(sums, fitness.sums(outputs, targets)))
    yield f"the parent on {n} images of select: {as_text(shown)}"
    if said := of_chance(as_dict(n, figures), classes):
        yield said


def of_chance(figures: Mapping[str, float | int | None], classes: ClassMap | None) -> str | None:
    """What is to be said of a parent with these figures (``as_dict``), where it is no better than chance."""
    n = int(figures["n"] or 0)
    if classes is None or n == 0:
        return None
    return no_better_than_chance(figures, n, len(classes.classes), classes.outputs)


def parent_line(
    task: Task, fitness: Fitness, classes: ClassMap | None, total: np.ndarray, trial: Sequence[str] = ()
) -> str:
    """The parent's figures on all of ``select``, the run's fitness first, and whether it is any better than chance.

    trial: what was said before the run; a parent no better than chance is spoken of once.
    """
    figures, n = task.figures(fitness.layout.by_name(total)), fitness.layout.count(total)
    line = f"the parent on all {n} images of select: {as_text(with_fitness(figures, fitness, total))}"
    if any(CHANCE in one for one in trial):
        return line
    return f"{line}. {said}" if (said := of_chance(as_dict(n, figures), classes)) else line
