"""A model on its way to another process: a skeleton without tensors, and every tensor in one flat buffer.

The buffer goes into shared memory as it is, and is read there by every process of a node without a copy.
"""

import hashlib
import io
import pickle
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize

from evoray.backends.base import Bulk
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.program import Program
from evoray.evaluation.settings import settings_for
from evoray.runtime.importing import check_code, modules_of


@dataclass(frozen=True)
class PackedModel:
    """A module without its tensors, and all its tensors in one uint8 buffer, each at a multiple of 64 bytes.

    tensors: (dtype, shape, byte offset, is a Parameter) of each, in pickling order. towards: ``Space.towards``, where
    the run's space has it.
    """

    skeleton: bytes
    flat: np.ndarray
    tensors: tuple[tuple[str, tuple[int, ...], int, bool], ...]
    towards: np.ndarray | None = None

    @property
    def nbytes(self) -> int:
        return self.flat.nbytes + len(self.skeleton) + (0 if self.towards is None else self.towards.nbytes)

    def digest(self) -> str:
        """SHA-256 of everything in it."""
        found = hashlib.sha256(self.flat.data)
        found.update(self.skeleton)
        found.update(repr(self.tensors).encode())
        if self.towards is not None:
            found.update(self.towards.data)
        return found.hexdigest()


@dataclass(frozen=True)
class EvaluatorSource:
    """What a backend is opened with for a run: builds the Evaluator of a packed model. parent: that model's digest."""

    program: Program
    parent: str

    @cached_property
    def key(self) -> str:
        fields = {**_said(self.program), "parent": self.parent}
        return hashlib.sha256(repr(sorted(fields.items())).encode()).hexdigest()

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.program.config_dir,) if self.program.config_dir else ()

    @property
    def device(self) -> str:
        return self.program.device

    @property
    def threads(self) -> int:
        return self.program.threads

    def settings(self) -> AbstractContextManager[None]:
        return settings_for(self.program)

    def build(self, bulk: PackedModel) -> Evaluator:
        config_dir = Path(self.program.config_dir) if self.program.config_dir else None
        with modules_of(config_dir):  # the user's classes arrive by their names
            evaluator = Evaluator(unpack_model(bulk), _beside(self.program, bulk.towards))
            check_code(self.program.code, config_dir)
        return evaluator


def _beside(program: Program, towards: np.ndarray | None) -> Program:
    """The program whose space has the differences that came with the model."""
    if towards is None:
        return program
    space = program.space.with_towards(program.space.others, towards)
    guards = {name: replace(guard, space=space) for name, guard in program.guards.items()}
    return replace(program, space=space, guards=guards)


def _said(program: Program) -> dict[str, Any]:
    """All that a program says, its space by its digest."""
    guards = {name: sorted(_said(guard).items()) for name, guard in program.guards.items()}
    return {**vars(program), "space": program.space.sha256, "guards": guards}


def packed_bulk(model: nn.Module, config_dir: Path | None = None) -> Bulk:
    """A model as a source's large part, under its digest; ``config_dir``: where its classes may have come from."""
    with modules_of(config_dir):
        packed = pack_model(model)
    return Bulk(packed, packed.digest(), packed.nbytes)


def with_towards(bulk: Bulk, towards: np.ndarray) -> Bulk:
    """A model's large part with the differences of other checkpoints beside it."""
    packed = replace(bulk.value, towards=towards)
    return Bulk(packed, packed.digest(), packed.nbytes)


