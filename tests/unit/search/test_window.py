from __future__ import annotations

from types import SimpleNamespace

import pytest

from evoray.errors import ConfigError
from evoray.search import window as module
from evoray.search.announce import Announced


def test_a_fitness_of_one_number_is_refused_before_anything_is_written(monkeypatch, tmp_path):
    inputs = SimpleNamespace(said=Announced(one_number=True), fitness=SimpleNamespace(name="fit:f"))
    monkeypatch.setattr(module, "check_inputs", lambda config, config_dir: inputs)
    config = SimpleNamespace(mutation=SimpleNamespace(with_disjoint=lambda parts: None))
    with pytest.raises(ConfigError, match=r"'fit:f'.*a window compares children with their parent on single images"):
        module.window(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_scores_of_images_are_taken():
    module._check_fitness(SimpleNamespace(said=Announced()))
