"""The commands of jobs/examples/README.md, and what runs them in this process."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[3] / "jobs" / "examples"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")


def section(name):
    """The part of the page below the heading that links ``name/``."""
    found = re.search(rf"\n## [^\n]*\({name}/\)\n(.*?)(?=\n## |\Z)", PAGE, re.DOTALL)
    assert found, f"README.md has no section of {name}/"
    return found[1]


def commands(name):
    """Every line of its blocks, without what is said behind it."""
    blocks = re.findall(r"\n```\n(.*?)```", section(name), re.DOTALL)
    return [re.split(r"\s+# ", line)[0] for block in blocks for line in block.splitlines()]


def small(name):
    """(command in place of ``have.py``'s or None, what stands behind ``evoray run``), as the page says."""
    said = section(name).partition("Small form:")[2].partition("\n\n")[0]
    quoted = re.findall(r"`([^`]*)`", said)
    instead = next((one for one in quoted if one.startswith("uv run")), None)
    return instead, next((one for one in quoted if one.startswith("--set")), "")


def in_small_form(name):
    """The commands of an example as CI runs them."""
    instead, more = small(name)
    for line in commands(name):
        if line.startswith("uv run python") and instead:
            yield instead
        elif line.startswith("uv run evoray run"):
            yield f"{line} {more}"
        else:
            yield line


def call(line, evoray):
    """``uv run python FILE …`` or ``uv run evoray …`` in the present folder; what an evoray command prints."""
    uv, run, program, *arguments = shlex.split(line)
    assert (uv, run) == ("uv", "run"), line
    if program == "evoray":
        return evoray(*arguments)
    assert program == "python", line
    before = sys.argv, sys.path[:], set(sys.modules)
    sys.argv, sys.path[:0] = arguments, [str(Path.cwd())]
    try:
        runpy.run_path(arguments[0], run_name="__main__")
    finally:
        sys.argv, sys.path[:] = before[0], before[1]
        here = str(Path.cwd())
        for module in set(sys.modules) - before[2]:  # the next example has a model.py as well
            if str(getattr(sys.modules[module], "__file__", "")).startswith(here):
                del sys.modules[module]
    return None
