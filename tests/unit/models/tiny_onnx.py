"""Random networks of a few hundred weights as ONNX models: in floats, quantized in both ways, and of texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 17, 8
SIDE, CLASSES, WIDTH, WORDS = 12, 4, 8, 19


def model_of(nodes, inputs, outputs, values, opset=OPSET):
    """values: arrays by name, the initializers. inputs, outputs: (name, type, sides)."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(*one) for one in outputs],
        [numpy_helper.from_array(np.asarray(one), name) for name, one in values.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = IR
    return made


def numbers(seed=0):
    random = np.random.default_rng(seed)
    return lambda *shape: random.normal(0, 0.5, shape).astype(np.float32)


def images(rows="n", channels=1, side=SIDE, seed=0, last=(), dtype=np.float32):
    """A convolution, a mean and a linear layer; last: operations on the logits, such as ("Softmax",)."""
    draw = numbers(seed)
    values = {
        "features.0.weight": draw(WIDTH, channels, 3, 3),
        "features.0.bias": draw(WIDTH),
        "head.weight": draw(CLASSES, WIDTH),
        "head.bias": draw(CLASSES),
    }
    nodes = [
        helper.make_node("Conv", ["image", "features.0.weight", "features.0.bias"], ["c"], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "head.weight", "head.bias"], ["logits"], transB=1),
    ]
    name = "logits"
    for number, kind in enumerate(last):
        nodes.append(helper.make_node(kind, [name], [f"last{number}"]))
        name = f"last{number}"
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    values = {key: one.astype(dtype) for key, one in values.items()}
    return model_of(nodes, [("image", kind, [rows, channels, side, side])], [(name, kind, [rows, CLASSES])], values)


def quantized(rows="n", seed=0):
    """The same in int8, as onnxruntime's quantizer writes it (QDQ): integer weights and biases, floating scales."""
    plain = {one.name: numpy_helper.to_array(one) for one in images(seed=seed).graph.initializer}
    steps = {"image": 0.02, "r": 0.02, "p": 0.01, "logits": 0.02}
    values, nodes = {}, []
    for name, step in steps.items():
        values |= {f"{name}.scale": np.float32(step), f"{name}.zero": np.uint8(0 if name in "rp" else 128)}

    def through(name, source):
        scale = [f"{name}.scale", f"{name}.zero"]
        nodes.append(helper.make_node("QuantizeLinear", [source, *scale], [f"{name}.q"]))
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}.q", *scale], [f"{name}.dq"]))
        return f"{name}.dq"

    def weight(name, bias, before):
        of = plain[name]
        axes = tuple(range(1, of.ndim))
        scale = (np.abs(of).max(axis=axes) / 127).astype(np.float32)
        whole = np.round(of / scale.reshape(-1, *(1 for _ in axes))).astype(np.int8)
        values.update({name: whole, f"{name}.scale": scale, f"{name}.zero": np.zeros(len(of), np.int8)})
        of_bias = (np.float32(steps[before]) * scale).astype(np.float32)
        values.update({bias: np.round(plain[bias] / of_bias).astype(np.int32), f"{bias}.scale": of_bias})
        values[f"{bias}.zero"] = np.zeros(len(of), np.int32)
        for one in (name, bias):
            axis = {"axis": 0}
            nodes.append(
                helper.make_node("DequantizeLinear", [one, f"{one}.scale", f"{one}.zero"], [f"{one}.dq"], **axis)
            )
        return [f"{name}.dq", f"{bias}.dq"]

    image = through("image", "image")
    inputs = [image, *weight("features.0.weight", "features.0.bias", "image")]
    nodes.append(helper.make_node("Conv", inputs, ["c"], strides=[2, 2]))
    nodes.append(helper.make_node("Relu", ["c"], ["r"]))
    nodes.append(helper.make_node("GlobalAveragePool", [through("r", "r")], ["p"]))
    nodes.append(helper.make_node("Flatten", ["p"], ["f"]))
    nodes.append(
        helper.make_node("Gemm", [through("p", "f"), *weight("head.weight", "head.bias", "p")], ["z"], transB=1)
    )
    nodes.append(helper.make_node("Identity", [through("logits", "z")], ["logits"]))
    kind = TensorProto.FLOAT
    return model_of(nodes, [("image", kind, [rows, 1, SIDE, SIDE])], [("logits", kind, [rows, CLASSES])], values)


