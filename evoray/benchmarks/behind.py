"""Children behind a cut: which tensors lie behind the one that leaves a share of the weights, and what is kept."""

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from evoray.errors import ConfigError
from evoray.evaluation.evaluator import Evaluator
from evoray.mutation import Entry, Lineage, Mutation, Space


@dataclass(frozen=True)
class Contestant:
    """An evaluator whose space is what lies behind a cut. behind: its share of the weights; cut: the module that is
    run first; kept_kib_per_image: in the type of evaluation."""

    evaluator: Evaluator
    behind: float = 1.0
    cut: str | None = None
    kept_kib_per_image: float = 0.0


def contestants(whole: Evaluator, network: nn.Module, shares: Sequence[float], images: int) -> list[Contestant]:
    """One for each share; for none, the whole network.

    Raises:
        ConfigError: a share is none, or the network cannot be cut.
    """
    if not shares:
        return [Contestant(whole)]
    return [_behind(whole, network, share, images) for share in shares]


def _behind(whole: Evaluator, network: nn.Module, share: float, images: int) -> Contestant:
    if not 0 <= share <= 1:
        raise ConfigError(f"--behind {share}: give the share of the weights behind the cut, from 0 to 1.")
    space, program = whole.host.space, whole.program
    numbers = _numbers(whole, share)
    own = Space([space.tensors[number] for number in numbers])
    evaluator = Evaluator(copy.deepcopy(network), dataclasses.replace(program, space=own))
    tail = (Entry(1.0, Mutation(mask_seed=0, parts=1, part=0, noise_seed=0, sigma=0.01)),)
    kept = evaluator.kept(Lineage(), [tail], "select", 0)
    cut = space.tensors[numbers[0]].name.rpartition(".")[0]
    kib = kept.nbytes / images / 1024 if kept else 0.0
    return Contestant(evaluator, own.n / space.n, cut if kept else None, kib)


def _numbers(whole: Evaluator, share: float) -> list[int]:
    """The last tensors by first use: as few as have the share of the weights, and those used by the same operation."""
    space = whole.host.space
    keeper = whole.keeper
    order = keeper.order(next(iter(whole.prepared("select", 0).batches)))
    behind: list[int] = []
    weights = 0
    for number in reversed(order):
        if behind and weights >= share * space.n and not keeper.together(number, behind[-1]):
            break
        behind.append(number)
        weights += space.tensors[number].size
    return behind[::-1]
