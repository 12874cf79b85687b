"""A run of a language model with a reward: from a table of prompts to a finished run, and again to the byte."""

from __future__ import annotations

import functools
import gc
import json
import os
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import tiny_language
from outputs import bytes_of, cut_and_resumed

from evoray.config import load_config
from evoray.errors import ConfigError, DataError
from evoray.evolution import evolve
from evoray.ingest.options import Options
from evoray.ingest.records.ingest import ingest_records, wanted_of
from evoray.report.finished_run import Run as Finished
from evoray.runtime.events import Noted
from evoray.runtime.progress import Progress
from evoray.storage import journal

REWARDS = '''
import time

def letters(prompt, answer, record):
    """How many letters are record["wanted"]."""
    return answer.count(record["wanted"]) / 10

def few(prompt, answer, record):
    """The fewer the better; no child of this network is."""
    return 1 - letters(prompt, answer, record)

def first(answer):
    return answer.split()[0] if answer.split() else ""

def never(prompt, answer, record):
    raise ValueError("no such thing")

def slow(prompt, answer, record):
    if answer.endswith("was"):
        time.sleep(60)
    return len(answer)
'''


PLAIN = """
from pathlib import Path

from torch import nn
from transformers import AutoModelForCausalLM

from evoray import Parent

FOLDER = Path(__file__).parent / "net"

class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = AutoModelForCausalLM.from_pretrained(FOLDER)

    def forward(self, input_ids, attention_mask):
        return self.net(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits

def build():
    return Parent(Plain(), tokenizer=str(FOLDER))
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generation")
    model = tiny_language.saved(folder / "net", "llama")
    (folder / "letter_rewards.py").write_text(REWARDS)
    rows = [{"prompt": one, "wanted": "aeiou"[at % 5]} for at, one in enumerate(tiny_language.texts(40))]
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = tiny_language.run_file(folder / "run.toml", str(model), "generation")
    keys = 'name = "generation"\nreward = "letter_rewards:letters"\nmax_new_tokens = 6\nanswer = "letter_rewards:first"'
    config.write_text(config.read_text().replace('name = "generation"', keys))
    wanted = wanted_of(Options(config=config, shard_size=16), None, (), ())
    assert ingest_records(str(folder / "t.jsonl"), folder / "shards", wanted, Progress())["task"] == "generation"
    return config


@pytest.fixture(scope="module")
def whole(prepared, tmp_path_factory):
    return run(prepared, tmp_path_factory.mktemp("whole") / "run", page=True)


def of(config, overrides):
    return load_config(config, [f"{key.replace('__', '.')}={value}" for key, value in overrides.items()])


def run(config, out, page=False, observers=(), **overrides):
    return evolve(of(config, overrides), out, config_dir=config.parent, page=page, observers=observers)


class Seen:
    """An observer: what was said."""

    def __init__(self):
        self.notes = []

    def observe(self, event):
        if isinstance(event, Noted):
            self.notes.append(event.text)


def test_a_run_of_answers(prepared, whole, tmp_path):
    summary = whole.summary
    assert summary["fitness"] == "reward" and set(summary["rebuilt"].values()) == {"same"}
    assert set(summary["parent"]["test"]) == {"n", "reward", "failed", "answer_tokens", "share_ended"}
    assert summary["parent"]["test"]["n"] == 20 and summary["parent"]["test"]["failed"] == 0
    assert {one["metric"] for one in summary["comparisons"]} == {"reward"}
    assert len(summary["ensemble"]["members"]) == 4 and 0 < summary["ensemble"]["diversity"]["disagreement"] < 1
    recorded = whole.directory.read_json("config.json")
    assert recorded["task"]["max_new_tokens"] == 6 and "temperature" not in recorded["task"]
    before = asked_processes()
    gc.disable()  # whatever ends is ended by the run itself
    try:
        other = run(prepared, tmp_path / "batch", compute__batch_size=3)
        assert asked_processes() <= before
    finally:
        gc.enable()
    assert other.population.equals(whole.population), "padding and neighbours change no answer"


def asked_processes():
    """Those of this process that rewards are asked in."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == str(os.getpid()) and b"generation.asking" in (entry / "cmdline").read_bytes():
                found.add(entry.name)
    return found


