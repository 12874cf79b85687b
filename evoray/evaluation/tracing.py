"""Where two passes part, and what a network keeps beside its parameters: how an impure module is found by name."""

import functools
import hashlib
import random
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from evoray.evaluation.passes import tensors_inside

DEPTH, ITEMS = 5, 20_000
"""How deep, and how far, a module's own attributes are looked into."""
_LIBRARIES = ("torch", "timm", "transformers", "builtins", "evoray")
"""torchvision too; their classes keep nothing."""
_CLOSED = frozenset(sys.stdlib_module_names) - {"types", "__main__"} | {"torch", "numpy"}
"""Whose objects are not looked into: loggers, locks, devices and the like."""
_SIMPLE = frozenset({bool, int, float, str, type(None)})
_PLUMBING = set(vars(nn.Module())) - {"_buffers", "training"}


@dataclass(frozen=True)
class Call:
    """One call of a module in a pass: digests of the tensors that went in and came out."""

    module: str
    kind: str
    inputs: tuple[bytes, ...]
    outputs: tuple[bytes, ...]

    @property
    def where(self) -> str:
        return where(self.module, self.kind)


def where(module: str, kind: str) -> str:
    """A module for a message."""
    return f"{module} ({kind})" if module else f"the forward of {kind} itself"


def trace(model: nn.Module, run: Callable[[], Any], row: int | None = None, rows: int = 1) -> list[Call]:
    """Every call of a module in ``run``, in the order in which they end.

    row: of ``rows`` records; the others' share of each tensor is left out.
    """
    calls: list[Call] = []
    begun: list[tuple[bytes, ...]] = []
    names = {module: name for name, module in model.named_modules()}

    def before(module: nn.Module, args: Any, kwargs: Any) -> None:
        begun.append(_digests((args, kwargs), row, rows))

    def after(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        calls.append(Call(names[module], type(module).__name__, begun.pop(), _digests(output, row, rows)))

    hooks = []
    for module in names:
        hooks += [
            module.register_forward_pre_hook(before, prepend=True, with_kwargs=True),
            module.register_forward_hook(after, with_kwargs=True),
        ]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def first_difference(one: Sequence[Call], other: Sequence[Call]) -> Call | None:
    """The innermost call that was given the same and gave something else; None where there is none."""
    for mine, its in zip(one, other, strict=False):
        if mine.module != its.module:
            break
        if mine.inputs == its.inputs and mine.outputs != its.outputs:
            return mine
    return None if one == other else one[-1]  # other modules were called: something in the outermost chose them


def kept_values(model: nn.Module) -> dict[str, Any]:
    """What a network holds beside its registered parameters, by path: buffers, plain tensors, numbers, generators; also
    on a user's classes and among the globals of their modules.

    Values compare equal if what is held is equal; of tensors and arrays they are digests.
    """
    registered = {id(tensor) for tensor in model.parameters()}
    modules = {id(module) for module in model.modules()}
    found: dict[str, Any] = {}
    for name, module in model.named_modules():
        for path, value in _own(module, name):
            _walk(path, value, found, registered, modules, DEPTH)
    for kind in {kind for module in model.modules() for kind in type(module).__mro__}:
        if not kind.__module__.startswith(_LIBRARIES):
            for path, value in _beside(kind):
                _walk(path, value, found, registered, modules, DEPTH)
    return found


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Paths whose values differ, or that one of them lacks."""
    return [path for path in {**one, **other} if one.get(path, _ABSENT) != other.get(path, _ABSENT)]


_ABSENT = object()


def _own(module: nn.Module, name: str) -> Iterator[tuple[str, Any]]:
    for key, value in vars(module).items():
        if key == "_buffers":
            yield from ((f"{name}.{buffer}".lstrip("."), held) for buffer, held in value.items())
        elif key not in _PLUMBING:
            yield f"{name}.{key}".lstrip("."), value


def _beside(kind: type) -> Iterator[tuple[str, Any]]:
    """What a user's class keeps for all its networks: its own attributes, and globals that its code speaks of."""
    functions = [value for value in vars(kind).values() if isinstance(value, types.FunctionType)]
    seen = set(functions)
    while functions:
        function = functions.pop()
        for name in _names(function.__code__):
            value = function.__globals__.get(name)
            if isinstance(value, types.FunctionType) and value.__module__ == kind.__module__ and value not in seen:
                seen.add(value)
                functions.append(value)
            elif not isinstance(value, type | types.ModuleType | types.FunctionType | nn.Module):
                yield f"{kind.__module__}.{name}", value
    for name, value in vars(kind).items():
        if not name.startswith("__") and not callable(value):
            yield f"{kind.__qualname__}.{name}", value


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _walk(path: str, value: Any, found: dict[str, Any], tensors: set[int], modules: set[int], depth: int) -> None:
    if len(found) >= ITEMS or id(value) in tensors or id(value) in modules:
        return
    plain = repr(value) if type(value) in _SIMPLE else _plain(value)
    if plain is not _ABSENT:
        found[path] = plain
        return
    if depth == 0:
        return
    for key, inner in _parts(value):
        _walk(f"{path}{key}", inner, found, tensors, modules, depth - 1)


def _plain(value: Any) -> Any:
    """What stands for a value that has no parts to look into."""
    if isinstance(value, Tensor):
        return (str(value.dtype), tuple(value.shape), digest(value))
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, hashlib.blake2b(np.ascontiguousarray(value).tobytes()).digest())
    if isinstance(value, torch.Generator):
        return digest(value.get_state())
    if isinstance(value, random.Random):
        return repr(value.getstate())
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    if isinstance(value, np.random.RandomState):
        return repr(value.get_state())
    if isinstance(value, int | float | complex | str | bytes | np.generic) or value is None:
        return repr(value)
    if type(value).__module__ == "itertools":
        return repr(value)
    return _ABSENT


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """(its place, a part) of containers, and of objects that are neither code nor torch's own."""
    if isinstance(value, Mapping):
        yield from ((f"[{key!r}]", inner) for key, inner in value.items())
    elif isinstance(value, list | tuple | deque):
        yield ".length", len(value)
        yield from ((f"[{place}]", inner) for place, inner in enumerate(value))
    elif isinstance(value, set | frozenset):
        yield ".length", len(value)
    elif isinstance(value, functools.partial):
        yield ".args", value.args
        yield ".keywords", value.keywords
    elif isinstance(value, types.FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=False)
        yield from ((f".{key}", cell.cell_contents) for key, cell in cells)
    elif isinstance(value, nn.Module):  # one that is not registered
        yield from ((f".{key}", inner) for key, inner in value._parameters.items())
        yield from ((f".{key}", inner) for key, inner in value._modules.items())
        yield from ((f".{key}", inner) for key, inner in _own(value, ""))
    elif type(value).__module__.partition(".")[0] not in _CLOSED:
        yield from ((f".{key}", inner) for key, inner in getattr(value, "__dict__", {}).items())


def _digests(value: Any, row: int | None, rows: int) -> tuple[bytes, ...]:
    return tuple(digest(_of_row(tensor, row, rows)) for tensor in tensors_inside(value))


def _of_row(tensor: Tensor, row: int | None, rows: int) -> Tensor:
    """A record's share, where the first dimension is of records or of their parts; else nothing."""
    if row is None:
        return tensor
    if tensor.ndim == 0 or tensor.shape[0] == 0 or tensor.shape[0] % rows:
        return tensor.new_empty(0)
    return tensor.chunk(rows)[row]


def digest(tensor: Tensor) -> bytes:
    """Of a tensor's values and type, in any layout; a lazy or quantized one has none."""
    try:
        raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    except (RuntimeError, ValueError, NotImplementedError):
        return repr(type(tensor)).encode()
    return hashlib.blake2b(raw.data, digest_size=16).digest()
