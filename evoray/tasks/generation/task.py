"""Generation: a prompt in, an answer out, and a reward of the user's for it.

``reward(prompt, answer, record) -> float`` is asked on the worker, where the answer is made: outputs carry the reward
beside the tokens, so that all above sees numbers a record. torch is imported where it is used: ingest asks for the
schema alone.
"""

from __future__ import annotations

import copy
import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Self

import numpy as np
from pydantic import Field

from evoray.config.section import Auto
from evoray.data.schema import Schema
from evoray.errors import ConfigError
from evoray.runtime.importing import import_function
from evoray.tasks.base import Batch, Figure, Figures, Measure, Network, Preparation, ScoredTask, Scores
from evoray.tasks.generation.rewards import Judged, Rewards
from evoray.tasks.generation.speech import Speech
from evoray.tasks.text.batches import TOKENS, TOKENS_TYPE, WIDE

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from evoray.tasks.generation.decoding import Begun
    from evoray.tasks.generation.opening import Prompts

LOG = logging.getLogger("evoray")
PROMPT, RECORD, NUMBER = "prompt", "record", "number"
"""Columns beside the prompt's tokens: its text, the whole record as JSON, and the record's number in its file."""
ENDED, FAILED = 1, 2
"""Bits of an answer's state: it ended by itself; its reward failed."""
SUMMED = ("reward", "failed", "tokens", "ended")
"""Of what is kept of a record, what figures are means of."""
TRIED = 8
"""Answers of the parent whose rewards are asked twice before a run."""
LOW = "lowest"
"""Said once."""
Function = Annotated[str, Field(pattern=r"^$|^[\w.]+:[\w.]+$")]


class Answers(NamedTuple):
    """tokens int32 [n, max_new_tokens], -1 behind an answer's end; reward float64 [n], NaN where the network's scores
    were not finite; key int64 [n], a digest of what is voted on; state int64 [n]."""

    tokens: Tensor
    reward: Tensor
    key: Tensor
    state: Tensor

    exact = ("reward",)  # type: ignore[misc]  # no field: its rounding to float32 would be another reward


