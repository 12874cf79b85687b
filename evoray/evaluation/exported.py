"""What a run writes of its networks, and whether a fresh network loaded with it answers as the run's own did."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evoray.errors import ModelError
from evoray.evaluation.host import ModelHost, cast_floating
from evoray.evaluation.packing import travelled
from evoray.evaluation.passes import Outputs, Passes, Sample, close, distance, equal
from evoray.mutation import Space
from evoray.runtime.reading import reason_of

LOG = logging.getLogger("evoray")


@dataclass(frozen=True)
class Export:
    """What a run writes of its networks: the parent's tensors, taken before any pass, with a space's laid over them.

    state, aliases: as in ``canonical_state``. fresh: a new network of the architecture, loaded with a whole state.
    config_dir: where its classes are found. quick: ``fresh`` in less time, by whose answers nobody is refused; it may
    hold the tensors that it is given.
    """

    state: Mapping[str, Tensor]
    aliases: Mapping[str, str]
    space: Space
    fresh: Callable[[Mapping[str, Tensor]], nn.Module]
    config_dir: Path | None = None
    quick: Callable[[Mapping[str, Tensor]], nn.Module] | None = None

    def loaded(self, weights: Mapping[str, Tensor], quick: bool = False) -> nn.Module:
        """A fresh network with these weights, and the parent's other tensors; a quick one may hold the weights."""
        fresh, state = self.fresh, {**self.state, **weights}
        if quick and self.quick is not None:
            fresh = self.quick
            state.update({name: one.clone() for name, one in self.state.items() if name not in weights})
        return fresh(state | {alias: state[name] for alias, name in self.aliases.items()})


def same_as_fresh(
    passes: Passes, batch: Any, dtype: torch.dtype, export: Export, weights: Mapping[str, Tensor], expected: Outputs
) -> str | None:
    """None where a fresh network with these weights gives what is expected of a batch, else how much they differ.

    Where bits differ, its tensors are laid out as a worker's are (buffers too) and it is asked again: kernels may round
    otherwise for numbers that lie otherwise. The network that is built in haste is asked first; only the usual one can
    be wrong.
    """
    if export.quick is not None and _quick_is_same(passes.sample, batch, dtype, export, weights, expected):
        return None
    model = cast_floating(export.loaded(weights), dtype, torch.device("cpu"))
    found = passes(model, batch)
    if equal(found, expected):
        return None
    laid_over = ModelHost(travelled(model, export.config_dir), export.space, "cpu", dtype)
    if close(found, expected) and equal(passes(laid_over.forward, batch), expected):
        return None
    return f"by up to {distance(found, expected):.3g}"


def _quick_is_same(
    sample: Sample, batch: Any, dtype: torch.dtype, export: Export, weights: Mapping[str, Tensor], expected: Outputs
) -> bool:
    try:
        model = cast_floating(export.loaded(weights, quick=True), dtype, torch.device("cpu"))
    except ModelError as error:
        if not _of_drawn_matrix(error):  # what cannot be built a second time may well be built a third time
            raise
        return False
    try:
        return equal(Passes(sample)(model, batch), expected)
    except Exception as error:  # the usual way says what is wrong
        LOG.debug("a network built in haste: %s", reason_of(error))
        return False


def _of_drawn_matrix(error: BaseException | None) -> bool:
    """Whether a matrix could not be inverted or decomposed, as one that repeats itself."""
    while error is not None and not isinstance(error, torch.linalg.LinAlgError):  # type: ignore[attr-defined]
        error = error.__cause__
    return error is not None
