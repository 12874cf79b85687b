from __future__ import annotations

import pytest

from evoray.config import parse_config
from evoray.errors import ConfigError
from evoray.tasks.registry import TASKS, make_task


def test_the_default_of_the_configuration_is_a_task():
    config = parse_config({"parent": {"name": "m:f", "source": "module"}, "data": {"path": "x"}})
    assert config.task.name in TASKS
    assert make_task(config.task.name).schema.task == config.task.name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("regresion", 'is none of image-classification, .*, nor a "package.module:MyTask". Did you mean "regression"'),
        ("half_a_task:Half", "it has no batch, batch_bytes"),
        ("half_a_task:Nothing", "has no Nothing"),
        ("half_a_task:Uncounted", 'lack "n" or "invalid"'),
    ],
)
def test_what_is_no_task_is_named(tmp_path, name, message):
    (tmp_path / "half_a_task.py").write_text(
        "from evoray.tasks.image_classification import ImageClassification\n"
        "class Half:\n    columns = ('n', 'invalid')\n"
        "class Uncounted(ImageClassification):\n    columns = ('loss',)\n"
    )
    with pytest.raises(ConfigError, match=message):
        make_task(name, tmp_path)
