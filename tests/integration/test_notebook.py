"""The notebook of jobs/examples runs afresh in a kernel, as Jupyter runs it, and what it keeps is what it shows."""

from __future__ import annotations

import base64
import os
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PATH = Path(__file__).parents[2] / "jobs" / "examples" / "first_run.ipynb"
PNG = b"\x89PNG\r\n"


class Counting(NotebookClient):
    """Counts, of each cell, how often an output that it has was drawn anew."""

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "update_display_data":
            self.updates[cell_index] = self.updates.get(cell_index, 0) + 1
        return super().process_message(msg, cell, cell_index)


@pytest.fixture(scope="module")
def kept():
    return nbformat.read(PATH, 4)


IN_KERNEL = """
import shlex

import rich.console

def call(line):
    from evoray.cli import app

    program, *arguments = shlex.split(line)
    assert program == "evoray", line
    assert not app(arguments, standalone_mode=False)

rich.console._is_jupyter = lambda: False  # a terminal's tables, as a process of its own prints them
get_ipython().system = call
"""
"""Commands of the page run in the kernel: to import torch again for each takes eight seconds of a core."""
SHORT = ("CHILDREN, ROUNDS = 20, 3", "CHILDREN, ROUNDS = 8, 2")


@pytest.fixture(scope="module", params=["short", pytest.param("whole", marks=pytest.mark.slow)])
def ran(request, kept, parent_file, tmp_path_factory):
    """(the notebook after it ran, its folder, updates of each cell)"""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.from_dict({**kept, "cells": [nbformat.from_dict(dict(cell)) for cell in kept.cells]})
    for cell in code(notebook):
        cell.outputs, cell.execution_count = [], None
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    if request.param == "short":
        environment["IPYTHONDIR"] = str(tmp_path_factory.mktemp("ipython"))
        shorten(notebook, Path(environment["IPYTHONDIR"]))
        shutil.copy(parent_file, folder)
    client = Counting(notebook, timeout=250, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.updates = {}
    client.execute(env=environment)
    return notebook, folder, client.updates


def shorten(notebook, profiles):
    (cell,) = [one for one in code(notebook) if SHORT[0] in one.source]
    cell.source = cell.source.replace(*SHORT)
    startup = profiles / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "in_kernel.py").write_text(IN_KERNEL)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def of_kind(cell, kind):
    return [one.data[kind] for one in cell.outputs if kind in one.get("data", {})]


def text(cell):
    return "".join(one.get("text", "") for one in cell.outputs)


def test_what_is_kept_is_of_cells_that_ran(kept):
    check_outputs(code(kept))


def test_each_cell_runs_with_pictures_and_tables(ran):
    check_outputs(code(ran[0]))


def check_outputs(cells):
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [one for cell in cells for one in cell.outputs if one.output_type == "error"]
    pages = [page for cell in cells for page in of_kind(cell, "text/html")]
    assert sum("<svg" in page and "<table" in page and 'class="verdict"' in page for page in pages) == 2
    pictures = [base64.b64decode(one) for cell in cells for one in of_kind(cell, "image/png")]
    assert len(pictures) == 2 and all(one.startswith(PNG) and len(one) > 5000 for one in pictures)
    assert "1024 images of 10 classes" in text(cells[1])
    assert "Difference from partition" in "".join(map(text, cells))
    assert of_kind(cells[-1], "text/plain") == ["<All keys matched successfully>"]


def test_a_run_is_drawn_while_it_goes_on(ran):
    notebook, folder, updates = ran
    first, second = (at for at, cell in enumerate(notebook.cells) if "evoray.evolve(" in cell.source)
    assert updates[first] >= 3, "two rounds or more and the end, each drawn at once"
    assert updates[second] >= 2
    assert (folder / "soup.safetensors").is_file() and (folder / "runs" / "partition" / "summary.json").is_file()


def test_what_is_kept_is_small_and_of_no_machine():
    content = PATH.read_text()
    assert len(content) < 300_000
    assert "/tmp/" not in content and "/home/" not in content and "/root" not in content
