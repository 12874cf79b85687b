from __future__ import annotations

import pytest

from evoray.config import ParentConfig
from evoray.errors import UsageError
from evoray.models import load_parent

READERS = {
    "torch.load": 'torch.load("parts/w.pth")',
    "open": 'open("parts/w.pth")',
    "NumPy": 'numpy.load("parts/w.pth")',
    "safetensors": 'safetensors.torch.load_file("parts/w.pth")',
    "pathlib": 'pathlib.Path("parts/w.pth").read_bytes()',
    "a helper": 'user_reads.read("parts/w.pth")',
}
MODULE = "import numpy, pathlib, torch, safetensors.torch\nimport user_reads\ndef make():\n    return {read}\n"


@pytest.fixture
def refused(tmp_path, monkeypatch):
    folder, elsewhere = tmp_path / "own", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    def load(text, name="make"):
        (folder / "user_reads.py").write_text("def read(name):\n    with open(name) as file:\n        return file\n")
        (folder / "user_origin.py").write_text(text)
        with pytest.raises(UsageError) as raised:
            load_parent(ParentConfig(source="module", name=f"user_origin:{name}"), folder)
        return str(raised.value)

    return load


@pytest.mark.parametrize("how", READERS)
@pytest.mark.parametrize("there", [True, False])
def test_a_relative_path_is_told_where_it_begins_and_how_it_is_written(refused, tmp_path, how, there):
    if there:
        (tmp_path / "own" / "parts").mkdir()
        (tmp_path / "own" / "parts" / "w.pth").write_bytes(b"x")
    said = refused(MODULE.format(read=READERS[how]))
    place = (
        "user_reads.py, line 2: with open(name)"
        if how == "a helper"
        else f"user_origin.py, line 4: return {READERS[how]}"
    )
    assert place in said
    assert f"relative to the working directory, {tmp_path / 'elsewhere'}" in said
    assert 'write Path(__file__).parent / "parts/w.pth".' in said
    assert ("the file lies in the configuration's folder" in said) == there


def test_the_remedy_works(refused, tmp_path):
    (tmp_path / "own").joinpath("w.txt").write_text("7")
    said = refused(
        'from pathlib import Path\ndef make():\n    return int((Path(__file__).parent / "w.txt").read_text())\n'
    )
    assert "returned int, not an nn.Module" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("W = open('w.pth')\n", "importing it raised FileNotFoundError: .*user_origin.py, line 1: W = open"),
        ("def make():\n    return open('/nowhere/w.pth')\n", "line 2: .*Put the file there, or mend its path"),
        (
            "def make():\n    return {}['x']\n",
            r"raised KeyError: 'x' \(user_origin.py, line 2: return \{\}\['x'\]\)\.$",
        ),
        ("def make(size): ...\n", "missing a required argument: 'size'"),
        (
            "import torch\ndef make():\n    return torch.zeros(2) @ torch.zeros(3)\n",
            "RuntimeError: .*line 3: return torch",
        ),
        ("def make():\n    raise ValueError('\\x1b[31mred')\n", r"\\x1b\[31mred"),
    ],
)
def test_other_errors_name_the_line(refused, text, words):
    import re

    said = refused(text)
    assert re.search(words, said), said
    assert "\x1b" not in said
