"""Multiple choice: log-likelihoods of choices behind their question, by length or not."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import tiny_language
import torch

from evoray.data.records import Ragged, Records
from evoray.errors import ConfigError
from evoray.tasks.base import Preparation
from evoray.tasks.combine import LogMean, RunningVote
from evoray.tasks.registry import make_task
from evoray.tasks.text.multiple_choice import NO_CHOICE

HOW = Preparation(torch.device("cpu"), torch.float32, False)
QUESTIONS = [([2, 8, 9], [[5], [6, 7], [4, 4, 4]]), ([2, 10], [[11, 12], [9]])]
BYTES = [[3, 8, 11], [7, 2, 0]]


def records():
    tokens = [[*question, *chain(*choices)] for question, choices in QUESTIONS]
    parts = [[3, 1, 2, 3], [2, 2, 1, 0]]
    lists = {"input_ids": tokens, "parts": parts, "choice_bytes": BYTES}
    columns = {name: Ragged.of(one, "int32") for name, one in lists.items()}
    return Records(0, {**columns, "label": np.array([2, 0])}, ["a", "b"])


def expected(network, question, choice):
    ids = torch.tensor([[*question, *choice]])
    log_p = network(input_ids=ids).logits.log_softmax(-1)[0]
    return sum(float(log_p[len(question) - 1 + at, token]) for at, token in enumerate(choice))


@pytest.mark.parametrize("normalise", ["tokens", "bytes", "none"])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_scores_are_log_likelihoods(kind, normalise):
    network = tiny_language.network(kind)
    task = make_task("multiple-choice", settings={"normalise": normalise})
    with torch.inference_mode():
        found = task.outputs(network, task.batch(records(), np.arange(2), HOW))
        alone = torch.cat([task.outputs(network, task.batch(records(), np.array([row]), HOW)) for row in (0, 1)])
        for row, (question, choices) in enumerate(QUESTIONS):
            for at, choice in enumerate(choices):
                by = {"tokens": len(choice), "bytes": BYTES[row][at], "none": 1}[normalise]
                assert found[row, at].item() == pytest.approx(expected(network, question, choice) / by, rel=1e-4)
    torch.testing.assert_close(found, alone)
    assert found.shape == (2, 3) and found[1, 2] == NO_CHOICE
    assert task.log_probabilities(found).exp()[1, 2] == 0


def test_its_key_is_checked():
    with pytest.raises(ConfigError, match='"multiple-choice": normalise = "words": give "tokens", "bytes" or "none"'):
        make_task("multiple-choice", settings={"normalise": "words"})


def test_an_ensemble_averages_log_probabilities():
    task = make_task("multiple-choice")
    assert isinstance(task.combine("top-k"), LogMean) and isinstance(task.combine("majority"), RunningVote)
    combiner = task.combine("top-k")
    combiner.add(torch.tensor([[0.9, 0.1]]).log())
    together = combiner.add(torch.tensor([[0.2, 0.8]]).log())
    weights = torch.tensor([0.9 * 0.2, 0.1 * 0.8], dtype=torch.float64).sqrt()
    torch.testing.assert_close(together, (weights / weights.sum())[None], rtol=1e-6, atol=0)
    assert torch.equal(together, combiner.mean)
