"""What a request may ask for, and the one way to refuse it."""

from __future__ import annotations

from dataclasses import dataclass


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
