from __future__ import annotations

import tomllib

import pytest

from evoray.begin.init.init import command, line, section, toml_value
from evoray.errors import ConfigError


@pytest.mark.parametrize("value", ["a", 'say "hi"\\', "ä → \x7f\t", 3, 0.5, 1e-9, True, ["a", "b"], [0.1, 2.0], ""])
def test_a_value_is_read_back(value):
    assert tomllib.loads(f"x = {toml_value(value)}")["x"] == value


def test_a_name_that_toml_cannot_hold_is_refused():
    with pytest.raises(ConfigError, match="not UTF-8"):
        toml_value("a\udcff")


def test_comments_stand_in_one_column_and_on_one_line():
    first, second = line("a", 1, "one\nmore"), line("b", "x" * 40, "two", off=True)
    assert first.index("#") == 32 and "\n" not in first
    assert second.startswith('# b = "xxx') and second.endswith("# two")
    assert tomllib.loads(f"{first}\n{second}\n") == {"a": 1}


def test_a_section_and_a_command():
    assert list(section("a", ["b = 1"])) == ["", "[a]", "b = 1"]
    assert command(["evoray", "data", "my photos"]) == "evoray data 'my photos'"
