"""Every file of a run directory, of another shape, cut or gone: each command that reads it names it and a remedy."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pyarrow.parquet
import pytest
from damages import set_value
from program import assert_clean, call

OUT = ["-o", "out.safetensors"]
COMMANDS = {
    "show": ["show", "run"],
    "watch": ["watch", "run"],
    "watch a stopped run": ["watch", "stopped"],
    "report": ["report", "run"],
    "compare": ["compare", "run", "twin"],
    "export parent": ["export", "run", "parent", *OUT],
    "export soup": ["export", "run", "soup", *OUT],
    "export best": ["export", "run", "best", *OUT],
    "export a child": ["export", "run", "CHILD", *OUT],
    "export a folder": ["export", "run", "soup", "-o", "out"],
    "rebuild": ["rebuild", "run/lineage/soup.json", "run/parent.safetensors", *OUT],
    "resume a finished run": ["run", "run.toml", "--out", "run", "--resume"],
    "resume a stopped run": ["run", "run.toml", "--out", "stopped", "--resume"],
}
READS = {
    "show": ["summary.json", "population.parquet"],
    "watch": ["summary.json", "population.parquet", "config.json"],
    "watch a stopped run": ["config.json", "journal/identity.json"],
    "report": ["summary.json", "population.parquet", "config.json"],
    "compare": ["summary.json", "config.json"],
    "export parent": ["space.json", "lineage/parent.json", "parent.safetensors"],
    "export soup": ["space.json", "lineage/soup.json", "parent.safetensors"],
    "export best": ["space.json", "lineage/best.json"],
    "export a child": ["population.parquet", "lineage/parent.json", "lineage/bases/g0000.json", "config.json"],
    "export a folder": ["summary.json", "journal/identity.json", "config.json"],
    "rebuild": ["space.json", "lineage/soup.json", "parent.safetensors"],
    "resume a finished run": ["config.json", "journal/identity.json", "summary.json", "population.parquet"],
    "resume a stopped run": ["config.json", "journal/identity.json"],
}
SHAPES = {"a list": b"[]", "null": b"null", "a number": b"7", "an object": b"{}", "a later format": b'{"format": 2}'}
DAMAGES = [*SHAPES, "removed", "cut"]
HARMLESS = {
    ("parent.safetensors", "removed"),  # it is built again
    ("summary.json", "removed"),  # an unfinished run
}
BUILT_WITHOUT = {("rebuild", "space.json"), ("export a folder", "journal/identity.json")}
"""A lineage holds its space; one that lies beside it is only compared. A card says that it knows no digest."""
REMEDY = re.compile(r"Take the file|Name |Use the |use the one|go on with|start a new run|Resume with|Fetch it again")
CASES = [(command, name, damage) for command, names in READS.items() for name in names for damage in DAMAGES]


def damaged(path: Path, damage: str) -> None:
    content = path.read_bytes()
    path.unlink()
    if damage != "removed":
        path.write_bytes(SHAPES.get(damage, content[: len(content) // 2]))


def spelled(place, command):
    child = next(f"g0000/c000{n}" for n in range(4) if not (place / f"run/lineage/g0000/c000{n}.json").exists())
    return [child if word == "CHILD" else word for word in COMMANDS[command]]


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    """Drawing takes longer than all else."""
    monkeypatch.setattr("evoray.evolution.write_page", lambda directory: None)


@pytest.mark.parametrize(("command", "name", "damage"), CASES)
def test_a_file_that_is_not_as_it_was_is_named_with_a_remedy(place, command, name, damage):
    damaged(place / COMMANDS[command][3 if "--out" in COMMANDS[command] else 1].split("/")[0] / name, damage)
    outcome = call(*spelled(place, command))
    gone = (command, name) in BUILT_WITHOUT and damage == "removed"
    assert_clean(outcome, may_be_good=gone or (name, damage) in HARMLESS)
    if outcome.code:
        last = outcome.errors.splitlines()[-1]
        assert name.rpartition("/")[2] in outcome.message, outcome.message
        assert REMEDY.search(last), last
        assert not re.search(r"NoneType|valid dictionary|pydantic|Traceback", outcome.message)
        assert not list(place.glob("out*"))


LOOKED_BACK = (
    "summary.json",
    "config.json",
    "journal/identity.json",
    "predictions.parquet",
    "metrics.jsonl",
    "journal",
)


@pytest.mark.parametrize("name", LOOKED_BACK)
@pytest.mark.parametrize("damage", ["null", "cut", "removed"])
def test_looking_back_at_a_damaged_run(place, name, damage):
    """A list has a row for it, whatever it is; a comparison is refused, or is made of what is left."""
    run = place / "run"
    damaged(run / name if name != "journal" else next(run.glob("journal/*.arrow")), damage)
    listed = call("runs", ".", "--json")
    assert listed.code == 0, listed.errors
    states = {one["name"]: one["state"] for one in json.loads(listed.out)["runs"]}
    assert states.keys() == {"run", "stopped", "twin"} and states["twin"] == "finished"
    assert_clean(call("compare", "twin", "run", "--json"), may_be_good=True)
    assert_clean(call("compare", "run", "twin", "--json"), may_be_good=True)


def test_the_folder_of_lineages_is_gone(place):
    shutil.rmtree(place / "run" / "lineage")
    for command in ("export parent", "export soup", "export best", "export a child"):
        outcome = call(*[word if word != "CHILD" else "g0000/c0003" for word in COMMANDS[command]])
        assert_clean(outcome)
        assert "no such member" not in outcome.message
        assert re.search(r"no lineage/\w+\.json in it\. It was removed\..*remove it and summary\.json", outcome.message)


def test_the_remedy_brings_every_file_back_as_it_was(place):
    """All that is not a run's beginning is written again from its journal, to the byte."""
    run = place / "run"
    before = {str(one.relative_to(run)): one.read_bytes() for one in run.rglob("*") if one.is_file()}
    kept = {"config.json", "metrics.jsonl", *(name for name in before if name.startswith("journal/"))}
    for name in before.keys() - kept:
        (run / name).unlink()
    assert call(*COMMANDS["resume a finished run"]).code == 0
    for name in before.keys() - kept - {"summary.json"}:
        assert (run / name).read_bytes() == before[name], name
    old, new = json.loads(before["summary.json"]), json.loads((run / "summary.json").read_bytes())
    assert {**old, "work": None} == {**new, "work": None}


