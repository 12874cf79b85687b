"""How a network is run on a batch: eager, compiled, or as a CUDA graph.

Compiled code and graphs know one shape, so every batch has to have it (``Preparation.width``). Both take the weights
as inputs that lie at fixed addresses: a child written there under them is what runs next, and nothing is compiled or
captured again. (Inductor would fold weights into its code only when asked to freeze them.)
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Network = Callable[[Tensor], Tensor]


def make_forward(model: Network, *, compiled: bool = False, cuda_graphs: bool = False) -> Network:
    """From a batch [b, C, H, W] to logits [b, classes], which the next call may overwrite."""
    run = torch.compile(model, dynamic=False) if compiled else model
    return GraphedNetwork(run) if cuda_graphs else run


class GraphedNetwork:
    """Captures the first batch's work as a CUDA graph, and replays it: one launch in place of hundreds."""

    def __init__(self, run: Network) -> None:
        self._run = run
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, batch: Tensor) -> Tensor:
        if self._graph is None:
            self._capture(batch)
        assert self._graph is not None
        self._input.copy_(batch)
        self._graph.replay()
        return self._output

    def _capture(self, batch: Tensor) -> None:
        self._input = batch.clone()
        side = torch.cuda.Stream(batch.device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(batch.device))
        with torch.cuda.stream(side):
            for _ in range(3):  # libraries choose their kernels and allocate on the first calls
                self._run(self._input)
        torch.cuda.current_stream(batch.device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._output = self._run(self._input)
        self._graph = graph
