"""An ONNX graph and its weights, apart: what may be mutated, and how the graph takes it.

A weight is a floating initializer (or ``Constant`` node) of more than one value, or the scale of a quantized tensor.
None are running statistics of BatchNorm (a network of PyTorch keeps those apart, too), what is the form of the
computation and no weight (the scales of Resize, the ends of OneHot), and the scale of an integer bias, which follows
from two others as their product. Integer weights stay what they are, unless they are taken out too
(``integers_taken_apart``): those of int8 and uint8 that an operation takes as a weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

TYPES = {1: torch.float32, 10: torch.float16, 11: torch.float64, 16: torch.bfloat16}
"""Floating types by their numbers in ONNX."""
INT32 = 6
WHOLE = {2: torch.uint8, 3: torch.int8}
"""Types of integer weights by their numbers in ONNX."""
_ALL = {**TYPES, **WHOLE}
NUMBERS = {dtype: number for number, dtype in _ALL.items()}
_SCALES: Mapping[str, tuple[int, ...]] = {
    "QuantizeLinear": (1,),
    "DequantizeLinear": (1,),
    "QLinearConv": (1, 4, 6),
    "QLinearMatMul": (1, 4, 6),
    "QGemm": (1, 4, 7),
    "QLinearAdd": (1, 4, 6),
    "QLinearMul": (1, 4, 6),
    "QLinearAveragePool": (1, 3),
    "QLinearGlobalAveragePool": (1, 3),
    "QLinearSigmoid": (1, 3),
    "QLinearLeakyRelu": (1, 3),
    "QLinearSoftmax": (1, 3),
    "MatMulIntegerToFloat": (2, 3),
    "DynamicQuantizeMatMul": (2,),
}
"""Where operations take the scales of quantized tensors."""
_FORM: Mapping[str, tuple[int, ...]] = {
    "BatchNormalization": (3, 4),
    "Resize": (1, 2),
    "Upsample": (1,),
    "OneHot": (2,),
    "NonMaxSuppression": (3, 4),
    "RoiAlign": (1,),
}
"""Where they take floating numbers that are no weights."""
_ONE: Mapping[str, tuple[int, ...]] = {"Gemm": (1, 2), "MatMul": (1,), "Conv": (1, 2), "ConvTranspose": (1, 2)}
"""Where they take weights, of which there may be one (a head with one output)."""
DYNAMIC = {"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"}
"""Operations that choose a scale by all values of a batch."""
_INTEGERS: Mapping[str, tuple[int, ...]] = {
    "DequantizeLinear": (0,),
    "MatMulInteger": (1,),
    "ConvInteger": (1,),
    "QLinearConv": (3,),
    "QLinearMatMul": (3,),
    "QGemm": (3,),
    "MatMulIntegerToFloat": (1,),
    "DynamicQuantizeMatMul": (1,),
    "Gather": (0,),
    "Cast": (0,),
}
"""Where operations take weights of whole numbers."""
IR = 4
"""From this version on a graph may have initializers that are no inputs, and inputs that have a value."""


def taken_apart(model: ModelProto) -> dict[str, Tensor]:
    """The weights by name, taken out of the model."""
    _constants_as_initializers(model.graph)
    graph, found = model.graph, dict[str, Tensor]()
    model.ir_version = max(model.ir_version, IR)
    uses = _uses(graph)
    rest = []
    for one in graph.initializer:
        values = tensor_of(one) if one.data_type in TYPES else None
        if values is not None and _is_weight(values, uses.get(one.name, set())):
            found[one.name] = values
        else:
            rest.append(copied(one))
    named = {one.name for one in graph.initializer}
    replace(graph.initializer, rest)
    replace(graph.input, [copied(one) for one in graph.input if one.name not in named])
    return found


def integers_taken_apart(model: ModelProto) -> dict[str, Tensor]:
    """The integer weights by name, taken out of a model."""
    graph, uses = model.graph, _uses(model.graph)
    found = {
        one.name: tensor_of(one)
        for one in graph.initializer
        if one.data_type in WHOLE and np.prod(one.dims) > 1 and _is_integer_weight(uses.get(one.name, set()))
    }
    replace(graph.initializer, [copied(one) for one in graph.initializer if one.name not in found])
    replace(graph.input, [copied(one) for one in graph.input if one.name not in found])
    return found


def other_integers(model: ModelProto) -> list[tuple[str, str]]:
    """Names of integer weights of other types, and the types, such as ``int4``; biases of int32 are none."""
    from onnx import TensorProto

    uses = _uses(model.graph)
    kinds = ((one, TensorProto.DataType.Name(one.data_type).lower()) for one in model.graph.initializer)
    return [
        (one.name, kind)
        for one, kind in kinds
        if "int" in kind
        and one.data_type not in (*WHOLE, INT32)
        and np.prod(one.dims) > 1
        and _is_integer_weight(uses.get(one.name, set()))
    ]


def unlike(model: ModelProto, other: ModelProto) -> list[str]:
    """Where two models without their weights compute another thing: names of initializers whose values differ, and
    "operations" where those do. Names of operations, words and who wrote a file count for nothing, and neither do the
    scales of integer biases, which follow from others."""
    graphs = model.graph, other.graph
    ours, theirs = ({one.name: one for one in graph.initializer} for graph in graphs)
    nodes, others = ([_plain(node) for node in graph.node] for graph in graphs)
    if nodes != others or ours.keys() != theirs.keys():
        return ["operations"]
    biases = {name for name, one in ours.items() if one.data_type == INT32}
    dequantized = [node.input for node in graphs[0].node if node.op_type == "DequantizeLinear"]
    follow = {names[1] for names in dequantized if names[0] in biases}
    return [name for name in ours if name not in follow and not _same_values(ours[name], theirs[name])]


def _plain(node: NodeProto) -> bytes:
    copy = copied(node)
    copy.name = copy.doc_string = ""
    return bytes(copy.SerializeToString(deterministic=True))


def _same_values(one: TensorProto, other: TensorProto) -> bool:
    from onnx import numpy_helper

    if (one.data_type, list(one.dims)) != (other.data_type, list(other.dims)):
        return False
    return bool(numpy_helper.to_array(one).tobytes() == numpy_helper.to_array(other).tobytes())


def put_together(
    model: ModelProto, weights: Mapping[str, Tensor], constant: Iterable[str] = (), fed: bool = False
) -> None:
    """Weights back where they were taken out of. Those that are not ``constant`` are inputs of the graph, with
    a value of their own unless ``fed``, so that a runtime computes nothing of them in advance.
    """
    fixed = set(constant)
    _write_products(model.graph, {name: weights[name] for name in fixed})
    for name, values in weights.items():
        if name in fixed or not fed:
            model.graph.initializer.append(proto_of(name, values))
        if name not in fixed:
            model.graph.input.append(input_of(name, values))


def _write_products(graph: GraphProto, constants: Mapping[str, Tensor]) -> None:
    """Gives integer biases the scales that they have under other scales of inputs and weights: those of the products.

    Integer operations know no other, and onnxruntime fuses into them where the file says so.
    """
    made = {name: node for node in graph.node for name in node.output}
    own = {one.name: one for one in graph.initializer}
    for node in graph.node:
        read = [made.get(name) for name in node.input[:3]]
        if len(read) < 3 or any(one is None or one.op_type != "DequantizeLinear" for one in read):
            continue
        image, weight, bias = (one.input[1] for one in read if one is not None)
        if image in constants and weight in constants and bias in own and own[bias].data_type in TYPES:
            scale = constants[image].float() * constants[weight].float()
            known = tensor_of(own[bias])
            if scale.numel() in (1, known.numel()):
                own[bias].CopyFrom(proto_of(bias, scale.expand(known.numel()).reshape(known.shape).to(known.dtype)))


def input_of(name: str, values: Tensor) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, NUMBERS[values.dtype], list(values.shape))


def tensor_of(proto: TensorProto) -> Tensor:
    """Of a weight's type, in memory of its own."""
    from onnx import numpy_helper

    shape, dtype = tuple(proto.dims), _ALL[proto.data_type]
    raw = proto.raw_data or numpy_helper.to_array(proto).tobytes()
    if not raw:
        return torch.empty(shape, dtype=dtype)
    return torch.from_numpy(np.frombuffer(bytearray(raw), dtype=np.uint8)).view(dtype).reshape(shape)


