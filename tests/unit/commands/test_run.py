from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from evoray import demo, evolution
from evoray.cli import main
from evoray.config import ComputeConfig, parse_config
from evoray.errors import ConfigError, NotStartedError
from evoray.storage.directory import RunDirectory


@pytest.fixture
def evolved(monkeypatch, summary, population):
    """What a search was asked for; it ends at once, with the summary of a finished run."""
    asked = []

    def evolve(config, out, **options):
        asked.append(SimpleNamespace(config=config, out=str(out), **options))
        return SimpleNamespace(summary=summary, population=population, directory=RunDirectory(str(out)))

    monkeypatch.setattr(evolution, "evolve", evolve)
    return asked


def test_a_run_is_its_file_with_what_is_set_over_it(evoray, evolved, config_file, tmp_path):
    begun = RunDirectory(f"file://{tmp_path}/run")
    begun.write_json("config.json", {"parent": {}})
    begun.write_json("journal/identity.json", {"run_id": "a", "parent": "b", "space": "c", "data": {}})
    words = ("--out", begun.location, "--set", "search.children=7", "--set", "seed=3", "--resume", "--json")
    shown = json.loads(evoray("run", config_file, *words))
    (asked,) = evolved
    assert (asked.config.search.children, asked.config.seed) == (7, 3)
    assert (asked.out, asked.resume, asked.config_dir) == (begun.location, True, config_file.parent.resolve())
    assert (shown["directory"], shown["run_id"]) == (begun.location, "9f2c41d07be64d0d8f3e1f1f0a4b7c55")


def test_by_default_a_run_is_new_and_named_after_its_file(evoray, evolved, config_file):
    assert "report: " in evoray("run", config_file)
    (asked,) = evolved
    assert (asked.out, asked.resume) == ("runs/mine", False)


@pytest.mark.parametrize("words", [("--set", "search.colour=red"), ("--set", "search"), ("--set", "seed=x")])
def test_what_is_wrong_is_said_before_anything_runs(words, evoray, evolved, config_file):
    with pytest.raises(ConfigError):
        evoray("run", config_file, *words)
    with pytest.raises(ConfigError, match="absent"):
        evoray("run", config_file.with_name("absent.toml"))
    assert evolved == []


@pytest.fixture
def trained(monkeypatch):
    asked = []
    monkeypatch.setattr(demo, "train_parent", lambda seed, path: asked.append((seed, str(path))))
    return asked


def test_the_demo_trains_its_parent_beside_the_run(evoray, evolved, trained, tmp_path):
    evoray("demo", "--out", tmp_path / "new" / "demo", "--seed", 5, "--backend", "local", "--json")
    weights = f"{tmp_path}/new/demo-parent.safetensors"
    assert trained == [(5, weights)] and (tmp_path / "new").is_dir()
    (asked,) = evolved
    assert (asked.config.seed, asked.config.parent.weights, asked.config.compute.backend) == (5, weights, "local")
    assert asked.out == f"{tmp_path}/new/demo"


def test_the_demo_overwrites_no_earlier_one(evoray, evolved, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(3):
        evoray("demo", "--json")
        (tmp_path / evolved[-1].out).mkdir()
    assert [asked.out for asked in evolved] == ["runs/demo-seed0", "runs/demo-seed0-2", "runs/demo-seed0-3"]
    assert len({path for _, path in trained}) == 3
    assert evolved[0].config.compute.backend == "ray"


@pytest.fixture
def prepared(monkeypatch):
    """What the language demo was asked to make, without making it."""
    from evoray.demo import language, side_by_side

    asked = []

    def prepare(folder, seed, backend, progress):
        asked.append((str(folder), seed, backend))
        return SimpleNamespace(seed=seed)

    monkeypatch.setattr(language, "prepare", prepare)
    monkeypatch.setattr(side_by_side, "print_answers", lambda directory: print(f"answers of {directory.location}"))
    return asked


def test_the_language_demo_is_made_beside_its_run(evoray, evolved, prepared, tmp_path):
    out = tmp_path / "new"
    shown = evoray("demo", "--task", "language", "--out", out, "--seed", 5, "--backend", "local")
    assert prepared == [(f"{out}-data", 5, "local")] and f"answers of {out}" in shown
    (asked,) = evolved
    assert (asked.out, asked.config_dir, asked.config.seed) == (str(out), tmp_path / "new-data", 5)


def test_the_language_demo_takes_free_places_and_prints_one_document(evoray, evolved, prepared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        json.loads(evoray("demo", "--task", "language", "--json"))
        (tmp_path / evolved[-1].out).mkdir(parents=True)
        (tmp_path / prepared[-1][0]).mkdir()
    assert [asked.out for asked in evolved] == ["runs/demo-language-seed0", "runs/demo-language-seed0-2"]
    assert [one[0] for one in prepared] == ["runs/demo-language-seed0-data", "runs/demo-language-seed0-2-data"]


def test_an_unknown_demo_is_refused(evoray, evolved, prepared):
    evoray("demo", "--task", "poems", code=2)
    assert not evolved


@pytest.mark.parametrize("task", ["images", "language"])
def test_a_demo_goes_on_without_ray_where_ray_does_not_start(task, evoray, trained, prepared, monkeypatch, tmp_path):
    """And says so; what the run would have written is written by the local backend."""
    asked = []
    compute = ComputeConfig(backend="ray")

    def evolve(config, out, **options):
        asked.append(config.compute.backend)
        if config.compute.backend == "ray":
            raise NotStartedError("an embedded Ray could not be started (Exception: slow). Try again")
        raise LookupError("it goes on")

    monkeypatch.setattr(evolution, "evolve", evolve)
    if task == "language":
        parsed = parse_config({"parent": {"name": "a", "weights": "random"}, "data": {"path": "mock:"}})
        parsed = parsed.model_copy(update={"compute": compute})
        monkeypatch.setattr("evoray.demo.language.prepare", lambda *_: parsed)
    with pytest.raises(LookupError, match="it goes on"):
        evoray("demo", "--task", task, "--out", tmp_path / "new")
    assert asked == ["ray", "local"]


def test_a_run_says_what_to_do_where_ray_does_not_start(monkeypatch, config_file, capsys):
    def evolve(config, out, **options):
        raise NotStartedError('an embedded Ray could not be started. Try again, or set compute.backend = "local", now')

    monkeypatch.setattr(evolution, "evolve", evolve)
    monkeypatch.setattr("sys.argv", ["evoray", "run", str(config_file), "--out", str(config_file.parent / "new")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert "Try again, or give --set compute.backend=local, now" in line
