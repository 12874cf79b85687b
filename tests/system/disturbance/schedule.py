"""What happens to a run, drawn from a seed: the run, and two to six faults with their moments. Pure logic."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ANY = ("driver killed", "driver terminated", "driver stopped")
LOCAL = (*ANY, "full disk", "slow disk", "directory gone", "flipped byte", "journal cut", "out of memory")
RAY = (
    *("worker killed", "worker stopped", "node killed", "node joined", "node drained", "partition"),
    *("lost messages", "worker out of memory", *ANY),
)
KINDS = {"local": LOCAL, "ray": RAY}
START, RESULTS = "start", "results"
"""Before the first evaluation, and while files are written: what no stage of evaluations is."""


@dataclass(frozen=True)
class Fault:
    """One of a schedule.

    stage, share: it comes when that share of the stage's evaluations is done. delay: and then so much later, as a share
    of what is left of the stage. amount: of whatever the kind has more or less of; 0 to 1 like the others.
    """

    kind: str
    stage: str
    share: float
    delay: float
    amount: float


@dataclass(frozen=True)
class Schedule:
    """A run and what is done to it. flush: seconds between two writes of the journal. page: whether it is drawn."""

    seed: int
    case: str
    backend: str
    flush: float
    page: bool
    faults: tuple[Fault, ...]


def draw_backend(seed: int) -> str:
    """A run on a cluster costs as much as ten here: one in eight."""
    return "ray" if random.Random(f"backend {seed}").random() < 1 / 8 else "local"


def draw_case(seed: int, cases: Sequence[str], backend: str = "local") -> str:
    """Which run a seed disturbs: known before its stages are. On a cluster it is half the time one that takes its time,
    so that nodes that come and go find it at work."""
    chance, slow = random.Random(f"case {seed}"), [name for name in cases if name.endswith("/slow")]
    return chance.choice(slow if slow and backend == "ray" and chance.random() < 0.5 else sorted(cases))


def draw(seed: int, case: str, stages: Mapping[str, float] | Sequence[str], backend: str = "local") -> Schedule:
    """The schedule of a seed. stages: of the undisturbed run, in order."""
    chance, order = random.Random(f"faults {seed}"), list(stages)
    flush = chance.choice((0.01, 0.1, 2.0))
    page = backend == "local" and chance.random() < 0.1
    faults = [
        Fault(chance.choice(KINDS[backend]), chance.choice(order), chance.random(), chance.random(), chance.random())
        for _ in range(chance.randint(2, 6))
    ]
    faults.sort(key=lambda fault: (order.index(fault.stage), fault.share))
    return Schedule(seed, case, backend, flush, page, tuple(faults))
