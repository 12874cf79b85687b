from __future__ import annotations

import json
import tomllib
from functools import partial

import pytest
import tiny_language

from evoray.config import load_config
from evoray.data import open_dataset
from evoray.demo import language
from evoray.demo.language import CONFIG, configuration, prepare
from evoray.errors import ConfigError
from evoray.runtime.progress import Progress


@pytest.fixture
def tiny_parent(tmp_path, monkeypatch):
    """A random network of a few thousand weights, whose tokenizer knows digits, in place of SmolLM2."""
    words = (*"0123456789+-*=", *map(str, range(10, 200)))
    folder = tiny_language.tokenizer(tmp_path / "tiny", words=words, special=False)
    sizes = {"vocab_size": len(words) + len(tiny_language.SPECIAL), "max_position_embeddings": 128}
    tiny_language.network("llama", **sizes).save_pretrained(folder)
    monkeypatch.setattr(language, "parent_folder", lambda progress: folder)
    return folder


@pytest.mark.parametrize("name", ["plain", 'with "quotes" and \\ and é'])
def test_the_configuration_is_toml_that_means_what_was_given(tmp_path, name):
    path = tmp_path / CONFIG
    path.write_text(configuration(tmp_path / name, tmp_path / "parent", 3, "local"), encoding="utf-8")
    config = load_config(path)
    assert (config.seed, config.compute.backend, config.task.name) == (3, "local", "generation")
    assert config.data.path == str(tmp_path / name / "select") and config.parent.name == str(tmp_path / "parent")
    assert tomllib.loads(path.read_text(encoding="utf-8"))["task"]["max_new_tokens"] == 16


def test_problems_shards_and_configuration_lie_in_one_folder(tiny_parent, tmp_path):
    folder = tmp_path / "runs" / "demo-data"
    config = prepare(folder, 4, "local", Progress(), select=5, test=7)
    assert config == load_config(folder / CONFIG)
    rows = [
        [json.loads(line)["prompt"] for line in (folder / f"{split}.jsonl").read_text().splitlines()]
        for split in ("select", "test")
    ]
    assert [len(some) for some in rows] == [5, 7] and not set(rows[0]) & set(rows[1])
    for split, some in zip(("select", "test"), rows, strict=True):
        shards = [open_dataset(str(folder / split)).load(index)["prompt"] for index in range(2)]
        assert sorted([*shards[0], *shards[1]]) == sorted(some)


def test_a_folder_that_is_there_is_left_alone(tiny_parent, tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be made \(File exists"):
        prepare(tmp_path, 0, "local", Progress())


@pytest.mark.slow
def test_a_small_demo_from_the_packages_to_the_table(tmp_path, monkeypatch):
    """The real parent, few children and problems: what the command prints, and the figures' honesty."""
    from typer.testing import CliRunner

    from evoray.cli import app

    monkeypatch.setattr(language, "prepare", partial(prepare, select=16, test=16))
    monkeypatch.setattr(language, "SEARCH", {"children": 4})
    monkeypatch.setattr(language, "MUTATION", {"sigma": 0.05, "parts": 10})
    monkeypatch.setenv("COLUMNS", "160")
    words = ["demo", "--task", "language", "--backend", "local", "--out", str(tmp_path / "run")]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 0, found.output
    for word in ("Parent", "Best child", "Soup", "Ensemble", "95%", "Side by side", "Vote", "report: "):
        assert word in found.output
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["splits"] == {"select": 16, "test": 16} and (tmp_path / "run" / "report.html").is_file()
    assert 0 <= summary["parent"]["test"]["reward"] <= 1
