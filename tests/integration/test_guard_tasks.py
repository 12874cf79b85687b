"""Guards of tasks that are no image classification, through whole runs of tiny networks."""

from __future__ import annotations

import functools
import json

import pytest
import tiny_language
from outputs import bytes_of, cut_and_resumed
from test_segmentation_run import prepared_in

from evoray.config import load_config, parse_config
from evoray.evolution import evolve
from evoray.ingest.options import Options
from evoray.ingest.records.ingest import ingest_records, wanted_of
from evoray.runtime.progress import Progress

REWARDS = '''
def letters(prompt, answer, record):
    """How many letters are record["wanted"]."""
    return answer.count(record["wanted"]) / 10

def none(prompt, answer, record):
    return -letters(prompt, answer, record)
'''


def ingested(config, rows, name, task):
    """A table of texts as shards beside a configuration."""
    folder = config.parent
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    wanted = wanted_of(Options(config=config, shard_size=24), task, (), ())
    ingest_records(str(folder / f"{name}.jsonl"), folder / name, wanted, Progress())


def run(config, out, guard=None, progress=None, **more):
    """guard: a table of ``[[guard]]``, or no guard."""
    values = load_config(config).model_dump(exclude_unset=True)
    values |= {"guard": [guard] if guard else [], "search": {"children": 12}, "soup": {"method": "uniform"}}
    values["ensemble"] = {"size": 2} if "segmentation" not in str(values["task"]) else {}
    found = parse_config(values, config_dir=config.parent)
    return evolve(found, out, config_dir=config.parent, page=True, progress=progress or Progress(), **more)


def lost(result, member, figure):
    """What a guard's figure lost on the guard's own test half, in its own unit."""
    (guard,) = result.summary["guards"]
    return guard[member][figure] - guard["parent"]["test"][figure]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    tiny_language.saved(folder / "net")
    config = tiny_language.run_file(folder / "run.toml", "net", "text-classification")
    rows = [{"text": one, "label": "good" if one < "m" else "bad"} for one in tiny_language.texts(192)]
    other = {"good": "bad", "bad": "good"}
    ingested(config, rows[:96], "shards", None)
    # the other way round: who learns the one forgets the other
    ingested(config, [row | {"label": other[row["label"]]} for row in rows[96:]], "other", None)
    return config


TIGHT = 0.002
"""NLL that the guard of texts lets go."""


def test_a_guard_of_texts_binds_and_resumes_to_the_byte(texts, tmp_path):
    other = {"path": str(texts.parent / "other")}
    free = run(texts, tmp_path / "free", other | {"keep": "nll <= parent + 50"})
    guarded = other | {"keep": f"nll <= parent + {TIGHT}"}
    tight = run(texts, tmp_path / "tight", guarded)
    (guard,) = tight.summary["guards"]
    assert lost(free, "best_child", "nll") > TIGHT and guard["broken"] > 0
    assert tight.summary["best_child"]["id"] not in ("parent", free.summary["best_child"]["id"])
    assert lost(tight, "best_child", "nll") <= TIGHT and guard["task"] == "text-classification"
    again = cut_and_resumed(functools.partial(run, texts, tmp_path / "cut", guarded), 13 * 2 + 4)
    assert bytes_of(again.directory) == bytes_of(tight.directory)
    assert again.summary["guards"] == tight.summary["guards"] and again.verdict == tight.verdict


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """A run of answers, and two guards' data: prompts that are to be answered the other way, and plain texts."""
    folder = tmp_path_factory.mktemp("answers")
    model = tiny_language.saved(folder / "net", "llama")
    (folder / "guarded_letters.py").write_text(REWARDS)
    config = tiny_language.run_file(folder / "run.toml", str(model), "generation")
    keys = 'name = "generation"\nreward = "guarded_letters:letters"\nmax_new_tokens = 6'
    config.write_text(config.read_text().replace('name = "generation"', keys))
    prompts = [{"prompt": one, "wanted": "a"} for one in tiny_language.texts(64)]
    ingested(config, prompts[:32], "shards", None)
    ingested(config, prompts[32:], "other", None)
    ingested(config, [{"text": one} for one in tiny_language.texts(32, seed=1)], "plain", "language-modelling")
    return config


def test_a_guard_of_answers_binds(answers, tmp_path):
    """What it keeps is the opposite of what the run rewards: who would win without it is passed over."""
    opposite = {"name": "generation", "reward": "guarded_letters:none", "max_new_tokens": 6, "lowest": -9.0}
    guard = {"path": str(answers.parent / "other"), "task": opposite}
    free = run(answers, tmp_path / "free", guard | {"keep": "reward >= parent - 50"})
    tight = run(answers, tmp_path / "tight", guard | {"keep": "reward >= parent - 0.01"})
    assert lost(free, "best_child", "reward") < -0.01
    assert tight.summary["guards"][0]["broken"] > 0 and tight.summary["guards"][0]["task"] == "generation"
    status = {row["child_id"]: row["status"] for row in tight.population.to_pylist()}
    assert status[free.summary["best_child"]["id"]].startswith("breaks guard other: reward >= parent - 0.01: ")
    assert status.get(tight.summary["best_child"]["id"], "ok") == "ok"


def test_a_run_of_answers_keeps_how_well_texts_are_predicted(answers, tmp_path):
    guard = {"path": str(answers.parent / "plain"), "task": {"name": "language-modelling"}}
    result = run(answers, tmp_path / "run", guard | {"keep": "bits_per_byte <= parent + 0.2"})
    (said,) = result.summary["guards"]
    assert said["judged"] > 0 and said["holds"] != {} and all(said["holds"].values())
    assert "bits_per_byte" in result.verdict and (tmp_path / "run" / "report.html").exists()


def test_a_guard_of_masks(tmp_path):
    config = prepared_in(tmp_path, 60, 0)
    other = tmp_path / "other"
    other.mkdir()
    prepared_in(other, 100, 0)
    keep = {"name": "other", "path": str(other / "shards"), "keep": "pixel_accuracy >= parent - 0.02"}
    keep |= {"data": {"path": keep.pop("path"), "select": 0.3, "test": 0.3}}
    result = run(config, tmp_path / "run", keep)
    (said,) = result.summary["guards"]
    assert said["task"] == "segmentation" and said["judged"] > 0 and all(said["holds"].values())
