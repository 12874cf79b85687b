"""Text classification: a text (or two) in, a score for every class out, one class is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from evoray.data.schema import Schema
from evoray.tasks.base import Batch, Measure, Network, Preparation
from evoray.tasks.classes import Classes, class_measures
from evoray.tasks.inputs import tensor_of
from evoray.tasks.text.batches import TOKENS, TOKENS_TYPE, text_batch, text_bytes

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class TextClassification(Classes):
    """Outputs are logits [n, C] (any float type), targets int64 [n]; the network takes what ``text_batch`` gives."""

    schema = Schema(
        task="text-classification", columns={TOKENS: TOKENS_TYPE, "label": "int64", "source": "string"}, target="label"
    )
    measures: Mapping[str, Measure] = class_measures("text")

    def batch(self, records: Any, rows: np.ndarray, how: Preparation) -> Batch:
        return text_batch(records, rows, how)

    def batch_bytes(self, records: Any, count: int, how: Preparation) -> int:
        return text_bytes(records, count, how)

    def targets(self, records: Any, rows: np.ndarray, device: torch.device) -> Tensor:
        import torch

        return torch.from_numpy(np.ascontiguousarray(records["label"][rows])).to(device)

    def outputs(self, network: Network, batch: Batch) -> Tensor:
        return tensor_of(network(**batch.inputs))
