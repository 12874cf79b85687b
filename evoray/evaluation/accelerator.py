"""What a GPU has and a CPU has not: streams, events, pinned memory and graphs are asked of CUDA here and nowhere else.

Whoever overlaps copies and work, or captures it, asks an ``Accelerator`` for it, in the same order on every device. So
that order can be tested without a GPU, by a stand-in that says when something is used before it is there.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

Stream = Any
Purpose = Literal["batches", "capture"]
Output = TypeVar("Output")


class Event(Protocol):
    """A point in a stream's work."""

    def synchronize(self) -> None:
        """Waits, on this thread, until the device got there."""
        ...


class Accelerator(Protocol):
    """One device. Work goes to the stream that is current on the asking thread, and is done there in order."""

    asynchronous: bool
    """Whether work is only asked for and done meanwhile: then it pays to copy from pinned memory, ahead."""

    def stream(self, purpose: Purpose) -> Stream:
        """A stream beside the current one, the same for a purpose at every call.

        PyTorch hands out 32 by turns and keeps freed memory for each of them: many would hold much, and the 33rd is
        the first again, on which another thread may be capturing.
        """
        ...

    def current_stream(self) -> Stream: ...

    def use(self, stream: Stream) -> AbstractContextManager[Any]:
        """Makes a stream (and its device) current on this thread."""
        ...

    def record_event(self, stream: Stream) -> Event:
        """After all that the stream has been asked for so far."""
        ...

    def wait_event(self, stream: Stream, event: Event) -> None:
        """What the stream is asked for from here on is done after the event; this thread does not wait."""
        ...

    def record_stream(self, tensor: Tensor, stream: Stream) -> None:
        """The memory of a tensor made on another stream is not given away before this one is done with it."""
        ...

    def pin(self, tensor: Tensor) -> Tensor:
        """In memory that the device reads by itself. It is reused after the copies from it (``to_device``) alone."""
        ...

    def to_device(self, tensor: Tensor) -> Tensor:
        """Copied by the current stream; this thread goes on where the tensor is pinned."""
        ...

    def capture(self, run: Callable[[], Output], stream: Stream) -> tuple[Callable[[], None], Output]:
        """(replay, output) of what ``run`` asks for, which is not done now: replay does it on the current stream,
        from the memory that was read to the memory that was written. One capture at a time in a process."""
        ...

    def synchronize(self) -> None:
        """Waits, on this thread, for all that was asked for."""
        ...

    def free_bytes(self) -> int | None:
        """Memory of the device's own; None where it is the host's."""
        ...

    def empty_cache(self) -> None:
        """Gives back what freed tensors held."""
        ...


class _Done:
    def synchronize(self) -> None:
        pass


class CpuAccelerator:
    """Everything is done when it is asked for, so there is nothing to order."""

    asynchronous = False

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def stream(self, purpose: Purpose) -> Stream:
        return None

    def current_stream(self) -> Stream:
        return None

    def use(self, stream: Stream) -> AbstractContextManager[Any]:
        return nullcontext()

    def record_event(self, stream: Stream) -> Event:
        return _Done()

    def wait_event(self, stream: Stream, event: Event) -> None:
        pass

    def record_stream(self, tensor: Tensor, stream: Stream) -> None:
        pass

    def pin(self, tensor: Tensor) -> Tensor:
        return tensor

    def to_device(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device)

    def capture(self, run: Callable[[], Output], stream: Stream) -> tuple[Callable[[], None], Output]:
        output = run()

        def replay() -> None:
            for own, new in zip(tree_leaves(output), tree_leaves(run()), strict=True):
                own.copy_(new)

        return replay, output

    def synchronize(self) -> None:
        pass

    def free_bytes(self) -> int | None:
        return None

    def empty_cache(self) -> None:
        pass


class CudaAccelerator:
    """By ``torch.cuda``."""

    asynchronous = True

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._streams: dict[Purpose, torch.cuda.Stream] = {}

    def stream(self, purpose: Purpose) -> Stream:
        if purpose not in self._streams:
            self._streams.setdefault(purpose, torch.cuda.Stream(self.device))  # type: ignore[no-untyped-call]
        return self._streams[purpose]

    def current_stream(self) -> Stream:
        return torch.cuda.current_stream(self.device)

    def use(self, stream: Stream) -> AbstractContextManager[Any]:
        return torch.cuda.stream(stream)

    def record_event(self, stream: Stream) -> Event:
        event: Event = stream.record_event()
        return event

    def wait_event(self, stream: Stream, event: Event) -> None:
        stream.wait_event(event)

    def record_stream(self, tensor: Tensor, stream: Stream) -> None:
        tensor.record_stream(stream)

    def pin(self, tensor: Tensor) -> Tensor:
        return tensor.pin_memory()

    def to_device(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, non_blocking=True)

    def capture(self, run: Callable[[], Output], stream: Stream) -> tuple[Callable[[], None], Output]:
        graph = torch.cuda.CUDAGraph()
        # its own stream would be the current device's, which may be another; other threads go on pinning and copying
        around = torch.cuda.device(self.device)
        with around, torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            output = run()
        return graph.replay, output

    def synchronize(self) -> None:
        torch.cuda.synchronize(self.device)

    def free_bytes(self) -> int | None:
        return torch.cuda.mem_get_info(self.device)[0]

    def empty_cache(self) -> None:
        torch.cuda.empty_cache()


KINDS: dict[str, Callable[[torch.device], Accelerator]] = {"cuda": cache(CudaAccelerator)}
"""By type of device; all others do as the CPU does."""


def accelerator_of(device: torch.device) -> Accelerator:
    """The same for all who ask for a device."""
    return KINDS.get(device.type, CpuAccelerator)(device)
