"""The parent on images of ``select``, before a run: refused where it is not pure, and what is worth saying of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from evoray.config import RunConfig
from evoray.data.splits import Splits
from evoray.evaluation.passes import Sample, sample_of
from evoray.evaluation.program import DTYPES
from evoray.evaluation.purity import Export, check_purity
from evoray.evaluation.transform_notes import transform_notes
from evoray.models import Parent, fresh_network
from evoray.mutation import Space
from evoray.tasks.base import Task

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]
"""(mean, std), one value a channel."""


class Inputs(Protocol):
    """What is asked of a run's inputs (``evoray.search.inputs.Inputs``)."""

    @property
    def config(self) -> RunConfig: ...
    @property
    def config_dir(self) -> Path | None: ...
    @property
    def parent(self) -> Parent: ...
    @property
    def state(self) -> Mapping[str, Tensor]: ...
    @property
    def aliases(self) -> Mapping[str, str]: ...
    @property
    def space(self) -> Space: ...
    @property
    def splits(self) -> Splits: ...
    @property
    def task(self) -> Task: ...


def judge(inputs: Inputs, normalisation: Normalisation) -> tuple[str, ...]:
    """Sentences to be shown; raises ModelError as ``check_purity`` does."""
    splits = inputs.splits
    shard = splits.shards("select")[0]
    records, rows = splits.datasets["select"].load(shard), splits.rows["select"][shard]

    def samples(dtype: torch.dtype) -> Sample:
        return sample_of(inputs.task, records, rows, *normalisation, dtype)

    said = check_purity(inputs.parent, export_of(inputs), samples, DTYPES[inputs.config.compute.dtype])
    return (*transform_notes(inputs.parent, splits), *said)


def export_of(inputs: Inputs) -> Export:
    """What the run writes of its networks, and how its user loads that."""
    config = inputs.config

    def fresh(state: Mapping[str, Tensor]) -> nn.Module:
        return fresh_network(inputs.parent, config.parent, inputs.config_dir, config.seed, state)

    return Export(inputs.state, inputs.aliases, inputs.space, fresh, inputs.config_dir)
