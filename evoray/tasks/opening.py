"""The pass over a batch of which a worker keeps a part for the children that have it in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from evoray.tasks.base import Batch, Network, Outputs, Task

if TYPE_CHECKING:
    from torch import Tensor


class Opening(Protocol):
    """The first pass over a batch, or the only one."""

    @property
    def later(self) -> int:
        """Passes that follow it, at most."""
        ...

    def of(self, network: Network) -> Network:
        """The pass: from tensors to what it leaves behind, tensors too, whatever holds them."""
        ...

    def begin(self, opening: Network, batch: Batch) -> Any:
        """Calls once what ``of`` gave, or what stands for it; returns what it returns, or what was made of that."""
        ...

    def outputs(self, network: Network, batch: Batch, begun: Any) -> Outputs:
        """The task's outputs; begun: what ``begin`` returned."""
        ...

    def tried(self, network: Network, batch: Batch, begun: Any = None) -> Iterable[Tensor]:
        """What shows whether ``begun`` is what the network's own opening leaves behind: without it, that is run."""
        ...

    def short(self, batch: Batch) -> Batch:
        """A batch whose opening takes as many operations as a later pass."""
        ...


class OnlyPass:
    """Of a task that calls the network once for a batch."""

    later = 0

    def __init__(self, task: Task) -> None:
        self._task = task

    def of(self, network: Network) -> Network:
        return network

    def begin(self, opening: Network, batch: Batch) -> Any:
        return self._task.outputs(opening, batch)

    def outputs(self, network: Network, batch: Batch, begun: Any) -> Outputs:
        return begun

    def tried(self, network: Network, batch: Batch, begun: Any = None) -> Iterable[Tensor]:
        from evoray.tasks.outputs import tensors_of

        return tensors_of(self._task.outputs(network, batch) if begun is None else begun)

    def short(self, batch: Batch) -> Batch:
        return batch


def opening_of(task: Task) -> Opening | None:
    """None: nothing of the task's passes can be kept."""
    if not getattr(task, "repeats", False):
        return OnlyPass(task)
    found: Opening | None = getattr(task, "opening", None)
    return found
