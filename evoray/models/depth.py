"""In which order a network first uses its tensors, found by one forward pass, and how much of the pass follows each.

Every operation of the pass is looked at on its way to the kernels. It uses a tensor when the memory of one of its
arguments lies in that tensor's: so tied weights, views, slices and transposes of a weight count as the weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


class FirstUse(NamedTuple):
    """Of tensors in a pass.

    order: their numbers by first use, those that are never used last. used: how many are.
    behind: of each tensor, the share of the pass's floating-point operations from its first use to the end; 0 for one
        that is never used, and 1 for all others where none was counted.
    """

    order: tuple[int, ...]
    used: int
    behind: tuple[float, ...]


def first_use(model: nn.Module, names: Sequence[str], run: Callable[[], Any], flops: bool = False) -> FirstUse:
    """Of the parameters ``names`` of a model, in the pass ``run``; on this thread, without gradients.

    Operations of equal standing (a convolution's weight and bias) follow the order of the operation's arguments. FLOPs
    are counted by ``torch.utils.flop_counter``, where ``flops`` asks for them.
    """
    parameters = dict(model.named_parameters(remove_duplicate=False))
    counter = FlopCounterMode(display=False) if flops else None
    watch = _Watch([parameters[name] for name in names], counter.get_total_flops if counter else lambda: 0)
    with ExitStack() as modes:
        modes.enter_context(torch.no_grad())
        modes.enter_context(_EachByItself())
        if counter is not None:
            modes.enter_context(counter)
        modes.enter_context(watch)
        run()
    order = list(watch.seen)
    total = counter.get_total_flops() if counter else 0
    share = {number: 1 - before / total if total else 1.0 for number, before in watch.seen.items()}
    rest = [number for number in range(len(names)) if number not in watch.seen]
    return FirstUse((*order, *rest), len(order), tuple(share.get(number, 0.0) for number in range(len(names))))


class _EachByItself(TorchFunctionMode):
    """Changes nothing; while any such mode is on, attention and encoder layers take their steps one by one, and not as
    one operation with all of their weights."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


class _Watch(TorchDispatchMode):
    """``seen``: number of a tensor -> operations counted when it was first used, in the order of first use."""

    supports_higher_order_operators = True

    def __init__(self, tensors: Sequence[Tensor], count: Callable[[], int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: dict[int, int] = {}
        self._count = count
        self._at: dict[int, list[tuple[int, int, int]]] = {}
        for number, tensor in enumerate(tensors):
            for memory, first, last in _extent(tensor):
                self._at.setdefault(memory, []).append((first, last, number))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for one in tree_leaves((args, kwargs or {})):
            if isinstance(one, Tensor):
                for memory, first, last in _extent(one):
                    for start, stop, number in self._at.get(memory, ()):
                        if start < last and first < stop:
                            self.seen.setdefault(number, self._count())
        return func(*args, **(kwargs or {}))


def _extent(tensor: Tensor) -> Iterator[tuple[int, int, int]]:
    """(where its memory begins, its first byte in it, the byte after its last); none of a tensor without memory."""
    if tensor.layout != torch.strided or not tensor.numel() or tensor.is_meta:
        return
    span = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    first = int(tensor.storage_offset()) * tensor.element_size()
    yield tensor.untyped_storage().data_ptr(), first, first + int(span) * tensor.element_size()
