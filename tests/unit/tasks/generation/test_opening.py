"""Answers that begin with what is kept of the prompts are those without, score by score."""

from __future__ import annotations

import copy
import dataclasses
import gc
import weakref
from contextlib import contextmanager

import numpy as np
import pytest
import tiny_language
import torch

from evoray.evaluation.host import ModelHost
from evoray.evaluation.kept.keeper import Keeper
from evoray.evaluation.kept.tape import Unrepeatable
from evoray.evaluation.probe import Probe
from evoray.evaluation.speaking.parents import speech_of
from evoray.models import canonical_state, mutable_names
from evoray.models.base import Parent
from evoray.models.transformers.attention import prepare
from evoray.mutation import Entry, Space
from evoray.tasks.base import Batch
from evoray.tasks.generation import decoding
from evoray.tasks.registry import make_task, of_run
from tests.unit.tasks.generation.test_decoding import prompts

NEW = 6
REWARD = """
def length(prompt, answer, record):
    return len(answer) / 7 + len(prompt)
"""


class Within(Probe):
    """Says which tensors it changes."""

    def tensors(self, space):
        return self.within


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tiny_language.tokenizer(tmp_path_factory.mktemp("opening"), special=False)
    (made / "length_reward.py").write_text(REWARD)
    return made


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def parent(request, folder):
    """(network of four layers as a parent's, speech of it); embeddings and head are one tensor."""
    sizes = {"num_hidden_layers": 4} if request.param == "llama" else {"n_layer": 4}
    model = tiny_language.network(request.param, **sizes)
    model.config.use_cache, model.config.pad_token_id = False, 0
    model.generation_config.eos_token_id = [3]
    prepare(model)
    return model.requires_grad_(False), speech_of(Parent(model, tokenizer=str(folder)), seed=3)[0]


def keeper_of(parent, folder, cache="static", **settings):
    """(keeper, host, task) of all weights."""
    model, speech = parent
    state, _ = canonical_state(model)
    space = Space.from_state(state, mutable_names(model, ("*",), ()), "rms")
    host = ModelHost(copy.deepcopy(model), space, "cpu")
    keys = {"reward": "length_reward:length", "max_new_tokens": NEW, **settings}
    task = of_run(make_task("generation", folder, keys), "", dataclasses.replace(speech, cache=cache))
    return Keeper(host, task, host.forward, lambda network: network), host, task


def batch_of(count, seed, longest=11):
    ids, mask, _ = prompts(count, seed, longest)
    said = {"prompt": tuple("p" * row for row in range(count)), "record": ("{}",) * count}
    return Batch({"input_ids": ids, "attention_mask": mask}, count, said | {"number": tuple(range(count))})


def child(seed, *within):
    return (Entry(1.0, Within(sigma=0.05 * (1 + seed % 4), within=tuple(within))),)


def behind(space, *parts):
    """Numbers of the tensors whose names have one of these in them."""
    return [number for number, one in enumerate(space.tensors) if any(part in one.name for part in parts)]


def heard(scores, answer):
    """A task's outputs, and the scores that tokens were chosen by."""
    scores.clear()
    return [*answer(), *scores]


def same(some, others):
    return len(some) == len(others) and all(map(torch.equal, some, others))


@pytest.fixture
def scores(monkeypatch):
    """All that tokens are chosen by, in turn."""
    seen, choose = [], decoding._choose
    monkeypatch.setattr(decoding, "_choose", lambda found, *rest: (seen.append(found.clone()), choose(found, *rest))[1])
    return seen


@pytest.mark.parametrize(("cache", "temperature"), [("static", 0.0), ("dynamic", 0.9)])
def test_kept_is_not_kept_to_the_bit(parent, folder, scores, cache, temperature):
    """Random children of random late tensors on padded batches of several shapes, the same again after others."""
    keeper, host, task = keeper_of(parent, folder, cache, temperature=temperature)
    late, draw, used = behind(host.space, "layers.2.", "layers.3.", "h.2.", "h.3.", "model.norm.", "ln_f"), 0, set()
    batches = [batch_of(5, 1), batch_of(5, 2), batch_of(3, 3, longest=6)]
    random = np.random.default_rng(0)
    with torch.inference_mode():
        for draw in range(12):
            batch, chosen = batches[draw % 3], random.choice(late, size=2, replace=False)
            tail = child(draw, *map(int, chosen))
            part = keeper.part([tail], lambda: batches[0])
            assert part is not None and part.share < 1, keeper.why_not
            used.add(part.first)
            alive = keeper.alive(part, batch)
            before = [one.clone() for one in alive]
            with host.child(tail):
                wanted = heard(scores, lambda: task.outputs(host.forward, batch))  # noqa: B023
                found = [heard(scores, lambda: keeper.outputs(part, batch, alive)) for _ in range(2)]  # noqa: B023
            assert len(wanted) > 4 + 1 and same(found[0], wanted) and same(found[1], wanted)
            assert same(alive, before)
    assert len(used) > 3 and not keeper.why_not


