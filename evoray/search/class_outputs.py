"""A run's labels as its parent's outputs: decided by ``models.class_map``, with what ``select`` says where it asks."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from evoray.config import RunConfig
from evoray.data.splits import Splits
from evoray.errors import DataError
from evoray.models import ClassMap, UnclearError, mapped

EVIDENCE = 64
"""Images of ``select`` on which each reading of the classes is tried, where the user is asked."""
Answers = Callable[[int], tuple[np.ndarray, np.ndarray]]
"""Of so many images of ``select``, the parent's outputs and the labels, int64 [n] each."""


def by_outputs(
    config: RunConfig,
    config_dir: Path | None,
    splits: Splits,
    parent: Sequence[str] | None,
    outputs: int,
    answers: Answers,
) -> tuple[RunConfig, Splits, ClassMap]:
    """Labels as the parent's outputs, the configuration that says so, and how they were found.

    Args:
        parent: its class names, where it brings any. outputs: how many it has.
        answers: asked for only where what the classes are is a guess.

    Raises:
        DataError: it is a guess; says how many of some images each reading would have right.
    """
    data, (classes, _) = config.data, data_classes(config, splits)
    mock = data.path.startswith("mock:")  # its labels are noise, and mean nothing
    try:
        found = mapped(classes, parent, outputs, "in-order" if mock and isinstance(data.outputs, str) else data.outputs)
    except UnclearError as unclear:
        raise DataError(f"{unclear.what} {_evidence(unclear, answers, splits.counted)}{unclear.remedy}") from None
    if found.chosen is None or not isinstance(data.outputs, str):
        return config, splits, found
    config = config.model_copy(update={"data": data.model_copy(update={"outputs": found.chosen})})
    return config, Splits(config.data, config.seed, config_dir), found


def data_classes(config: RunConfig, splits: Splits) -> tuple[tuple[str, ...], tuple[int, ...] | None]:
    """The data's own class names in their order, and each one's output; None where label and output are one."""
    names, outputs = splits.described["select"].classes, config.data.outputs
    if isinstance(outputs, str):
        return names, None
    return tuple(names[output] for output in outputs), tuple(outputs)


def _evidence(unclear: UnclearError, answers: Answers, what: str) -> str:
    """``Top-1 on 64 images of select: 17% by "by-number", 100% by "in-order". ``; the choice stays the user's."""
    given, labels = answers(EVIDENCE)
    right = {word: float(np.mean(np.array(chosen)[labels] == given)) for word, chosen in unclear.readings.items()}
    told = ", ".join(f"{100 * share:.0f}% by {word}" for word, share in right.items())
    return f"Top-1 on {len(labels)} {what} of select: {told}. "
