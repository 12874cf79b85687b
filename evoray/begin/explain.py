"""``evoray explain KEY``: what a key or a section means, what it takes, and where it stands; from the models alone."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from evoray.begin.documented import docs_of, summary_of
from evoray.begin.schema import kinds_in, section_summary, variants_of
from evoray.config import RunConfig
from evoray.config.allowed import Keys, alternatives, as_toml, nearest
from evoray.config.schema import TABLES
from evoray.errors import ConfigError
from evoray.runtime.reading import shown
from evoray.search.resume import FREE
from evoray.tasks import keys
from evoray.tasks.registry import TASKS

EXAMPLES = {
    "parent.name": '"resnet50"',
    "parent.weights": '"IMAGENET1K_V2"',
    "parent.weights_key": '"model_ema"',
    "parent.classes": "10",
    "parent.mean": "[0.485, 0.456, 0.406]",
    "parent.std": "[0.229, 0.224, 0.225]",
    "parent.output": '"logits"',
    "data.path": '"shards/val"',
    "data.test_path": '"shards/test"',
    "data.cache_dir": '"~/shards"',
    "data.cache_gb": "100",
    "mutation.include": '["*.weight"]',
    "mutation.exclude": '["fc.*"]',
    "mutation.prices": "[1, 0.6, 0.2]",
    "mutation.towards": '["a.safetensors", "b.safetensors"]',
    "search.budget_images": "1_000_000",
    "fitness.costs": "[[0, 1], [5, 0]]",
    "fitness.reference": '"shards/clean"',
    "fitness.constraints": '["top1 >= parent - 0.005"]',
    "compute.accelerator": '"A100"',
    "task.reward": '"rewards:exact"',
    "task.answer": '"rewards:last"',
    "task.stop": '["\\n\\n"]',
    "task.ignore_index": "255",
    "guard.name": '"others"',
    "guard.path": '"shards/others"',
    "guard.keep": '"top1 >= parent - 0.01"',
    "guard.task": '{name = "regression"}',
}
"""Of keys whose default says nothing; those of all others are their default, or another word that they take."""


@dataclass(frozen=True)
class Key:
    """One key. takes: in words. default: as TOML writes it; None where there is none. goes_with: what chooses the
    section that has it, where that is not every one."""

    name: str
    meaning: str
    takes: str
    default: str | None
    required: bool
    example: str
    declared: str
    goes_with: tuple[str, ...] = ()
    may_change: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "goes_with": list(self.goes_with)}


@dataclass(frozen=True)
class SectionOf:
    """A table of the file, with its keys."""

    name: str
    meaning: str
    keys: tuple[Key, ...]
    variants: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "meaning": self.meaning,
            "variants": dict(self.variants),
            "keys": [key.to_dict() for key in self.keys],
        }


def explained(asked: str) -> list[Key | SectionOf]:
    """What a name stands for: one section, or every key of that name; ``mutation.sigma``, ``sigma``, ``[mutation]``.

    Raises:
        ConfigError: nothing is called so; says what is near.
    """
    name = asked.strip().strip("[]").strip()
    sections = all_sections()
    if name in sections:
        return [sections[name]]
    every = [key for one in sections.values() for key in one.keys]
    found: list[Key | SectionOf] = [key for key in every if name in (key.name, key.name.rpartition(".")[2])]
    if found:
        return found
    near = _near(name, [*sections, *(key.name for key in every)])
    hint = f"did you mean {near}?" if near else f"sections are {', '.join(one for one in sections if one)}"
    raise ConfigError(f"{shown(asked, 120)}: no key and no section of a run; {hint}")


@lru_cache(maxsize=1)
def all_sections() -> dict[str, SectionOf]:
    """Every section of a run in the order of its model; "" is the top of the file."""
    found = {}
    top = []
    for name, info in RunConfig.model_fields.items():
        if name in TABLES:
            found[name] = _of_variants(name)
        elif kinds := list(kinds_in(info.annotation)):
            found[name] = SectionOf(name, section_summary(name), tuple(_keys_of(kinds[0], name)))
        else:
            top.append(name)
    first = tuple(key for key in _keys_of(RunConfig, "") if key.name in top)
    return {"": SectionOf("", "Keys at the top of the file, before any section.", first), **found}


def _of_variants(section: str) -> SectionOf:
    """A key that every variant has in the same words counts once."""
    chooser, rows, variants = TABLES[section][0], dict[str, list[tuple[str, Key]]](), {}
    for name, model, docs in variants_of(section):
        variants[name] = _about(section, name, model)
        for key in _keys_of(model, section, docs):
            rows.setdefault(key.name, []).append((name, key))
    found = []
    for name, several in rows.items():
        if name == f"{section}.{chooser}":
            found.append(_chooser(section, several[0][1], list(variants)))
            continue
        alike: dict[tuple[str, str, str | None], list[tuple[str, Key]]] = {}
        for variant, key in several:
            alike.setdefault((key.meaning, key.takes, key.default), []).append((variant, key))
        for group in alike.values():
            of = () if len(group) == len(variants) else tuple(f'{chooser} = "{one}"' for one, _ in group)
            found.append(Key(**{**vars(group[0][1]), "goes_with": of}))
    return SectionOf(section, section_summary(section), tuple(found), variants)


def _about(section: str, name: str, model: type[BaseModel]) -> str:
    return f"Its figures are {', '.join(TASKS[name].measures)}." if section == "task" else summary_of(model)


def _chooser(section: str, key: Key, names: list[str]) -> Key:
    takes = alternatives([*(f'"{name}"' for name in names), 'a class of yours, "package.module:Class"'])
    meaning = f"Which of these [{section}] is; some keys go with one of them alone."
    changed = {"meaning": meaning, "takes": takes, "default": f'"{names[0]}"', "example": f'"{names[-1]}"'}
    return Key(**{**vars(key), **changed})


def _keys_of(model: type[BaseModel], section: str, docs: Mapping[str, str] | None = None) -> Iterator[Key]:
    known, below = docs_of(model) if docs is None else docs, Keys(model)
    nodes = below.names(below.root)
    for name, info in model.model_fields.items():
        dotted = f"{section}.{name}" if section else name
        value = info.get_default(call_default_factory=True, validated_data={}) if not info.is_required() else None
        default = None if value is None or value is PydanticUndefined or value == "" else as_toml(value)
        takes = below.words(nodes.get(name, {}))
        yield Key(
            dotted,
            text[:1].upper() + text[1:] if (text := known.get(name, ""))[:1].isascii() else text,
            takes,
            default,
            info.is_required(),
            EXAMPLES.get(dotted) or _another(takes, default),
            _declared(model, name),
            may_change=dotted in FREE,
        )


def _another(takes: str, default: str | None) -> str:
    """A word that a key takes and that is not its default, else the default."""
    quoted = [word for word in re.findall(r'"[^"]*"', takes) if word != default]
    if takes == "true or false":
        return "false" if default == "true" else "true"
    return quoted[0] if quoted else default or "…"


def _declared(model: type[BaseModel], name: str) -> str:
    """The class in whose source the key stands: a section's, or a task's, whose keys its section is made of."""
    cls: type = next((one for one in model.__mro__ if name in vars(one).get("__annotations__", {})), model)
    if cls.__module__ == keys.__name__ and "name" in model.model_fields:
        cls = TASKS.get(model.model_fields["name"].default, cls)
    return f"{cls.__module__}.{cls.__qualname__}"


def _near(name: str, known: list[str]) -> str | None:
    """The nearest dotted name, or the one whose last part is nearest."""
    last = {one.rpartition(".")[2]: one for one in reversed(known)}
    if "." not in name and (near := nearest(name, last)) is not None:
        return last[near]
    return nearest(name, known, cutoff=0.7) or last.get(nearest(name.rpartition(".")[2], last) or "")
