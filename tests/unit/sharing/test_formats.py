from __future__ import annotations

from pathlib import Path

import pytest

from evoray.errors import UsageError
from evoray.sharing.formats import FORMATS, chosen


@pytest.mark.parametrize(
    ("said", "name", "source", "found"),
    [
        (None, "s.safetensors", "module", "safetensors"),
        (None, "S.SAFETENSORS", "onnx", "safetensors"),
        (None, "s.pth", "timm", "torch"),
        (None, "s.pt", "torchvision", "torch"),
        (None, "s.onnx", "module", "onnx"),
        (None, "s.onnx", "onnx", "onnx"),
        (None, "s.pt2", "timm", "pt2"),
        (None, "soup", "timm", "hub-folder"),
        (None, "my.soup-v1.2", "transformers", "hub-folder"),
        ("hub-folder", "my.soup-v1.2", "torchvision", "hub-folder"),
        ("torch", "s.bin", "transformers", "torch"),
    ],
)
def test_a_format_is_said_or_read_off_the_name(said, name, source, found):
    assert chosen(said, Path(name), source) == found


@pytest.mark.parametrize(
    ("said", "name", "source", "message"),
    [
        (None, "s.safetensor", "module", r"s\.safetensor: name a \.safetensors file.*\.pt2 \(pt2\).*--format"),
        ("onxx", "s.onnx", "module", r'--format onxx: no such format\. Did you mean "onnx"\?'),
        ("torch", "s.onnx", "module", r"--format torch writes a file that ends in \.pt or \.pth or \.bin"),
        ("torch", "s", "module", "--format torch writes a file"),
        ("hub-folder", "s.pt2", "timm", "--format hub-folder writes a folder"),
        (
            None,
            "s.pt",
            "onnx",
            r'torch: not of a parent with source = "onnx"\. These fit: safetensors, onnx, hub-folder',
        ),
        ("pt2", "s.pt2", "onnx", "These fit: safetensors, onnx, hub-folder"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(said, name, source, message):
    with pytest.raises(UsageError, match=message):
        chosen(said, Path(name), source)


def test_every_suffix_is_one_formats():
    suffixes = [suffix for one in FORMATS.values() for suffix in one.suffixes]
    assert len(set(suffixes)) == len(suffixes)
