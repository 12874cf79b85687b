from __future__ import annotations

from types import SimpleNamespace

import pytest

from evoray.errors import ConfigError
from evoray.search import window as module
from evoray.search.announce import Announced


@pytest.mark.parametrize(("what", "singular"), [("images", "an image"), ("records", "a record")])
def test_a_fitness_of_one_number_is_refused_before_anything_is_written(monkeypatch, tmp_path, what, singular):
    task = SimpleNamespace(scored=("bits_per_text",), measures={"bits_per_byte": None})
    inputs = SimpleNamespace(
        said=Announced(one_number=True), fitness=SimpleNamespace(name="fit:f"), task=task,
        splits=SimpleNamespace(counted=what),
    )  # fmt: skip
    monkeypatch.setattr(module, "check_inputs", lambda config, config_dir: inputs)
    config = SimpleNamespace(mutation=SimpleNamespace(with_disjoint=lambda parts: None))
    with pytest.raises(ConfigError, match=rf"'fit:f'.*on single {what}\. .*{singular}.*fitness.name=bits_per_text"):
        module.window(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_scores_of_images_are_taken():
    module._check_fitness(SimpleNamespace(said=Announced()))
