"""How a network is run on a batch: eager, compiled, or as a CUDA graph.

Compiled code and graphs know one shape, so every batch has to have it (``Preparation.width``). Both take the weights
as inputs that lie at fixed addresses: a child written there under them is what runs next, and nothing is compiled or
captured again. (Inductor would fold weights into its code only when asked to freeze them.)
"""

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from evoray.errors import EvaluationError
from evoray.evaluation.accelerator import accelerator_of
from evoray.runtime.reading import reason_of

Network = Callable[..., Any]
WARM_UP = 3
"""Calls before one is captured: libraries choose their kernels and allocate on the first ones."""
ONE_CAPTURE = threading.Lock()
"""What other threads ask of the stream would be captured too."""


def make_forward(model: Network, *, compiled: bool = False, cuda_graphs: bool = False) -> Network:
    """From tensors (a batch [b, C, H, W], or what is kept of one) to a tensor or several, which the next call may
    overwrite."""
    run = torch.compile(model, dynamic=False) if compiled else model
    return GraphedNetwork(run) if cuda_graphs else run


class GraphedNetwork:
    """Captures the first batch's work as a CUDA graph, and replays it: one launch in place of hundreds."""

    def __init__(self, run: Network) -> None:
        self._run = run
        self._replay: Callable[[], None] | None = None

    def __call__(self, *inputs: Tensor) -> Any:
        if self._replay is None:
            self._replay = self._capture(inputs)
        for own, given in zip(self._inputs, inputs, strict=True):
            if own.shape != given.shape:  # a copy would be spread over it
                raise ValueError(f"a graph of inputs {list(own.shape)} is given {list(given.shape)}")
            own.copy_(given)
        self._replay()
        return self._output

    def _capture(self, inputs: tuple[Tensor, ...]) -> Callable[[], None]:
        self._inputs = tuple(one.clone() for one in inputs)
        accelerator = accelerator_of(inputs[0].device)
        with ONE_CAPTURE:
            current, side = accelerator.current_stream(), accelerator.stream("capture")
            accelerator.wait_event(side, accelerator.record_event(current))
            with accelerator.use(side):
                for _ in range(WARM_UP):
                    self._run(*self._inputs)
            accelerator.wait_event(current, accelerator.record_event(side))
            try:
                replay, self._output = accelerator.capture(lambda: self._run(*self._inputs), side)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                raise EvaluationError(
                    f"compute.cuda_graphs = true: the network ran, and cannot be captured ({reason_of(error)}). "
                    "Leave it out."
                ) from error
        return replay
