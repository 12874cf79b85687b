from __future__ import annotations

import pytest
from finished_files import config, finished, population, summary

__all__ = ["config", "finished", "population", "summary"]

RUN = """
[parent]
source = "module"
name = "evoray.models.small:cnn"
weights = "random"
[data]
path = "mnist5k"
"""


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "configs" / "mine.toml"
    path.parent.mkdir()
    path.write_text(RUN)
    return path
