"""From what a task gives to what a graph takes: names, types, layout, and how many records a pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from evoray.errors import ModelError
from evoray.models.onnx.graph import DYNAMIC, TYPES, operations
from evoray.models.onnx.session import INTEGERS
from evoray.runtime.reading import shown

if TYPE_CHECKING:
    from onnx import GraphProto

KINDS = {**TYPES, **{number: dtype for dtype, number in INTEGERS.items()}}
"""Types of inputs by their numbers in ONNX."""
MASK, SEGMENTS = "attention_mask", "token_type_ids"
Named = dict[str, Tensor]


@dataclass(frozen=True)
class Wanted:
    """An input of a graph: its name, its type, and its sides, None where they are open."""

    name: str
    dtype: torch.dtype
    sides: tuple[int | None, ...]

    def __str__(self) -> str:
        sides = ", ".join("?" if side is None else str(side) for side in self.sides)
        return f"{shown(self.name, 60)} {str(self.dtype).removeprefix('torch.')} [{sides}]"


@dataclass(frozen=True)
class Feeds:
    """What a graph takes. dynamic: it chooses scales by all values of a batch, so that a record has to be alone."""

    wanted: tuple[Wanted, ...]
    dynamic: bool

    @property
    def records(self) -> int | None:
        """How many records a pass takes, no more and no less; None: any number."""
        fixed = [one.sides[0] for one in self.wanted if one.sides and one.sides[0] is not None]
        return 1 if self.dynamic and not fixed else next(iter(fixed), None)

    def passes(self, inputs: Sequence[Any], named: Mapping[str, Any]) -> Iterator[tuple[Named, int]]:
        """(inputs of the graph, how many records are of interest) of each pass that a batch takes.

        Raises ModelError where the graph takes something else.
        """
        given = self._given(inputs, named)
        rows, records = len(next(iter(given.values()))), self.records
        hidden = given.get(MASK)
        alone = hidden is not None and (self.dynamic or MASK not in self._names) and not bool(hidden.all())
        if records is None and not alone:
            yield self._fitted(given), rows
            return
        step = 1 if alone and records is None else records or rows
        for start in range(0, rows, step):
            part = {name: one[start : start + step] for name, one in given.items()}
            if alone and step == 1:
                part = _without_padding(part)
            count = min(step, rows - start)
            if count < step:
                part = {
                    name: torch.cat([one, one[-1:].expand(step - count, *one.shape[1:])]) for name, one in part.items()
                }
            yield self._fitted(part), count

    @property
    def _names(self) -> set[str]:
        return {one.name for one in self.wanted}

    def _given(self, inputs: Sequence[Any], named: Mapping[str, Any]) -> Named:
        if len(inputs) == 1 and isinstance(inputs[0], Mapping):
            named, inputs = inputs[0], ()
        if inputs and not named and len(inputs) == len(self.wanted):
            named = {one.name: values for one, values in zip(self.wanted, inputs, strict=True)}
        if not named or not all(isinstance(one, Tensor) and one.ndim for one in named.values()):
            what = f"{len(inputs)} tensors without names" if inputs else "nothing"
            raise ModelError(f"the parent's graph takes {self._listed()}, and the task gives {what}.")
        if "input_ids" in named and len(self.wanted) == 1 and not self._names & named.keys():
            named = {
                **{name: one for name, one in named.items() if name == MASK},
                self.wanted[0].name: named["input_ids"],
            }
        return dict(named)

    def _fitted(self, given: Named) -> Named:
        found = {}
        for one in self.wanted:
            if one.name in given:
                found[one.name] = _as_wanted(given[one.name], one)
            elif one.name == SEGMENTS and "input_ids" in given:
                found[one.name] = _as_wanted(torch.zeros_like(given["input_ids"]), one)
            else:
                names = ", ".join(shown(name, 40) for name in given)
                raise ModelError(
                    f"the parent's graph takes {self._listed()}, and the task gives {names}. Export the network with "
                    "inputs of these names, or so that it needs no others."
                )
        unread = given.keys() - self._names
        if SEGMENTS in unread and bool(given[SEGMENTS].any()):
            raise ModelError(
                f"the data tells two texts apart ({SEGMENTS}), and the parent's graph does not take that. Export it "
                f"with the input {SEGMENTS}."
            )
        return found

    def _listed(self) -> str:
        return ", ".join(map(str, self.wanted)) or "no inputs"


def feeds_of(graph: GraphProto) -> Feeds:
    """Of a graph without weights. Raises ModelError where an input is no tensor of numbers."""
    wanted = []
    for one in graph.input:
        kind = one.type.tensor_type
        if not one.type.HasField("tensor_type") or kind.elem_type not in KINDS:
            raise ModelError(
                f"the parent's graph takes {shown(one.name, 60)}, which is no tensor of numbers. Export the network "
                "without what comes before it."
            )
        sides = [
            side.dim_value if side.HasField("dim_value") and side.dim_value > 0 else None for side in kind.shape.dim
        ]
        wanted.append(Wanted(one.name, KINDS[kind.elem_type], tuple(sides)))
    return Feeds(tuple(wanted), bool(operations(graph) & DYNAMIC))


def channels_behind(wanted: Wanted, channels: int) -> bool:
    """Whether images go in as [n, H, W, C]: the last side is the channels', the second is not."""
    return len(wanted.sides) == 4 and wanted.sides[3] == channels and wanted.sides[1] != channels


def _as_wanted(values: Tensor, wanted: Wanted) -> Tensor:
    if values.ndim == 4 and channels_behind(wanted, values.shape[1]):
        values = values.permute(0, 2, 3, 1)
    values = _filled_up(values, wanted)
    sides = wanted.sides or tuple(values.shape)
    fits = len(sides) == values.ndim and all(
        side is None or side == own for side, own in zip(sides, values.shape, strict=True)
    )
    if not fits:
        raise ModelError(
            f"the parent's graph takes {wanted}, and the data gives {list(values.shape)}. Ingest the data in that form "
            "(images with --resize, --crop and --channels), or export the network with open sides."
        )
    return _cast(values, wanted).contiguous()


def _filled_up(values: Tensor, wanted: Wanted) -> Tensor:
    """Texts of a graph that takes one length."""
    if values.ndim != 2 or values.is_floating_point() or len(wanted.sides) != 2 or wanted.sides[1] is None:
        return values
    room = wanted.sides[1] - values.shape[1]
    return (
        torch.nn.functional.pad(values, (0, room))
        if room > 0 and wanted.name in (MASK, SEGMENTS, "input_ids")
        else values
    )


def _cast(values: Tensor, wanted: Wanted) -> Tensor:
    if wanted.dtype == values.dtype:
        return values
    if wanted.dtype.is_floating_point or not values.is_floating_point():
        return values.to(wanted.dtype)
    if wanted.dtype == torch.uint8 and values.ndim == 4:
        return (values * 255).round().clamp(0, 255).to(torch.uint8)  # exact: images arrive as x / 255
    raise ModelError(f"the parent's graph takes {wanted}, and the data gives floating numbers. Ingest whole ones.")


def _without_padding(part: Named) -> Named:
    """One record's tokens alone."""
    length = int(part[MASK].sum())
    return {name: one[:, :length] if one.shape[1:] == part[MASK].shape[1:] else one for name, one in part.items()}