def test_what_an_early_layer_changes_begins_anew(parent, folder):
    """Embeddings and head are one tensor: a child of the head is one of the first layer."""
    keeper, host, _ = keeper_of(parent, folder)
    batch, space = batch_of(4, 1), host.space
    late = behind(space, "layers.3.", "h.3.")
    tied = behind(space, "embed_tokens", "wte", "lm_head")
    assert len(tied) == 1
    for early in (tied, behind(space, "layers.0.", "h.0.")):
        assert keeper.part([child(0, *late)], lambda: batch) is not None
        assert keeper.part([child(0, *late, *early)], lambda: batch) is None
        assert keeper.part([child(0, *late), child(1, *early)], lambda: batch) is None
        assert keeper.part([child(0, *late) + child(1, *early)], lambda: batch) is None
    assert not keeper.why_not


def test_keys_and_values_are_kept_of_the_prompt_alone(parent, folder):
    keeper, host, _ = keeper_of(parent, folder, max_new_tokens=500)
    batch = batch_of(4, 1)
    tail = child(0, *behind(host.space, "layers.3.", "h.3."))
    part = keeper.part([tail], lambda: batch)
    assert part is None, "it saves too little of so long an answer"
    keeper, host, _ = keeper_of(parent, folder, max_new_tokens=24)
    part = keeper.part([tail], lambda: batch)
    alive, length = keeper.alive(part, batch), batch.inputs["input_ids"].shape[1]
    given = [one for one in alive if one.ndim == 4 and one.is_floating_point()]
    assert len(given) >= 6 and all(one.shape[2] == length for one in given)
    held = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in alive}
    assert sum(held.values()) == keeper.kept_bytes(part, batch)


def test_no_cache_outlives_its_pass(parent, folder, monkeypatch):
    """Those of whole prompts would wait for Python to look for cycles."""
    keeper, host, _ = keeper_of(parent, folder)
    batch, caches, make = batch_of(4, 1), [], decoding.make_cache

    def seen(*args):
        made = make(*args)
        caches.append(weakref.ref(made))
        return made

    monkeypatch.setattr(decoding, "make_cache", seen)
    gc.disable()
    try:
        part = keeper.part([child(0, *behind(host.space, "layers.3.", "h.3."))], lambda: batch)
        keeper.alive(part, batch)
    finally:
        gc.enable()
    assert len(caches) > 3 and not any(one() for one in caches)


def test_a_share_is_of_the_whole_answer(parent, folder):
    """Of one token's answer nothing follows the prompts' pass."""
    shares = []
    for count in (1, 3, 9):
        keeper, host, _ = keeper_of(parent, folder, max_new_tokens=count)
        batch = batch_of(4, 1)
        shares.append(keeper.part([child(0, *behind(host.space, "layers.3.", "h.3."))], lambda: batch).share)  # noqa: B023
    assert shares == sorted(shares) and shares[0] < 0.5 < shares[2]


def test_without_a_cache_nothing_is_kept(parent, folder):
    keeper, host, task = keeper_of(parent, folder, "none")
    assert task.opening is None
    batch = batch_of(4, 1)
    assert keeper.part([child(0, *behind(host.space, "layers.3.", "h.3."))], lambda: batch) is None
    assert "keeps nothing between" in keeper.why_not
    with pytest.raises(Unrepeatable, match="calls it many times"):
        keeper.order(batch)


def test_what_does_not_fill_a_cache_as_the_pass_did_is_not_kept(parent, folder, monkeypatch):
    """The next token's scores show it."""
    keeper, host, _ = keeper_of(parent, folder)
    batch, tail = batch_of(4, 1), child(0, *behind(host.space, "layers.3.", "h.3."))
    assert keeper.part([tail], lambda: batch) is not None
    noted = decoding.Cached.noted

    @contextmanager
    def otherwise(self):
        with noted(self) as given:
            note = self._cache.update

            def update(keys, values, layer, **named):
                found = note(keys, values, layer, **named)
                given[-1] = (layer, keys * 2, values)
                return found

            self._cache.update = update
            yield given

    monkeypatch.setattr(decoding.Cached, "noted", otherwise)
    keeper, *_ = keeper_of(parent, folder)
    assert keeper.part([tail], lambda: batch) is None
    assert "other bits" in keeper.why_not
