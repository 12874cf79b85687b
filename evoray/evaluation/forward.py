"""How a network is run on a batch: eager, compiled, or as a CUDA graph.

Compiled code and graphs know one shape, so every batch has to have it (``Preparation.width``). Both take the weights
as inputs that lie at fixed addresses: a child written there under them is what runs next, and nothing is compiled or
captured again. (Inductor would fold weights into its code only when asked to freeze them.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Network = Callable[..., Any]


def make_forward(model: Network, *, compiled: bool = False, cuda_graphs: bool = False) -> Network:
    """From tensors (a batch [b, C, H, W], or what is kept of one) to a tensor or several, which the next call may
    overwrite."""
    run = torch.compile(model, dynamic=False) if compiled else model
    return GraphedNetwork(run) if cuda_graphs else run


class GraphedNetwork:
    """Captures the first batch's work as a CUDA graph, and replays it: one launch in place of hundreds."""

    def __init__(self, run: Network) -> None:
        self._run = run
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, *inputs: Tensor) -> Any:
        if self._graph is None:
            self._capture(inputs)
        assert self._graph is not None
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given)
        self._graph.replay()
        return self._output

    def _capture(self, inputs: tuple[Tensor, ...]) -> None:
        self._inputs = tuple(one.clone() for one in inputs)
        device = inputs[0].device
        side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):
            for _ in range(3):  # libraries choose their kernels and allocate on the first calls
                self._run(*self._inputs)
        torch.cuda.current_stream(device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._output = self._run(*self._inputs)
        self._graph = graph
