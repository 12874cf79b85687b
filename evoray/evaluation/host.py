"""The in-place host: a model whose mutable parameters are views of one buffer.

A child costs O(mutated weights): its values are computed in float32 from the base, rounded to the parent's own type
and then to the type of evaluation, and written into the buffer; undo writes the base's values back, rounded in the
same way, so that not a bit of a child remains. A child of few weights is gathered and scattered. One that touches
more than 1 / SPARSE_PARTS of them streams through all that it may change, which memory does as fast, and holds nothing.
On a GPU both are drawn and written there, where the kind of mutation has a form for that (``mutation/device``).
Memory: the base in float32, the buffer, and at most 12 bytes for n / SPARSE_PARTS weights of this child and of the
next; from the second base on also the parent, on the host. Where the device draws, about 80 MB while it does, or up to
DEVICE_SPAN weights of a child of several entries.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from evoray.evaluation.accelerator import accelerator_of
from evoray.evaluation.layout import CHUNK, Chunk, Layout, stretches, transposable, within
from evoray.mutation import BLOCK, Entry, Space, add_delta_, delta_between, delta_blocks, put_
from evoray.mutation.device.choose import DrawnBy, make_writer
from evoray.mutation.device.writer import Writer
from evoray.mutation.integers import in_type

SPARSE_PARTS = 48
AHEAD_BYTES = 1 << 30
"""What a child drawn ahead for another device may hold on this one."""
DEVICE_SPAN = 1 << 26
"""Coordinates of a child of several entries that are added up at once on a device: 256 MB of float32."""

Delta = tuple[Tensor, Tensor]
"""(indices [m], float32 [m])"""


@dataclass(frozen=True)
class Drawn:
    """A child's random part, in the host's memory: all that can be computed before its turn comes.

    deltas: one an entry; of a child that streams, one a chunk that it touches and entry, or none where that would be
        too much, or where the device draws them itself.
    positions: places in the buffer of a single entry's indices.
    """

    tail: tuple[Entry, ...]
    deltas: tuple[Delta, ...] = ()
    positions: Tensor | None = None


class ModelHost:
    """Takes the model over: its parameters become views, other floating tensors are cast to ``dtype``.

    Args:
        model: written to; give a copy of what is still needed.
        space: the mutable tensors, by their names in the model.
        device, dtype: where and in what type children are evaluated.
        channels_last: lay the weights of convolutions out for batches in channels-last.
        drawn_by: what draws children; the bits are the same. None: Triton or torch on a GPU, else NumPy.
    """

    def __init__(
        self,
        model: nn.Module,
        space: Space,
        device: torch.device | str,
        dtype: torch.dtype = torch.float32,
        channels_last: bool = False,
        drawn_by: DrawnBy | None = None,
    ) -> None:
        self.space, self.dtype, self.device = space, dtype, torch.device(device)
        self._accelerator = accelerator_of(self.device)
        self._base = torch.from_numpy(space.flatten(model.state_dict())).to(self.device)
        self._base_entries: tuple[Entry, ...] = ()
        self._parent: Tensor | None = None
        self._own_types = _own_types(space, dtype)
        self.model = cast_floating(model, dtype, self.device)
        if channels_last:
            self.model.to(memory_format=torch.channels_last)
        self._kept_at_eval = kept_at_eval(self.model)
        self._layout = Layout(space, transposable(model) if channels_last else ())
        self.buffer = torch.zeros(self._layout.size, dtype=dtype, device=self.device)
        self._chunks = self._layout.chunks(self.buffer)
        self._lay_over()
        self._write_base()
        self.renew()
        self._writer = make_writer(drawn_by, space, self._base, self.buffer, self._layout.addresses)
        self._restore: Callable[[], None] | None = None
        self._last: tuple[list[tuple[int, int]], list[Chunk]] = [], []

    @property
    def renews(self) -> bool:
        """Whether the network keeps something that has to follow its weights (``renew``)."""
        return bool(self._kept_at_eval)

    @property
    def flat(self) -> Tensor:
        """[n]: the network now in the buffer, in the order of the space (a copy)."""
        views = self._layout.views(self.buffer)
        return torch.cat([views[spec.name].reshape(-1) for spec in self.space.tensors])

    def tensors(self) -> dict[str, Tensor]:
        """The space's tensors of the network now in the buffer, copied, in the parent's own types."""
        views = self._layout.views(self.buffer)
        own = {spec.name: getattr(torch, spec.dtype) for spec in self.space.tensors}
        return {
            name: view.to("cpu", own[name], copy=True, memory_format=torch.contiguous_format)
            for name, view in views.items()
        }

    def differing(self, weights: Mapping[str, Tensor]) -> list[str]:
        """Names of the space's tensors that are not these (as ``tensors`` gives them) in the buffer now."""
        views = self._layout.views(self.buffer)
        return [name for name, tensor in weights.items() if not torch.equal(views[name], tensor.to(views[name]))]

    def tensor_at(self, tensor: Tensor) -> int | None:
        """Which tensor of the space (by number) this is a view of, if any."""
        if tensor.untyped_storage().data_ptr() != self.buffer.untyped_storage().data_ptr():
            return None
        return self._layout.tensor_at(int(tensor.storage_offset()))

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """What the network now in the buffer makes of a batch's inputs, given as its task gives them."""
        return self.model(*inputs, **named)

    def set_base(self, entries: Sequence[Entry]) -> None:
        """Makes parent + ``entries`` what children are added to; extends the present base where it can."""
        entries = tuple(entries)
        if entries == self._base_entries:
            return
        known = len(self._base_entries)
        if self._parent is None:
            self._parent = self._base.cpu().clone()  # only a second base needs it: one generation does without
        if entries[:known] != self._base_entries:
            self._base.copy_(self._parent)
            known = 0
        for entry in entries[known:]:
            self._add_to_base(entry)
        self._base_entries = entries
        self._write_base()
        self.renew()

    def draw(self, tail: Sequence[Entry]) -> Drawn:
        """The random part of base + tail; may run on another thread while a child is evaluated."""
        tail = tuple(tail)
        if self._writes(tail):
            return Drawn(tail)
        if not self._streams(tail):
            parts = [self._whole(entry) for entry in tail]
            deltas = tuple(self._pinned(indices, delta) for indices, delta, _ in parts)
            return Drawn(tail, deltas, self._accelerator.pin(parts[0][2]) if len(parts) == 1 else None)
        if not self._accelerator.asynchronous or 12 * self._count(tail) > AHEAD_BYTES:
            return Drawn(tail)
        pairs = (pair for chunk in self._touched(tail) for pair in self._between(tail, chunk))
        return Drawn(tail, tuple(self._pinned(self._small(indices), delta) for indices, delta in pairs))

    @contextmanager
    def child(self, tail: Sequence[Entry] | Drawn) -> Iterator[None]:
        """The network of base + tail, for as long as the context is open."""
        self.apply(tail)
        try:
            yield
        finally:
            self.undo()

    def apply(self, tail: Sequence[Entry] | Drawn) -> None:
        """Writes a child into the buffer; the one before it must be undone."""
        if self._restore is not None:
            raise RuntimeError("a child is applied already: undo it first")
        drawn = tail if isinstance(tail, Drawn) else self.draw(tail)
        if self._writer is not None and len(drawn.tail) == 1 and self._writes(drawn.tail):
            self._restore = partial(self._writer.restore, drawn.tail[0])
            self._writer.write(drawn.tail[0])
        elif self._streams(drawn.tail) or (drawn.tail and self._writes(drawn.tail)):
            chunks = self._touched(drawn.tail)
            self._restore = partial(self._write_base, chunks)
            self._stream(drawn, chunks)
        elif drawn.tail:
            self._scatter(drawn)
        self.renew()

    def undo(self) -> None:
        """Restores the base, bit for bit."""
        if self._restore is not None:
            self._restore()
            self.renew()
        self._restore = None

    def renew(self) -> None:
        """Has what is computed from weights at ``eval()`` and kept (LeViT's attention biases) computed anew."""
        if not self._kept_at_eval:
            return
        with torch.inference_mode():
            for module in self._kept_at_eval:
                module.train()
                module.eval() if module is self.model else module.train(False)  # as eval() of the whole does

    def _streams(self, tail: Sequence[Entry]) -> bool:
        return self._count(tail) * SPARSE_PARTS > self.space.n + SPARSE_PARTS

    def _writes(self, tail: Sequence[Entry]) -> bool:
        """Whether the device draws all of it."""
        return self._writer is not None and all(map(self._writer.knows, tail))

    def _count(self, tail: Sequence[Entry]) -> int:
        return sum(entry.mutation.at_most(self.space) for entry in tail)

    def _scatter(self, drawn: Drawn) -> None:
        if len(drawn.tail) == 1:
            (indices, delta), positions = drawn.deltas[0], drawn.positions
            assert positions is not None
            indices, delta, positions = map(self._accelerator.to_device, (indices, delta, positions))
            self._restore = partial(self._gather_base, indices, positions)
            for index, place, step in self._blocks(indices, positions, delta):
                put_(self.buffer, place, self._rounded(self._base.index_select(0, index).add_(step), index))
            return
        indices, values = self._accumulate([self._to_device(*pair) for pair in drawn.deltas])
        positions = torch.from_numpy(self._layout.positions(indices.cpu().numpy())).to(self.device)
        self._restore = partial(self._gather_base, self._small(indices), self._small(positions))
        put_(self.buffer, positions, self._rounded(values, indices))

    def _gather_base(self, indices: Tensor, positions: Tensor) -> None:
        for block, places in self._blocks(indices, positions):
            put_(self.buffer, places, self._rounded(self._base.index_select(0, block), block))

    def _touched(self, tail: Sequence[Entry]) -> Sequence[Chunk]:
        """What a child may change; all of the rest stays the base's."""
        spans = sorted({span for entry in tail for span in entry.mutation.spans(self.space)})
        if (0, self.space.n) in spans:
            return self._chunks
        if self._last[0] != spans:  # children of a unit change the same tensors
            self._last = spans, within(self._chunks, spans)
        return self._last[1]

    def _stream(self, drawn: Drawn, chunks: Sequence[Chunk]) -> None:
        """Chunk after chunk: the base, every entry in order, rounded and written."""
        if self._writer is not None and self._writes(drawn.tail):
            self._stream_on_device(self._writer, drawn.tail, chunks)
            return
        ahead = iter(drawn.deltas)
        for chunk in chunks:
            values = self._base[chunk.start : chunk.stop].clone()
            pairs = [next(ahead) for _ in drawn.tail] if drawn.deltas else self._between(drawn.tail, chunk)
            for pair in pairs:
                add_delta_(values, *self._to_device(*pair))
            self._write(chunk, values)

    def _stream_on_device(self, writer: Writer, tail: Sequence[Entry], chunks: Sequence[Chunk]) -> None:
        """The same in longer pieces: there it is the launches that cost."""
        for together in stretches(chunks, max(1, DEVICE_SPAN // CHUNK)):
            start, stop = together[0].start, together[-1].stop
            values = self._base[start:stop].clone()
            for entry in tail:
                writer.add_(values, entry, start, stop)
            for chunk in together:
                self._write(chunk, values[chunk.start - start : chunk.stop - start])

    def _between(self, tail: Sequence[Entry], chunk: Chunk) -> Iterator[Delta]:
        return (_tensors(*delta_between(self.space, entry, chunk.start, chunk.stop)) for entry in tail)

    def _add_to_base(self, entry: Entry) -> None:
        if self._writer is not None and self._writes([entry]):
            self._writer.add_(self._base, entry, 0, self.space.n)
            return
        for block in delta_blocks(self.space, entry):
            add_delta_(self._base, *self._to_device(*_tensors(*block)))

    def _write_base(self, chunks: Sequence[Chunk] | None = None) -> None:
        for chunk in self._chunks if chunks is None else chunks:
            self._write(chunk, self._base[chunk.start : chunk.stop])

    def _write(self, chunk: Chunk, values: Tensor) -> None:
        for piece in chunk.pieces:
            part = values[piece.start - chunk.start : piece.stop - chunk.start]
            # a copy into another type rounds to nearest even, once for each type
            own = part if piece.own in (torch.float32, self.dtype) else in_type(part, piece.own, piece.start)
            piece.view.copy_(own.view(piece.view.shape))

    def _accumulate(self, deltas: Sequence[Delta]) -> Delta:
        """Entry after entry in float32 on the union of what they touch."""
        union = torch.unique(torch.cat([indices for indices, _ in deltas]))
        values = self._base[union]
        for indices, delta in deltas:
            add_delta_(values, torch.searchsorted(union, indices), delta)
        return union, values

    def _rounded(self, values: Tensor, indices: Tensor) -> Tensor:
        """float32 values of sorted coordinates, as the network is evaluated with them."""
        for start, stop, own in self._own_types:
            first, last = torch.searchsorted(indices, torch.tensor([start, stop], device=indices.device)).tolist()
            values[first:last] = in_type(values[first:last], own, indices[first:last]).float()
        return values.to(self.dtype)

    def _blocks(self, *parts: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """Equally long tensors in blocks; whole numbers widened, since torch indexes with int64."""
        for block in zip(*(torch.split(part, BLOCK) for part in parts), strict=True):
            yield tuple(part if part.is_floating_point() else part.long() for part in block)

    def _whole(self, entry: Entry) -> tuple[Tensor, Tensor, Tensor]:
        """(indices, delta, positions) of one entry, drawn in pieces: 12 bytes a weight and no more at any time."""
        count = entry.mutation.at_most(self.space)
        indices, positions = (self._small(torch.empty(0, dtype=torch.int64)).new_empty(count) for _ in range(2))
        delta, done = torch.empty(count), 0
        for block, values in delta_blocks(self.space, entry):
            here = slice(done, done + len(block))
            indices[here], delta[here] = _tensors(block, values)
            positions[here] = torch.from_numpy(self._layout.positions(block))
            done = here.stop
        return indices[:done], delta[:done], positions[:done]

    def _pinned(self, indices: Tensor, delta: Tensor) -> Delta:
        """In memory that a GPU reads while the CPU goes on, where there is one."""
        return self._accelerator.pin(indices), self._accelerator.pin(delta)

    def _small(self, whole: Tensor) -> Tensor:
        return whole.int() if self._layout.size < 2**31 else whole

    def _to_device(self, indices: Tensor, delta: Tensor) -> Delta:
        return self._accelerator.to_device(indices).long(), self._accelerator.to_device(delta)

    def _lay_over(self) -> None:
        """Makes every parameter of the space (under all its names) a view of the buffer."""
        parameters = dict(self.model.named_parameters(remove_duplicate=False))
        tied = {parameters[name].data_ptr(): view for name, view in self._layout.views(self.buffer).items()}
        for parameter in parameters.values():
            shared = tied.get(parameter.data_ptr())
            if shared is not None and shared.shape == parameter.shape:
                parameter.data = shared


def cast_floating(model: nn.Module, dtype: torch.dtype, device: torch.device) -> nn.Module:
    """The model in evaluation mode on a device, its floating tensors in ``dtype``; complex ones keep theirs, since
    ``Module.to(dtype)`` would drop their imaginary part."""

    def moved(tensor: Tensor) -> Tensor:
        return tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)

    model._apply(moved)  # type: ignore[no-untyped-call]
    model.eval()
    model.requires_grad_(False)
    return model


def kept_at_eval(model: nn.Module) -> list[nn.Module]:
    """Outermost modules with a ``train()`` of their own: there they drop or compute what they keep of their weights."""
    found: dict[str, nn.Module] = {}
    for name, module in model.named_modules():
        own = [module.train] if name else [module.train, module.eval]
        plain = (nn.Module.train, nn.Module.eval)
        inside = any(name.startswith(f"{outer}.") or not outer for outer in found)
        if not inside and any(getattr(method, "__func__", None) not in plain for method in own):
            found[name] = module
    return list(found.values())


def _own_types(space: Space, dtype: torch.dtype) -> list[tuple[int, int, torch.dtype]]:
    """Ranges of coordinates that are rounded to a type of their own before ``dtype``."""
    ranges: list[tuple[int, int, torch.dtype]] = []
    bounds = pairwise(space.offsets.tolist())
    for spec, (start, stop) in zip(space.tensors, bounds, strict=True):
        own = getattr(torch, spec.dtype)
        if own in (torch.float32, dtype):
            continue
        if ranges and ranges[-1][1:] == (start, own):
            start = ranges.pop()[0]
        ranges.append((start, stop, own))
    return ranges


def _tensors(indices: np.ndarray, delta: np.ndarray) -> Delta:
    return torch.from_numpy(indices), torch.from_numpy(delta)