@pytest.mark.parametrize("value", [0, 2, "1.0", None, [1]])
def test_a_summary_of_another_version(place, value):
    set_value(place / "run" / "summary.json", "format", value)
    for command in ("show", "report", "resume a finished run"):
        outcome = call(*COMMANDS[command])
        assert_clean(outcome)
        assert "summary.json: its format is" in outcome.message and "use the one that wrote it" in outcome.message


def test_a_summary_of_before_formats_were_written_is_shown(place):
    summary = json.loads((place / "run" / "summary.json").read_bytes())
    for key in ("format", "measures", "notes", "warnings", "classes", "rebuilt"):
        summary.pop(key, None)
    (place / "run" / "summary.json").write_text(json.dumps(summary))
    assert call("show", "run").code == 0


@pytest.mark.parametrize("name", ["predictions.parquet", "ensemble.json", "metrics.jsonl"])
def test_files_that_no_command_reads_may_be_anything(place, name):
    (place / "run" / name).write_bytes(b"PAR1")
    for command in ("show", "export soup", "resume a finished run"):
        assert call(*COMMANDS[command]).code == 0


def test_a_run_whose_configuration_is_gone_is_not_begun_again(place):
    (place / "run" / "config.json").unlink()
    outcome = call(*COMMANDS["resume a finished run"])
    assert_clean(outcome)
    assert "Leave --resume out" not in outcome.message and "It was removed" in outcome.message


def test_a_table_of_no_rows(place):
    path = place / "run" / "population.parquet"
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(path)[:0], path)
    outcome = call(*[word if word != "CHILD" else "g0000/c0003" for word in COMMANDS["export a child"]])
    assert_clean(outcome)
    assert "population.parquet: no children in it" in outcome.message and REMEDY.search(outcome.message)
