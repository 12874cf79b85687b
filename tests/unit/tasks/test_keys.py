from __future__ import annotations

import copy
import json
import pickle
from typing import Annotated, Literal

import pytest
from pydantic import Field

from evoray.config import TaskConfig, load_config, parse_config
from evoray.errors import ConfigError
from evoray.tasks.keys import made, section_of
from evoray.tasks.registry import KEYS, TASKS, make_task

MINIMAL = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "mnist5k"}}
OWN = """
from typing import Annotated, Literal

from pydantic import Field

from evoray.tasks.image_classification import ImageClassification


class Marked(ImageClassification):
    def __init__(
        self,
        marks: Annotated[int, Field(ge=1, le=6)] = 6,
        *,
        words: tuple[str, ...] = (),
        scale: Literal["even", "odd"] = "even",
        anything=None,
        config_dir=None,
    ):
        if marks == 5 and scale == "even":
            raise ValueError("five is odd")
        self.marks, self.words, self.scale, self.folder = marks, words, scale, config_dir


class Graded(Marked):
    def __init__(self, grade: float):
        self.grade = grade


class Lost(Marked):
    def __init__(self, grade: "Grade" = 1):
        self.grade = grade


class Bare(ImageClassification):
    pass


made_already = Marked(3)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "own_keys_task.py").write_text(OWN)
    return tmp_path


def parsed(folder, **task):
    return parse_config({**MINIMAL, "task": task}, config_dir=folder)


class OfTypes:
    def __init__(self, one: Annotated[int, Field(ge=2)] = 3, other: Literal["a"] | None = None, *more, **rest):
        pass


def test_a_tasks_section_is_what_its_class_is_made_with():
    section = section_of(OfTypes, "m:OfTypes")
    assert list(section.model_fields) == ["name", "one", "other"] and issubclass(section, TaskConfig)
    assert section_of(OfTypes, "m:OfTypes") is section and section().settings == {}
    assert section(one=3).settings == {"one": 3}, "what was given stands there, as its default too"
    assert section_of(object(), "m:f") is TaskConfig


@pytest.mark.parametrize("name", TASKS)
def test_what_nobody_gave_is_not_recorded(name):
    config = parse_config({**MINIMAL, "task": {"name": name}})
    assert config.model_dump()["task"] == config.model_dump(mode="json")["task"] == {"name": name}
    assert KEYS.find(name).Section is type(config.task)


def test_a_users_keys_are_checked_recorded_and_passed_on(folder):
    given = {"name": "own_keys_task:Marked", "marks": 2, "words": ["a", "b"], "anything": {"deep": [1]}}
    config = parsed(folder, **given)
    recorded = json.loads(config.model_dump_json())
    assert recorded["task"] == given
    assert parse_config(recorded, config_dir=folder).task == config.task
    task = make_task(config.task.name, folder, config.task.settings)
    assert (task.marks, task.words, task.scale, task.folder) == (2, ("a", "b"), "even", folder)


def test_a_configuration_with_keys_can_be_copied_and_its_file_read(folder):
    config = parsed(folder, name="own_keys_task:Marked", marks=2)
    assert copy.deepcopy(config) == config and pickle.loads(pickle.dumps(config.task.settings)) == {"marks": 2}
    path = folder / "run.toml"
    path.write_text(
        '[parent]\nname="resnet18"\nweights="random"\n[data]\npath="mnist5k"\n[task]\nname="own_keys_task:Marked"\n'
    )
    assert load_config(path, ["task.marks=4"]).task.settings == {"marks": 4}


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"name": "own_keys_task:Marked", "mark": 2}, "unknown key task.mark = 2: did you mean task.marks?"),
        ({"name": "own_keys_task:Marked", "marks": 7}, "task.marks = 7: give a whole number from 1 to 6"),
        ({"name": "own_keys_task:Marked", "marks": "two"}, 'task.marks = "two": give a whole number from 1 to 6'),
        ({"name": "own_keys_task:Marked", "scale": "evn"}, 'give "even" or "odd": did you mean "even"?'),
        ({"name": "own_keys_task:Marked", "words": "a"}, 'give a list of texts, such as ["a"]'),
        ({"name": "own_keys_task:Marked", "config_dir": "x"}, "unknown key task.config_dir"),
        ({"name": "own_keys_task:Graded", "marks": 2}, "unknown key task.marks = 2"),
        ({"name": "own_keys_task:Bare", "marks": 2}, "unknown key task.marks = 2"),
        ({"name": "own_keys_task:made_already", "marks": 2}, "unknown key task.marks = 2"),
        ({"name": "own_keys_task:Lost", "grade": 2}, "the types of its keys cannot be read"),
        ({"name": "image-classification", "normalise": "bytes"}, 'normalise goes with task.name = "multiple-choice"'),
        ({"name": "multiple-choise"}, 'did you mean "multiple-choice"?'),
        ({"name": "no_such_module:Task", "marks": 2}, "no module no_such_module"),
    ],
)
def test_a_key_that_a_task_has_not_is_refused_with_those_it_has(folder, task, message):
    with pytest.raises(ConfigError) as caught:
        parsed(folder, **task)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("own_keys_task:Graded", {}, "grade is missing: give a number"),
        ("own_keys_task:Marked", {"marks": 0}, "marks = 0: give a whole number from 1 to 6"),
        ("own_keys_task:Marked", {"marks": 5}, r"raised ValueError: five is odd \(own_keys_task.py, line 20"),
        ("own_keys_task:made_already", {"marks": 5}, "it is no class, and only a class has keys"),
        ("multiple-choice", {"normalise": "x"}, 'normalise = "x": give "tokens", "bytes" or "none"'),
    ],
)
def test_what_cannot_be_made_of_its_keys_is_said(folder, name, settings, message):
    with pytest.raises(ConfigError, match=message):
        make_task(name, folder, settings)


def test_a_users_task_without_keys_is_looked_for_when_it_is_made(tmp_path):
    assert parsed(tmp_path, name="lies_elsewhere:Task").task == TaskConfig(name="lies_elsewhere:Task")
    with pytest.raises(ConfigError, match="no module lies_elsewhere"):
        make_task("lies_elsewhere:Task", tmp_path)


def test_an_own_error_of_a_task_is_not_told_twice():
    class Refuses:
        def __init__(self, way: str = ""):
            raise ConfigError("way: there is none")

    with pytest.raises(ConfigError, match=r"^way: there is none$"):
        made(Refuses, "m:Refuses", {}, None)
