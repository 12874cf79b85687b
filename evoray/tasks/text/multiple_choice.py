"""Multiple choice by likelihood: the answer that a network thinks likeliest behind the question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from evoray.data.schema import Schema
from evoray.tasks.base import Batch, Combiner, Measure, Network, Preparation
from evoray.tasks.classes import Classes, class_measures
from evoray.tasks.inputs import on_device
from evoray.tasks.text.batches import TOKENS, TOKENS_TYPE, WIDE, mask_of, padded
from evoray.tasks.text.likelihood import nats

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PARTS, CHOICE_BYTES, ANSWER = "parts", "choice_bytes", "label"
"""Columns: how many of a record's tokens are the question's and each choice's; bytes of each choice; which is right.
Records of fewer choices than others have zeros behind theirs."""
NO_CHOICE = -1e6
"""Score of a place that a record of fewer choices leaves empty: its probability is zero."""


class MultipleChoice(Classes):
    """Outputs are log-likelihoods of the choices [n, k], divided by their length; targets int64 [n].

    The network is asked once for each choice, with the question before it; inputs are [b, k, t]. An ensemble's scores
    are the mean of its members' log-probabilities.

    Args:
        normalise: by which length of a choice its nats are divided, so that choices of several are comparable.
    """

    schema = Schema(
        task="multiple-choice",
        columns={
            TOKENS: TOKENS_TYPE,
            PARTS: TOKENS_TYPE,
            CHOICE_BYTES: TOKENS_TYPE,
            ANSWER: "int64",
            "source": "string",
        },
        target=ANSWER,
    )
    measures: Mapping[str, Measure] = class_measures("question")

    def __init__(self, normalise: Literal["tokens", "bytes", "none"] = "tokens") -> None:
        self._normalise = normalise

    def batch(self, records: Any, rows: np.ndarray, how: Preparation) -> Batch:
        import torch

        parts = np.stack([records[PARTS][row] for row in rows]).astype(np.int64)
        rows_of = [one for row, own in zip(rows, parts, strict=True) for one in _choices(records[TOKENS][row], own)]
        shape = (len(rows), parts.shape[1] - 1, -1)
        lists = [tokens for tokens, _ in rows_of]
        counted = [(np.arange(len(tokens)) >= begin).astype(np.int64) for tokens, begin in rows_of]
        inputs = {
            TOKENS: padded(lists).reshape(shape),
            "attention_mask": mask_of(lists).reshape(shape),
            "counted": padded(counted).reshape(shape),
            "lengths": self._lengths(records, rows, parts[:, 1:]),
            "there": parts[:, 1:] > 0,
        }
        return Batch({name: on_device(torch.from_numpy(one), how) for name, one in inputs.items()}, len(rows))

    def batch_bytes(self, records: Any, count: int, how: Preparation) -> int:
        longest = int(records[TOKENS].lengths.max(initial=1))
        most = int(records[PARTS].lengths.max(initial=2)) - 1
        return count * most * (3 * longest + 2) * WIDE

    def targets(self, records: Any, rows: np.ndarray, device: torch.device) -> Tensor:
        import torch

        return torch.from_numpy(np.ascontiguousarray(records[ANSWER][rows])).to(device)

    def outputs(self, network: Network, batch: Batch) -> Tensor:
        import torch

        given = batch.inputs
        flat = {name: given[name].flatten(0, 1) for name in (TOKENS, "attention_mask")}
        spent = nats(network, flat, given["counted"].flatten(0, 1)).view(given["lengths"].shape)
        return torch.where(given["there"], -spent / given["lengths"], NO_CHOICE).float()

    def combine(self, method: str) -> Combiner:
        """The mean of log-probabilities, or a vote."""
        from evoray.tasks.combine import LogMean, make_combiner

        return make_combiner(method) if method == "majority" else LogMean()

    def _lengths(self, records: Any, rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """int64 [b, k]: what each choice's nats are divided by; 1 in empty places."""
        if self._normalise == "none":
            return np.ones_like(tokens)
        found = tokens if self._normalise == "tokens" else np.stack([records[CHOICE_BYTES][row] for row in rows])
        return np.maximum(found.astype(np.int64), 1)


def _choices(tokens: np.ndarray, parts: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """(question and choice, where the choice begins) of each; the question alone in an empty place."""
    ends = np.cumsum(parts)
    question = tokens[: ends[0]]
    for start, stop in pairwise(ends.tolist()):
        yield np.concatenate([question, tokens[start:stop]]), len(question)
