"""A stand-in for a GPU on the CPU: it computes at once, and says what a GPU might have done in another order.

Every operation of a watched thread is noted with the stream that is current there, what it reads and what it writes;
PyTorch's own sanitizer for CUDA decides from that, and from the events, which accesses nothing orders. On top of it:
whose memory is used by a stream that the allocator was not told of, copies from memory that is not pinned, and graphs
whose output holds nothing before they are replayed.
"""

from __future__ import annotations

import threading
import traceback
from contextlib import contextmanager
from types import SimpleNamespace
from unittest import mock

import torch
from torch.cuda import _sanitizer
from torch.cuda._sanitizer import EventHandler
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from evoray.evaluation.accelerator import CpuAccelerator

MAIN = 0
WAITS = {"aten::_local_scalar_dense", "aten::item", "aten::nonzero", "aten::_unique2", "aten::equal"}
"""Operations that wait for the device: none may occur while a graph is captured."""
NO_TRACES = SimpleNamespace(
    StackSummary=SimpleNamespace(extract=lambda *args, **kwargs: traceback.StackSummary()), walk_stack=lambda frame: ()
)
"""The sanitizer would note where each operation was asked for, which takes most of the time."""


class StandIn(CpuAccelerator):
    """errors: unordered accesses. borrowed: memory used on a stream it was not made on and not recorded for.
    log: (what, thread, …) of every call, in order. broken: names of methods that only claim to do something."""

    asynchronous = True

    def __init__(self, device=None, broken=()):
        super().__init__(torch.device("cpu"))
        self.broken = set(broken)
        self.errors, self.log, self.borrowed = [], [], set()
        self._handler, self._lock, self._local = EventHandler(), threading.RLock(), threading.local()
        self._streams, self._made, self._recorded, self._alive = {}, {}, set(), []
        self.pinned = set()

    # what is asked of an accelerator

    def stream(self, purpose):
        return self._streams.setdefault(purpose, len(self._streams) + 1)

    def current_stream(self):
        return getattr(self._local, "stream", MAIN)

    @contextmanager
    def use(self, stream):
        before = self.current_stream()
        self._local.stream = stream
        try:
            with self.watched():
                yield
        finally:
            self._local.stream = before

    def record_event(self, stream):
        event = Moment(self)
        self._note("record_event", stream, event)
        with self._lock:
            self._handler._handle_event_creation(id(event))
            self._handler._handle_event_record(id(event), stream)
            self._alive.append(event)
        return event

    def wait_event(self, stream, event):
        self._note("wait_event", stream, event)
        if "wait_event" not in self.broken:
            with self._lock:
                self._handler._handle_event_wait(id(event), stream)

    def record_stream(self, tensor, stream):
        self._note("record_stream", stream)
        if "record_stream" not in self.broken:
            self._recorded.add((place(tensor), stream))

    def pin(self, tensor):
        made = clone(tensor)
        self._keep(made)
        self.pinned.add(place(made))
        self._note("pin")
        return made

    def to_device(self, tensor):
        made = clone(tensor)
        self._keep(made)
        self._note("to_device", place(tensor) in self.pinned)
        self._launch("to_device", set(), {place(made)}, {place(made)})
        return made

    def capture(self, run, stream):
        self._note("capture", stream)
        self._local.graph = reads = set()
        try:
            with self.use(stream):
                output = run()
        finally:
            self._local.graph = None
        outputs = [one for one in tree_leaves(output) if isinstance(one, torch.Tensor)]
        for one in outputs:
            self._keep(one)
            one.fill_(torch.nan if one.is_floating_point() else -1)
        written = {place(one) for one in outputs}

        def replay():
            self._note("replay", self.current_stream())
            self._launch("replay", reads - written, written, set())
            with self.unwatched():
                for own, new in zip(outputs, tree_leaves(run()), strict=True):
                    own.copy_(new)

        return replay, output

    def synchronize(self):
        self._note("synchronize_all")

    # what it sees

    @contextmanager
    def watched(self):
        """Operations of this thread are noted."""
        if getattr(self._local, "watch", None):
            yield
            return
        self._local.watch = True
        try:
            with Watch(self):
                yield
        finally:
            self._local.watch = None

    @contextmanager
    def unwatched(self):
        self._local.skip = True
        try:
            yield
        finally:
            self._local.skip = False

    def did(self, *names):
        return [entry for entry in self.log if entry[0] in names]

    def seen(self, func, args, kwargs, result):
        """An operation was done on the current stream of this thread."""
        if getattr(self._local, "skip", False):
            return
        graph, name = getattr(self._local, "graph", None), func._schema.name
        if graph is not None and name in WAITS:
            raise RuntimeError(f"{name} is not permitted while a graph is captured")
        read, written, views = accesses(func._schema, args, kwargs)
        outputs = {one for one in tree_leaves(result) if isinstance(one, torch.Tensor)}
        for one in outputs:
            self._keep(one)
        made = {place(one) for one in outputs} - read - written - views
        if graph is not None:
            graph |= {one for one in read if self._made.get(one) != "graph"}
            self._made.update(dict.fromkeys(made, "graph"))
            return
        self._launch(name, read - written, written | made, made)

    def _launch(self, name, read, written, made):
        stream = self.current_stream()
        with self._lock:
            for one in made:
                self._made.setdefault(one, stream)
            for one in read | written:
                if self._made.get(one, stream) not in (stream, "graph") and (one, stream) not in self._recorded:
                    self.borrowed.add(one)
            aliases = {one: [name] for one in read | written}
            with mock.patch.object(_sanitizer, "traceback", NO_TRACES):
                self.errors += self._handler._handle_kernel_launch(stream, read, written, made, name, aliases)

    def _keep(self, tensor):
        """No address twice: what is freed here would be another tensor's."""
        self._alive.append(tensor.untyped_storage())

    def _note(self, name, *more):
        self.log.append((name, threading.current_thread().name, *more))


class Moment:
    """An event; waiting for it on the host orders no streams here, so that every use has to be ordered on them."""

    def __init__(self, stand_in):
        self._stand_in = stand_in

    def synchronize(self):
        self._stand_in._note("synchronize", self)


class Watch(TorchDispatchMode):
    def __init__(self, stand_in):
        super().__init__()
        self._stand_in = stand_in

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self._stand_in.seen(func, args, kwargs or {}, result)
        return result


def place(tensor):
    return tensor.untyped_storage().data_ptr()


def clone(tensor):
    """A copy that no dispatch mode sees."""
    with torch.utils._python_dispatch._disable_current_modes():
        return tensor.clone()


def accesses(schema, args, kwargs):
    """(read, written, only viewed): places of the tensors that an operation is given."""
    given = [*zip(schema.arguments, args, strict=False)]
    given += [(one, kwargs[one.name]) for one in schema.arguments if one.name in kwargs]
    found = [set(), set(), set()]
    for argument, value in given:
        kind = 0 if argument.alias_info is None else 1 if argument.alias_info.is_write else 2
        found[kind] |= {place(one) for one in tree_leaves(value) if isinstance(one, torch.Tensor)}
    return found
