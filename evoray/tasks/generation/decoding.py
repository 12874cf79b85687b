"""A network's answers, token by token: greedy, or sampled with numbers that belong to each record.

With a cache, prompts are padded on the left, so that all of them go on at one place; without one, every pass runs the
whole text, padded on the right as other texts are. A pass waits for the device once. Records that have ended leave the
batch where half of it has: each row is a text of its own, and the others' rows stay what they are but for last bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from evoray.errors import ModelError
from evoray.tasks.base import Network
from evoray.tasks.generation.speech import Speech
from evoray.tasks.inputs import tensor_of

TOKENS, MASK = "input_ids", "attention_mask"
Begun = tuple[Tensor, list[tuple[int, Tensor, Tensor]]]
"""Scores of the first tokens [b, V], and what the prompts' pass gave to a cache in turn: layer, keys and values."""


@dataclass(frozen=True)
class Manner:
    """max_new_tokens: at most; temperature: 0 takes the likeliest; top_p: of the likeliest tokens that have this much
    of the probability together; stop: texts that end an answer."""

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()


@dataclass
class Spoken:
    """tokens: int32 [b, max_new_tokens], -1 behind each answer's end. ended: by a token or a text that ends it.
    broken: the network's scores were not finite."""

    tokens: np.ndarray
    ended: np.ndarray
    broken: np.ndarray
    rows: np.ndarray = field(init=False)
    """Which records are still in the batch."""

    def __post_init__(self) -> None:
        self.rows = np.arange(len(self.tokens))


class Step(Protocol):
    """A pass of the network."""

    @property
    def can_leave(self) -> bool:
        """Whether rows may leave the batch."""
        ...

    def __call__(self, taken: Tensor | None, stay: Tensor | None) -> Tensor:
        """Scores of the next tokens [b, V]; taken: the tokens behind what was there, int64 [b]; stay: the rows of the
        batch that are left."""
        ...


def speak(
    network: Network,
    ids: Tensor,
    mask: Tensor,
    records: Sequence[int],
    speech: Speech,
    manner: Manner,
    begun: Begun | None = None,
) -> Spoken:
    """Answers to prompts [b, t], which are padded on the left.

    begun: what the prompts' pass leaves behind, where it was done already.

    Raises:
        ModelError: the network gives no scores of tokens.
    """
    count = manner.max_new_tokens
    spoken = Spoken(np.full((len(ids), count), -1, np.int32), np.zeros(len(ids), bool), np.zeros(len(ids), bool))
    step: Step = _Whole(network, ids, mask, count)
    if speech.cache != "none":
        step = Cached(network, ids, mask, count, speech, begun)
    draws = np.stack([speech.draws(record, count) for record in records]) if manner.temperature > 0 else None
    scores = step(None, None)
    for at in range(count):
        chosen, sound = _choose(scores, manner, None if draws is None else draws[spoken.rows, at])
        _note(spoken, at, chosen, sound, speech, manner)
        going = np.flatnonzero(~(spoken.ended | spoken.broken)[spoken.rows])
        if not len(going) or at + 1 == count:
            break
        stay = None
        if 2 * len(going) <= len(spoken.rows) and step.can_leave:
            stay, spoken.rows, chosen = torch.from_numpy(going).to(ids.device), spoken.rows[going], chosen[going]
        scores = step(torch.from_numpy(chosen).to(ids.device), stay)
    return spoken


def _note(spoken: Spoken, at: int, chosen: np.ndarray, sound: np.ndarray, speech: Speech, manner: Manner) -> None:
    """Takes down one token of every record that has not ended."""
    for place, row in enumerate(spoken.rows):
        if spoken.ended[row] or spoken.broken[row]:
            continue
        if not sound[place]:
            spoken.broken[row] = True
            continue
        spoken.tokens[row, at] = chosen[place]
        spoken.ended[row] = int(chosen[place]) in speech.ends or (
            bool(manner.stop) and any(one in speech.text(spoken.tokens[row, : at + 1].tolist()) for one in manner.stop)
        )


