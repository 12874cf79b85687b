from __future__ import annotations

import json

import pytest

from evoray.errors import ConfigError, UsageError


def test_a_schema_is_printed(evoray):
    found = json.loads(evoray("schema"))
    assert found["title"] == "EvoRay run" and "mutation" in found["properties"]


def test_a_schema_is_written_with_the_line_that_editors_read(evoray, tmp_path):
    path = tmp_path / "study.schema.json"
    assert f"#:schema {path}" in evoray("schema", "study", "-o", path)
    assert "parents" in json.loads(path.read_text())["properties"]


def test_studies_are_none_of_the_wheels(evoray, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="in a clone of EvoRay"):
        evoray("schema", "study")


def test_what_cannot_be_written_is_refused(evoray, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        evoray("schema", "-o", tmp_path / "file" / "a.json")
    evoray("schema", "runs", code=2)
