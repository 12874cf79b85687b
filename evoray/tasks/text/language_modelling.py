"""Language modelling: how many bits a network needs for each byte of a text, told token by token."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from evoray.data.schema import Schema
from evoray.tasks.base import Batch, Figure, Figures, Measure, Network, Preparation, ScoredTask, Scores
from evoray.tasks.text.batches import TOKENS, TOKENS_TYPE, text_batch, text_bytes
from evoray.tasks.text.likelihood import nats

if TYPE_CHECKING:
    import torch
    from torch import Tensor

BYTES = "bytes"
"""Column: bytes of UTF-8 of each record's text, as far as it was kept."""


class LanguageModelling(ScoredTask):
    """Outputs are nats of each record's text, float64 [n, 1]; targets its bytes and its tokens, float64 [n, 2].

    ``bits_per_byte`` and ``nats_per_token`` are of all text together, so that long texts count as long ones, and no
    means of records. Races and paired tests compare ``bits_per_text``, which ranks networks as ``bits_per_byte`` does:
    the bytes are those of the data.
    """

    schema = Schema(
        task="language-modelling", columns={TOKENS: TOKENS_TYPE, BYTES: "int64", "source": "string"}, target=BYTES
    )
    columns: tuple[str, ...] = ("n", "invalid", "nats", BYTES, "tokens")
    measures: Mapping[str, Measure] = {
        "bits_per_byte": Measure("Bits per byte", "bits per byte", False, "Bits/byte", "bits per byte"),
        "nats_per_token": Measure("Nats per token", "nats per token", False, "Nats/token", "nats per token"),
        "bits_per_text": Measure("Bits per text", "bits per text", False, "Bits/text", "bits per text"),
    }
    fitness = "bits_per_byte"
    scored: tuple[str, ...] = ("bits_per_text",)
    kept: tuple[str, ...] = ("nats", BYTES, "tokens")

    def batch(self, records: Any, rows: np.ndarray, how: Preparation) -> Batch:
        return text_batch(records, rows, how)

    def batch_bytes(self, records: Any, count: int, how: Preparation) -> int:
        return text_bytes(records, count, how)

    def targets(self, records: Any, rows: np.ndarray, device: torch.device) -> Tensor:
        import torch

        found = np.stack([records[BYTES][rows], records[TOKENS].lengths[rows] - 1], axis=1).astype(np.float64)
        return torch.from_numpy(found).to(device)

    def outputs(self, network: Network, batch: Batch) -> Tensor:
        return nats(network, batch.inputs, batch.inputs["attention_mask"])[:, None]

    def sums(self, outputs: Tensor, targets: Tensor) -> np.ndarray:
        rows = self.records(outputs, targets)
        bad = int(np.count_nonzero(~np.isfinite(rows["nats"])))
        total = math.nan if bad else math.fsum(rows["nats"])
        return np.array([len(targets), bad, total, rows[BYTES].sum(), rows["tokens"].sum()])

    def records(self, predictions: Tensor, targets: Tensor) -> Scores:
        spent, of = predictions.double().cpu().numpy().reshape(-1), targets.cpu().numpy()
        return {"nats": spent, BYTES: of[:, 0], "tokens": of[:, 1]}

    def scores(self, outputs: Tensor, targets: Tensor) -> Scores:
        return self.compared(self.records(outputs, targets))

    def compared(self, records: Mapping[str, np.ndarray]) -> Scores:
        return {"bits_per_text": records["nats"] / math.log(2)}

    def figures(self, total: Mapping[str, float]) -> Figures:
        return self._figures(total["n"], total["nats"], total[BYTES], total["tokens"])

    def evaluated(self, records: Mapping[str, np.ndarray]) -> Figures:
        return self._figures(len(records["nats"]), *(float(np.sum(records[name])) for name in self.kept))

    def _figures(self, n: float, spent: float, size: float, tokens: float) -> Figures:
        bits = spent / math.log(2)
        values = {"bits_per_byte": bits / size, "nats_per_token": spent / tokens, "bits_per_text": bits / n}
        return {name: Figure(value, self.measures[name]) for name, value in values.items()}
