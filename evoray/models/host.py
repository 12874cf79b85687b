"""The in-place host: a model whose mutable parameters are views of one flat buffer.

A child costs O(mutated weights): its values are computed in float32 from the base, rounded to the parent's own type
and then to the type of evaluation, and written into the buffer; undo writes the base's values back, rounded in the
same way, so that not a bit of a child remains. Memory: the base in float32, the buffer, and O(mutated weights);
from the second base on also the parent, on the host.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from evoray.models.tensors import canonical_state
from evoray.mutation import Entry, Space, weighted_delta

DENSE_SHARE = 0.25
"""A tail that touches more of the vector than this is added in a float32 copy of it; sorting would cost more."""


class ModelHost:
    """Takes the model over: its parameters become views, other floating tensors are cast to ``dtype``.

    Args:
        model: written to; give a copy of what is still needed.
        space: the mutable tensors, by their names in the model.
        device, dtype: where and in what type children are evaluated.
    """

    def __init__(
        self, model: nn.Module, space: Space, device: torch.device | str, dtype: torch.dtype = torch.float32
    ) -> None:
        state, _ = canonical_state(model)
        self.space, self.dtype, self.device = space, dtype, torch.device(device)
        self._base = torch.from_numpy(space.flatten(state)).to(self.device)
        self._base_entries: tuple[Entry, ...] = ()
        self._parent: Tensor | None = None
        self._own_types = self._types_of(space)
        self.model = model.to(device=self.device, dtype=dtype).eval().requires_grad_(False)
        self.flat = self._rounded(self._base, None).clone()
        self._lay_over()
        self._touched: Tensor | None = None

    def forward(self, batch: Tensor) -> Tensor:
        """Logits [b, classes] of the network now in the buffer."""
        logits = self.model(batch)
        assert isinstance(logits, Tensor)
        return logits

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
            indices, delta = self._to_device(*weighted_delta(self.space, entry))
            self._base[indices] = self._base[indices] + delta
        self._base_entries = entries
        self.flat.copy_(self._rounded(self._base, None))

    @contextmanager
    def child(self, tail: Sequence[Entry]) -> Iterator[None]:
        """The network of base + tail, for as long as the context is open."""
        self.apply(tail)
        try:
            yield
        finally:
            self.undo()

    def apply(self, tail: Sequence[Entry]) -> None:
        """Writes a child into the buffer; the one before it must be undone."""
        if self._touched is not None:
            raise RuntimeError("a child is applied already: undo it first")
        counts = [-(-self.space.n // entry.mutation.parts) for entry in tail]
        if len(tail) != 1 and sum(counts) > DENSE_SHARE * self.space.n:
            self._apply_dense(tail)
            return
        deltas = [self._to_device(*weighted_delta(self.space, entry)) for entry in tail]
        if len(deltas) == 1:
            indices, delta = deltas[0]
            values = self._base[indices] + delta
        else:
            indices, values = self._accumulate(deltas)
        self.flat[indices] = self._rounded(values, indices)
        self._touched = indices

    def undo(self) -> None:
        """Restores the base, bit for bit."""
        if self._touched is None:
            return
        if self._touched.dtype == torch.bool:
            self.flat.copy_(self._rounded(self._base, None))
        else:
            self.flat[self._touched] = self._rounded(self._base[self._touched], self._touched)
        self._touched = None

    def _apply_dense(self, tail: Sequence[Entry]) -> None:
        work = self._base.clone()
        for entry in tail:
            indices, delta = self._to_device(*weighted_delta(self.space, entry))
            work[indices] = work[indices] + delta
        self.flat.copy_(self._rounded(work, None))
        self._touched = torch.ones(1, dtype=torch.bool)

    def _accumulate(self, deltas: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Entry after entry in float32 on the union of what they touch."""
        union = torch.unique(torch.cat([indices for indices, _ in deltas])) if deltas else self._empty()
        values = self._base[union]
        for indices, delta in deltas:
            places = torch.searchsorted(union, indices)
            values[places] = values[places] + delta
        return union, values

    def _empty(self) -> Tensor:
        return torch.zeros(0, dtype=torch.int64, device=self.device)

    def _to_device(self, indices: np.ndarray, delta: np.ndarray) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(indices).to(self.device), torch.from_numpy(delta).to(self.device)

    def _rounded(self, values: Tensor, indices: Tensor | None) -> Tensor:
        """float32 values of all coordinates (indices None) or some, as the network is evaluated with them."""
        if not self._own_types:
            return values.to(self.dtype)
        values = values.clone()
        for start, stop, own in self._own_types:
            part: slice | Tensor = slice(start, stop)
            if indices is not None:
                part = (indices >= start) & (indices < stop)
            values[part] = values[part].to(own).float()
        return values.to(self.dtype)

    @staticmethod
    def _types_of(space: Space) -> list[tuple[int, int, torch.dtype]]:
        """Ranges of coordinates whose own type is not float32."""
        return [
            (int(start), int(stop), getattr(torch, spec.dtype))
            for spec, start, stop in zip(space.tensors, space.offsets[:-1], space.offsets[1:], strict=True)
            if spec.dtype != "float32"
        ]

    def _lay_over(self) -> None:
        """Makes every parameter of the space (under all its names) a view of the buffer."""
        views = {
            spec.name: self.flat[start : start + spec.size].view(spec.shape)
            for spec, start in zip(self.space.tensors, self.space.offsets[:-1], strict=True)
        }
        tied: dict[int, Tensor] = {}
        parameters = dict(self.model.named_parameters(remove_duplicate=False))
        for name, view in views.items():
            tied[parameters[name].data_ptr()] = view
        for parameter in parameters.values():
            shared = tied.get(parameter.data_ptr())
            if shared is not None and shared.shape == parameter.shape:
                parameter.data = shared