def test_answers_are_there_to_read(whole):
    table = pq.read_table(whole.directory.path("answers.parquet")).to_pylist()
    summary = whole.summary
    for name in ("parent", "best_child", "soup", "ensemble"):
        figure = summary["parent"]["test"] if name == "parent" else summary[name]
        assert sum(row[f"{name}_reward"] for row in table) / 20 == pytest.approx(figure["reward"])
        for row in table:
            number = int(row["source"].rpartition("/")[2])
            assert row[f"{name}_reward"] == row[f"{name}_answer"].count("aeiou"[number % 5]) / 10
    assert {row["ensemble_votes"] for row in table} <= {1.0, 2.0, 3.0, 4.0}
    assert [row["prompt"] for row in table] == [
        tiny_language.texts(40)[int(row["source"].rpartition("/")[2])] for row in table
    ]
    predictions = pq.read_table(whole.directory.path("predictions.parquet"))
    assert predictions.column_names == ["index", "label", "votes"]


def test_its_page_speaks_of_rewards(whole):
    with open(whole.directory.path("report.html")) as file:
        page = file.read()
    assert "Reward on select" in page and "reward on test (higher is better)" in page
    assert "NLL" not in page and "nats" not in page and "accuracy" not in page


def test_a_race_a_sigma_of_its_own_and_sampled_answers(prepared, tmp_path):
    keys = {"search__racing": "true", "search__children": 12, "mutation__sigma": '"auto"', "task__temperature": 0.8}
    found = run(prepared, tmp_path / "one", search__confidence=0.8, **keys).summary
    assert found["racing"]["images"] <= found["racing"]["images_without"] and found["mutation"]["sigma"] > 0
    assert "ensemble" in found and found["parent"]["test"]["reward"] >= 0


def test_a_vote_that_is_worse_than_the_parent_is_not_handed_out(prepared, tmp_path):
    """Every child is worse on select, and so is every vote of them."""
    seen = Seen()
    found = run(prepared, tmp_path / "run", task__reward='"letter_rewards:few"', mutation__sigma=0.3, observers=[seen])
    summary = found.summary
    assert max(found.population["select_fitness"].to_pylist()) < summary["parent"]["select"]["reward"]
    assert [one["id"] for one in summary["ensemble"]["members"]] == ["parent"]
    assert summary["ensemble"]["reward"] == summary["parent"]["test"]["reward"]
    assert {one["name"] for one in summary["comparisons"]} == {"best_child"}
    assert Finished.of(summary, found.population).label("ensemble") == "Ensemble (every vote was worse than the parent)"
    (said,) = [note for note in seen.notes if "vote" in note]
    assert said.startswith("the vote of 4 is worse than the parent on select") and said in summary["notes"]
    answers = pq.read_table(found.directory.path("answers.parquet"))
    assert answers["ensemble_answer"].equals(answers["parent_answer"])


LAYERED = {"mutation__kind": '"layered"', "mutation__blocks": 4, "search__children": 8, "search__generations": 2}
FILES = ("population.parquet", "lineage/best.json", "lineage/soup.json", "predictions.parquet", "answers.parquet")


def files(out):
    return [(out / name).read_bytes() for name in FILES]


def test_children_of_late_layers_begin_with_what_their_base_made_of_the_prompts(prepared, tmp_path):
    kept = run(prepared, tmp_path / "kept", **LAYERED, compute__keep_activations="true")
    whole = run(prepared, tmp_path / "whole", **LAYERED, compute__keep_activations="false")
    assert files(tmp_path / "kept") == files(tmp_path / "whole")
    assert kept.summary["work"]["passes_saved"] > whole.summary["work"]["passes_saved"] == 0
    assert not any("whole network" in note for note in kept.summary["notes"])
    assert set(kept.summary["rebuilt"].values()) == {"same"}


@pytest.mark.slow
def test_what_is_kept_of_prompts_changes_no_byte_of_a_resumed_run(prepared, tmp_path, monkeypatch):
    """Drawn answers, batches of three, and room for nothing: what is kept is made once a unit."""
    keys = LAYERED | {"task__temperature": 0.8, "compute__batch_size": 3, "compute__resident_gib": 1e-6}
    run(prepared, tmp_path / "whole", **keys, compute__keep_activations="false")
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    resumed = functools.partial(evolve, of(prepared, keys), tmp_path / "cut", config_dir=prepared.parent)
    assert cut_and_resumed(resumed, 9).summary["work"]["passes_saved"] > 0
    assert files(tmp_path / "whole") == files(tmp_path / "cut")


