"""Batches of tokens: lists of their own lengths, filled up to the longest of the batch and hidden there by a mask.

Networks take them by name, ``input_ids`` and ``attention_mask`` [b, t] and what else a tokenizer makes. Which records
share a batch follows from the shard alone, whose records lie in the order of their lengths; so last bits that hang on a
batch's shape are the same on every worker.

torch is imported where it is used: ingest asks a task for its schema alone.
"""

from typing import Any

import numpy as np

from evoray.data.records import Ragged
from evoray.tasks.base import Batch, Preparation
from evoray.tasks.inputs import on_device

TOKENS, KINDS = "input_ids", "token_type_ids"
"""Columns of records: int32 tokens; and uint8, of which of two texts each is, where the tokenizer tells them apart."""
TOKENS_TYPE = "list<item: int32>"
WIDE = 8
"""Bytes of a token on the device: networks look rows of a table up by int64."""


def text_batch(records: Any, rows: np.ndarray, how: Preparation) -> Batch:
    """Some rows of a shard, each name's [b, t]; a run has no batches of one shape (``how.width``) of text."""
    tokens: Ragged = records[TOKENS]
    lists = [tokens[row] for row in rows]
    inputs = {TOKENS: padded(lists), "attention_mask": mask_of(lists)}
    if KINDS in records:
        inputs[KINDS] = padded([records[KINDS][row] for row in rows])
    import torch

    return Batch({name: on_device(torch.from_numpy(values), how) for name, values in inputs.items()}, len(rows))


def text_bytes(records: Any, count: int, how: Preparation) -> int:
    """What batches of so many records hold on the device at most, bytes."""
    longest = int(records[TOKENS].lengths.max(initial=1))
    return count * longest * WIDE * (3 if KINDS in records else 2)


def padded(lists: list[np.ndarray]) -> np.ndarray:
    """int64 [b, t], zeros behind each list."""
    found = np.zeros((len(lists), max(map(len, lists))), dtype=np.int64)
    for row, one in enumerate(lists):
        found[row, : len(one)] = one
    return found


def mask_of(lists: list[np.ndarray]) -> np.ndarray:
    """int64 [b, t]: 1 where a list has a value."""
    lengths = np.array([len(one) for one in lists])
    return (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
