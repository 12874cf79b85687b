from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from evoray.config import parse_config
from evoray.data.records import Ragged, Records
from evoray.errors import ConfigError
from evoray.tasks.base import Preparation
from evoray.tasks.generation.speech import Speech
from evoray.tasks.outputs import Collected, some_of
from evoray.tasks.registry import make_task, of_run

HOW = Preparation(torch.device("cpu"), torch.float32, False)
OWN = """
def tenth(prompt, answer, record):
    if record["n"] == 2:
        raise ValueError("two")
    return record["n"] / 10

def all_but_x(answer):
    return answer.replace("x", "")
"""


class Letters:
    def decode(self, tokens, **how):
        return "".join("_abcdefghijklmnopqrstuvwxyz"[token] for token in tokens)


class After(torch.nn.Module):
    """The next letter follows the last."""

    def __init__(self, bad=-1):
        super().__init__()
        self.bad = bad

    def forward(self, input_ids, attention_mask):
        scores = torch.nn.functional.one_hot((input_ids + 1) % 27, 27).float()
        scores[input_ids == self.bad] = float("nan")
        return {"logits": scores}


def records(*lists):
    columns = {
        "input_ids": Ragged.of(lists, "int32"),
        "prompt": ["p"] * len(lists),
        "record": [json.dumps({"n": row}) for row in range(len(lists))],
        "number": np.arange(len(lists)),
    }
    return Records(0, columns, [f"record/{row}" for row in range(len(lists))])


@pytest.fixture
def task(tmp_path):
    (tmp_path / "tenth_reward.py").write_text(OWN)

    def made(**settings):
        own = make_task("generation", tmp_path, {"reward": "tenth_reward:tenth", "max_new_tokens": 4, **settings})
        return of_run(own, "", Speech(Letters(), (26,), 0))

    return made


def outputs(task, shard, network=None):
    batch = task.batch(shard, np.arange(len(shard)), HOW)
    return task.outputs(network or After(), batch), task.targets(shard, np.arange(len(shard)), HOW.device)


def test_tokens_rewards_and_what_became_of_them(task):
    own = task(lowest=-1.5)
    found, targets = outputs(own, records([1], [3, 4], [23], [20]))
    assert found.tokens.tolist() == [[2, 3, 4, 5], [5, 6, 7, 8], [24, 25, 26, -1], [21, 22, 23, 24]]
    assert found.reward.dtype == torch.float64 and found.reward.tolist() == [0.0, 0.1, -1.5, 0.3]
    assert [own.text(row) for row in found.tokens.numpy()] == ["bcde", "efgh", "xy", "uvwx"]
    assert own.sums(found, targets).tolist() == [4, 0, pytest.approx(-1.1), 1, 15, 1]
    collected = Collected(4)
    collected.add(some_of(found, torch.tensor([0, 1, 2])), 3)
    collected.add(some_of(found, torch.tensor([3])), 1)
    assert collected.outputs.reward.tolist() == found.reward.tolist(), "not a bit of a reward is lost"


def test_a_child_without_numbers_has_failed(task):
    found, targets = outputs(task(), records([1], [3]), After(bad=6))
    sums = task().sums(found, targets)
    assert sums[1] == 1 and np.isnan(sums[2]) and found.reward.isnan().tolist() == [False, True]


def test_what_is_voted_on_and_what_stops(task):
    found, _ = outputs(task(answer="tenth_reward:all_but_x"), records([22], [21]))
    assert found.key[0] != found.key[1]
    own = task(stop=["cd"])
    found, _ = outputs(own, records([1], [9]))
    assert [own.text(row) for row in found.tokens.numpy()] == ["b", "jklm"] and found.state.tolist() == [1, 0]


@pytest.mark.parametrize(("lowest", "said"), [(0.05, ["record 0, whose reward is 0"]), (0.0, []), (-1.0, [])])
def test_a_reward_below_what_a_failure_counts_is_said_once_a_worker(task, caplog, lowest, said):
    own, shard = task(lowest=lowest), records([1], [3, 4], [23])
    for _ in range(3):
        outputs(own, shard)
    found = [one.getMessage() for one in caplog.records if "task.lowest" in one.getMessage()]
    assert len(found) == len(said) and all(words in line for words, line in zip(said, found, strict=True))
    assert all("Set it to the lowest reward that there is, in a new run" in line for line in found)


def test_an_empty_answer_is_one(task):
    own = task()
    found, _ = outputs(own, records([25], [1]))
    assert own.text(found.tokens[0].numpy()) == "" and found.reward.tolist() == [0.0, 0.1]


def test_its_probe_is_one_pass(task):
    own, calls = task(), []

    class Counted(After):
        def forward(self, **inputs):
            calls.append(inputs)
            return super().forward(**inputs)

    shard = records([1], [3, 4])
    found = own.probe(Counted(), own.batch(shard, np.arange(2), HOW))
    assert len(calls) == 1 and found.argmax(1).tolist() == [2, 5]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("reward", "rewards.f", "task.reward"),
        ("max_new_tokens", 0, "give a whole number from 1 to 100,000"),
        ("temperature", -0.1, "task.temperature = -0.1: give a number from 0 to 100"),
        ("top_p", 0, "give a number above 0 and at most 1"),
        ("stop", [""], "task.stop"),
        ("reward_seconds", 0, "give a number above 0"),
        ("lowest", float("nan"), "task.lowest"),
        ("chat", "perhaps", 'true or false, or "auto"'),
        ("max_tokens", 5, "did you mean task.max_new_tokens?"),
    ],
)
def test_a_wrong_key_is_said(key, value, message):
    values = {"parent": {"name": "m:f", "source": "module"}, "data": {"path": "x"}}
    with pytest.raises(ConfigError) as caught:
        parse_config({**values, "task": {"name": "generation", key: value}})
    assert message in str(caught.value), caught.value
