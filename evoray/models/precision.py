"""In which type a parent's weights were kept, and in which they are evaluated, where the two differ."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from evoray.models.onnx.network import OnnxNetwork
from evoray.runtime.reading import shown

_OF_TYPES = re.compile(r"dtype|scalar type|c10::|should be the same|\bHalf\b|\bBFloat16\b")
"""What PyTorch says where operands differ in type."""


def of_file(kept: Mapping[str, Any], own: Mapping[str, Tensor], origin: str) -> tuple[str, ...]:
    """A line where a file's weights have another floating type than the network built for them.

    Args:
        kept: the file's tensors, as they were taken. own: the network's, once it holds them.
    """
    theirs, ours = _main_type(kept.values()), _main_type(own.values())
    if theirs is None or ours is None or theirs == ours:
        return ()
    exact = torch.finfo(theirs).bits < torch.finfo(ours).bits
    how = "taken as they are" if exact else "rounded"
    return (
        f"{shown(origin)}: its weights are {_name(theirs)} and are {how} into the network's {_name(ours)}; what is "
        f"exported is {_name(ours)}",
    )


def of_network(model: nn.Module, evaluated: str | None) -> tuple[str, ...]:
    """A line where a network's own weights are of another type than the one that a run evaluates it in.

    A network in float32 that is to be evaluated in less is what its user asked for. None: not known yet.
    """
    own = None if isinstance(model, OnnxNetwork) else _main_type(model.parameters())  # its graph says in which
    if own is None or evaluated is None or own == torch.float32 or _name(own) == evaluated:
        return ()
    return (
        f"the parent's weights are {_name(own)}: every child's are rounded to that, and it is evaluated in {evaluated} "
        f"(compute.dtype), so scores may differ in their last digits from those of {_name(own)} itself",
    )


def remedy(model: nn.Module, error: BaseException) -> str | None:
    """What to do where a pass failed for types that do not fit; None where that is not why it failed."""
    if not _OF_TYPES.search(str(error)):
        return None
    cast = "Cast to a module's own type in forward, x.to(self.conv.weight.dtype), not to a fixed one (x.half())."
    kinds = _of_each_type(model)
    if len(kinds) < 2:
        return f"The pass mixes types: all weights and inputs are in compute.dtype. {cast}"
    named = ", ".join(f"{_name(dtype)}: {shown(names[0], 80)}{_more(names)}" for dtype, names in kinds.items())
    return (
        f"Its weights are of several types ({named}), and PyTorch cannot compute with both at once. Return the network "
        f"in one type: model.float(). {cast}"
    )


def _of_each_type(model: nn.Module) -> dict[torch.dtype, list[str]]:
    kinds: dict[torch.dtype, list[str]] = {}
    for name, one in model.named_parameters():
        if one.is_floating_point():
            kinds.setdefault(one.dtype, []).append(name)
    return kinds


def _more(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def _main_type(tensors: Iterable[Any]) -> torch.dtype | None:
    """The floating type of most weights."""
    sizes: Counter[torch.dtype] = Counter()
    for one in tensors:
        if isinstance(one, Tensor) and one.is_floating_point():
            sizes[one.dtype] += one.numel()
    return sizes.most_common(1)[0][0] if sizes else None


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
