"""What a parent and some data are for together, and how the data is ingested for it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from evoray.begin.init.data import CHOICES, TARGETS, FoundData, usual
from evoray.begin.init.parents import FoundParent
from evoray.begin.said import listed
from evoray.errors import ConfigError
from evoray.ingest.options import CROP, RESIZE
from evoray.ingest.records.prompts import PROMPTS
from evoray.ingest.records.text_tables import LABELS, TEXTS
from evoray.runtime.reading import shown
from evoray.tasks.registry import TASKS

FILL_IN = "COLUMN"


@dataclass(frozen=True)
class Chosen:
    """task: its name. how: why it is this one. keys: of ``[task]`` besides, each with a comment. options: of
    ``data ingest``. to_do: what the user has to do before a run."""

    task: str
    how: str
    keys: tuple[tuple[str, object, str], ...] = ()
    options: tuple[str, ...] = ()
    to_do: tuple[str, ...] = ()


def choose(parent: FoundParent, data: FoundData, asked: str | None) -> Chosen:
    """The task of both. asked: what the user says it is.

    Raises:
        ConfigError: the task that is asked for is none, or nothing says which is meant.
    """
    if asked is not None and asked not in TASKS and ":" not in asked:
        raise ConfigError(f"--task {shown(asked)}: none of {', '.join(TASKS)}, nor a package.module:MyTask.")
    task, how = (asked, "as --task says") if asked is not None else _decided(parent, data)
    made = _MADE.get(task)
    if not data.source or made is None:
        return Chosen(task, how, _keys(task), to_do=_to_do(task))
    options, to_do = made(data)
    return Chosen(task, how, _keys(task), options, (*to_do, *_to_do(task)))


def _decided(parent: FoundParent, data: FoundData) -> tuple[str, str]:
    if data.task:
        raw = "for images with masks" if data.task == "segmentation" else "for images with classes"
        return data.task, raw if data.source else "as the data says"
    if parent.kind == "masks":
        return "segmentation", "for the parent segments images"
    if data.columns:
        return _of_table(parent, data)
    if parent.kind == "images":
        return "image-classification", "for the parent classifies images"
    if parent.kind in TASKS:
        return parent.kind, "for the parent's network is of that kind"
    raise ConfigError(f"which task is meant? Say it with --task: {', '.join(TASKS)}, or package.module:MyTask.")


def _of_table(parent: FoundParent, data: FoundData) -> tuple[str, str]:
    if parent.kind == "text-classification":
        return "text-classification", "for the parent classifies texts"
    if parent.kind == "generation":
        if usual(data.columns, CHOICES) is not None:
            return "multiple-choice", "for the table has a column of choices"
        if len(data.columns) == 1 and usual(data.columns, TEXTS) is not None:
            return "language-modelling", "for the table has texts and nothing else"
        return "generation", "for the parent writes texts, and the table has more than texts"
    if parent.kind in ("images", "masks"):
        raise ConfigError(
            "the parent is of images, and the data is a table that names none. Name the folder of the images, or a "
            "table with a column of their files."
        )
    return "regression", "for the data is a table of numbers"


def _of_numbers(data: FoundData) -> tuple[tuple[str, ...], tuple[str, ...]]:
    target = usual(data.numeric, TARGETS)
    if target is not None:
        return ("--target", target), ()
    return ("--target", FILL_IN), (f"say which column is the target, in place of {FILL_IN}: {_columns(data)}",)


def _of_texts(data: FoundData, **wanted: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """wanted: of each option, what its column is usually called."""
    options, to_do = [], []
    for name, names in wanted.items():
        option = f"--{name}"
        found = usual(data.columns, names)
        options += [option, found or FILL_IN]
        if found is None:
            to_do.append(f"say which column {option} is, in place of {FILL_IN}: {_columns(data)}")
    return tuple(options), tuple(to_do)


def _columns(data: FoundData) -> str:
    return listed([shown(name, 40) for name in data.columns], 12)


_MADE: dict[str, Callable[[FoundData], tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "regression": _of_numbers,
    "multi-label": _of_numbers,
    "text-classification": partial(_of_texts, input=TEXTS, target=LABELS),
    "generation": partial(_of_texts, input=PROMPTS),
    "language-modelling": partial(_of_texts, input=TEXTS),
}


def _keys(task: str) -> tuple[tuple[str, object, str], ...]:
    if task == "generation":
        return (
            ("reward", "rewards:score", "FILL IN: package.module:function of (prompt, answer, record), a number"),
            ("max_new_tokens", 64, "of an answer, at most"),
        )
    return ()


def _to_do(task: str) -> tuple[str, ...]:
    if task == "generation":
        return ("write the reward: def score(prompt, answer, record) in rewards.py beside the configuration",)
    return ()


def cut_of(parent: FoundParent, data: FoundData) -> Iterator[str]:
    """How images are cut, where the parent's weights do not say it, and what has to be said of that."""
    images = parent.images
    if images is None or not parent.own_file or data.columns:
        return
    if images.resize is not None or images.crop is not None:
        resize = "none" if images.resize is None else str(images.resize)
        yield from ("--resize", resize, *(() if images.crop is None else ("--crop", str(images.crop))))
        if images.interpolation != "bilinear":
            yield from ("--interpolation", images.interpolation)
    elif data.size is not None and data.size[0] == data.size[1]:
        yield from ("--resize", "none")
    else:
        yield from ("--resize", RESIZE, "--crop", str(CROP))
    if images.channels != 3:
        yield from ("--channels", str(images.channels))