def _choose(scores: Tensor, manner: Manner, draws: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """int64 [b] and bool [b]: the next token of each row, and whether its scores are numbers."""
    best, likeliest = scores.max(dim=-1)
    if draws is not None:
        likeliest = _sampled(scores, manner, torch.from_numpy(draws).to(scores.device))
    both = torch.stack([likeliest, best.isfinite().to(likeliest.dtype)]).cpu().numpy()
    return both[0], both[1].astype(bool)


def _sampled(scores: Tensor, manner: Manner, draws: Tensor) -> Tensor:
    """By the inverse of the cumulative distribution; of equal probabilities the first token comes first."""
    shares = (scores.double() / manner.temperature).softmax(dim=-1)
    order = None
    if manner.top_p < 1:
        shares, order = shares.sort(dim=-1, descending=True, stable=True)
        shares = shares * (shares.cumsum(-1) - shares < manner.top_p)
    cumulated = shares.cumsum(-1)
    place = torch.searchsorted(cumulated, (draws * cumulated[:, -1])[:, None], right=True)
    place = torch.minimum(place, (shares > 0).cumsum(-1).argmax(-1, keepdim=True))  # the last that may be taken
    return (place if order is None else order.gather(1, place))[:, 0]


class _Whole:
    """Without a cache: texts in full, each with its own end."""

    can_leave = True

    def __init__(self, network: Network, ids: Tensor, mask: Tensor, count: int) -> None:
        self._network, self._kind, self._lengths = network, mask.dtype, mask.sum(1)
        self._texts = ids.new_zeros((len(ids), ids.shape[1] + count))
        for row, length in enumerate(self._lengths.tolist()):
            self._texts[row, :length] = ids[row, ids.shape[1] - length :]

    def __call__(self, taken: Tensor | None, stay: Tensor | None) -> Tensor:
        if stay is not None:
            self._texts, self._lengths = self._texts[stay], self._lengths[stay]
        rows = torch.arange(len(self._texts), device=self._texts.device)
        if taken is not None:
            self._texts[rows, self._lengths] = taken
            self._lengths = self._lengths + 1
        longest = int(self._lengths.max())
        shown = torch.arange(longest, device=rows.device) < self._lengths[:, None]
        scores = tensor_of(self._network(**{TOKENS: self._texts[:, :longest].clone(), MASK: shown.to(self._kind)}))
        checked(scores, longest)
        return scores[rows, self._lengths - 1]


class Cached:
    """With the cache of transformers: the prompts in one pass, then a token a pass."""

    def __init__(
        self, network: Network, ids: Tensor, mask: Tensor, count: int, speech: Speech, begun: Begun | None = None
    ) -> None:
        self._network, self._speech, self._ids, self._known = network, speech, ids, ids.shape[1]
        self._begun = begun
        self._cache = make_cache(speech, self._known + count)
        # what is still to come is hidden by its place; so the mask has its last shape from the start
        self._seen = torch.cat([mask, mask.new_ones((len(ids), count))], dim=1)
        self._place = (mask.cumsum(1) - 1).clamp(min=0)
        named = "cache" if "cache" in speech.takes else "past_key_values"
        self._more: dict[str, Any] = {"use_cache": True, named: self._cache}
        if "logits_to_keep" in speech.takes:
            self._more["logits_to_keep"] = 1

    @property
    def can_leave(self) -> bool:
        """Whether all that is kept of a row are its keys and values."""
        return all({"keys", "values"} <= vars(one).keys() and "conv_states" not in vars(one) for one in self._layers)

    @property
    def _layers(self) -> list[Any]:
        return list(self._cache.layers)

    @contextmanager
    def noted(self) -> Iterator[list[tuple[int, Tensor, Tensor]]]:
        """What the cache is given meanwhile."""
        given: list[tuple[int, Tensor, Tensor]] = []
        update = self._cache.update

        def note(keys: Tensor, values: Tensor, layer: int, *args: Any, **named: Any) -> Any:
            given.append((layer, keys, values))
            return update(keys, values, layer, *args, **named)

        self._cache.update = note
        try:
            yield given
        finally:
            del self._cache.update  # which holds the cache that holds it

    def __call__(self, taken: Tensor | None, stay: Tensor | None) -> Tensor:
        tokens = self._ids
        if taken is None and self._begun is not None:
            scores, given = self._begun
            for layer, keys, values in given:
                self._cache.update(keys, values, layer)
            return scores
        if stay is not None:
            self._seen, self._place = self._seen[stay], self._place[stay]
            for layer in self._layers:
                layer.keys, layer.values = layer.keys[stay], layer.values[stay]
                if hasattr(layer, "batch_size"):
                    layer.batch_size = len(stay)
        if taken is not None:
            tokens, self._place, self._known = taken[:, None], self._place[:, -1:] + 1, self._known + 1
        shown = self._seen if self._speech.cache == "static" else self._seen[:, : self._known]
        positions = {"position_ids": self._place} if "position_ids" in self._speech.takes else {}
        scores = tensor_of(self._network(**{TOKENS: tokens, MASK: shown, **positions, **self._more}))
        checked(scores, tokens.shape[1], kept=1 if "logits_to_keep" in self._more else None)
        return scores[:, -1]


def make_cache(speech: Speech, length: int) -> Any:
    """Empty, for so many tokens a row."""
    from transformers import DynamicCache, StaticCache

    if speech.cache == "static":
        return StaticCache(config=speech.network, max_cache_len=length)
    return DynamicCache(config=speech.network)


def checked(scores: Any, places: int, kept: int | None = None) -> None:
    """Raises ModelError where these are no scores of tokens at so many places, or at those that were asked for."""
    if scores.ndim != 3 or scores.shape[1] not in (places, kept):
        raise ModelError(
            f"the network gives {list(scores.shape)} for {places} tokens a record: it has to give a score for each "
            "token of its vocabulary at every place [records, tokens, vocabulary]. Take a network that predicts "
            "tokens, such as one of AutoModelForCausalLM."
        )
