"""Names to tasks; a new one is a file and a line here."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evoray.config.allowed import did_you_mean
from evoray.errors import ConfigError
from evoray.runtime.importing import import_function
from evoray.tasks.base import Task
from evoray.tasks.generation.task import Generation
from evoray.tasks.image_classification import ImageClassification
from evoray.tasks.keys import Keyed, TaskTable, made
from evoray.tasks.multi_label import MultiLabel
from evoray.tasks.pixels.segmentation import Segmentation
from evoray.tasks.regression import Regression
from evoray.tasks.text.classification import TextClassification
from evoray.tasks.text.language_modelling import LanguageModelling
from evoray.tasks.text.multiple_choice import MultipleChoice

TASKS: Mapping[str, type[Task]] = {
    ImageClassification.schema.task: ImageClassification,
    MultiLabel.schema.task: MultiLabel,
    Regression.schema.task: Regression,
    Segmentation.schema.task: Segmentation,
    TextClassification.schema.task: TextClassification,
    LanguageModelling.schema.task: LanguageModelling,
    MultipleChoice.schema.task: MultipleChoice,
    Generation.schema.task: Generation,
}

KEYS = TaskTable("task.name", Keyed, {name: f"{one.__module__}:{one.__qualname__}" for name, one in TASKS.items()})
"""Where the configuration finds the keys of each."""

_MEMBERS = (
    *("schema", "columns", "measures", "scored", "scores", "classification", "combine"),
    *("batch", "batch_bytes", "targets", "outputs", "sums", "figures"),
    *("kept", "predictions", "records", "evaluated", "compared"),
)


def make_task(name: str, config_dir: Path | None = None, settings: Mapping[str, Any] | None = None) -> Task:
    """The task of that name, or what a user's ``package.module:MyTask`` is or makes.

    Args:
        settings: the task's own keys of the configuration (``TaskConfig.settings``).

    Raises:
        ConfigError: no such task, or something that is none; says what it lacks.
    """
    if name in TASKS:
        own: Task = made(TASKS[name], name, settings or {}, config_dir)
        return own
    if ":" not in name:
        said = f'task.name = "{name}": is none of {", ".join(TASKS)}, nor a "package.module:MyTask".'
        raise ConfigError(f"{said}{did_you_mean(name, TASKS)}")
    found = import_function(name, config_dir)
    if settings and not inspect.isclass(found):
        raise ConfigError(
            f'task.name = "{name}": it is no class, and only a class has keys. Leave {", ".join(settings)} out.'
        )
    task: Any = made(found, name, settings or {}, config_dir) if inspect.isclass(found) else found
    # a user's file, which no type checker may have seen: said here and not by the first worker
    missing = sorted(set(_MEMBERS) - set(dir(task)))
    if missing:
        raise ConfigError(f'task.name = "{name}": it has no {", ".join(missing)}; see evoray.tasks.base.Task.')
    if not {"n", "invalid"} <= set(task.columns):
        raise ConfigError(f'task.name = "{name}": its columns {task.columns} lack "n" or "invalid".')
    checked: Task = task
    return checked


def done_with(task: Task) -> None:
    """Ends what the task keeps running, such as the process that it asks for rewards."""
    getattr(task, "close", lambda: None)()


def of_run(task: Task, classes: Sequence[str], of_parent: Any = None) -> Task:
    """The task for data of these classes and with what is known of the parent: itself, where it hangs on neither."""
    told: Callable[[int, Any], Task] | None = getattr(task, "of_run", None)
    return task if told is None else told(len(classes), of_parent)
