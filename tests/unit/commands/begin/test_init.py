from __future__ import annotations

import json

import pytest

from evoray.errors import ConfigError


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


SHOWN = """\
evoray.models.small:cnn: a SmallCNN of 24,058 weights
mnist5k: data that comes with EvoRay
task: image-classification, as the data says

run.toml: written. What comes next:
  1. evoray check run.toml
  2. evoray run run.toml --out runs/run
  3. evoray show runs/run
"""
GIVEN = ("--parent", "evoray.models.small:cnn", "--data", "mnist5k")


def test_what_was_found_and_what_comes_next_is_said(evoray, here):
    assert evoray("init", *GIVEN) == SHOWN
    assert (here / "run.toml").read_text().startswith("# A run of EvoRay")


def test_machines_get_one_document(evoray, here):
    found = json.loads(evoray("init", *GIVEN, "--out", "a.toml", "--json"))
    assert found["path"] == "a.toml" and found["ingest"] is None
    assert found["then"][0] == "evoray check a.toml" and len(found["found"]) == 3


def test_a_file_that_is_there_is_kept(evoray, here):
    (here / "run.toml").write_text("mine")
    with pytest.raises(ConfigError, match="--force"):
        evoray("init", *GIVEN)
    evoray("init", *GIVEN, "--force")
    assert (here / "run.toml").read_text() != "mine"


def test_parent_and_data_have_to_be_named(evoray, here):
    evoray("init", "--parent", "resnet18", code=2)
