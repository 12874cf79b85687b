"""Where the coordinates of a space lie in the buffer that a network is evaluated from.

Every tensor starts at a multiple of 64 elements: matrix units read whole lines, and on CUDA a tensor in half
precision that starts anywhere else falls back to slow kernels. Under channels-last the weight of a convolution lies
as the kernels want it, [O, kh, kw, I] in memory; else they would transpose it again for every batch. The order of the
coordinates in format 1 stays row-major; this map is the evaluation's own.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import torch
from torch import Tensor, nn

from evoray.mutation import Space
from evoray.mutation.device.tables import Addresses

ALIGNMENT = 64
CHUNK = 1 << 20
"""Coordinates written at once where a whole network is written: 4 MB of float32."""


@dataclass(frozen=True)
class Piece:
    """Coordinates start … stop - 1, all of one tensor of type ``own``, and their places in the buffer."""

    start: int
    stop: int
    view: Tensor
    own: torch.dtype


@dataclass(frozen=True)
class Chunk:
    """Consecutive pieces."""

    pieces: tuple[Piece, ...]

    @property
    def start(self) -> int:
        return self.pieces[0].start

    @property
    def stop(self) -> int:
        return self.pieces[-1].stop


class Layout:
    """``transposed`` names the tensors [O, I, kh, kw] that lie as [O, kh, kw, I]; ``size`` is the buffer's."""

    def __init__(self, space: Space, transposed: Collection[str] = ()) -> None:
        self._space = space
        sizes = [-(-spec.size // ALIGNMENT) * ALIGNMENT for spec in space.tensors]
        self._places = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.size = int(self._places[-1])
        self._transposed = frozenset(
            spec.name for spec in space.tensors if spec.name in transposed and _is_convolution(spec.shape)
        )
        shapes = [spec.shape if spec.name in self._transposed else (1, 1, 1, 1) for spec in space.tensors]
        self._channels = np.array([shape[1] for shape in shapes], dtype=np.int64)
        self._window = np.array([shape[2] * shape[3] for shape in shapes], dtype=np.int64)

    def views(self, buffer: Tensor) -> dict[str, Tensor]:
        """Each tensor in its own shape, a view of the buffer [size]."""
        views = {}
        for spec, place in zip(self._space.tensors, self._places[:-1].tolist(), strict=True):
            flat = buffer[place : place + spec.size]
            if spec.name in self._transposed:
                out, channels, height, width = spec.shape
                views[spec.name] = flat.view(out, height, width, channels).permute(0, 3, 1, 2)
            else:
                views[spec.name] = flat.view(spec.shape)
        return views

    def chunks(self, buffer: Tensor) -> list[Chunk]:
        """All coordinates in order, cut so that none but a single row of a tensor is much longer than CHUNK."""
        chunks: list[Chunk] = []
        open_pieces: list[Piece] = []
        for piece in self._pieces(self.views(buffer)):
            if open_pieces and piece.stop - open_pieces[0].start > CHUNK:
                chunks.append(Chunk(tuple(open_pieces)))
                open_pieces = []
            open_pieces.append(piece)
        return [*chunks, Chunk(tuple(open_pieces))] if open_pieces else chunks

    def positions(self, indices: np.ndarray) -> np.ndarray:
        """int64 [m]: places in the buffer of sorted coordinates, in O(m + tensors)."""
        space = self._space
        start, place = space.offsets[:-1], self._places[:-1]
        if not self._transposed:
            shifted: np.ndarray = indices + space.per_coordinate(place - start, indices)
            return shifted
        # row-major (o, i, p) with p in the window goes to (o, p, i): o * I * P + p * I + i
        inner = (indices - space.per_coordinate(start, indices)).astype(np.uint32, copy=False)
        window = space.per_coordinate(self._window.astype(np.uint32), indices)
        channels = space.per_coordinate(self._channels.astype(np.uint32), indices)
        row = inner // window
        channel = row % channels
        moved = (row - channel) * window + (inner - row * window) * channels + channel
        places: np.ndarray = moved.astype(np.int64) + space.per_coordinate(place, indices)
        return places

    @property
    def addresses(self) -> Addresses:
        """The same map, a row a tensor."""
        return Addresses(self._places[:-1], self._channels, self._window)

    def tensor_at(self, place: int) -> int:
        """Which tensor of the space holds a place of the buffer."""
        return int(np.searchsorted(self._places, place, side="right")) - 1

    def _pieces(self, views: dict[str, Tensor]) -> list[Piece]:
        pieces = []
        bounds = pairwise(self._space.offsets.tolist())
        for spec, (start, stop) in zip(self._space.tensors, bounds, strict=True):
            own = getattr(torch, spec.dtype)
            view = views[spec.name] if spec.name in self._transposed else views[spec.name].view(-1)
            row = math.prod(view.shape[1:])
            rows = max(1, CHUNK // row)
            for first in range(0, len(view), rows):
                last = min(first + rows, len(view))
                pieces.append(Piece(start + first * row, start + last * row, view[first:last], own))
            assert not pieces or pieces[-1].stop == stop or stop == start
        return pieces


def within(chunks: Sequence[Chunk], spans: Sequence[tuple[int, int]]) -> list[Chunk]:
    """What spans of coordinates touch of some chunks: the pieces that hold any of them, neighbours together.

    spans: (start, stop), in any order; they may overlap.
    """
    bounds = np.array([(piece.start, piece.stop) for chunk in chunks for piece in chunk.pieces]).reshape(-1, 2)
    inside = np.zeros(len(bounds) + 1, dtype=np.int64)
    for start, stop in spans:
        if start < stop:
            inside[np.searchsorted(bounds[:, 1], start, side="right")] += 1
            inside[np.searchsorted(bounds[:, 0], stop, side="left")] -= 1
    touched = iter((np.cumsum(inside) > 0).tolist())
    found = []
    for chunk in chunks:
        for some, pieces in groupby(chunk.pieces, key=lambda piece: next(touched)):
            if some:
                found.append(Chunk(tuple(pieces)))
    return found


def stretches(chunks: Sequence[Chunk], longest: int) -> Iterator[list[Chunk]]:
    """Neighbours together, so many of them at most."""
    open_chunks: list[Chunk] = []
    for chunk in chunks:
        if open_chunks and (len(open_chunks) == longest or open_chunks[-1].stop != chunk.start):
            yield open_chunks
            open_chunks = []
        open_chunks.append(chunk)
    if open_chunks:
        yield open_chunks


def transposable(model: nn.Module) -> set[str]:
    """Names of the convolution weights that channels-last kernels want transposed."""
    return {
        f"{name}.weight".removeprefix(".") for name, module in model.named_modules() if isinstance(module, nn.Conv2d)
    }


def _is_convolution(shape: tuple[int, ...]) -> bool:
    """Whether transposing [O, I, kh, kw] would move anything; 32-bit arithmetic must hold a tensor."""
    return len(shape) == 4 and shape[1] > 1 and shape[2] * shape[3] > 1 and math.prod(shape) < 2**32
