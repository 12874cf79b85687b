"""What the package says of itself, and what a wheel holds; building one is ``tests/integration/test_package.py``."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import evoray

ROOT = Path(evoray.__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_licence_is_the_whole_one_and_travels():
    (file,) = PROJECT["license-files"]
    text = (ROOT / file).read_text()
    assert PROJECT["license"] == "Apache-2.0" and file == "evoray/LICENSE"
    assert "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text and len(text) > 11_000


def test_the_pythons_it_names_are_those_it_takes():
    named = {one.rpartition(" ")[2] for one in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", one)}
    assert named == {"3.11", "3.12", "3.13"} and PROJECT["requires-python"] == ">=3.11,<3.14"
    assert len(PROJECT["keywords"]) > 5 and PROJECT["urls"]


@pytest.mark.parametrize("requirement", PROJECT["dependencies"])
def test_every_dependency_has_a_least_version(requirement):
    assert re.match(r"[\w\[\]-]+(>=|==)\d", requirement)


def test_the_readme_names_the_versions_that_are_asked_for():
    """Each that it names, as pyproject.toml has it; of Python those of the classifiers."""
    text = " ".join((ROOT / "README.md").read_text().split())
    asked = {}
    for requirement in PROJECT["dependencies"] + sum(PROJECT["optional-dependencies"].values(), []):  # noqa: RUF017
        name, version = re.match(r"([\w-]+)(?:\[\w+\])?[>=]=([\d.]+)", requirement).groups()
        assert asked.setdefault(name.lower(), version) == version, f"{name} is asked for twice, otherwise"
    ((said, ray),) = re.findall(r"Least versions: (.*?)\. Ray is ([\d.]+) and no other", text)
    named = {one.lower().replace("pytorch", "torch"): version for one, version in re.findall(r"(\w+) ([\d.]*\d)", said)}
    assert len(named) == 7 and named.items() <= asked.items() and asked["ray"] == ray
    assert "Python 3.11 to 3.13" in text


def test_the_readme_has_the_versions_changes():
    text = (ROOT / "README.md").read_text()
    (_, changes) = text.split("\n## Changes\n")
    assert f"**{PROJECT['version']}**" in changes
