from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from evoray import errors
from evoray.commands import common
from evoray.commands.common import Bars, finish, guarded
from evoray.storage.directory import RunDirectory


def raises(error):
    def app():
        raise error

    return app


@pytest.mark.parametrize("name", [name for name in vars(errors) if name.endswith("Error")])
def test_an_error_of_evorays_is_one_line_and_its_exit_code(name, capsys):
    kind = getattr(errors, name)
    with pytest.raises(SystemExit) as ended:
        guarded(raises(kind("path[0]: wrong. Give [red]another[/red]. " + "long " * 60)))
    assert ended.value.code == (2 if issubclass(kind, errors.UsageError) else 1)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "error path[0]: wrong. Give [red]another[/red]. " + "long " * 60 + "\n"


def test_an_error_of_nobodys_keeps_its_trace():
    with pytest.raises(ZeroDivisionError):
        guarded(raises(ZeroDivisionError()))
    guarded(lambda: None)


@pytest.fixture
def result(summary, population, tmp_path):
    return SimpleNamespace(summary=summary, population=population, directory=RunDirectory(str(tmp_path / "a run")))


def test_a_finished_run_is_one_json_document(result, capsys):
    finish(result, as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert shown["directory"] == result.directory.location
    assert {key: value for key, value in shown.items() if key != "directory"} == json.loads(json.dumps(result.summary))


def test_a_finished_run_is_tables_and_where_its_page_is(result, capsys, tmp_path):
    finish(result, as_json=False)
    shown = capsys.readouterr().out
    assert result.summary["verdict"].split(".")[0][:40] in shown.replace("\n", " ")
    assert shown.endswith(f"report: {tmp_path}/a run/report.html\n")


def test_ctrl_c_says_what_is_kept_and_how_to_go_on():
    stopped = r"^stopped\. What was finished is kept: the same command goes on\.$"
    with pytest.raises(errors.RunError, match=stopped), Bars("the same command goes on"):
        raise KeyboardInterrupt
    with pytest.raises(errors.RunError, match="a run goes on with --resume"), Bars():
        raise KeyboardInterrupt
    with pytest.raises(LookupError), Bars():
        raise LookupError


def test_a_log_has_a_line_every_few_seconds_and_no_more(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(common.time, "monotonic", lambda: now[0])
    with Bars() as bars:
        bars.stage("g0000", 40)
        for _ in range(5):
            now[0] += 4.0
            bars.advance(2)
        bars.stage("nothing", 0)
        bars.stage("ingest", 100, "images")
        now[0] += 10.0
        bars.advance(25)
    lines = [line for line in capsys.readouterr().err.splitlines() if " of " in line and "/s, " in line]
    assert lines == [
        "g0000: 6 of 40 child x shard, 0.5/s, 68 s left",
        "ingest: 25 of 100 images, 2.5/s, 30 s left",
    ]


@pytest.mark.parametrize("text", ["looking at /data/[a]/x", "looking at [/data]", "training the parent on 800 images"])
def test_a_note_is_shown_as_it_is(text, capsys):
    with Bars() as bars:
        bars.note(text)
    assert text in capsys.readouterr().err