def proto_of(name: str, values: Tensor) -> TensorProto:
    from onnx import TensorProto

    values = values.detach().cpu().contiguous()
    raw = values.reshape(-1).view(torch.uint8).numpy().tobytes() if values.numel() else b""
    return TensorProto(name=name, dims=list(values.shape), data_type=NUMBERS[values.dtype], raw_data=raw)


def scales(graph: GraphProto) -> set[str]:
    """Names that are used as scales of quantized tensors and nowhere else, but for reading them back."""
    return {name for name, uses in _uses(graph).items() if uses and all(_is_scale(use) for use in uses)}


def operations(graph: GraphProto) -> set[str]:
    return {node.op_type for node in _nodes(graph)}


def answers(graph: GraphProto) -> list[str]:
    return [one.name for one in graph.output]


def cut(graph: GraphProto, output: str) -> None:
    """Leaves of a graph what one of its values is made of, its one output from here on. KeyError: it has none such."""
    from onnx import ValueInfoProto

    made = {name: node for node in graph.node for name in node.output if name}
    known = next((copied(one) for one in (*graph.output, *graph.value_info) if one.name == output), None)
    if output not in made:
        raise KeyError(output)
    wanted, open_names = set[str](), [output]
    while open_names:
        name = open_names.pop()
        if name in made and name not in wanted:
            wanted.update(made[name].output)
            open_names += _read_by(made[name])
    nodes = [copied(node) for node in graph.node if any(name in wanted for name in node.output)]
    replace(graph.node, nodes)
    replace(graph.output, [known or ValueInfoProto(name=output)])