def dynamic(seed=0):
    """A linear layer on numbers [n, 6] whose activations are quantized by what the whole batch holds."""
    draw = numbers(seed)
    values = {
        "w": (draw(6, CLASSES) * 90).astype(np.int8),
        "w.zero": np.int8(0),
        "w.scale": np.full(CLASSES, 0.01, np.float32),
        "bias": draw(CLASSES),
    }
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["x.q", "x.scale", "x.zero"]),
        helper.make_node("MatMulInteger", ["x.q", "w", "x.zero", "w.zero"], ["i"]),
        helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["x.scale", "w.scale"], ["s"]),
        helper.make_node("Mul", ["f", "s"], ["m"]),
        helper.make_node("Add", ["m", "bias"], ["y"]),
    ]
    kind = TensorProto.FLOAT
    return model_of(nodes, [("x", kind, ["n", 6])], [("y", kind, ["n", CLASSES])], values)


def texts(masked=True, segments=False, length="t", words=WORDS, classes=2, seed=0):
    """Tokens to logits: the mean of the rows of a table of int8, and a linear layer."""
    draw = numbers(seed)
    values = {
        "embeddings": (draw(words, WIDTH) * 60).astype(np.int8),
        "embeddings.scale": np.full((words, 1), 0.02, np.float32),
        "head.weight": draw(WIDTH, classes),
        "head.bias": draw(classes),
        "axis": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["embeddings"], ["e.f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["e.f", "embeddings.scale"], ["e"]),
        helper.make_node("Gather", ["e", "input_ids"], ["h"]),
    ]
    inputs = [("input_ids", TensorProto.INT64, ["n", length])]
    if segments:
        values["kinds"] = draw(2, WIDTH)
        nodes += [
            helper.make_node("Gather", ["kinds", "token_type_ids"], ["k"]),
            helper.make_node("Add", ["h", "k"], ["hk"]),
        ]
        inputs.append(("token_type_ids", TensorProto.INT64, ["n", length]))
    source = "hk" if segments else "h"
    if masked:
        nodes += [
            helper.make_node("Cast", ["attention_mask"], ["m.f"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["m.f", "last"], ["m"]),
            helper.make_node("Mul", [source, "m"], ["hm"]),
            helper.make_node("ReduceSum", ["hm", "axis"], ["total"], keepdims=0),
            helper.make_node("ReduceSum", ["m", "axis"], ["count"], keepdims=0),
            helper.make_node("Div", ["total", "count"], ["mean"]),
        ]
        values["last"] = np.array([2], np.int64)
        inputs.append(("attention_mask", TensorProto.INT64, ["n", length]))
    else:
        nodes.append(helper.make_node("ReduceMean", [source], ["mean"], axes=[1], keepdims=0))
    nodes.append(helper.make_node("Gemm", ["mean", "head.weight", "head.bias"], ["logits"]))
    return model_of(nodes, inputs, [("logits", TensorProto.FLOAT, ["n", classes])], values)


def numbers_in(outputs=2, seed=0):
    """A linear layer on numbers [n, 4]."""
    draw = numbers(seed)
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["y"])]
    kind = TensorProto.FLOAT
    return model_of(
        nodes, [("x", kind, ["n", 4])], [("y", kind, ["n", outputs])], {"w": draw(4, outputs), "b": draw(outputs)}
    )


def saved(path: Path, made, **how) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(made, str(path), **how)
    return path


def run_alone(path, **inputs):
    """The first output of a file in onnxruntime, as a user has it who knows nothing of EvoRay."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(None, inputs)[0]
