from __future__ import annotations

import json

import pytest

from evoray.begin.check import plan as module
from evoray.begin.check.pace import Pace
from evoray.config import load_config

SMALL = ("--set", "data.select=0.01", "--set", "data.test=0.01", "--set", "compute.backend=local")


@pytest.fixture
def paced(monkeypatch):
    monkeypatch.setattr(module, "measured", lambda inputs, config: Pace(0.5, 0.01, "cpu", 2**20, 2**20, 2**20))
    monkeypatch.setattr(module, "usable_cores", lambda: 2)


def test_a_run_is_told_before_it_is_begun(evoray, config_file, paced):
    shown = evoray("check", config_file, *SMALL, "--set", "search.children=4", "--price-per-hour", 3.6)
    for words in (
        "image-classification, by the fitness nll",
        " images in 5 shards: ",
        "changes 2,406 of 24,058 weights (0.1) by noise of sigma 0.1 times each tensor's RMS",
        "decomposition: 4 children in 1 generation",
        "children: 4 networks on ",
        "about 453 MiB a worker",
        "on this machine, with 2 workers",
        "at 3.6 an hour for a machine",
        f"No problem found. Next: evoray run {config_file} --out runs/mine",
    ):
        assert words in shown


def test_machines_get_one_document(evoray, config_file, paced):
    found = json.loads(evoray("check", config_file, *SMALL, "--json"))
    assert found["problems"] == [] and found["places"][0]["name"] == "this machine"
    assert found["child"] == {
        "kind": "partition", "weights": 2406, "of": 24058, "density": 0.1, "sigma": 0.1, "scale": "rms"
    }  # fmt: skip


def test_all_problems_are_told_and_the_exit_code_is_two(evoray, config_file, capsys):
    wrong = ("--set", "parent.name=evoray.models.small:none", "--set", "data.path=no/shards")
    assert evoray("check", config_file, *wrong, code=2) == ""
    found = json.loads(evoray("check", config_file, *wrong, "--json", code=2))
    assert len(found["problems"]) == 2 and set(found) == {"problems"}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"summary.json": "{}"}, "A run lies at runs/mine, finished: evoray show runs/mine shows it. Another one: "),
        (
            {"config.json": None},
            "stopped: evoray run mine.toml --out runs/mine --resume goes on with it. Another one: ",
        ),
        ({"config.json": "3"}, "runs/mine/config.json: damaged"),
        ({"notes.txt": ""}, "runs/mine: holds other files (notes.txt, …). Next: "),
    ],
)
def test_what_lies_where_the_run_would_write_is_told(evoray, config_file, paced, monkeypatch, files, said):
    folder = config_file.parent
    monkeypatch.chdir(folder)
    (folder / "runs/mine").mkdir(parents=True)
    for name, text in files.items():
        text = load_config(config_file, SMALL[1::2]).model_dump_json() if text is None else text
        (folder / "runs/mine" / name).write_text(text)
    last = evoray("check", "mine.toml", *SMALL).splitlines()[-1]
    assert said in last and last.endswith("evoray run mine.toml --out runs/mine-2")


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(evoray, config_file, paced, monkeypatch, width):
    config_file = config_file.rename(config_file.parent / "a.toml")
    monkeypatch.chdir(config_file.parent)
    monkeypatch.setenv("COLUMNS", str(width))
    shown = evoray("check", "a.toml", *SMALL)
    assert max(map(len, shown.splitlines())) <= width
