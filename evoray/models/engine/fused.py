"""Where a checkpoint's tensors lie in a network that lays some of them together, as vLLM lays q, k and v in one."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from evoray.errors import ModelError
from evoray.runtime.reading import shown

Fused = Mapping[str, Sequence[str]]
"""Of a module's name, the names of those laid one below the other in it: ``packed_modules_mapping`` of vLLM."""
INSTEAD = "Export the child as a folder (evoray export), and start an engine from that."


class Place(NamedTuple):
    """A tensor is ``size`` values of the parameter ``name``, from ``first`` on, row-major."""

    name: str
    first: int
    size: int


def place_of(name: str, state: Mapping[str, Tensor], fused: Fused, known: Mapping[str, Tensor]) -> Place | None:
    """The place of the tensor ``name`` of a checkpoint among the ``known`` parameters; None: it has none there."""
    size = state[name].numel()
    if name in known:
        return Place(name, 0, size)
    parts = name.split(".")
    for at, part in enumerate(parts):
        for whole, members in fused.items():
            renamed = ".".join([*parts[:at], whole, *parts[at + 1 :]])
            if part in members and part != whole and renamed in known:
                before = [".".join([*parts[:at], one, *parts[at + 1 :]]) for one in members[: members.index(part)]]
                return Place(renamed, sum(state[one].numel() for one in before if one in state), size)
    return None


def places(state: Mapping[str, Tensor], fused: Fused, known: Mapping[str, Tensor]) -> dict[str, Place]:
    """Of every tensor. Raises ModelError for one that has none."""
    found = {name: place_of(name, state, fused, known) for name in state}
    if lost := [name for name, place in found.items() if place is None]:
        raise ModelError(
            f"the engine has no {shown(lost[0])} of the parent's by that name ({len(lost)} of {len(state)} tensors), "
            f"so children cannot be written into it. {INSTEAD}"
        )
    return {name: place for name, place in found.items() if place is not None}


def unpack(model: nn.Module, state: Mapping[str, Tensor], found: Mapping[str, Place]) -> int:
    """Gives back plain weights to modules that compute with a copy packed for the CPU; returns how many had one.

    vLLM packs by oneDNN and keeps nothing else, and what is packed cannot be written to in part. A packed copy's
    products are compared with those of the plain weights before it goes. Raises ModelError where they differ.
    """
    by_name: dict[str, list[tuple[Place, str]]] = {}
    for name, place in found.items():
        by_name.setdefault(place.name, []).append((place, name))
    packed = 0
    for path, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if not hasattr(module, "cpu_linear") or not isinstance(weight, Tensor):
            continue
        whole = weight
        if not weight.numel():
            parts = sorted(by_name.get(f"{path}.weight", []))
            if not parts:
                raise ModelError(f"the engine packed {shown(path)}, of which the parent knows nothing. {INSTEAD}")
            whole = torch.cat([state[name] for _, name in parts]).to(weight.dtype)
        _compare(module, path, whole)
        if whole is not weight:
            module.weight = nn.Parameter(whole, requires_grad=False)
        if isinstance(bias := getattr(module, "bias", None), Tensor):
            bias.data = bias.data.to(weight.dtype)  # packed for AMX, it was widened
        module.cpu_linear = nn.functional.linear
        packed += 1
    return packed


def _compare(module: nn.Module, path: str, weight: Tensor) -> None:
    drawn = torch.Generator().manual_seed(0)
    inputs = torch.randn(2, weight.shape[1], generator=drawn).to(weight.dtype)
    packed, plain = module.cpu_linear(inputs, weight, None), nn.functional.linear(inputs, weight)  # type: ignore[operator]
    slack = 8 * torch.finfo(weight.dtype).eps ** 0.5 * float(plain.abs().max())
    if not torch.allclose(packed.float(), plain.float(), rtol=0, atol=slack):
        raise ModelError(f"the engine's {shown(path)} gives other products than the parent's weights. {INSTEAD}")


def views(
    model: nn.Module, state: Mapping[str, Tensor], found: Mapping[str, Place], aliases: Mapping[str, str]
) -> dict[str, list[Tensor]]:
    """Of every tensor the flat views in the engine that hold it: one, or more where it is tied and held twice.

    Raises ModelError where one does not hold the parent's values, rounded to the engine's type.
    """
    known = dict(model.named_parameters(remove_duplicate=False))
    held: dict[str, list[Tensor]] = {}
    for name, place in found.items():
        flat = known[place.name].data
        view = flat.view(-1)[place.first : place.first + place.size] if flat.is_contiguous() else flat[:0]
        values = state[name].reshape(-1)
        if view.shape != values.shape or not torch.equal(view.cpu(), values.to(view.dtype)):
            raise ModelError(
                f"the engine does not hold the parent's {shown(name)} as it is: it was started from another folder, is "
                f"quantised, spread over several devices, or lays weights out in its own way. {INSTEAD}"
            )
        same = held.setdefault(aliases.get(name, name), [])
        if all(one.data_ptr() != view.data_ptr() for one in same):
            same.append(view)
    return held
