from __future__ import annotations

import pickle
import re

import pytest
import tiny_language
import torch

from evoray.errors import ModelError
from evoray.evaluation.speaking.parents import _left_out, speech_of
from evoray.models.base import Parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_language.tokenizer(tmp_path_factory.mktemp("tokens"), special=False)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_network_of_transformers_keeps_the_static_cache(folder, kind):
    speech, note = speech_of(Parent(tiny_language.network(kind), tokenizer=str(folder)), 5)
    assert (speech.cache, speech.ends, speech.seed, note) == ("static", (3,), 5, None)
    again = pickle.loads(pickle.dumps(speech))
    assert repr(again) == repr(speech) and again.text([5, 8, 3, -1]) == "lovely the"


class Growing(torch.nn.Module):
    """Takes no static cache."""

    def __init__(self, wrong=False):
        super().__init__()
        self.net, self.wrong = tiny_language.network("gpt2" if wrong else "llama"), wrong
        self.config = self.net.config

    def forward(self, input_ids, attention_mask=None, position_ids=None, past_key_values=None, use_cache=False):
        if past_key_values is not None and "Static" in type(past_key_values).__name__:
            raise NotImplementedError("no static cache here")
        found = self.net(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=None if self.wrong else position_ids,
            cache=past_key_values,
            use_cache=use_cache,
        )
        return found.logits


class Plain(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(tiny_language.VOCABULARY, tiny_language.VOCABULARY)

    def forward(self, input_ids, attention_mask):
        return self.embedding(input_ids)


@pytest.mark.parametrize(
    ("model", "cache", "said"),
    [
        (Growing, "dynamic", "does not take the static cache (NotImplementedError: no static cache here"),
        (lambda: Growing(wrong=True), "none", "takes no cache"),
        (Plain, "none", "the network takes no cache of transformers"),
    ],
)
def test_a_cache_that_changes_scores_is_not_taken_and_said(folder, model, cache, said):
    speech, note = speech_of(Parent(model(), tokenizer=str(folder)), 0)
    assert speech.cache == cache and said in note


def test_where_a_text_ends_is_the_networks_word_and_the_tokenizers(folder):
    model = tiny_language.network("llama")
    model.generation_config.eos_token_id = [5, 9]
    assert speech_of(Parent(model, tokenizer=str(folder)), 0)[0].ends == (3, 5, 9)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("repetition_penalty", 1.3, "repetition_penalty = 1.3 is not applied"),
        ("no_repeat_ngram_size", 2, "no_repeat_ngram_size = 2 is not applied"),
        ("suppress_tokens", [4], r"suppress_tokens = \[4\] is not applied"),
        ("num_beams", 4, "num_beams = 4 is not applied"),
        ("repetition_penalty", 1.0, None),
        ("temperature", 0.6, None),  # of its own draws, which are the task's here
    ],
)
def test_ways_of_the_networks_own_are_said_where_they_are_not_followed(name, value, said):
    model = tiny_language.network("llama")
    assert _left_out(model) is None
    setattr(model.generation_config, name, value)
    found = _left_out(model)
    assert found is None if said is None else re.search(said, found)


def test_what_cannot_speak_is_refused(folder):
    with pytest.raises(ModelError, match="names no tokenizer, and answers are text"):
        speech_of(Parent(Plain()), 0)
    model = tiny_language.network("llama")
    model.config.is_encoder_decoder = True
    with pytest.raises(ModelError, match="go on with a text"):
        speech_of(Parent(model, tokenizer=str(folder)), 0)
