"""Digests of tensors: SHA-256 over name, type, shape and little-endian bytes, in byte order of names."""

import hashlib
import sys
from collections.abc import Mapping

import torch
from torch import Tensor


def tensors_sha256(state: Mapping[str, Tensor]) -> str:
    """Hex digest; name, type (``float32``) and shape (``2,3``) are UTF-8, each ended by a zero byte."""
    digest = hashlib.sha256()
    for name in sorted(state, key=str.encode):
        tensor = state[name]
        shape = ",".join(str(size) for size in tensor.shape)
        header = (name, str(tensor.dtype).removeprefix("torch."), shape)
        digest.update("".join(part + "\0" for part in header).encode())
        digest.update(little_endian(tensor))
    return digest.hexdigest()


def little_endian(tensor: Tensor) -> memoryview:
    """A tensor's values, row-major, as little-endian bytes."""
    raw = tensor.detach().cpu().contiguous().reshape(-1)
    if sys.byteorder == "big" and raw.element_size() > 1:
        raw = raw.view(torch.uint8).reshape(-1, raw.element_size()).flip(1).reshape(-1)
    return raw.view(torch.uint8).numpy().data
