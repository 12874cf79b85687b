"""What a run's parent is to a task that has it speak: its tokenizer, where its texts end, and which cache it keeps.

Made once, of the parent, and sent to every worker with the rest of what it is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from evoray.runtime.seeds import Stream, generator

Cache = Literal["static", "dynamic", "none"]


class Tokenizer(Protocol):
    """As far as answers are read."""

    def decode(self, token_ids: list[int], **how: Any) -> str: ...


@dataclass(frozen=True)
class Speech:
    """ends: tokens that end a text. network: the configuration that caches are made of. seed: the run's.

    takes: names of a forward pass's parameters, as far as they matter here; empty where it is not known. identity:
    what decides all of it.
    """

    tokenizer: Tokenizer
    ends: tuple[int, ...]
    seed: int
    cache: Cache = "none"
    network: Any = None
    takes: tuple[str, ...] = ()
    identity: str = ""

    def __repr__(self) -> str:
        """The same for what is the same: workers' programs are told apart by what they print."""
        whole = repr((self.identity, self.ends, self.seed, self.cache, self.takes))
        return f"Speech({hashlib.sha256(whole.encode()).hexdigest()[:16]})"

    def text(self, tokens: Sequence[int]) -> str:
        """Of an answer, without the tokens that end it."""
        own = [token for token in tokens if token >= 0 and token not in self.ends]
        return self.tokenizer.decode(own, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def draws(self, record: int, count: int) -> Any:
        """float64 [count] in [0, 1): a record's own, whatever batch or worker it is in."""
        return generator(self.seed, Stream.ANSWERS, record).random(count)