@pytest.mark.slow
def test_what_is_kept_of_prompts_is_the_same_on_ray(prepared, tmp_path):
    for backend, workers in (("local", 1), ("ray", 2)):
        keys = LAYERED | {"compute__backend": f'"{backend}"', "compute__workers": workers}
        run(prepared, tmp_path / backend, **keys)
    assert files(tmp_path / "local") == files(tmp_path / "ray")


def test_a_network_without_a_cache_runs_whole(prepared, tmp_path):
    (prepared.parent / "plain_net.py").write_text(PLAIN)
    keys = LAYERED | {"parent__source": '"module"', "parent__name": '"plain_net:build"'}
    with pytest.raises(ConfigError, match=r"keep_activations = true: .*many times for a batch, and keeps nothing"):
        run(prepared, tmp_path / "kept", **keys, compute__keep_activations="true")
    found = run(prepared, tmp_path / "run", **keys | {"search__children": 4, "search__generations": 1}).summary
    assert any("children run the whole network" in note for note in found["notes"])
    assert found["work"]["passes_saved"] == 0


@pytest.mark.parametrize("after", [pytest.param(2, marks=pytest.mark.slow), 9])
def test_stopped_and_resumed_it_ends_in_the_same_bytes(prepared, whole, tmp_path, monkeypatch, after):
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    config = load_config(prepared)
    again = functools.partial(evolve, config, tmp_path / "cut", config_dir=prepared.parent)
    resumed = cut_and_resumed(again, after)
    assert bytes_of(resumed.directory) == bytes_of(whole.directory)


@pytest.mark.slow
def test_on_ray_it_is_the_same(prepared, whole, tmp_path):
    ray = run(prepared, tmp_path / "ray", compute__backend='"ray"', compute__workers=2)
    assert ray.population.equals(whole.population)
    for name in ("lineage/best.json", "lineage/soup.json", "predictions.parquet", "answers.parquet"):
        with open(whole.directory.path(name), "rb") as file:
            assert (tmp_path / "ray" / name).read_bytes() == file.read()
    for split in ("parent", "best_child", "soup", "ensemble"):
        assert ray.summary[split] == whole.summary[split]


def test_rewards_that_hang_are_failures_and_the_run_goes_on(prepared, tmp_path, caplog):
    keys = {"task__reward": '"letter_rewards:slow"', "task__reward_seconds": 0.2, "search__children": 2}
    found = run(prepared, tmp_path / "run", **keys, data__select=0.2, data__test=0.2).summary
    assert found["parent"]["test"]["failed"] > 0 and "record 7: it took more than 0.2 s" in caplog.text


@pytest.mark.parametrize(
    ("overrides", "kind", "message"),
    [
        ({"task__reward": '""'}, ConfigError, "task.reward is missing"),
        ({"task__reward": '"letter_rewards:never"'}, ConfigError, r"fails for each.*no such thing \(letter_rewards.py"),
        ({"task__reward": '"letter_rewards:nothing"'}, ConfigError, "has no nothing"),
        ({"task__max_new_tokens": 39}, DataError, r"record/\d+ has \d+ tokens, and with task.max_new_tokens = 39"),
        ({"task__top_p": 0.5}, ConfigError, "task.top_p: temperature = 0 draws nothing"),
        ({"ensemble__temperature": "true"}, ConfigError, "a vote over answers, which has no confidence"),
        ({"ensemble__keep_logits": "true"}, ConfigError, "give answers and no logits"),
        ({"ensemble__method": '"greedy"'}, ConfigError, 'probability of the true class.*Take "majority"'),
        ({"compute__compile": "true"}, ConfigError, "knows one shape of batches"),
        ({"task__stop": '"x"'}, ConfigError, 'such as ["x"]'.replace("[", r"\[")),
        ({"task__maxtokens": 3}, ConfigError, "did you mean"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_run(prepared, tmp_path, overrides, kind, message):
    with pytest.raises(kind, match=message):
        run(prepared, tmp_path / "run", **overrides)
    assert not (tmp_path / "run").exists()


def test_a_network_that_predicts_no_tokens(prepared, tmp_path):
    from evoray.errors import ModelError

    folder = tiny_language.saved(tmp_path / "other", "gpt2-classes")
    with pytest.raises(ModelError, match=r"a score for each token of its vocabulary at every place"):
        run(prepared, tmp_path / "run", parent__name=f'"{folder}"')
    other = tiny_language.tokenizer(tiny_language.saved(tmp_path / "words", "llama"), words=("a", "b"), special=False)
    with pytest.raises(DataError, match="tokens of another tokenizer"):
        run(prepared, tmp_path / "run", parent__name=f'"{other}"')
