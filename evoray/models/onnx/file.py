"""An .onnx file as a state: its weights by their own names, and all the rest of it as one tensor of bytes.

So digests of a state are of the whole network, a run directory holds it whole, and any state can be written as a file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from evoray.errors import ConfigError, ModelError
from evoray.models.onnx.graph import integers_taken_apart, put_together, taken_apart, unlike
from evoray.runtime.paths import found_from
from evoray.runtime.reading import read_file, reason_of, shown

if TYPE_CHECKING:
    from onnx import ModelProto

GRAPH = "onnx.graph"
"""The state's tensor uint8 [bytes]: the model without its weights."""
SUFFIX = ".onnx"
BYTES = 2**31 - 1
"""What protobuf holds at most."""
INSTALL = 'onnx and onnxruntime are not installed. Run: pip install "evoray[onnx]"'


def imported() -> tuple[Any, Any]:
    """(onnx, onnxruntime). Raises ConfigError where they are not there."""
    try:
        import onnx
        import onnxruntime
    except ImportError:
        raise ConfigError(f'parent.source = "onnx": {INSTALL}') from None
    return onnx, onnxruntime


def find_file(name: str, config_dir: Path | None) -> Path:
    """The file that ``parent.name`` is: relative to the working directory or to the configuration's.

    Raises ConfigError where there is none.
    """
    path = found_from(name, config_dir)
    if path is not None and path.is_file():
        return path
    what = "a folder. Name the .onnx file in it" if path and path.is_dir() else "no such file. Name an .onnx file"
    raise ConfigError(f'parent.name = "{shown(name)}": {what}.')


def read_onnx(path: Path) -> dict[str, Tensor]:
    """The state of a file, with what lies in external files beside it.

    Raises:
        ModelError: it is none, damaged, or its external data is not there.
    """
    onnx, _ = imported()
    content = read_file(path, BYTES, ModelError)
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # of protobuf
        raise _damaged(path, reason_of(error)) from None
    if not model.graph.node:
        raise _damaged(path, "there is no operation in it")
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except Exception as error:  # of onnx's own code, the system's
        raise ModelError(
            f"{shown(path)}: its weights lie in files beside it that cannot be read ({reason_of(error)}). Keep the "
            "model's files together, under the names that they were written with."
        ) from None
    try:
        return apart(model)
    except Exception as error:  # bytes that are not what a tensor's shape says
        raise _damaged(path, reason_of(error)) from None


def apart(model: ModelProto) -> dict[str, Tensor]:
    """A model as a state; the model is what is left of it."""
    weights = taken_apart(model)
    if GRAPH in weights:
        raise ModelError(f"a weight is called {GRAPH}, which is the name of the graph itself. Rename it.")
    return {**weights, GRAPH: _bytes_of(model)}


def with_integers(state: Mapping[str, Tensor], wanted: Collection[str] | None = None) -> dict[str, Tensor]:
    """The same network, its integer weights among the weights; what is no network of ONNX stays as it is.

    wanted: only where it lacks one of these names.
    """
    if GRAPH not in state or (wanted is not None and all(name in state for name in wanted)):
        return dict(state)
    model = graph_of(state[GRAPH])
    found = integers_taken_apart(model)
    return {**state, **found, GRAPH: _bytes_of(model)} if found else dict(state)


def with_graph_of(state: Mapping[str, Tensor], parent: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Another network's state with the parent's graph, which has to compute the same; a state without a graph as it is.

    Raises ModelError, naming what differs: it would stay the parent's on the way to that network.
    """
    if GRAPH not in state or GRAPH not in parent:
        return dict(state)
    if differs := unlike(graph_of(parent[GRAPH]), graph_of(state[GRAPH])):
        more = f" and {len(differs) - 1} more" if len(differs) > 1 else ""
        raise ModelError(
            f"its {shown(differs[0])}{more} are not the parent's, and are nothing that is mutated, so they would stay "
            "the parent's. Name a network of the same operations, zero points and integer biases, or merge the float "
            "networks."
        )
    return {**state, GRAPH: parent[GRAPH]}


def graph_of(graph: Tensor) -> ModelProto:
    """A model without its weights, from the state's tensor."""
    onnx, _ = imported()
    model: ModelProto = onnx.ModelProto.FromString(graph.numpy().tobytes())
    return model


def onnx_bytes(state: Mapping[str, Tensor]) -> bytes:
    """The file of a state, whose answers in onnxruntime are the network's in a run, bit for bit.

    Raises ModelError where the state is none of an ONNX network.
    """
    from evoray.models.onnx.session import constants_of

    if GRAPH not in state:
        raise ModelError(
            "the parent did not come as .onnx, so nothing of it can be written as such. Name .safetensors."
        )
    model = graph_of(state[GRAPH])
    weights = {name: values for name, values in sorted(state.items()) if name != GRAPH}
    total = model.ByteSize() + sum(values.nbytes for values in weights.values())
    if total > BYTES - 2**20:
        raise ModelError(f"the network has {total:,} bytes, more than one .onnx file holds. Export it as .safetensors.")
    put_together(model, weights, constants_of(model, weights))
    content: bytes = model.SerializeToString()
    return content


def _bytes_of(model: ModelProto) -> Tensor:
    return torch.frombuffer(bytearray(model.SerializeToString(deterministic=True)), dtype=torch.uint8)


def _damaged(path: Path, reason: str) -> ModelError:
    return ModelError(f"{shown(path)}: not an ONNX model, or damaged ({shown(reason)}). Export or fetch it again.")