def pack_model(model: nn.Module) -> PackedModel:
    """The module as a skeleton and one buffer; the module itself is not changed."""
    file = io.BytesIO()
    pickler = _TensorPickler(file)
    pickler.dump(model)
    table, offset = [], 0
    for tensor in pickler.tensors:
        dtype = str(tensor.dtype).removeprefix("torch.")
        table.append((dtype, tuple(tensor.shape), offset, isinstance(tensor, nn.Parameter)))
        offset += -(-tensor.nbytes // 64) * 64
    flat = np.zeros(offset, dtype=np.uint8)
    for tensor, (_, _, start, _) in zip(pickler.tensors, table, strict=True):
        raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        flat[start : start + raw.size] = raw
    return PackedModel(file.getvalue(), flat, tuple(table))


def unpack_model(packed: PackedModel) -> nn.Module:
    """The module with tensors of its own: the packed buffer is shared and never written."""
    tensors: list[torch.Tensor] = []
    for name, shape, start, is_parameter in packed.tensors:
        dtype = getattr(torch, name)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        raw = torch.from_numpy(packed.flat[start : start + size].copy())
        own = raw.view(dtype).reshape(shape) if size else torch.empty(shape, dtype=dtype)  # no bytes, no view
        tensors.append(nn.Parameter(own, requires_grad=False) if is_parameter else own)
    return _unpickled(packed.skeleton, tensors)


def _unpickled(skeleton: bytes, tensors: list[torch.Tensor]) -> nn.Module:
    model = _TensorUnpickler(io.BytesIO(skeleton), tensors).load()
    assert isinstance(model, nn.Module)
    model.eval()  # not chained: an override of train() often returns nothing
    return model


def travelled(model: nn.Module, config_dir: Path | None = None) -> nn.Module:
    """A copy as a worker gets it, each tensor copied once; a user's classes are found in ``config_dir``."""
    with modules_of(config_dir):
        file = io.BytesIO()
        pickler = _TensorPickler(file)
        pickler.dump(model)
        if not all(map(_is_plain, pickler.tensors)):
            return unpack_model(pack_model(model))
        return _unpickled(file.getvalue(), [_copied(tensor) for tensor in pickler.tensors])


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether its copy is the tensor that its bytes would make; what is not may be one that cannot be sent at all."""
    plain = type(tensor) in (torch.Tensor, nn.Parameter) and tensor.layout == torch.strided
    return plain and tensor.device.type == "cpu" and tensor.dtype in _PLAIN and not tensor.is_neg()


_PLAIN = (
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
)


def _copied(tensor: torch.Tensor) -> torch.Tensor:
    own = tensor.detach().clone(memory_format=torch.contiguous_format)
    return nn.Parameter(own, requires_grad=False) if isinstance(tensor, nn.Parameter) else own


class _TensorPickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles a module (with lambdas and classes of ``__main__``), leaving every tensor out by number.

    A tied tensor has one number.
    """

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self.tensors: list[torch.Tensor] = []
        self._numbers: dict[int, int] = {}

    def persistent_id(self, item: Any) -> int | None:
        if not isinstance(item, torch.Tensor):
            return None
        if id(item) not in self._numbers:
            self._numbers[id(item)] = len(self.tensors)
            self.tensors.append(item)
        return self._numbers[id(item)]

    def reducer_override(self, item: Any) -> Any:
        """Parametrized modules too, which refuse to be pickled because their classes are made as they are used."""
        if isinstance(item, nn.Module) and parametrize.is_parametrized(item):
            bare = parametrize.type_before_parametrizations(item)
            return _new, (bare,), dict(vars(item)), None, None, _parametrized
        return super().reducer_override(item)


def _new(kind: type[nn.Module]) -> nn.Module:
    return kind.__new__(kind)


def _parametrized(module: nn.Module, state: dict[str, Any]) -> None:
    """Gives a bare module its state and the properties that compute its parametrized tensors."""
    vars(module).update(state)
    parametrize._inject_new_class(module)
    for name, _ in module.get_submodule("parametrizations").named_children():
        parametrize._inject_property(module, name)


class _TensorUnpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, tensors: list[torch.Tensor]) -> None:
        super().__init__(file)
        self._tensors = tensors

    def persistent_load(self, number: int) -> torch.Tensor:
        return self._tensors[number]
