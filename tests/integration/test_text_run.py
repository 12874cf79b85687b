"""A run of a network of transformers on texts: from a table to a finished run, and the same again to the byte."""

from __future__ import annotations

import functools
import json

import pytest
import tiny_language
from outputs import bytes_of, cut_and_resumed

from evoray.config import load_config
from evoray.errors import ConfigError, DataError, ModelError
from evoray.evolution import evolve
from evoray.ingest.options import Options
from evoray.ingest.records.ingest import ingest_records, wanted_of
from evoray.runtime.progress import Progress
from evoray.storage import journal

TASK = "text-classification"


def ingested(folder, config, **options):
    wanted = wanted_of(Options(config=config, shard_size=16, **options), None, (), ())
    return ingest_records(str(tiny_language.table(folder / "t.jsonl", 48)), folder / "shards", wanted, Progress())


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    tiny_language.saved(folder / "net")
    config = tiny_language.run_file(folder / "run.toml", "net", TASK)
    assert ingested(folder, config)["task"] == TASK
    return config


def run(config, out, **overrides):
    values = [f"{key.replace('__', '.')}={value}" for key, value in overrides.items()]
    return evolve(load_config(config, values), out, config_dir=config.parent, page=False)


def test_a_run_of_texts(prepared, tmp_path):
    result = run(prepared, tmp_path / "one")
    summary = result.summary
    assert summary["classes"]["how"] == "by name" and set(summary["rebuilt"].values()) == {"same"}
    assert summary["parent"]["test"]["n"] == 24 and "ensemble" in summary
    again = run(prepared, tmp_path / "again")
    assert again.population.equals(result.population)
    other = run(prepared, tmp_path / "other", compute__batch_size=3)
    assert other.summary["parent"]["test"]["nll"] == pytest.approx(summary["parent"]["test"]["nll"], rel=1e-5)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_run_of_a_language_model(tmp_path, kind):
    tiny_language.saved(tmp_path / "net", kind)
    config = tiny_language.run_file(tmp_path / "run.toml", "net", "language-modelling")
    ingested(tmp_path, config)
    summary = run(config, tmp_path / "run").summary
    assert summary["fitness"] == "bits_per_byte" and set(summary["rebuilt"].values()) == {"same"}
    assert set(summary["parent"]["test"]) == {"n", "bits_per_byte", "nats_per_token", "bits_per_text"}
    assert {one["metric"] for one in summary["comparisons"]} == {"fitness", "bits_per_text"}
    assert "bits per byte" in summary["verdict"] or "No improvement" in summary["verdict"]
    raced = {"search__racing": "true", "search__children": 12, "fitness__name": "bits_per_text"}
    assert run(config, tmp_path / "raced", **raced).summary["racing"]["images"] > 0
    assert "ensemble" not in summary


def test_a_run_of_questions(tmp_path):
    tiny_language.saved(tmp_path / "net", "gpt2")
    config = tiny_language.run_file(tmp_path / "run.toml", "net", "multiple-choice")
    words = tiny_language.WORDS
    rows = [
        {"question": f"the {words[at % 15]} was", "choices": list(words[: 2 + at % 3]), "answer": at % 2}
        for at in range(40)
    ]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    wanted = wanted_of(Options(config=config), None, (), ())
    ingest_records(str(tmp_path / "t.jsonl"), tmp_path / "shards", wanted, Progress())
    found = [run(config, tmp_path / one, task__normalise=f'"{one}"').summary for one in ("bytes", "none")]
    assert {said for one in found for said in one["rebuilt"].values()} == {"same"}
    assert found[0]["parent"]["test"]["top1"] >= 0 and found[0]["ensemble"]["members"]
    assert found[0]["parent"]["test"]["nll"] != found[1]["parent"]["test"]["nll"]
    assert json.loads((tmp_path / "none" / "config.json").read_text())["task"] == {
        "name": "multiple-choice",
        "normalise": "none",
    }


def test_activations_are_kept(prepared, tmp_path):
    layered = {"mutation__kind": '"layered"', "search__children": 16, "compute__keep_activations": "true"}
    kept = run(prepared, tmp_path / "kept", **layered)
    whole = run(prepared, tmp_path / "whole", **layered | {"compute__keep_activations": "false"})
    assert kept.summary["work"]["passes_saved"] > 0 and kept.population.equals(whole.population)


def test_activations_are_kept_where_the_task_asks_the_batch_behind_the_network(tmp_path):
    """Language modelling needs the tokens once more, to say how likely they were."""
    tiny_language.saved(tmp_path / "net", "gpt2")
    config = tiny_language.run_file(tmp_path / "run.toml", "net", "language-modelling")
    ingested(tmp_path, config)
    layered = {"mutation__kind": '"layered"', "search__children": 8, "search__generations": 1}
    kept = run(config, tmp_path / "kept", **layered, compute__keep_activations="true")
    whole = run(config, tmp_path / "whole", **layered, compute__keep_activations="false")
    assert kept.summary["work"]["passes_saved"] > 0 and kept.population.equals(whole.population)


@pytest.mark.parametrize("after", [2, 9])
def test_stopped_and_resumed_it_ends_in_the_same_bytes(prepared, tmp_path, monkeypatch, after):
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    whole = run(prepared, tmp_path / "whole")
    config = load_config(prepared)
    again = functools.partial(evolve, config, tmp_path / "cut", config_dir=prepared.parent, page=False)
    resumed = cut_and_resumed(again, after)
    assert bytes_of(resumed.directory) == bytes_of(whole.directory)


@pytest.mark.slow
def test_on_ray_it_is_the_same(prepared, tmp_path):
    local = run(prepared, tmp_path / "local")
    ray = run(prepared, tmp_path / "ray", compute__backend='"ray"', compute__workers=2)
    assert ray.population.equals(local.population)
    for name in ("lineage/best.json", "lineage/soup.json", "predictions.parquet"):
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()
    for split in ("parent", "best_child", "soup", "ensemble"):
        assert ray.summary[split] == local.summary[split]


def test_what_does_not_fit_is_refused_before_the_run(prepared, tmp_path):
    folder = tiny_language.saved(tmp_path / "other", "gpt2-classes")
    other = tiny_language.run_file(tmp_path / "run.toml", str(folder), TASK)
    with pytest.raises(DataError, match="tokens of another tokenizer"):
        run(other, tmp_path / "run", data__path=f'"{prepared.parent / "shards"}"')
    folder = tiny_language.tokenizer(tiny_language.saved(tmp_path / "tokens", "gpt2"))
    other = tiny_language.run_file(tmp_path / "tokens.toml", str(folder), TASK)
    with pytest.raises(ModelError, match=r"has to return logits \[records, classes\].*head"):
        run(other, tmp_path / "run", data__path=f'"{prepared.parent / "shards"}"')
    with pytest.raises(ConfigError, match=r"compute\.compile = true: .*one shape.*compute\.compile = false"):
        run(prepared, tmp_path / "run", compute__compile="true")
    assert not (tmp_path / "run").exists()
