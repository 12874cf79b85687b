"""Answers are those of transformers' own ``generate``, whatever batch a record is in and however far it is padded."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tiny_language
import torch

from evoray.errors import ModelError
from evoray.evaluation.speaking.parents import speech_of
from evoray.models.base import Parent
from evoray.models.transformers.attention import prepare
from evoray.tasks.generation.decoding import Manner, speak
from evoray.tasks.generation.speech import Speech

NEW = 9


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def spoken_by(request, tmp_path_factory):
    """(network as a parent's, speech of it)."""
    folder = tiny_language.tokenizer(tmp_path_factory.mktemp("speech"), special=False)
    model = tiny_language.network(request.param)
    model.config.use_cache, model.config.pad_token_id = False, 0
    model.generation_config.eos_token_id = [3, 4]
    prepare(model)
    return model.requires_grad_(False), speech_of(Parent(model, tokenizer=str(folder)), seed=3)[0]


def prompts(count=7, seed=0, longest=11):
    """Left-padded ids and mask, and the prompts alone."""
    draw = np.random.default_rng(seed)
    lists = [draw.integers(4, tiny_language.VOCABULARY, size=draw.integers(1, longest)) for _ in range(count)]
    width = max(map(len, lists))
    ids, mask = torch.zeros(count, width, dtype=torch.long), torch.zeros(count, width, dtype=torch.long)
    for row, one in enumerate(lists):
        ids[row, width - len(one) :], mask[row, width - len(one) :] = torch.from_numpy(one), 1
    return ids, mask, lists


def alone(model, speech, tokens, manner, record=0):
    ids = torch.from_numpy(tokens)[None]
    return speak(model, ids, torch.ones_like(ids), [record], speech, manner)


def said(model, speech, manner, ids, mask, records=None):
    with torch.inference_mode():
        return speak(model, ids, mask, records or list(range(len(ids))), speech, manner)


@pytest.mark.parametrize("cache", ["static", "dynamic", "none"])
def test_greedy_answers_are_those_of_generate(spoken_by, cache):
    model, speech = spoken_by
    ids, mask, _ = prompts(12)
    found = said(model, dataclasses.replace(speech, cache=cache), Manner(NEW), ids, mask)
    whole = model.generate(
        input_ids=ids, attention_mask=mask, max_new_tokens=NEW, do_sample=False, use_cache=True, pad_token_id=0
    )[:, ids.shape[1] :]
    for row in range(len(ids)):
        own = found.tokens[row][found.tokens[row] >= 0]
        assert own.tolist() == whole[row, : len(own)].tolist()
        assert found.ended[row] == (own[-1] in (3, 4)) and (found.ended[row] or len(own) == NEW)
    assert 0 < found.ended.sum() < len(ids), "some end before others, and leave the batch"


@pytest.mark.parametrize("manner", [Manner(NEW), Manner(NEW, 0.9), Manner(NEW, 1.3, 0.7)])
@pytest.mark.parametrize("cache", ["static", "dynamic", "none"])
def test_a_record_answers_the_same_alone_and_among_others(spoken_by, manner, cache):
    model, speech = spoken_by
    speech = dataclasses.replace(speech, cache=cache)
    ids, mask, lists = prompts(9, seed=1)
    records = [50 + row for row in range(9)]
    found = said(model, speech, manner, ids, mask, records)
    for row, tokens in enumerate(lists):
        with torch.inference_mode():
            own = alone(model, speech, tokens, manner, records[row])
        assert own.tokens[0].tolist() == found.tokens[row].tolist() and own.ended[0] == found.ended[row]


def test_sampling_belongs_to_the_record_and_the_seed(spoken_by):
    model, speech = spoken_by
    ids, mask, _ = prompts(1)
    many, few = ids.expand(4, -1), mask.expand(4, -1)
    found = said(model, speech, Manner(NEW, 1.0), many, few, [1, 2, 1, 3]).tokens
    assert (found[0] == found[2]).all() and (found[0] != found[1]).any()
    other = said(model, dataclasses.replace(speech, seed=4), Manner(NEW, 1.0), many, few, [1, 2, 1, 3]).tokens
    assert (other != found).any()


class Fixed(torch.nn.Module):
    """The same scores at every place."""

    def __init__(self, scores):
        super().__init__()
        self.scores = torch.tensor(scores)

    def forward(self, input_ids, attention_mask):
        return self.scores.expand(*input_ids.shape, -1)


class Numbers:
    def decode(self, tokens, **how):
        return "".join(f"<{token}>" for token in tokens)


def of_fixed(scores, manner, records=range(4000), ends=()):
    ids = torch.ones(len(records), 1, dtype=torch.long)
    return speak(Fixed(scores), ids, ids, list(records), Speech(Numbers(), tuple(ends), 0), manner)


def test_tokens_are_drawn_as_often_as_they_are_likely():
    shares = np.array([0.1, 0.0, 0.2, 0.7])
    with np.errstate(divide="ignore"):
        found = of_fixed(np.log(shares), Manner(1, 1.0)).tokens[:, 0]
    assert np.bincount(found, minlength=4) / 4000 == pytest.approx(shares, abs=0.02)
    with np.errstate(divide="ignore"):
        nucleus = of_fixed(np.log(shares), Manner(1, 1.0, 0.75)).tokens[:, 0]
    assert np.bincount(nucleus, minlength=4) / 4000 == pytest.approx([0, 0, 2 / 9, 7 / 9], abs=0.02)
    cold = of_fixed(np.log(shares + 1e-9), Manner(1, 0.5)).tokens[:, 0]
    assert (cold == 3).mean() == pytest.approx(0.49 / (0.49 + 0.04 + 0.01), abs=0.02)


def test_of_equal_scores_the_first_is_taken():
    assert of_fixed([1.0, 2.0, 2.0], Manner(3), [0]).tokens.tolist() == [[1, 1, 1]]


def test_scores_that_are_no_numbers_break_an_answer():
    found = of_fixed([1.0, float("nan")], Manner(3), [0])
    assert found.broken.tolist() == [True] and found.tokens.tolist() == [[-1, -1, -1]]


@pytest.mark.parametrize(
    ("manner", "ends", "tokens", "ended"),
    [
        (Manner(4), (2,), [2, -1, -1, -1], True),
        (Manner(4), (1,), [2, 2, 2, 2], False),
        (Manner(4, stop=("<2><2>",)), (), [2, 2, -1, -1], True),
        (Manner(4, stop=("x", "<2><2><2>")), (), [2, 2, 2, -1], True),
        (Manner(1, stop=("<2><2>",)), (), [2], False),
    ],
)
def test_an_answer_ends_where_it_says_so(manner, ends, tokens, ended):
    found = of_fixed([0.0, 1.0, 5.0], manner, [0], ends)
    assert found.tokens[0].tolist() == tokens and found.ended[0] == ended


class Shapes(torch.nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def forward(self, input_ids, attention_mask):
        return torch.zeros(self.shape)


@pytest.mark.parametrize("shape", [(2, 5), (2, 7, 5), (2,)])
def test_a_network_that_predicts_no_tokens_is_refused(shape):
    ids = torch.ones(2, 3, dtype=torch.long)
    with pytest.raises(ModelError, match=r"a score for each token of its vocabulary.*AutoModelForCausalLM"):
        speak(Shapes(shape), ids, ids, [0, 1], Speech(Numbers(), (), 0), Manner(2))
