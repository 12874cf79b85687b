"""A network as a graph that runs without its Python: ``.pt2`` (torch.export) and ``.onnx``, read back and tried."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from evoray.errors import ConfigError, ModelError
from evoray.models.onnx.file import INSTALL
from evoray.runtime.reading import reason_of
from evoray.sharing.network import Example, Pixels
from evoray.tasks.inputs import tensor_of

TOLERANCE = 1e-4
"""What onnxruntime's answers may differ by, as a share of the largest of them: it sums in another order."""
TRACES = ("stack_trace", "from_node")
"""Of a node's notes, those that name files of this machine, and lines in them."""
DESCRIPTION = "evoray.json"
"""The file inside a .pt2 that says what it is."""


class Answer(nn.Module):
    """A network whose answer is one tensor, [n, ...], as tasks take it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> Tensor:
        return tensor_of(self.network(inputs))


def graph_of(model: nn.Module, example: Example, pixels: bool) -> tuple[nn.Module, Tensor]:
    """(the network to be written, its example). pixels: it takes uint8 images, and normalises them itself.

    Raises ModelError where pixels are asked for and records are no images.
    """
    answer = Answer(model)
    if not pixels:
        dtype = next((one.dtype for one in model.parameters() if one.is_floating_point()), torch.float32)
        whole = example.inputs
        return answer, whole.to(dtype) if whole.is_floating_point() else whole
    if example.images is None:
        raise ModelError("--pixels: the run's records are no images. Leave it out.")
    return Pixels(answer, example.mean, example.std).eval(), example.images


def write_pt2(network: nn.Module, inputs: Tensor, path: Path, said: Mapping[str, Any]) -> float:
    """Writes what ``torch.export.load`` reads; returns the largest difference of its answers, 0 where bits are equal.

    Args:
        inputs: [n, ...], n > 1; the file takes any n. said: what the file says of itself.

    Raises:
        ModelError: the network cannot be written so, or answers otherwise when it is read.
    """
    with _explained(".pt2", "torch.export"), _quiet():
        program = _exported(network, inputs)
        torch.export.save(program, path, extra_files={DESCRIPTION: json.dumps(said)})
        read = torch.export.load(path).module()
        return _difference(network, read, inputs, ".pt2")


def write_onnx(network: nn.Module, inputs: Tensor, path: Path, said: Mapping[str, Any]) -> float:
    """The same for onnxruntime, with an input ``input`` and an output ``logits``; what it is stands in its metadata.

    Raises:
        ConfigError: onnx, onnxruntime or onnxscript is not installed. ModelError: as ``write_pt2``.
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  torch.onnx asks for it
    except ImportError as error:
        raise ConfigError(f"--format onnx: {INSTALL.replace('and onnxruntime', f'or {error.name}')}") from None
    with _explained(".onnx", "torch.onnx"), _quiet():
        program = torch.onnx.export(
            _exported(network, inputs), dynamo=True, input_names=["input"], output_names=["logits"], verbose=False
        )
        assert program is not None
        program.model.metadata_props.update(
            {key: one if isinstance(one, str) else json.dumps(one) for key, one in said.items()}
        )
        program.save(path, external_data=False)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

        def run(values: Tensor) -> Tensor:
            return torch.from_numpy(session.run(None, {"input": values.numpy()})[0])

        return _difference(network, run, inputs, ".onnx")


def _exported(network: nn.Module, inputs: Tensor) -> torch.export.ExportedProgram:
    with torch.no_grad():
        program = torch.export.export(network, (inputs,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    program.example_inputs = None  # records of the run's data
    for part in program.graph_module.modules():
        for node in part.graph.nodes if isinstance(part, GraphModule) else ():
            for key in TRACES:
                node.meta.pop(key, None)
    return program


def _difference(network: nn.Module, read: Callable[[Tensor], Tensor], inputs: Tensor, what: str) -> float:
    """Of two batches, of all inputs and of one; raises ModelError where it is more than a rounding."""
    found = 0.0
    with torch.inference_mode():
        for some in (inputs, inputs[:1]):
            ours, theirs = network(some), read(some)
            if ours.shape != theirs.shape:
                raise ModelError(f"the {what} answers with {list(theirs.shape)}, the network with {list(ours.shape)}.")
            scale = float(ours.abs().max())
            apart = float((ours.double() - theirs.double()).abs().max())
            if not apart <= TOLERANCE * max(scale, 1.0):
                raise ModelError(f"the {what} answers otherwise than the network, by {apart:.3g} of {scale:.3g}.")
            found = max(found, apart)
    return found


@contextmanager
def _explained(what: str, by: str) -> Iterator[None]:
    """Whatever tracing a stranger's code raises, as one message with what fits instead."""
    try:
        yield
    except ModelError as error:
        raise ModelError(f"{error} Export it as safetensors, torch or hub-folder.") from None
    except Exception as error:
        raise ModelError(
            f"the network cannot be written as {what}: {by} says {reason_of(error)}. Export it as safetensors, "
            "torch or hub-folder."
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporters' own warnings are about their code, not about the network."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [one.level for one in loggers]
    try:
        for one in loggers:
            one.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)
