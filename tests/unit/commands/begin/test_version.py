from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from evoray.commands.begin import version


def test_versions_stand_on_one_line(evoray):
    shown = evoray("--version")
    names = ("evoray", "torch", "ray")
    assert shown == f"{', '.join(f'{name} {importlib.metadata.version(name)}' for name in names)}\n"


def test_what_is_not_installed_is_said(monkeypatch):
    def installed(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", installed)
    assert version.version_line() == "evoray not installed, torch not installed, ray not installed"


@pytest.mark.slow
def test_the_line_costs_no_import_of_torch():
    code = "import sys; from evoray.commands.begin.version import version_line as v; v(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_package_says_that_it_is_typed():
    assert (Path(version.__file__).parents[2] / "py.typed").is_file()
