from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from evoray.cli import app, main

HEAVY = {
    "torch",
    "ray",
    "matplotlib",
    "pyarrow",
    "scipy",
    "numpy",
    "pydantic",
    "rich",
    "pygments",
    "markdown_it",
}
COMMANDS = ["demo", "run", "show", "report", "export", "rebuild", "window", "submit", "data", "bench"]


def test_every_command_has_a_help_that_says_what_it_does():
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).stdout
    for name in COMMANDS:
        (line,) = [line for line in shown.splitlines() if line.strip().split(" ")[0] == name]
        assert len(line.strip().removeprefix(name).strip()) > 10
        assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0


def test_help_waits_for_nothing_heavy():
    code = (
        "import sys, evoray.cli, typer.testing\n"
        "typer.testing.CliRunner().invoke(evoray.cli.app, ['--help'])\n"
        f"print(sorted({HEAVY} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize("arguments", [["fly"], ["run"], ["run", "--fly"], ["data", "fly"]])
def test_what_is_no_command_is_bad_usage(arguments):
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_an_error_is_one_line_and_no_stack_trace(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["evoray", "data", "show", str(tmp_path / "absent")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.startswith(f"error {tmp_path}/absent: no such directory.")
    assert len(shown.err.splitlines()) == 1
