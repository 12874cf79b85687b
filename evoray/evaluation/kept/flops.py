"""Multiplications and additions of an operation: two for each product that is summed up.

Formulas for what PyTorch's dispatcher sees in inference mode, where ``linear`` and its kin arrive whole; those of
``torch.utils.flop_counter`` for the rest. What has none (element by element, pooling, normalisation) counts nothing: it
is bound by memory, and small beside products.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils.flop_counter import flop_registry


def flops(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
    """Of one call of an operation (an ``OpOverload``) that gave ``result``."""
    packet = function._overloadpacket
    own = _FORMULAS.get(str(packet).rpartition(".")[2])
    if own is not None:
        return own(args, result)
    known = flop_registry.get(packet)
    return int(known(*args, **kwargs, out_val=result)) if known else 0


def _convolution(args: tuple[Any, ...], result: Tensor) -> int:
    """Each output is a sum over the weight's inputs and window; transposed, each input goes to so many outputs."""
    return int(2 * result.numel() * math.prod(args[1].shape[1:]))


def _transposed(args: tuple[Any, ...], result: Tensor) -> int:
    return int(2 * args[0].numel() * math.prod(args[1].shape[1:]))


def _product(args: tuple[Any, ...], result: Tensor) -> int:
    count: int = 2 * result.numel() * args[0].shape[-1]
    return count


def _attention(args: tuple[Any, ...], result: Any) -> int:
    """queries x keys, and their weights x values."""
    queries, keys, values = args[:3]
    rows: int = math.prod(queries.shape[:-1])
    return 2 * rows * int(keys.shape[-2]) * (int(queries.shape[-1]) + int(values.shape[-1]))


def _multi_head(args: tuple[Any, ...], result: Any) -> int:
    """Projections of queries, keys, values and outputs, and the attention between."""
    query, key, _, width = args[:4]
    rows, others = math.prod(query.shape[:-1]), int(key.shape[-2])
    return int(2 * rows * width * (4 * width + 2 * others))


_FORMULAS: dict[str, Callable[[tuple[Any, ...], Any], int]] = {
    "conv1d": _convolution,
    "conv2d": _convolution,
    "conv3d": _convolution,
    "conv_transpose1d": _transposed,
    "conv_transpose2d": _transposed,
    "conv_transpose3d": _transposed,
    "linear": _product,
    "matmul": _product,
    "scaled_dot_product_attention": _attention,
    "_native_multi_head_attention": _multi_head,
}
