"""The prompts' pass by itself: what it leaves behind are scores, and the keys and values that a cache was given.

They are kept as they were given, of the prompt's length alone; giving them to an empty cache again fills it as the pass
did. So a child that changes late layers begins with its parent's keys and values of the layers before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from evoray.tasks.base import Batch, Network, Outputs
from evoray.tasks.generation.decoding import MASK, TOKENS, Begun, Cached
from evoray.tasks.generation.speech import Speech


@dataclass(frozen=True)
class Prompts:
    """An ``Opening``. count: tokens of an answer, at most. answered: gives the task's outputs."""

    speech: Speech
    count: int
    answered: Callable[[Network, Batch, Begun], Outputs]

    @property
    def later(self) -> int:
        return self.count - 1

    def of(self, network: Network) -> Network:
        def opening(ids: Tensor, mask: Tensor) -> Begun:
            step = Cached(network, ids, mask, self.count, self.speech)
            with step.noted() as given:
                return step(None, None), given

        return opening

    def begin(self, opening: Network, batch: Batch) -> Any:
        return opening(batch.inputs[TOKENS], batch.inputs[MASK])

    def outputs(self, network: Network, batch: Batch, begun: Begun) -> Outputs:
        return self.answered(network, batch, begun)

    def tried(self, network: Network, batch: Batch, begun: Begun | None = None) -> Iterable[Tensor]:
        """Scores of the first two tokens."""
        step = Cached(network, batch.inputs[TOKENS], batch.inputs[MASK], self.count, self.speech, begun)
        yield (scores := step(None, None))
        if self.later:
            yield step(scores.argmax(-1), None)

    def short(self, batch: Batch) -> Batch:
        """Of each prompt its last token."""
        return Batch({name: batch.inputs[name][:, -1:] for name in (TOKENS, MASK)}, batch.count)
