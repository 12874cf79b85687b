"""In which order a network first uses its tensors, and what a child of each costs where activations are kept.

Every operation of a pass is looked at on its way to the kernels, as by whoever keeps activations (``tape.py``). It uses
a tensor when the memory of one of its arguments lies in that tensor's: so tied weights, views, slices and transposes of
a weight count as the weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from evoray.evaluation.kept.cut import cut_before
from evoray.evaluation.kept.tape import Owner, Tape, Unrepeatable, Uses


class FirstUse(NamedTuple):
    """Of tensors in a pass.

    order: their numbers by first use, those that are never used last. used: how many are.
    """

    order: tuple[int, ...]
    used: int


def first_use(model: nn.Module, names: Sequence[str], run: Callable[[], Any]) -> FirstUse:
    """Of the parameters ``names`` of a model, in the pass ``run``; on this thread, without gradients.

    Operations of equal standing (a convolution's weight and bias) follow the order of the operation's arguments.
    """
    uses = Uses(_Owners(model, names))
    with torch.no_grad(), _EachByItself(), uses:
        run()
    order = list(uses.first)
    rest = [number for number in range(len(names)) if number not in uses.first]
    return FirstUse((*order, *rest), len(order))


class Prices(Sequence[float]):
    """Of each of the parameters ``names``, what a child costs that changes it and what is used behind it: the share of
    the pass's multiplications that a worker does which keeps activations; 1 where it can keep none.

    Args:
        record: gives the tape of a pass over a batch, as a worker records it.
    """

    def __init__(self, model: nn.Module, names: Sequence[str], record: Callable[[Owner], Tape]) -> None:
        self._count, self._known = len(names), dict[int, float]()
        try:
            self._tape = record(_Owners(model, names))
        except Unrepeatable:
            self._known = dict.fromkeys(range(len(names)), 1.0)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: Any) -> Any:
        if not 0 <= number < self._count:
            raise IndexError(number)
        if number not in self._known:  # each takes milliseconds, and few are asked for
            self._known[number] = cut_before(self._tape, [number]).price
        return self._known[number]


class _EachByItself(TorchFunctionMode):
    """Changes nothing; while any such mode is on, attention and encoder layers take their steps one by one, and not as
    one operation with all of their weights."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


class _Owners:
    """Of a tensor, the numbers of the parameters whose memory it shares."""

    def __init__(self, model: nn.Module, names: Sequence[str]) -> None:
        parameters = dict(model.named_parameters(remove_duplicate=False))
        self._at: dict[int, list[tuple[int, int, int]]] = {}
        for number, name in enumerate(names):
            for memory, first, last in _extent(parameters[name]):
                self._at.setdefault(memory, []).append((first, last, number))

    def __call__(self, tensor: Tensor) -> Iterator[int]:
        for memory, first, last in _extent(tensor):
            for start, stop, number in self._at.get(memory, ()):
                if start < last and first < stop:
                    yield number


def _extent(tensor: Tensor) -> Iterator[tuple[int, int, int]]:
    """(where its memory begins, its first byte in it, the byte after its last); none of a tensor without memory."""
    if tensor.layout != torch.strided or not tensor.numel() or tensor.is_meta:
        return
    span = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    first = int(tensor.storage_offset()) * tensor.element_size()
    yield tensor.untyped_storage().data_ptr(), first, first + int(span) * tensor.element_size()
