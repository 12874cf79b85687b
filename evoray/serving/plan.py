"""What is to be served, as the command line says it: small, and the same for every replica."""

from __future__ import annotations

from dataclasses import dataclass

ENSEMBLE = "ensemble"
COPIES_BYTES = 256 * 2**20
"""An ensemble whose members take no more than this together is kept as copies, which answer soonest. A larger one is
kept as recipes on one network: each is written into it for a batch and undone again."""


@dataclass(frozen=True)
class Plan:
    """What a replica builds.

    location: the run, a path made absolute or a URI. member: ensemble, soup, best, parent or a child. config_dir: where
    modules of the user's and relative paths begin. parent, data: what the run names lies there now.
    copies: bytes up to which an ensemble is kept as copies. threads: of PyTorch, for each replica.
    """

    location: str
    member: str
    config_dir: str
    device: str = "cpu"
    parent: str | None = None
    data: str | None = None
    copies: int = COPIES_BYTES
    threads: int = 1
