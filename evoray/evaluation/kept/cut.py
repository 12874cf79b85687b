"""A tape cut in two: which values have to be kept, and the last part as a network of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor, fx, nn
from torch.utils._pytree import tree_leaves, tree_map

from evoray.evaluation.kept.tape import Ref, Tape

WORTH = 0.95
"""Nothing is kept where more than this share of the work lies behind the cut."""


@dataclass(frozen=True)
class Cut:
    """Before operation ``at`` of a tape.

    alive: numbers of the values that are made before it and needed behind it.
    """

    tape: Tape
    at: int

    @cached_property
    def alive(self) -> tuple[int, ...]:
        made = self.tape.inputs + sum(_fresh(self.tape, self.at))
        return tuple(sorted(number for number in self._needed if number < made))

    @cached_property
    def written(self) -> frozenset[int]:
        """Those of ``alive`` that operations behind the cut change: each pass is given copies of them."""
        writes = frozenset().union(*(one.writes for one in self.tape.operations[self.at :]))
        return frozenset(number for number in self.alive if self.tape.storage[number] in writes)

    @property
    def sound(self) -> bool:
        """Whether copies can be given: no written value shares its memory with another one that is kept."""
        storages = [self.tape.storage[number] for number in self.alive]
        return all(storages.count(self.tape.storage[number]) == 1 for number in self.written)

    @property
    def share(self) -> float:
        """Of the network's multiplications, those behind the cut; 0 to 1."""
        operations, later = self.tape.operations, self.tape.later
        whole = sum(one.flops for one in operations) + later
        return (sum(one.flops for one in operations[self.at :]) + later) / whole if whole else 1.0

    @property
    def price(self) -> float:
        """Of a child behind it, as a share of a forward pass: the whole one is run where a cut saves too little."""
        return self.share if self.share <= WORTH else 1.0

    def kept_bytes(self) -> int:
        """Of one batch; memory that several values share counts once."""
        sizes = {self.tape.storage[number]: self.tape.nbytes[number] for number in self.alive}
        return sum(sizes.values())

    def rest(self) -> nn.Module:
        """The part behind the cut: from the ``alive`` values, in their order, to the tensors of the output."""
        graph, values = fx.Graph(), dict[int, fx.Node]()
        constants = {f"c{number}": one for number, one in enumerate(self.tape.constants)}
        for number in self.alive:
            node = graph.placeholder(f"v{number}")
            values[number] = graph.call_method("clone", (node,)) if number in self.written else node

        def given(one: Any) -> Any:
            if not isinstance(one, Ref):
                return one
            if one.number < 0 and one.number not in values:
                values[one.number] = graph.get_attr(f"c{~one.number}")
            return values[one.number]

        for operation in self.tape.operations[self.at :]:
            args, kwargs = tree_map(given, (operation.args, operation.kwargs))
            node = graph.call_function(operation.function, args, kwargs)
            for place, made in enumerate(operation.gives):
                if made is not None and made not in values:
                    values[made] = graph.call_function(_item, (node, place)) if operation.several else node
        graph.output(tuple(given(one) for one in _tensors(self.tape.output)))
        return fx.GraphModule(_Constants(constants), graph)

    @cached_property
    def _needed(self) -> frozenset[int]:
        read = {number for one in self.tape.operations[self.at :] for number in one.reads()}
        return frozenset(read | {one.number for one in _tensors(self.tape.output) if one.number >= 0})


def cut_before(tape: Tape, numbers: Iterable[int]) -> Cut:
    """The last place to cut at before the first use of any of these tensors; behind all where none is ever used."""
    uses = [tape.first_use[number] for number in numbers if number in tape.first_use]
    cut = Cut(tape, min(uses, default=len(tape.operations)))
    while not cut.sound:
        cut = Cut(tape, cut.at - 1)
    return cut


class _Constants(nn.Module):
    """Parameters and buffers as they are, under names of their own: no copies, children are written into them."""

    def __init__(self, constants: dict[str, Tensor]) -> None:
        super().__init__()
        for name, tensor in constants.items():
            object.__setattr__(self, name, tensor)


def _item(values: Any, place: int) -> Any:
    return values[place]


def _tensors(output: Any) -> Iterable[Ref]:
    return (one for one in tree_leaves(output) if isinstance(one, Ref))


def _fresh(tape: Tape, at: int) -> Iterable[int]:
    """How many new values each operation before ``at`` gives."""
    known = tape.inputs
    for operation in tape.operations[:at]:
        new = [number for number in operation.gives if number is not None and number >= known]
        known += len(new)
        yield len(new)
