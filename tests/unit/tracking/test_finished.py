"""What a tracker is given of a finished run."""

from __future__ import annotations

import ast
import json
from importlib.util import find_spec

import pytest

from evoray.tracking import finished as module
from evoray.tracking.base import Picture
from evoray.tracking.finished import results_of


def drawn(summary, population, window, one_drawn):
    """In place of the report's own, which take seconds and have a test of their own."""
    one_drawn()
    return [("How far from the parent?", b"\x89PNG")]


def test_verdict_figures_pictures_and_recipes(finished, summary, tmp_path, monkeypatch):
    monkeypatch.setattr("evoray.report.page.pictures", drawn)
    said = []
    found = results_of(finished.location, 3, "lineage", tmp_path / "copies", said.append)
    assert (found.verdict, found.error, found.step) == (summary["verdict"], None, 3)
    assert found.figures["test/soup/nll"] == summary["soup"]["nll"]
    assert found.figures["test/parent/top1"] == summary["parent"]["test"]["top1"]
    assert found.pictures == (Picture("how-far-from-the-parent", "How far from the parent?", b"\x89PNG"),)
    assert list(found.files) == ["summary.json", "config.json", "lineage/best.json", "lineage/soup.json"]
    with open(found.files["lineage/soup.json"]) as file:
        assert json.load(file) == {"entries": ["soup"]}
    assert len(said) == 2 + len(found.files), "whoever waits hears of each picture and file"


@pytest.fixture
def no_pictures(monkeypatch):
    monkeypatch.setattr(module, "_pictures", lambda *_: [])


def test_none_of_the_networks_where_none_is_asked_for(finished, tmp_path, no_pictures):
    assert results_of(finished.location, 3, "none", tmp_path).files == {}


def test_weights_where_they_are_asked_for(finished, tmp_path, no_pictures, monkeypatch):
    def export(directory, member, path, parent):
        path.write_text(f"weights of {member}")

    monkeypatch.setattr(module, "import_function", lambda name: {module.EXPORT: export}[name])
    found = results_of(finished.location, 3, "weights", tmp_path).files
    assert found.keys() >= {"weights/best.safetensors", "weights/soup.safetensors", "lineage/best.json"}


def test_the_exporter_is_where_it_is_said_to_be():
    name, _, function = module.EXPORT.partition(":")
    source = find_spec(name).loader.get_source(name)  # not imported: it brings torch
    assert function in {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


def test_what_cannot_be_read_or_drawn_is_left_out(finished, tmp_path, caplog):
    finished.remove("lineage/soup.json")
    finished.write("population.parquet", b"damaged")
    found = results_of(finished.location, 3, "lineage", tmp_path)
    assert found.pictures == ()
    assert list(found.files) == ["summary.json", "config.json", "lineage/best.json"]
    assert "left out: lineage/soup.json" in caplog.text and "left out: the report's pictures" in caplog.text
