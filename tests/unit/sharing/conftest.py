from __future__ import annotations

import pytest

from evoray.config import parse_config
from evoray.evolution import evolve


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A run of a small parent on packaged images: (directory, summary); its ensemble has one member."""
    values = {
        "parent": {"source": "module", "name": "evoray.models.small:cnn", "weights": "random"},
        "data": {"path": "mnist5k", "select": 0.01, "test": 0.01},
        "search": {"children": 3},
        "ensemble": {"size": 1},
        "compute": {"backend": "local", "workers": 1},
    }
    result = evolve(parse_config(values), tmp_path_factory.mktemp("made") / "run", page=False)
    return result.directory, result.summary
