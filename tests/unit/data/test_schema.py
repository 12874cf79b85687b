from __future__ import annotations

from evoray.data.schema import Schema

SCHEMA = Schema(task="t", columns={"image": "fixed_size_binary", "label": "int64"}, target="label")


def test_types_are_compared_and_widths_are_not():
    assert SCHEMA.lacking({"image": "fixed_size_binary[768]", "label": "int64", "more": "string"}) == []
    assert SCHEMA.lacking({"image": "binary", "label": "int64"}) == ["image (fixed_size_binary)"]
    assert SCHEMA.lacking({"image": "fixed_size_binary[1]"}) == ["label (int64)"]
