"""A run in a program that has more to do: nothing that the program sets, and no other run beside it, changes a byte."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from outputs import PulledPlug, StopsAfter, bytes_of

import evoray
from evoray.errors import UsageError
from evoray.runtime.progress import Progress
from evoray.search import workers

MODEL = """
import user_layers
from torch import nn

def net():
    import user_late
    return nn.Sequential(nn.Flatten(), nn.Linear(64, {width}), user_layers.Act(), nn.Linear({width}, user_late.CLASSES))

def score(logits, labels):
    return user_layers.points(logits, labels)
"""
LAYERS = """
import torch
from torch import nn

class Act(nn.Module):
    def forward(self, x):
        return torch.{act}(x)

def points(logits, labels):
    return (logits.argmax(1) == labels).double()
"""


def configuration(folder, width=8, act="tanh", **search):
    """A folder with ``user_model.py`` in it, and what runs it on a few images of noise."""
    folder.mkdir(exist_ok=True)
    for name, text in (
        ("user_model.py", MODEL.format(width=width)),
        ("user_layers.py", LAYERS.format(act=act)),
        ("user_late.py", "CLASSES = 4\n"),
    ):
        if not (folder / name).exists():
            (folder / name).write_text(text)
    return {
        "parent": {"source": "module", "name": "user_model:net", "weights": "random"},
        "data": {"path": "mock:images=96,size=8,channels=1,classes=4,shard_size=32"},
        "fitness": {"name": "user_model:score"},
        "search": {"children": 6, **search},
        "mutation": {"sigma": 0.3},
        "ensemble": {"size": 2},
        "compute": {"backend": "local", "workers": 1},
    }


@pytest.fixture(autouse=True)
def modules_forgotten():
    yield
    for name in [name for name in sys.modules if name.startswith("user_")]:
        del sys.modules[name]


@pytest.fixture
def run(tmp_path):
    """Runs a configuration of its own folder to the end; the bytes of its files."""

    def run(name, folder=None, **how):
        folder = folder or tmp_path / "own"
        result = evoray.evolve(configuration(folder, **how), tmp_path / f"out-{name}", config_dir=folder, page=False)
        return bytes_of(result.directory)

    return run


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    result = evoray.evolve(configuration(folder), folder / "out", config_dir=folder, page=False)
    return bytes_of(result.directory)


class Around:
    """What a user's program may have set, and puts back itself."""

    def float64():
        return _default_dtype(torch.float64)

    def bfloat16():
        return _default_dtype(torch.bfloat16)

    def default_device():
        return torch.device("meta")

    def inference():
        return torch.inference_mode()

    def no_grad():
        return torch.no_grad()

    def autocast():
        return torch.autocast("cpu", torch.bfloat16)

    def numpy_raises():
        return np.errstate(all="raise")

    def a_seed():
        torch.manual_seed(99)
        np.random.seed(99)
        return nullcontext()

    def low_precision():
        return _matmul_precision("medium")

    def threads():
        return _threads(2)


WAYS = [name for name in vars(Around) if not name.startswith("_")]


class _Setting:
    def __init__(self, get, set_, value):
        self.get, self.set, self.value = get, set_, value

    def __enter__(self):
        self.before = self.get()
        self.set(self.value)

    def __exit__(self, *_):
        found = self.get()
        self.set(self.before)
        assert found == self.value, "it is the user's, and was changed"


def _default_dtype(value):
    return _Setting(torch.get_default_dtype, torch.set_default_dtype, value)


def _matmul_precision(value):
    return _Setting(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, value)


def _threads(value):
    return _Setting(torch.get_num_threads, torch.set_num_threads, value)


@pytest.mark.parametrize("way", WAYS)
def test_what_the_program_has_set_changes_nothing(run, expected, way):
    with getattr(Around, way)():
        assert run(way) == expected


def test_threads_give_one_answer_each(run, expected, tmp_path):
    """Two configurations whose modules have the same names, at the same time."""
    unlike = {"folder": tmp_path / "other", "act": "relu", "width": 5}
    other = run("other", **unlike)
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(run, f"t{n}", **(unlike if n % 2 else {})) for n in range(4)]
        found = [one.result() for one in runs]
    assert expected != other
    assert all(one == (other if n % 2 else expected) for n, one in enumerate(found))


def test_in_an_event_loop(run, expected):
    async def program():
        beside = asyncio.to_thread(run, "beside")
        return run("inside"), await beside

    assert asyncio.run(program()) == (expected, expected)


def test_a_program_that_goes_to_another_folder_meanwhile(tmp_path, monkeypatch, expected, run):
    """Relative paths are those of the moment in which the run began."""
    monkeypatch.chdir(tmp_path)

    class Goes(Progress):
        def advance(self, count):
            os.chdir("/")

    result = evoray.evolve(
        configuration(tmp_path / "own"), "out-going", config_dir=Path("own"), page=False, progress=Goes()
    )
    monkeypatch.chdir(tmp_path)
    assert bytes_of(result.directory) == expected
    assert (tmp_path / "out-going" / "summary.json").exists()