def before(graph: GraphProto, output: str, kinds: Iterable[str]) -> str | None:
    """What goes into the operation that makes a value, where that is of one of these kinds; Identity is looked through,
    and so is what only changes the form."""
    made = {name: node for node in graph.node for name in node.output if name}
    through = {"Identity", "Cast", "Squeeze", "Flatten", "Reshape"}
    while output in made:
        node = made[output]
        if node.op_type in kinds:
            return str(node.input[0])
        if node.op_type not in through:
            return None
        output = node.input[0]
    return None


def first_used(graph: GraphProto) -> list[str]:
    """Names in the order in which operations read them."""
    return list(dict.fromkeys(name for node in graph.node for name in _read_by(node)))


def _is_weight(values: Tensor, uses: set[tuple[str, int]]) -> bool:
    if any(index in _FORM.get(kind, ()) for kind, index in uses) or not uses:
        return False
    if ("DequantizeLinear of int32", 1) in uses:
        return False
    one = any(_is_scale(use) or use[1] in _ONE.get(use[0], ()) for use in uses)
    return (values.numel() > 1 or (one and values.numel() == 1)) and bool(torch.isfinite(values).all())


def _is_integer_weight(uses: set[tuple[str, int]]) -> bool:
    return bool(uses) and all(index in _INTEGERS.get(kind, ()) for kind, index in uses)


def _is_scale(use: tuple[str, int]) -> bool:
    return use[1] in _SCALES.get(use[0], ())


def _uses(graph: GraphProto) -> dict[str, set[tuple[str, int]]]:
    """(operation, which of its inputs) of every name, in subgraphs too."""
    integers = {one.name for one in graph.initializer if one.data_type == INT32}
    found: dict[str, set[tuple[str, int]]] = {one.name: {("output", 0)} for one in graph.output}
    for node in _nodes(graph):
        kind = node.op_type
        if kind == "DequantizeLinear" and node.input[0] in integers:
            kind = "DequantizeLinear of int32"
        for index, name in enumerate(node.input):
            found.setdefault(name, set()).add((kind, index))
    return found


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    for node in graph.node:
        yield node
        for inner in _subgraphs(node):
            yield from _nodes(inner)


def _subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _read_by(node: NodeProto) -> list[str]:
    inner = [name for graph in _subgraphs(node) for one in _nodes(graph) for name in one.input]
    also = [one.name for graph in _subgraphs(node) for one in graph.output]
    return [name for name in (*node.input, *inner, *also) if name]


def _constants_as_initializers(graph: GraphProto) -> None:
    rest = []
    for node in graph.node:
        value = next((one.t for one in node.attribute if one.name == "value"), None)
        if node.op_type != "Constant" or node.domain or value is None or value.data_type not in TYPES:
            rest.append(copied(node))
            continue
        moved = copied(value)
        moved.name = node.output[0]
        graph.initializer.append(moved)
    if len(rest) != len(graph.node):
        replace(graph.node, rest)


def copied(message: Any) -> Any:
    found = type(message)()
    found.CopyFrom(message)
    return found


def replace(field: Any, values: list[Any]) -> None:
    del field[:]
    field.extend(values)
