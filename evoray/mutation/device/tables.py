"""What a device has to know of each tensor: where it is drawn, where it lies, its scale and its type."""

from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from evoray.mutation.device.strata import Strata, drawn_offsets
from evoray.mutation.space import DTYPES, Space

OWN_TYPES = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2}
"""Codes of the types that values are rounded to before the buffer's; 0 rounds nothing."""


class Addresses(NamedTuple):
    """Where the tensors of a space lie in a buffer, int64 [tensors] each.

    Coordinate i of a tensor lies at ``places + i``; where ``window`` is above 1, row-major (o, c, p) with p in the
    window lies transposed, at ``places`` plus that of (o, p, c) for ``channels`` c.
    """

    places: np.ndarray
    channels: np.ndarray
    window: np.ndarray


class Tables(NamedTuple):
    """One row a tensor, in the order in which they are drawn; tensors of int64 but for ``scales`` and ``own``."""

    starts: Tensor
    """Where it is drawn …"""
    stops: Tensor
    flat: Tensor
    """… its start in the flat vector, and …"""
    places: Tensor
    """… in the buffer."""
    channels: Tensor
    window: Tensor
    scales: Tensor
    """float32"""
    own: Tensor
    """int32, codes of OWN_TYPES"""
    transposed: bool
    rounded: tuple[torch.dtype, ...]
    """Types in ``own`` that round."""

    @classmethod
    def of(
        cls, space: Space, order: tuple[int, ...] | None, addresses: Addresses, dtype: torch.dtype, device: torch.device
    ) -> Self:
        """For tensors drawn in ``order`` and written to a buffer of ``dtype``."""
        by = np.arange(len(space.tensors)) if order is None else np.array(order, dtype=np.int64)
        starts, types = drawn_offsets(space, order), [DTYPES[spec.dtype] for spec in space.tensors]
        own = np.array([0 if one == dtype else OWN_TYPES[one] for one in types], dtype=np.int32)

        def put(column: np.ndarray) -> Tensor:
            return torch.tensor(column[by], device=device)

        return cls(
            starts=put(starts),
            stops=put(starts + np.diff(space.offsets)),
            flat=put(space.offsets[:-1]),
            places=put(addresses.places),
            channels=put(addresses.channels),
            window=put(addresses.window),
            scales=put(space.scales),
            own=put(own),
            transposed=bool((addresses.window > 1).any()),
            rounded=tuple(one for one, code in OWN_TYPES.items() if code and code in own),
        )

    def amplitudes(self, strata: Strata) -> Tensor:
        """float32 [tensors]: sign times (sigma times scale), each product rounded; the sign, exact, goes first."""
        return self.scales * float(strata.sign * np.float32(strata.sigma))

    def rows(self) -> tuple[Tensor, ...]:
        """Every column but the scales, as the kernel is given them."""
        return self.starts, self.stops, self.flat, self.places, self.channels, self.window, self.own

    def rounds(self, own: torch.dtype) -> Tensor:
        """bool [tensors]: whose values are rounded to a type."""
        return self.own == OWN_TYPES[own]

    def numbers(self, drawn: Tensor) -> Tensor:
        """int64 [m]: whose each of the ascending drawn coordinates is."""
        edges = torch.searchsorted(drawn, self.stops)
        counts = edges.diff(prepend=edges.new_zeros(1))
        rows = torch.arange(len(self.stops), device=drawn.device)
        return rows.repeat_interleave(counts, output_size=len(drawn))  # with the length given, nobody waits for it