def test_handlers_of_signals_are_the_programs_again(run, expected):
    def own(*_):
        pass

    before = signal.signal(signal.SIGTERM, own)
    try:
        run("with-a-handler")
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_handler_that_is_not_pythons_is_left_alone(run, expected, monkeypatch):
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(signal, "signal", lambda *_: pytest.fail("it could not be put back"))
    assert run("foreign-handler") == expected


def test_nothing_is_left_running(run):
    run("first")
    before = {one.name for one in threading.enumerate()}
    run("second")
    assert {one.name for one in threading.enumerate()} <= before


CHANGES = {
    "the fitness": ("user_layers.py", "(logits.argmax(1) == labels)", "(logits.argmin(1) == labels)"),
    "forward": ("user_layers.py", "torch.tanh(x)", "torch.sin(x)"),
    "a module imported late": ("user_late.py", "CLASSES = 4", "CLASSES = 4 + 0"),
    "the function that builds": ("user_model.py", "import user_late", "import user_late  "),
}


@pytest.mark.parametrize("what", CHANGES)
def test_code_that_changed_between_stop_and_resume_is_refused(tmp_path, expected, run, what):
    folder, out = tmp_path / "own", tmp_path / "stopped"
    config = configuration(folder)
    with pytest.raises(PulledPlug):
        evoray.evolve(config, out, config_dir=folder, page=False, progress=StopsAfter(4))
    file, before, after = CHANGES[what]
    text = (folder / file).read_text()
    assert before in text
    (folder / file).write_text(text.replace(before, after))
    with pytest.raises(UsageError, match=rf"cannot be resumed, the code of {file[:-3]} is not what it was"):
        evoray.evolve(config, out, config_dir=folder, page=False, resume=True)
    (folder / file).write_text(text)
    result = evoray.evolve(config, out, config_dir=folder, page=False, resume=True)
    assert bytes_of(result.directory) == expected


def test_a_run_from_before_code_was_recorded_goes_on(tmp_path, expected):
    folder, out = tmp_path / "own", tmp_path / "stopped"
    with pytest.raises(PulledPlug):
        evoray.evolve(configuration(folder), out, config_dir=folder, page=False, progress=StopsAfter(4))
    identity = json.loads((out / "journal" / "identity.json").read_text())
    assert set(identity.pop("code")) == {"user_model", "user_layers", "user_late"}
    (out / "journal" / "identity.json").write_text(json.dumps(identity))
    result = evoray.evolve(configuration(folder), out, config_dir=folder, page=False, resume=True)
    assert bytes_of(result.directory) == expected


def test_code_that_changes_while_workers_start_is_noticed(tmp_path, monkeypatch):
    """A worker that begins later would have imported something else."""
    folder = tmp_path / "own"
    config = configuration(folder)
    real = workers.packed_bulk

    def edited(*arguments):
        (folder / "user_layers.py").write_text(LAYERS.format(act="cos"))
        return real(*arguments)

    monkeypatch.setattr(workers, "packed_bulk", edited)
    with pytest.raises(UsageError, match="the code of user_layers is not what the run began with"):
        evoray.evolve(config, tmp_path / "out", config_dir=folder, page=False)


def test_a_module_of_the_program_with_the_configurations_name_stays_its_own(tmp_path, monkeypatch):
    """Loaded before the run or imported after it; also where the configuration's is edited between two runs."""
    program, folder = tmp_path / "program", tmp_path / "own"
    program.mkdir()
    for name in ("user_model", "user_late", "user_after"):
        (program / f"{name}.py").write_text(f"WHOSE = 'the program: {name}'\n")
    config = configuration(folder)
    (folder / "user_after.py").write_text("")
    (folder / "user_model.py").write_text("import user_after\n" + (folder / "user_model.py").read_text())
    monkeypatch.syspath_prepend(str(program))
    import user_late as late
    import user_model as own

    path, answers = sys.path[:], []
    for act in ("tanh", "relu"):
        (folder / "user_layers.py").write_text(LAYERS.format(act=act))
        (folder / "user_model.py").write_text((folder / "user_model.py").read_text() + "\n")
        result = evoray.evolve(config, tmp_path / act, config_dir=folder, page=False)
        answers.append(result.summary["parent"])
        assert (sys.modules["user_model"], sys.modules["user_late"]) == (own, late)
        assert vars(own)["WHOSE"] == "the program: user_model" and not hasattr(own, "net")
        assert sys.path == path and "user_layers" not in sys.modules
    import user_after

    assert user_after.WHOSE == "the program: user_after"
    assert answers[0] != answers[1]
