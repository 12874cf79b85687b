"""What is to be served, as the command line says it, small and the same for every replica; what a request may ask for,
and the one way to refuse it."""

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


@dataclass(frozen=True)
class Limits:
    """body: bytes of a request; pixels: of a picture as it is sent; characters: of a text; records: of one request;
    seconds: for a body to arrive, and for its answer; waiting: requests that one replica takes in at a time."""

    body: int = 16 * 2**20
    pixels: int = 50_000_000
    characters: int = 200_000
    records: int = 64
    seconds: float = 30.0
    waiting: int = 256


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """A request that is answered with a status of 400 to 499 and a sentence."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers
