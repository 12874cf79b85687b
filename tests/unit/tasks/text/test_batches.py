"""Batches of token lists: padded at the end, hidden by the mask, and without effect on a record's outputs."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_language
import torch

from evoray.data.records import Ragged, Records
from evoray.models.transformers.attention import prepare
from evoray.tasks.base import Preparation
from evoray.tasks.text.batches import text_batch, text_bytes
from evoray.tasks.text.classification import TextClassification

HOW = Preparation(torch.device("cpu"), torch.float32, False)


def records(lists, **more):
    columns = {"input_ids": Ragged.of(lists, "int32"), "label": np.zeros(len(lists), np.int64), **more}
    return Records(0, columns, [str(row) for row in range(len(lists))])


def test_padding_stands_behind_and_the_mask_says_so():
    batch = text_batch(records([[5, 6, 7], [8], [9, 4]]), np.array([2, 1]), HOW)
    assert batch.count == 2
    assert batch.inputs["input_ids"].tolist() == [[9, 4], [8, 0]]
    assert batch.inputs["attention_mask"].tolist() == [[1, 1], [1, 0]]
    assert {one.dtype for one in batch.inputs.values()} == {torch.int64}
    assert batch.unfilled().inputs["input_ids"].shape == (2, 2)


def test_pairs_say_which_text_a_token_is_of():
    kinds = Ragged.of([[0, 0, 1], [0]], "uint8")
    batch = text_batch(records([[5, 6, 7], [8]], token_type_ids=kinds), np.arange(2), HOW)
    assert batch.inputs["token_type_ids"].tolist() == [[0, 0, 1], [0, 0, 0]]


def test_bytes_are_no_less_than_what_batches_hold():
    some = records([[5, 6, 7], [8], [9, 4]])
    held = sum(one.nbytes for one in text_batch(some, np.arange(3), HOW).inputs.values())
    assert held <= text_bytes(some, 3, HOW)


@pytest.mark.parametrize("kind", ["bert", "gpt2-classes"])
def test_a_record_alone_and_padded_gives_the_same(kind):
    """Up to the rounding of kernels of another shape; the batch, and so the bits, follow from the shard."""
    task, network = TextClassification(), tiny_language.network(kind, pad_token_id=0)
    prepare(network)
    lists = [np.random.default_rng(row).integers(4, 19, size=row + 1) for row in range(12)]
    some = records(lists)
    with torch.inference_mode():
        whole = task.outputs(network, task.batch(some, np.arange(12), HOW))
        again = task.outputs(network, task.batch(some, np.arange(12), HOW))
        alone = torch.cat([task.outputs(network, task.batch(some, np.array([row]), HOW)) for row in range(12)])
    assert torch.equal(whole, again)
    torch.testing.assert_close(whole, alone, rtol=1e-5, atol=1e-6)
    assert alone.std(0).min() > 1e-3  # the texts are told apart
