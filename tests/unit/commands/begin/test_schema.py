from __future__ import annotations

import json

import pytest

from evoray.errors import ConfigError


def test_a_schema_is_printed(evoray):
    found = json.loads(evoray("schema"))
    assert found["title"] == "EvoRay run" and "mutation" in found["properties"]


def test_a_schema_is_written_with_the_line_that_editors_read(evoray, tmp_path):
    path = tmp_path / "study.schema.json"
    assert f"#:schema {path}" in evoray("schema", "study", "-o", path)
    assert "parents" in json.loads(path.read_text())["properties"]


def test_what_cannot_be_written_is_refused(evoray, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        evoray("schema", "-o", tmp_path / "file" / "a.json")
    evoray("schema", "runs", code=2)
