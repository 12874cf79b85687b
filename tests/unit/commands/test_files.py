"""A misspelt name is refused before torch is imported, and what was perhaps meant is said."""

from __future__ import annotations

import subprocess
import sys

import pytest

from evoray.commands.common import as_options
from evoray.commands.files import check_file, check_files, check_out, check_run
from evoray.errors import ConfigError, DataError, UsageError

BASE = """
[parent]
source = "module"
name = "model:net"
weights = "trained.pth"
[data]
path = "shards"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with data, and a folder in it with a configuration and what that names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    for name in ("run.toml", "model.py", "trained.pth", "net.onnx"):
        (tmp_path / "here" / name).write_text(BASE if name == "run.toml" else "")
    for name in ("shards", "other-shards", "out"):
        (tmp_path / name).mkdir()
    return tmp_path


RIGHT = [
    (),
    ("data.path=mock:images=8",),
    ("data.path=mnist5k",),
    ("data.path=s3://bucket/shards",),
    ("data.test_path=other-shards",),
    ("parent.weights=here/trained.pth",),
    ("parent.weights=random",),
    ("parent.name=torch.nn:Linear",),
    ("parent.name=evoray.models.small:cnn", "fitness.name=model:score", "search.strategy=model:Hill"),
    ("parent.source=torchvision", "parent.name=resnet18", "parent.weights=IMAGENET1K_V1"),
    ("parent.source=onnx", "parent.name=net.onnx"),
    ("mutation.towards=['trained.pth']",),
    ("compute.backend=ray",),
    ("guard={path='other-shards', keep='top1 >= 0.1'}",),
    ("data=3",),
    ("parent.weights=3",),
]
"""What is there, and what is not for this to judge."""


@pytest.mark.parametrize("overrides", RIGHT, ids=" ".join)
def test_what_is_there_is_let_through(folder, overrides):
    check_files("here/run.toml", overrides)


WRONG = [
    ("data.path=shard", DataError, 'data.path = "shard": no such directory. Did you mean "shards"? Make shards with'),
    ("data.path=mnst5k", DataError, 'Did you mean "mnist5k"?'),
    ("data.test_path=elsewhere/x", DataError, "no such directory. Make shards with evoray data ingest"),
    (
        "parent.weights=traned.pth",
        ConfigError,
        'parent.weights = "traned.pth": no such file. Did you mean "trained.pth"?',
    ),
    ("parent.weights=here/x.safetensors", ConfigError, "no such file. Name a .safetensors or .pth checkpoint."),
    (
        "parent.name=modle:net",
        ConfigError,
        'parent.name = "modle:net": no module modle. Did you mean "model"? Put it into',
    ),
    ("fitness.name=mesure:f", ConfigError, 'fitness.name = "mesure:f": no module mesure. Put it into'),
    ("task.name=tsk:Mine", ConfigError, "no module tsk"),
    ("mutation.towards=['trained.pth', 'b.pth']", ConfigError, 'mutation.towards = "b.pth": no such file'),
    (
        "guard={path='other-shard', keep='top1 >= 0.1'}",
        DataError,
        'guard 1, path = "other-shard": no such directory. Did',
    ),
    ("guard=[{data={path='a'}, keep='x'}]", DataError, "guard 1, data.path"),
]


@pytest.mark.parametrize(("override", "error", "says"), WRONG)
def test_what_is_missing_is_named_with_what_was_meant(folder, override, error, says):
    with pytest.raises(error) as refused:
        check_files("here/run.toml", [override])
    assert says in str(refused.value)


def test_an_onnx_file_and_a_configuration_are_files_too(folder):
    with pytest.raises(ConfigError, match=r'parent\.name = "nt\.onnx": no such file\. Did you mean "net\.onnx"'):
        check_files("here/run.toml", ["parent.source=onnx", "parent.name=nt.onnx"])
    with pytest.raises(
        ConfigError, match=r'here/rum\.toml: no such file\. Did you mean "here/run\.toml"\? Name a config'
    ):
        check_files("here/rum.toml")
    with pytest.raises(ConfigError, match=r"^nowhere/x\.toml: no such file\. Name it\.$"):
        check_file("nowhere/x.toml", "it")


def test_a_run_directory_that_cannot_be_one(folder):
    check_out("out")
    check_out("new/one")
    (folder / "out" / "notes.txt").touch()
    with pytest.raises(
        UsageError, match=r"out: holds other files \(notes\.txt, …\)\. Name a new directory with out=\."
    ):
        check_out("out")
    with pytest.raises(UsageError, match=r"no run to resume there \(no config\.json\)\. Leave resume=True out\."):
        check_out("new/one", resume=True)
    with pytest.raises(UsageError, match="no folder that can be written to"):
        check_out("here/run.toml/x")
    with pytest.raises(UsageError, match=r"no config\.json in it\. Name a run directory"):
        check_run("out")


@pytest.mark.parametrize(
    ("library", "command_line"),
    [
        ("go on with resume=True.", "go on with --resume."),
        ("Name another place with out=.", "Name another place with --out."),
        ("another out=, or resume=True", "another --out, or --resume"),
        ("parent.out=3 and out=3 stay", "parent.out=3 and out=3 stay"),
    ],
)
def test_the_librarys_arguments_are_the_command_lines_options(library, command_line):
    assert as_options(library) == command_line


COMMANDS = [
    ("run", "absent.toml"),
    ("run", "here/run.toml", "--set", "data.path=shard"),
    ("run", "here/run.toml", "--out", "here"),
    ("window", "absent.toml"),
    ("submit", "absent.toml"),
    ("show", "absent"),
    ("report", "absent"),
    ("export", "absent", "soup", "-o", "x.safetensors"),
    ("rebuild", "absent", "absent", "-o", "x.safetensors"),
    ("data", "show", "absent"),
]


def test_none_of_it_waits_for_torch(folder):
    """All in one process: whichever imports it is seen."""
    code = (
        "import sys; from typer.testing import CliRunner; from evoray.cli import app\n"
        f"codes = [CliRunner().invoke(app, one).exception.exit_code for one in {COMMANDS}]\n"
        "print(codes, sorted({'torch', 'ray', 'matplotlib', 'scipy'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert ended.stdout == f"{[2] * len(COMMANDS)} []\n", ended.stderr


@pytest.mark.parametrize(
    "words", [("schema", "study"), ("bench", "throughput"), ("bench", "scaling", "--workers", "1", "--units", "1")]
)
def test_what_the_wheel_leaves_out_is_said(evoray, monkeypatch, words):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="for a clone of EvoRay"):
        evoray(*words)
