from __future__ import annotations

import hashlib

import pytest
import torch
from recipes import parent

from evoray.mutation import tensors_sha256


def test_what_is_hashed() -> None:
    state = {"b": torch.tensor([[1.0, -2.0]]), "a": torch.tensor(3, dtype=torch.int16)}
    content = b"a\0int16\0\0\x03\x00" + b"b\0float32\x001,2\0" + bytes.fromhex("0000803f000000c0")
    assert tensors_sha256(state) == hashlib.sha256(content).hexdigest()


def test_bfloat16_and_empty_tensors() -> None:
    state = {"a": torch.tensor([1.0], dtype=torch.bfloat16), "b": torch.empty(0, 2)}
    content = b"a\0bfloat16\x001\0\x80\x3f" + b"b\0float32\x000,2\0"
    assert tensors_sha256(state) == hashlib.sha256(content).hexdigest()


def test_order_and_layout_do_not_matter() -> None:
    state = parent()
    other = {name: state[name] for name in reversed(state)}
    other["conv.weight"] = other["conv.weight"].to(memory_format=torch.channels_last)
    other["fc.weight"] = other["fc.weight"].t().contiguous().t()
    assert tensors_sha256(other) == tensors_sha256(state)


@pytest.mark.parametrize(
    "change",
    [
        {"fc.bias": -torch.zeros(10)},
        {"fc.bias": torch.zeros(10).half()},
        {"fc.bias": torch.zeros(2, 5)},
        {"more": torch.zeros(1)},
    ],
)
def test_every_bit_type_and_shape_counts(change: dict[str, torch.Tensor]) -> None:
    assert tensors_sha256({**parent(), **change}) != tensors_sha256(parent())
