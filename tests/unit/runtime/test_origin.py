from __future__ import annotations

import signal
import sys

import pytest

from evoray.config import ParentConfig
from evoray.errors import ConfigError, EvaluationError, UsageError
from evoray.models import load_parent
from evoray.runtime.origin import NoExit

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


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("import sys\nsys.exit(3)\n", r"SystemExit: 3\) \(user_origin.py, line 2: sys.exit\(3\)\)"),
        ("raise SystemExit\n", r"\(SystemExit\) \(user_origin.py, line 1: raise SystemExit\)"),
        ("exit('no GPU\\x1b[31m')\n", r"SystemExit: no GPU\\x1b\[31m\) \(user_origin.py, line 1: exit"),
        ("import sys\ndef make():\n    sys.exit()\n", r"\(SystemExit\) \(user_origin.py, line 3: sys.exit\(\)\)"),
        ("def make():\n    raise GeneratorExit\n", r"\(GeneratorExit\) \(user_origin.py, line 2"),
        ("def make():\n    quit(1)\n", r"SystemExit: 1\) \(user_origin.py, line 2: quit\(1\)"),
        (
            "from argparse import ArgumentParser\ndef make():\n    a = ArgumentParser()\n"
            "    a.add_argument('--width', required=True)\n    return a.parse_args()\n",
            r"SystemExit: 2\) \(user_origin.py, line 5: return a.parse_args\(\)\)",
        ),
    ],
)
def test_code_that_ends_the_program_is_one_message_with_its_line(refused, text, line):
    import re

    said = refused(text)
    assert "your code ends the program" in said and "Raise an exception in its place" in said
    assert re.search(line, said), said
    assert said.isprintable()


@pytest.mark.parametrize("kind", [ConfigError, EvaluationError, UsageError])
def test_the_error_is_of_the_kind_that_was_asked_for(kind):
    with (
        pytest.raises(kind, match=r"SystemExit: 4\) \(.*test_origin.py, line \d+: sys.exit\(4\)\)"),
        NoExit(None, kind),
    ):
        sys.exit(4)


def interrupted_again():
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("after tidying up") from None


def interrupted_and_passed_on():
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise


@pytest.mark.parametrize(
    "stop", [lambda: signal.raise_signal(signal.SIGINT), interrupted_again, interrupted_and_passed_on]
)
def test_ctrl_c_stops_as_it_did(stop):
    with pytest.raises(KeyboardInterrupt), NoExit(None):
        stop()


def test_a_handler_that_raises_what_ctrl_c_does_still_stops():
    def handler(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with pytest.raises(KeyboardInterrupt), NoExit(None):
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


def own_interrupt():
    raise KeyboardInterrupt("enough")


def own_interrupt_after_another_error():
    try:
        {}["x"]
    except KeyError:
        raise KeyboardInterrupt from None


@pytest.mark.parametrize("stop", [own_interrupt, own_interrupt_after_another_error])
@pytest.mark.parametrize("kind", [ConfigError, EvaluationError])
def test_an_interrupt_of_the_users_own_is_named_with_its_line(kind, stop):
    said = r"your code ends the program \(KeyboardInterrupt.*\(.*test_origin.py, line \d+: raise KeyboardInterrupt"
    with pytest.raises(kind, match=said), NoExit(None, kind):
        stop()


@pytest.mark.parametrize("body", ["    raise KeyboardInterrupt", "    import user_stops\n    user_stops.stop()"])
def test_an_interrupt_while_a_network_is_built_is_named(refused, tmp_path, body):
    (tmp_path / "own" / "user_stops.py").write_text("def stop():\n    raise KeyboardInterrupt('no')\n")
    assert "line 2: raise KeyboardInterrupt" in refused(f"def make():\n{body}\n")


@pytest.mark.parametrize("error", [ValueError, ConfigError("a message of its own")])
def test_other_errors_are_left_as_they_are(error):
    with pytest.raises(error if isinstance(error, type) else type(error)) as caught, NoExit(None):
        raise error
    assert "ends the program" not in str(caught.value)


def test_a_handler_of_a_signal_still_ends_the_program():
    before = signal.signal(signal.SIGUSR1, lambda *_: sys.exit(7))
    try:
        with pytest.raises(SystemExit, match="7"), NoExit(None):
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