class Generation(ScoredTask):
    """Outputs are ``Answers``, targets the records' numbers, int64 [n].

    Args:
        reward: ``package.module:function`` of (prompt, answer, record), which returns a finite number.
        max_new_tokens: of an answer, at most.
        temperature: 0 takes the likeliest token each time; above, tokens are drawn with numbers of each record's own.
        top_p: draws among the likeliest tokens that have this much of the probability together.
        stop: texts that end an answer, and are no part of it.
        reward_seconds: that one answer's reward may take.
        lowest: what an answer counts whose reward fails.
        answer: ``package.module:function`` that takes out of an answer what is voted on; else all of it, without white
            space around it.
        chat: whether prompts of text are given as a user's message by the tokenizer's chat template; ``auto``: where it
            has one. Read by ingest.
    """

    schema = Schema(
        task="generation",
        columns={TOKENS: TOKENS_TYPE, PROMPT: "string", RECORD: "string", NUMBER: "int64", "source": "string"},
        target=NUMBER,
    )
    columns: tuple[str, ...] = ("n", "invalid", "reward", "failed", "tokens", "ended")
    measures: Mapping[str, Measure] = {
        "reward": Measure("Reward", "", True, "Reward"),
        "failed": Measure("Failed rewards", "fraction", False, "Failed"),
        "answer_tokens": Measure("Tokens of an answer", "tokens per answer", False, "Tokens"),
        "share_ended": Measure("Answers that ended", "fraction", True, "Ended"),
    }
    fitness = "reward"
    scored: tuple[str, ...] = ("reward",)
    kept: tuple[str, ...] = ("reward", "failed", "tokens", "ended", "answer")
    logits = False
    repeats = True
    """The network is called many times for a batch."""

    def __init__(
        self,
        reward: Function = "",
        max_new_tokens: Annotated[int, Field(ge=1, le=100_000)] = 64,
        temperature: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 0.0,
        top_p: Annotated[float, Field(gt=0, le=1)] = 1.0,
        stop: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(max_length=64)] = (),
        reward_seconds: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 10.0,
        lowest: Annotated[float, Field(allow_inf_nan=False)] = 0.0,
        answer: Function = "",
        chat: bool | Auto = "auto",
        config_dir: Path | None = None,
    ) -> None:
        if top_p < 1 and temperature == 0:
            raise ConfigError("task.top_p: temperature = 0 draws nothing. Set task.temperature too, or leave it out.")
        self.reward, self.answer, self.max_new_tokens, self.lowest = reward, answer, max_new_tokens, lowest
        self._drawn, self._stop = (temperature, top_p), stop
        self._rewards = Rewards(reward, answer, reward_seconds, config_dir)
        self._config_dir = config_dir
        self.of_parent: Speech | None = None
        self._said: set[str] = set()

    def close(self) -> None:
        """Ends the process that rewards are asked in; the next answer has a new one."""
        self._rewards.renewed()

    def of_run(self, classes: int, of_parent: Any = None) -> Self:
        """The same with what a run knows of its parent; imports the functions, whose code is part of the run.

        Raises:
            ConfigError: no reward, or one that cannot be imported.
        """
        if of_parent is None:
            return self
        if not self.reward:
            raise ConfigError("task.reward is missing: give package.module:function of (prompt, answer, record).")
        for name in filter(None, (self.reward, self.answer)):
            import_function(name, self._config_dir)
        found = copy.copy(self)
        found.of_parent = of_parent
        return found

    def batch(self, records: Any, rows: np.ndarray, how: Preparation) -> Batch:
        import torch

        from evoray.tasks.inputs import on_device

        ids, mask = _padded_left([records[TOKENS][row] for row in rows])
        inputs = {
            name: on_device(torch.from_numpy(one), how) for name, one in ((TOKENS, ids), ("attention_mask", mask))
        }
        beside: dict[str, Any] = {name: tuple(records[name][row] for row in rows) for name in (PROMPT, RECORD)}
        return Batch(inputs, len(rows), beside | {NUMBER: tuple(records[NUMBER][rows].tolist())})

    def batch_bytes(self, records: Any, count: int, how: Preparation) -> int:
        return count * 2 * int(records[TOKENS].lengths.max(initial=1)) * WIDE

    def targets(self, records: Any, rows: np.ndarray, device: torch.device) -> Tensor:
        import torch

        return torch.from_numpy(np.ascontiguousarray(records[NUMBER][rows])).to(device)

    @property
    def opening(self) -> Prompts | None:
        """None without a cache: each pass takes the whole text."""
        from evoray.tasks.generation.opening import Prompts

        told = self.of_parent
        return None if told is None or told.cache == "none" else Prompts(told, self.max_new_tokens, self.outputs)

    def outputs(self, network: Network, batch: Batch, begun: Begun | None = None) -> Answers:
        """begun: what the prompts' pass leaves behind, where it was done already."""
        import torch

        from evoray.tasks.generation.decoding import Manner, speak

        speech, given, beside = self._speech, batch.inputs, batch.beside
        manner = Manner(self.max_new_tokens, *self._drawn, self._stop)
        spoken = speak(network, given[TOKENS], given["attention_mask"], beside[NUMBER], speech, manner, begun)
        texts = [self.text(row) for row in spoken.tokens]
        judged = self._rewards.ask(list(zip(beside[PROMPT], texts, beside[RECORD], strict=True)))
        self._say_failures(judged, beside[NUMBER])
        self._say_low(judged, beside[NUMBER])
        reward = np.array([self.lowest if one.reward is None else one.reward for one in judged])
        failed = np.array([one.reward is None for one in judged])
        arrays = (
            spoken.tokens,
            np.where(spoken.broken, math.nan, reward),
            np.array([key_of(one.voted) for one in judged], dtype=np.int64),
            spoken.ended * ENDED + failed * FAILED,
        )
        return Answers(*(torch.from_numpy(one).to(given[TOKENS].device) for one in arrays))

    def probe(self, network: Network, batch: Batch) -> Tensor:
        """Scores of the first token of each answer, float32 [b, V]: what purity is judged by, in one pass."""
        from evoray.tasks.generation.decoding import checked
        from evoray.tasks.inputs import tensor_of

        ids, mask = batch.inputs[TOKENS], batch.inputs["attention_mask"]
        place = (mask.cumsum(1) - 1).clamp(min=0)
        positions = {"position_ids": place} if "position_ids" in self._speech.takes else {}
        scores = tensor_of(network(**{TOKENS: ids, "attention_mask": mask, **positions}))
        checked(scores, ids.shape[1])
        return scores[:, -1].float()

    def tried(self, network: Network, batch: Batch) -> tuple[str, ...]:
        """Rewards of the parent's answers, asked twice by two processes; what is to be said of them.

        Raises:
            ConfigError: every one fails, or one is another the second time.
        """
        from evoray.tasks.generation.fitting import check_rewards

        self._said.add(LOW)  # is an error here
        answers = self.outputs(network, batch)
        given, texts = batch.beside, [self.text(row) for row in answers.tokens.cpu().numpy()]
        return check_rewards(self._rewards, list(zip(given[PROMPT], texts, given[RECORD], strict=True)), self.lowest)

    def combine(self, method: str) -> Any:
        """A vote, whatever the method."""
        from evoray.tasks.generation.votes import Votes

        return Votes()

    def text(self, tokens: Sequence[int] | np.ndarray) -> str:
        """Of an answer's tokens, up to what stops it."""
        found = self._speech.text([int(one) for one in tokens])
        ends = [at for one in self._stop if (at := found.find(one)) >= 0]
        return found[: min(ends)] if ends else found

    def sums(self, outputs: Answers, targets: Tensor) -> np.ndarray:
        rows = self.records(outputs, targets)
        bad = int(np.count_nonzero(~np.isfinite(rows["reward"])))
        total = math.nan if bad else math.fsum(rows["reward"])
        return np.array([len(targets), bad, total, rows["failed"].sum(), rows["tokens"].sum(), rows["ended"].sum()])

    def records(self, predictions: Answers, targets: Tensor) -> Scores:
        state = predictions.state.cpu().numpy()
        return {
            "reward": predictions.reward.double().cpu().numpy(),
            "failed": (state & FAILED > 0).astype(np.float64),
            "tokens": (predictions.tokens >= 0).sum(1).cpu().numpy().astype(np.float64),
            "ended": (state & ENDED > 0).astype(np.float64),
            "answer": predictions.tokens.cpu().numpy(),
        }

    def scores(self, outputs: Answers, targets: Tensor) -> Scores:
        return self.compared(self.records(outputs, targets))

    def compared(self, records: Mapping[str, np.ndarray]) -> Scores:
        return {"reward": records["reward"]}

    def figures(self, total: Mapping[str, float]) -> Figures:
        return self._figures(total["n"], *(total[name] for name in SUMMED))

    def evaluated(self, records: Mapping[str, np.ndarray]) -> Figures:
        return self._figures(len(records["reward"]), *(float(np.sum(records[name])) for name in SUMMED))

    def _figures(self, n: float, *totals: float) -> Figures:
        found = zip(self.measures.items(), totals, strict=True)
        return {name: Figure(total / n, measure) for (name, measure), total in found}

    @property
    def _speech(self) -> Speech:
        assert self.of_parent is not None, "told of its run's parent first"
        return self.of_parent

    def _say_failures(self, judged: Sequence[Judged], numbers: Sequence[int]) -> None:
        """The first of each kind, once a worker; how many there are is a figure."""
        for one, number in zip(judged, numbers, strict=True):
            if one.failure and one.failure not in self._said and len(self._said) < TRIED:
                self._said.add(one.failure)
                LOG.warning("task.reward = %s, record %d: %s", self.reward, number, one.failure)

    def _say_low(self, judged: Sequence[Judged], numbers: Sequence[int]) -> None:
        """The first reward below what a failure counts, once a worker: only the parent's first were looked at."""
        from evoray.tasks.generation.fitting import below

        low = ((one.reward, at) for one, at in zip(judged, numbers, strict=True) if one.reward is not None)
        if (found := next((one for one in low if one[0] < self.lowest), None)) and LOW not in self._said:
            self._said.add(LOW)
            LOG.warning("%s, in a new run", below(self.lowest, found[0], f"an answer to record {found[1]}"))


def key_of(text: str) -> int:
    """A digest of what is voted on: equal texts have equal ones."""
    return int.from_bytes(hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:8], "little", signed=True)


def _padded_left(lists: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """int64 [b, t] each: tokens behind zeros, and where there are any."""
    longest = max(map(len, lists))
    ids, mask = (np.zeros((len(lists), longest), dtype=np.int64) for _ in range(2))
    for row, one in enumerate(lists):
        ids[row, longest - len(one) :], mask[row, longest - len(one) :] = one, 1
    return ids, mask
