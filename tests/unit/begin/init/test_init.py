from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import torch
from pictures import GREY, grey_records, make_tree
from torch import nn
from torchvision import models

from evoray.begin.check.problems import look_at
from evoray.begin.init import architectures, parents
from evoray.begin.init.init import begin
from evoray.config import load_config
from evoray.errors import ConfigError, EvorayError, UsageError
from evoray.ingest.ingest import ingest_dataset


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with a user's checkpoint and pictures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(architectures, "_timm", list)  # its import takes seconds
    torch.save(models.shufflenet_v2_x0_5(num_classes=3).state_dict(), "mine.pth")
    make_tree(tmp_path / "photos", per_class=2)
    return tmp_path


WRITTEN = """\
# A run of EvoRay, as `evoray init` wrote it. What a key means: `evoray explain KEY`.
#
# Once, to make the shards that the run reads:
#   evoray data ingest photos shards/photos --for run.toml --resize 256 --crop 224
#
# Then:
#   evoray check run.toml
#   evoray run run.toml --out runs/run
#   evoray show runs/run

[parent]
source = "torchvision"          # the library that builds the network
name = "shufflenet_v2_x0_5"     # found by the names and shapes of the file's tensors
weights = "mine.pth"
# mean = [0.485, 0.456, 0.406]    # torchvision's for shufflenet_v2_x0_5, and taken unless said otherwise:
# std = [0.229, 0.224, 0.225]     # those of the training, where it had others

[data]
path = "shards/photos"          # made by the ingest above
"""


def test_a_checkpoint_and_pictures_become_a_configuration(here):
    found = begin("mine.pth", "photos", Path("run.toml"))
    text = (here / "run.toml").read_text()
    assert text == found.text and text.startswith(WRITTEN)
    config = load_config(here / "run.toml")
    assert (config.parent.name, config.task.name) == ("shufflenet_v2_x0_5", "image-classification")
    assert found.ingest == "evoray data ingest photos shards/photos --for run.toml --resize 256 --crop 224"
    assert found.then[0] == "evoray check run.toml" and found.to_do == ()


def test_every_line_that_is_off_can_be_switched_on(here):
    text = begin("mine.pth", "photos", Path("run.toml")).text
    for number, line in enumerate(text.splitlines()):
        if line.startswith("# ") and " = " in line and not line.startswith(("# test_path", "# mean", "# std")):
            lines = text.splitlines()
            lines[number] = line.removeprefix("# ")
            tomllib.loads("\n".join(lines))


def test_nothing_is_written_over_unless_it_is_forced(here):
    (here / "run.toml").write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        begin("mine.pth", "photos", here / "run.toml")
    assert (here / "run.toml").read_text() == "mine"
    begin("mine.pth", "photos", here / "run.toml", force=True)
    assert "shufflenet" in (here / "run.toml").read_text()


@pytest.mark.parametrize(("parent", "data"), [("nowhere.pth", "photos"), ("mine.pth", "nowhere"), ("photos", "photos")])
def test_where_something_is_wrong_nothing_is_written(here, parent, data):
    with pytest.raises(EvorayError):
        begin(parent, data, here / "run.toml")
    assert not (here / "run.toml").exists()


def test_in_another_folder_paths_are_that_folder_s(here):
    begin("mine.pth", "photos", here / "runs" / "a.toml")
    config = load_config(here / "runs" / "a.toml")
    assert config.parent.weights == str(here / "mine.pth") and config.data.path == "shards/photos"


def test_a_network_of_the_user_s_own_code_is_to_be_filled_in(here):
    torch.save(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(4, 3)).state_dict(), "own.pt")
    found = begin("own.pt", "photos", here / "own.toml")
    assert len(found.to_do) == 1 and "FILL IN" in found.text
    assert "--for" not in found.ingest  # its parent cannot be built yet
    assert load_config(here / "own.toml").parent.source == "module"


def test_numbers_and_a_function_make_a_regression_that_checks(here):
    (here / "modelfound.py").write_text("from torch import nn\ndef net():\n    return nn.Linear(2, 1)\n")
    (here / "houses.csv").write_text("a,b,target\n" + "".join(f"{i},{i % 3},{i * 2}\n" for i in range(20)))
    found = begin("modelfound:net", "houses.csv", Path("run.toml"))
    assert "task: regression, for the data is a table of numbers" in found.said
    assert found.ingest.endswith("data ingest houses.csv shards/houses --for run.toml --target target")
    assert load_config(here / "run.toml").task.name == "regression" and "mean =" not in found.text


def test_data_that_is_there_already_checks_at_once(here):
    begin("evoray.models.small:cnn", "mnist5k", here / "run.toml")
    assert look_at(here / "run.toml", ["data.select=0.01", "data.test=0.01"])[1] == []


def test_shards_that_were_made_before_are_taken(here):
    ingest_dataset(grey_records(23), here / "shards" / "photos", GREY, shard_size=10)
    found = begin("mine.pth", "photos", Path("run.toml"))
    assert found.ingest is None and "shards of 23 images" in " ".join(found.said)
    assert load_config(here / "run.toml").data.path == "shards/photos"


ODD = ("", "\0", "x" * 5000, "/dev/null", "a:b:c", "nomod:f", "a b", "~nobody/x", "$NOPE/x", "\x1b[31m")
PARENTS = (*ODD, "photos", "a.txt", "https://a/b.pth", "broken", "broken.onnx", "resnet18.a1_in1k")
DATA = (
    *ODD[:-3],
    "photos/class0",
    "a.txt",
    "mine.pth",
    "s3://",
    "mock:nonsense",
    "none.csv",
    "broken",
    "broken.parquet",
    "text.csv",
)


@pytest.fixture
def odd(here, monkeypatch):
    monkeypatch.setattr(parents, "_timm", lambda name, weights: None)
    (here / "a.txt").write_text("hello")
    for name in ("broken.onnx", "broken.parquet", "none.csv"):
        (here / name).write_bytes(b"PAR1\x00broken")
    (here / "text.csv").write_text("a;b\n1;2\n")
    (here / "broken").mkdir()
    (here / "broken" / "config.json").write_text("[")
    (here / "broken" / "manifest.json").write_text("{")


@pytest.mark.parametrize("parent", PARENTS)
def test_an_odd_parent_is_one_message(odd, parent):
    with pytest.raises(UsageError):
        begin(parent, "photos", Path("run.toml"))
    assert not Path("run.toml").exists()


@pytest.mark.parametrize("data", DATA)
def test_odd_data_is_one_message(odd, data):
    with pytest.raises(UsageError):
        begin("mine.pth", data, Path("run.toml"))
    assert not Path("run.toml").exists()


@pytest.mark.parametrize("out", ["", "x" * 300, "photos", "photos/class0/0.png/run.toml", "/dev/null/run.toml", "\0"])
def test_an_odd_place_is_one_message(odd, out):
    with pytest.raises(UsageError):
        begin("mine.pth", "photos", Path(out))
