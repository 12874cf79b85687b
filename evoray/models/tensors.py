"""A model's tensors under their canonical names, and which of them may be mutated."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from evoray.errors import ConfigError, ModelError
from evoray.models.onnx.network import OnnxNetwork

_SUMMED = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def canonical_state(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, str]]:
    """(state, aliases): tensors of the state_dict, copied to the CPU in their own type, a tied one once.

    A tensor shared under several names counts under the first of them in byte order; ``aliases`` maps the others
    to it.
    """
    held, aliases = _held(model)
    copies = {name: one.detach().cpu().clone(memory_format=torch.contiguous_format) for name, one in held.items()}
    return copies, aliases


def _held(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, str]]:
    """As ``canonical_state``, of the model's own tensors."""
    state: dict[str, Tensor] = {}
    aliases: dict[str, str] = {}
    first: dict[tuple[int, torch.Size, tuple[int, ...]], str] = {}
    tensors = model.state_dict(keep_vars=True)
    for name in sorted(tensors, key=str.encode):
        tensor = tensors[name]
        key = (tensor.data_ptr(), tensor.shape, tensor.stride())
        if tensor.numel() and key in first:
            aliases[name] = first[key]
            continue
        first[key] = name
        state[name] = tensor
    return state, aliases


def mutable_names(model: nn.Module, include: Sequence[str], exclude: Sequence[str]) -> list[str]:
    """Canonical names of the floating parameters that the patterns choose, in byte order; of integer ones those that
    the network names (``integers``).

    A tied tensor is chosen by any of its names, and left out by any of them.

    Raises:
        ConfigError: a pattern of ``include`` matches nothing, or nothing is left.
        ModelError: a parameter holds NaN or infinity.
    """
    _, aliases = _held(model)
    groups: dict[str, list[str]] = {}
    parameters = dict(model.named_parameters(remove_duplicate=False))
    integers = model.integers if isinstance(model, OnnxNetwork) else ()
    for name, parameter in parameters.items():
        if parameter.numel() and (parameter.is_floating_point() or name in integers):
            groups.setdefault(aliases.get(name, name), []).append(name)
    for name in groups:
        if not all_finite(parameters[name]):
            raise ModelError(f"the parent's tensor {name} holds NaN or infinity. Take another checkpoint.")
    for pattern in include:
        if not any(fnmatchcase(name, pattern) for names in groups.values() for name in names):
            raise ConfigError(
                f'mutation.include: "{pattern}" matches none of the {len(groups)} parameters '
                f"({', '.join(sorted(groups)[:4])}, …)."
            )
    chosen = [canonical for canonical, names in groups.items() if _any(names, include) and not _any(names, exclude)]
    if not chosen:
        raise ConfigError("mutation.exclude leaves no parameter to mutate. Exclude less, or include more.")
    return sorted(chosen, key=str.encode)


def all_finite(tensor: Tensor) -> bool:
    """Whether no value of a floating tensor is NaN or infinite: nor is their sum then, found in a thirtieth of the time
    (unless it overflows)."""
    if tensor.dtype in _SUMMED and bool(torch.isfinite(tensor.detach().sum())):
        return True
    return bool(torch.isfinite(tensor).all())


def _any(names: Sequence[str], patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
