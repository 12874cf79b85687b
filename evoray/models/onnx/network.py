"""A network that onnxruntime runs, as a module: its weights are parameters, under their names in the file."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from evoray.errors import ModelError
from evoray.models.onnx.feeds import feeds_of
from evoray.models.onnx.file import GRAPH, graph_of
from evoray.models.onnx.graph import before, cut, first_used
from evoray.models.onnx.session import Runner, joined, opened, plain, refused
from evoray.runtime.reading import reason_of, shown

SQUASHED = ("Softmax", "LogSoftmax", "Sigmoid")
"""Operations that make probabilities of logits."""
_OWN = ("_runner", "_lock")


class OnnxNetwork(nn.Module):
    """Runs on the CPU. A pass reads weights where its parameters lie, and so follows whatever is written there.

    Args:
        state: as ``file.read_onnx`` gives it.
        output: the value of the graph that is the answer.
        name: for messages.
    """

    def __init__(self, state: Mapping[str, Tensor], output: str, name: str) -> None:
        super().__init__()
        # names have dots, which register_parameter refuses
        for key, values in state.items():
            if key != GRAPH:
                self._parameters[key] = nn.Parameter(values, requires_grad=False)
        self._buffers[GRAPH] = state[GRAPH]
        self._types = {key: values.dtype for key, values in self._parameters.items() if values is not None}
        self.output, self.name = output, name
        self.exported = False
        self.feeds = feeds_of(graph_of(state[GRAPH]).graph)
        self._runner: Runner | None = None
        self._lock = threading.Lock()

    def forward(self, *inputs: Any, **named: Any) -> Tensor:
        """The graph's answer [b, ...], a tensor of its own."""
        runner = self._ready()
        parts = []
        with self._lock:
            runner.bind(self._parameters)  # type: ignore[arg-type]
            for given, count in self.feeds.passes(inputs, named):
                try:
                    found = runner.run(given)
                except Exception as error:  # of onnxruntime
                    raise self._failed(given, error) from None
                parts.append(found if count == len(found) or not found.ndim else found[:count])
        return joined(parts)

    @property
    def integers(self) -> frozenset[str]:
        """Names of the integer weights that may be mutated."""
        return frozenset(name for name, dtype in self._types.items() if not dtype.is_floating_point)

    def like(self, other: OnnxNetwork) -> None:
        """A second one of a run's: from here on what a user has of the run's exports."""
        self.output, self.exported, self._runner = other.output, True, None

    def answers_with(self, output: str) -> None:
        """Takes another value of the graph for the answer."""
        self.output, self._runner = output, None

    def before_probabilities(self) -> str | None:
        """The value that a last softmax or sigmoid is of; None where the answer is made by something else."""
        return before(self._model().graph, self.output, SQUASHED)

    def order(self) -> list[str]:
        """The weights in the order in which operations of the answer use them; those that none uses are left out."""
        return [name for name in first_used(self._model().graph) if name in self._parameters]

    def ready(self) -> None:
        """Builds the session. Raises ModelError where onnxruntime cannot."""
        self._ready()

    def _ready(self) -> Runner:
        with self._lock:
            if self._runner is None or (self.exported and self._changed(self._runner)):
                self._runner = self._built()
            return self._runner

    def _built(self) -> Runner:
        weights = {name: self._parameters[name].to(dtype) for name, dtype in self._types.items()}  # type: ignore[union-attr]
        build = plain if self.exported else opened
        try:
            return build(self._model(), weights, torch.get_num_threads())
        except Exception as error:  # of onnxruntime and protobuf
            raise refused(self.name, error) from None

    def _changed(self, runner: Runner) -> bool:
        return any(not torch.equal(self._parameters[name], one) for name, one in runner.held.items())  # type: ignore[arg-type]

    def _model(self) -> Any:
        graph = self._buffers[GRAPH]
        assert graph is not None
        model = graph_of(graph)
        cut(model.graph, self.output)
        return model

    def _failed(self, given: Mapping[str, Tensor], error: Exception) -> ModelError:
        shapes = ", ".join(f"{shown(name, 40)} {list(one.shape)}" for name, one in given.items())
        return ModelError(
            f"the parent {shown(self.name)}: onnxruntime cannot run it on {shapes} ({reason_of(error)}). Export it "
            "with an open first side (dynamic axes), and ingest the data in the form that it takes."
        )

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Tensor],
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """As every module's, but that names have dots."""
        own = {**self._parameters, **self._buffers}
        for name, values in own.items():
            found = state_dict.get(prefix + name)
            if found is None or values is None:
                missing_keys.append(prefix + name)
            elif found.shape != values.shape or (name == GRAPH and not torch.equal(found, values)):
                error_msgs.append(f"{prefix}{name} is of another network")
            else:
                with torch.no_grad():
                    values.copy_(found)
        unexpected_keys += [key for key in state_dict if key.startswith(prefix) and key[len(prefix) :] not in own]

    def __getstate__(self) -> dict[str, Any]:
        """Without its session, which every process and copy builds for itself."""
        return {key: value for key, value in self.__dict__.items() if key not in _OWN}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._runner, self._lock = None, threading.Lock()
