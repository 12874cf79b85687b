"""What the tests of writers share: a small network in a buffer, a kind in an order of its own, and the reference."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import torch

from evoray.config.mutation import MutationConfig
from evoray.evaluation.layout import Layout
from evoray.mutation import Entry, Mutation, Recipe, Space, TensorSpec, apply_lineage, mask_indices, words16
from evoray.mutation.device.strata import FORMS, Strata
from evoray.mutation.layered import Layered
from evoray.mutation.streams import NOISE
from evoray.mutation.table import normal

DTYPES = torch.float32, torch.bfloat16, torch.float16
SHAPES = {"a.weight": (6, 3, 3, 3), "b.bias": (6,), "c.empty": (0, 4), "d.weight": (5, 40), "e.gate": (1,)}
CONVOLUTIONS = {"a.weight"}
ORDER = (4, 3, 2, 0, 1)


def space_of(own: str = "float32") -> Space:
    """372 weights, a convolution and an empty tensor among them; ``own`` is the type of all but the last."""
    scales = np.float32([0.3, 0.0, 1.0, 1.7, 1e-3])
    types = [own] * 4 + ["float32"]
    rows = zip(SHAPES.items(), types, scales, strict=True)
    return Space([TensorSpec(name, shape, dtype, float(scale)) for (name, shape), dtype, scale in rows], ORDER)


class Deep(Recipe):
    """Strata on coordinates 50 … 349 of the tensors in ORDER; without ``on_device`` it has no form for devices."""

    Section: ClassVar = MutationConfig
    kind: Literal["deep"] = "deep"
    seed: int
    parts: int = 3
    on_device: bool = True

    @classmethod
    def draw(cls, *args: Any) -> Any: ...

    def at_most(self, space: Space) -> int:
        return -(-300 // self.parts)

    def delta(self, space: Space, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        drawn = np.concatenate([np.arange(*space.offsets[number : number + 2]) for number in ORDER])[50:350]
        positions = mask_indices(300, self.seed, self.parts, 0)
        coordinates, values = drawn[positions], normal(words16(self.seed, NOISE, len(positions)))
        order = np.argsort(coordinates)
        coordinates, values = coordinates[order], values[order]
        values *= space.per_coordinate(np.float32(-1) * (np.float32(0.5) * space.scales), coordinates)
        inside = (start <= coordinates) & (coordinates < stop)
        return coordinates[inside], values[inside]


def deep_form(mutation: Deep, space: Space) -> Strata | None:
    form = Strata(mutation.seed, mutation.parts, 0, mutation.seed, 0.5, -1, 50, 300, ORDER)
    return form if mutation.on_device else None


FORMS[Deep] = deep_form


def mutation(seed: int, parts: int = 7, sigma: float = 0.1, sign: int = 1) -> Mutation:
    return Mutation(mask_seed=seed, parts=parts, part=seed % parts, noise_seed=seed // 3, sigma=sigma, sign=sign)


def layered(seed: int, block: int, blocks: int, parts: int, sign: int = 1) -> Layered:
    mask = {"mask_seed": seed, "parts": parts, "part": seed % parts, "noise_seed": seed // 3}
    return Layered(blocks=blocks, block=block, **mask, sigma=0.1, sign=sign)


ENTRIES = (
    Entry(1.0, mutation(2**64 - 1)),
    Entry(1.0, mutation(5, 1)),
    Entry(-1 / 3, mutation(2**63, 2, 3.0, -1)),
    Entry(0.3, mutation(77, 372)),
    Entry(1.0, mutation(2**32, 2**32)),
    Entry(1.0, mutation(1, 3, 1e-44)),
    Entry(0.7, Deep(seed=9)),
    Entry(1.0, Deep(seed=8, parts=1)),
    Entry(0.7, layered(2**64 - 1, 1, 2, 3)),
    Entry(1.0, layered(12, 4, 5, 1, -1)),
)
"""Sparse and dense, weighted and of either sign, more parts than weights, a delta below the normal numbers."""


class Network:
    """A base on a device, and the buffer that its children are written to."""

    def __init__(self, own: str, dtype: torch.dtype, transposed: bool, device: str = "cpu") -> None:
        self.space = space_of(own)
        generator = torch.Generator().manual_seed(0)
        self.base = torch.randn(self.space.n, generator=generator).to(device)
        self.layout = Layout(self.space, CONVOLUTIONS if transposed else ())
        self.buffer = torch.zeros(self.layout.size, dtype=dtype, device=device)

    def made(self, kind: Any) -> Any:
        return kind(self.space, self.base, self.buffer, self.layout.addresses)

    def rounded(self, *entries: Entry) -> dict[str, torch.Tensor]:
        """The reference: by NumPy, in the parent's own types, then in the buffer's."""
        flat = apply_lineage(self.base.numpy().copy(), self.space, entries)
        return {name: tensor.to(self.buffer.dtype) for name, tensor in self.space.unflatten(flat).items()}

    def with_only(self, entry: Entry, tensors: dict[str, torch.Tensor]) -> torch.Tensor:
        """A buffer of zeros with the values of ``tensors`` where the entry changes something."""
        buffer, changed = torch.zeros_like(self.buffer), torch.zeros(self.space.n, dtype=torch.bool)
        changed[torch.from_numpy(entry.mutation.delta(self.space, 0, self.space.n)[0])] = True
        parts = changed.split([spec.size for spec in self.space.tensors])
        for (name, view), mask in zip(self.layout.views(buffer).items(), parts, strict=True):
            view.copy_(torch.where(mask.view(view.shape), tensors[name], view))
        return buffer


def bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.view(torch.uint8)


def check(kind: Any, own: str, dtype: torch.dtype, transposed: bool, entries: tuple[Entry, ...] = ENTRIES) -> None:
    """A writer writes, restores and adds every entry as NumPy does, to the bit."""
    for entry in entries:
        network = Network(own, dtype, transposed)
        writer = network.made(kind)
        writer.write(entry)
        assert torch.equal(bits(network.buffer), bits(network.with_only(entry, network.rounded(entry)))), entry
        writer.restore(entry)
        assert torch.equal(bits(network.buffer), bits(network.with_only(entry, network.rounded()))), entry
        for start, stop in ((0, network.space.n), (100, 301), (7, 8), (50, 50)):
            values = network.base[start:stop].clone()
            indices, delta = entry.mutation.delta(network.space, start, stop)
            if entry.weight != 1.0:
                delta *= np.float32(entry.weight)
            expected = values.numpy().copy()
            expected[indices - start] += delta
            assert writer.add_(values, entry, start, stop) is values
            assert np.array_equal(values.numpy().view(np.uint32), expected.view(np.uint32)), (entry, start, stop)
