from __future__ import annotations

import pytest
from torch import nn

from evoray.config import parse_config
from evoray.search.user_code import user_modules

MINIMAL = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "mnist5k"}}
TASK = (
    "from evoray.tasks.image_classification import ImageClassification\n"
    "class Own(ImageClassification):\n    def __init__(self, judge='', words=()):\n        pass\n"
)


@pytest.mark.parametrize(
    ("task", "found"),
    [
        ({"name": "image-classification"}, []),
        ({"name": "user_code_task:Own"}, ["user_code_task"]),
        ({"name": "user_code_task:Own", "judge": "judges.strict:all_of"}, ["judges.strict", "user_code_task"]),
        ({"name": "user_code_task:Own", "judge": "at 10:30, or later"}, ["user_code_task"]),
        ({"name": "user_code_task:Own", "words": ["a:b"]}, ["user_code_task"]),
    ],
)
def test_functions_that_a_task_is_told_of_are_the_users_code(tmp_path, task, found):
    (tmp_path / "user_code_task.py").write_text(TASK)
    config = parse_config({**MINIMAL, "task": task}, config_dir=tmp_path)
    assert user_modules(config, nn.Linear(1, 1)) == found
