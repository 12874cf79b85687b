from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from evoray import errors
from evoray.commands.common import finish, guarded
from evoray.storage.directory import RunDirectory


def raises(error):
    def app():
        raise error

    return app


@pytest.mark.parametrize("name", [name for name in vars(errors) if name.endswith("Error")])
def test_an_error_of_evorays_is_one_line_and_its_exit_code(name, capsys):
    kind = getattr(errors, name)
    with pytest.raises(SystemExit) as ended:
        guarded(raises(kind("path[0]: wrong. Give [red]another[/red]. " + "long" + " long" * 60)))
    assert ended.value.code == {errors.StoppedError: 130}.get(kind, 2 if issubclass(kind, errors.UsageError) else 1)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "error path[0]: wrong. Give [red]another[/red]. " + "long" + " long" * 60 + "\n"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(12, "Cannot allocate memory"),
        ImportError("_backend_agg.so: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    ],
)
def test_memory_that_was_refused_is_one_message(error, capsys):
    with pytest.raises(SystemExit, match="1"):
        guarded(raises(error))
    assert "this machine's memory does not hold" in capsys.readouterr().err


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
