"""Sessions of onnxruntime: the network whose weights lie in memory of ours, and the one that a user has of an export.

Weights are inputs of the graph, bound once to the memory that they lie in: a child that is written there is what runs
next, and a pass copies none of them. What onnxruntime would compute of them in advance (folding, packing) it leaves,
also of an export, whose weights are inputs with a value. Scales of quantized tensors are the exception: a graph whose
scales are inputs is not fused into integer operations, which costs two thirds of the speed. So the graph is optimised
with the scales as constants, and those that integer operations then take as they are become inputs afterwards; exports
hold them as constants. Integer weights that are mutated are dealt with in the same way.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from evoray.errors import ModelError
from evoray.models.onnx.graph import IR, NUMBERS, copied, input_of, put_together, replace, scales, tensor_of
from evoray.runtime.reading import reason_of, shown

if TYPE_CHECKING:
    from onnx import ModelProto

INTEGERS = {torch.uint8: 2, torch.int8: 3, torch.int16: 5, torch.int32: 6, torch.int64: 7, torch.bool: 9}
ROUNDS = 3
"""Of finding which scales stay: one that does not is an input from the start, and changes what is fused."""


class Runner:
    """One session. ``held``: what was built into it."""

    __slots__ = ("_binding", "_kept", "_output", "_places", "_session", "_types", "held")

    def __init__(self, session: Any, fed: Mapping[str, torch.dtype], held: Mapping[str, Tensor]) -> None:
        self._session, self._types, self.held = session, fed, held
        self._output = session.get_outputs()[0].name
        self._binding: Any = None
        self._places: list[int] = []
        self._kept: list[Tensor] = []

    def bind(self, weights: Mapping[str, Tensor]) -> None:
        """Has passes read these; what lies where it lay, in the graph's own types, is not touched."""
        own = [_as(weights[name], dtype) for name, dtype in self._types.items()]
        places = [one.data_ptr() for one in own]
        self._kept = own  # those that were cast have no other owner
        if self._binding is not None and places == self._places:
            return
        self._binding, self._places = self._session.io_binding(), places
        for name, one in zip(self._types, own, strict=True):
            self._bind(name, one)

    def run(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The answer; inputs are contiguous and of the graph's types."""
        for name, one in inputs.items():
            self._bind(name, one)
        self._binding.bind_output(self._output)
        self._session.run_with_iobinding(self._binding)
        return torch.from_numpy(self._binding.get_outputs()[0].numpy())

    def _bind(self, name: str, values: Tensor) -> None:
        number = NUMBERS.get(values.dtype) or INTEGERS[values.dtype]
        self._binding.bind_input(name, "cpu", 0, number, list(values.shape), values.data_ptr())


def opened(model: ModelProto, weights: Mapping[str, Tensor], threads: int) -> Runner:
    """All weights are inputs; only their types and shapes are looked at."""
    fixed, whole = _with_constants(model, weights)
    types = {name: values.dtype for name, values in weights.items()}
    if whole is not None:
        _constants_to_inputs(whole, {name: weights[name] for name in fixed})
        return Runner(_session(whole, threads, optimised=True), types, {})
    whole = copied(model)
    put_together(whole, weights, fed=True)
    return Runner(_session(whole, threads), types, {})


def plain(model: ModelProto, weights: Mapping[str, Tensor], threads: int) -> Runner:
    """What a user has who loads an export: nothing but the images is given."""
    whole = copied(model)
    put_together(whole, weights, constants_of(model, weights))
    return Runner(_session(whole, threads), {}, {name: one.clone() for name, one in weights.items()})


def constants_of(model: ModelProto, weights: Mapping[str, Tensor]) -> frozenset[str]:
    """The scales and integer weights that are constants of an export, since onnxruntime hands them to operations as
    they are.

    This follows from the graph, the types and the shapes, and from no value.
    """
    return _with_constants(model, weights)[0]


def _with_constants(model: ModelProto, weights: Mapping[str, Tensor]) -> tuple[frozenset[str], ModelProto | None]:
    """Them, and the optimised graph that has them; None where there are none."""
    integers = {name for name, values in weights.items() if not values.is_floating_point()}
    fixed = frozenset((scales(model.graph) & weights.keys()) | integers)
    for _ in range(ROUNDS):
        values = {**weights, **_unlike(weights, fixed)}
        try:
            whole = _optimised(model, values, fixed) if fixed else None
        except Exception:  # it can run what it cannot write
            return frozenset(), None
        if whole is None:
            return fixed, None
        there = {one.name: one for one in whole.graph.initializer if one.name in fixed}
        kept = frozenset(name for name, one in there.items() if _same(tensor_of(one), values[name]))
        if kept == fixed:
            return fixed, whole
        fixed = kept
    return frozenset(), None


def _unlike(weights: Mapping[str, Tensor], names: Iterable[str]) -> dict[str, Tensor]:
    """Numbers in place of weights, no two of which are equal: onnxruntime would make one constant of those that are."""
    return {name: _numbered(weights[name], number) for number, name in enumerate(sorted(names))}


def _numbered(values: Tensor, number: int) -> Tensor:
    if values.is_floating_point():
        return torch.full_like(values, 0.01 * (1 + number / 1024))
    places = torch.arange(values.numel()) + 1
    return ((places * (number % 97 + 1) + number) % 101 + 1).to(values.dtype).reshape(values.shape)


def _optimised(model: ModelProto, weights: Mapping[str, Tensor], fixed: Iterable[str]) -> ModelProto:
    """As onnxruntime would run it: the weights inputs without a value, but for constants."""
    import onnx

    whole = copied(model)
    put_together(whole, weights, fixed, fed=True)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "optimised.onnx")
        _session(whole, 1, written=path)
        found: ModelProto = onnx.load(path)
    return found


def _constants_to_inputs(model: ModelProto, weights: Mapping[str, Tensor]) -> None:
    rest = [one for one in model.graph.initializer if one.name not in weights]
    copies = [type(one).FromString(one.SerializeToString()) for one in rest]
    replace(model.graph.initializer, copies)
    model.graph.input.extend(input_of(name, values) for name, values in weights.items())
    model.ir_version = max(model.ir_version, IR)


def _session(model: ModelProto, threads: int, optimised: bool = False, written: str | None = None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4
    if optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if written is not None:
        options.optimized_model_filepath = written
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def refused(name: str, error: Exception) -> ModelError:
    """What a session that cannot be built is refused for."""
    reason = shown(reason_of(error), 300)
    if "is not a registered function/op" in reason or "No Op registered" in reason or "NOT_IMPLEMENTED" in reason:
        remedy = "It has an operation that onnxruntime does not know: export it without operations of its own"
    elif "opset" in reason.lower() or "ir_version" in reason.lower() or "IR version" in reason:
        remedy = "Install a newer onnxruntime, or export the network for an older opset"
    else:
        remedy = "Export it again, and try it with onnxruntime.InferenceSession"
    return ModelError(f"the parent {shown(name)}: onnxruntime cannot build it ({reason}). {remedy}.")


def _as(values: Tensor, dtype: torch.dtype) -> Tensor:
    return values if values.dtype == dtype and values.is_contiguous() else values.to(dtype).contiguous()


def _same(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)


def joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))
