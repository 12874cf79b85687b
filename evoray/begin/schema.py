"""A JSON Schema of run configurations, for editors of TOML: keys, what they mean, what they take, and their defaults.

It is made of the pydantic models that read the file. What they check beyond single keys (which keys go together) is
left to them: ``evoray check`` says it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from evoray.begin.documented import arguments_of, docs_of, plain, summary_of
from evoray.config import RunConfig
from evoray.config.schema import TABLES
from evoray.config.variants import table_at
from evoray.runtime.importing import import_function
from evoray.tasks.registry import TASKS

DRAFT = "http://json-schema.org/draft-07/schema#"
"""What editors of TOML understand."""
OWN = r"^[\w.]+:[\w.]+$"
"""``package.module:Class``: keys of a class of the user's are its own."""
ABOUT = {"task": "What children are asked to do: what a record is, what the network answers, and which figures count."}
"""Of sections whose model says something else to programmers."""
Schema = dict[str, Any]


def run_schema() -> Schema:
    """Of a run's file."""
    found = schema_of(RunConfig)
    for name, (key, _) in TABLES.items():
        found["properties"][name] = _by_variant(name, key, found["$defs"])
    guard = found["$defs"]["GuardConfig"]
    guard["properties"]["task"] = dict(found["properties"]["task"])
    _short(guard, found["properties"])
    found["title"], found["description"] = "EvoRay run", "One run: what is evolved, on which data, by which measure."
    return found


def schema_of(model: type[BaseModel]) -> Schema:
    """Of one model, as files write it: no nulls, and a description beside each key."""
    found = model.model_json_schema()
    defs = {name: _told(_without_null(one), _model_of(model, name)) for name, one in found.pop("$defs", {}).items()}
    return {"$schema": DRAFT, **_told(_without_null(found), model), "$defs": defs}


def model_at(where: str) -> type[BaseModel]:
    """The model of a room that this one does not know, by ``package.module:Class``."""
    found: type[BaseModel] = import_function(where)
    return found


def variants_of(section: str) -> Iterator[tuple[str, type[BaseModel], Mapping[str, str]]]:
    """(name, model of the section, what its keys mean) of each variant that a section may be."""
    table = table_at(TABLES[section][1])
    for name in table.names:
        model = table.find(name).Section
        own = arguments_of(TASKS[name]) if section == "task" else {}
        yield name, model, {**docs_of(model), **own}


def _by_variant(section: str, key: str, defs: Schema) -> Schema:
    """One of several tables, told apart by a key; the first is meant where it is left out."""
    choices: list[Schema] = []
    for number, (name, model, docs) in enumerate(variants_of(section)):
        own = schema_of(model)
        del own["$schema"]
        defs.update(own.pop("$defs"))
        for field, one in own["properties"].items():
            one.update({"description": docs[field]} if field in docs else {})
        own["properties"][key] = {**own["properties"][key], "const": name}
        own["properties"][key].pop("default", None)
        own["title"] = f"[{section}] {key} = {name}"
        own["required"] = [*own.get("required", []), *([key] if number else [])]
        defs[f"{section}.{name}"] = own
        choices.append({"$ref": f"#/$defs/{section}.{name}"})
    of_the_user = {"type": "object", "properties": {key: {"type": "string", "pattern": OWN}}, "required": [key]}
    return {"anyOf": [*choices, of_the_user], "description": section_summary(section)}


def _short(guard: Schema, top: Schema) -> None:
    """What a guard's table may leave out, or say in short: ``path`` for ``data.path``; one table for a list of one."""
    guard["properties"]["path"] = {"type": "string", "description": "Short for `data.path`."}
    guard["required"] = [name for name in guard["required"] if name not in ("name", "data")]
    guard["anyOf"] = [{"required": ["path"]}, {"required": ["data"]}]
    one = {"$ref": "#/$defs/GuardConfig"}
    top["guard"] = {"anyOf": [top["guard"], one], "description": top["guard"].get("description", "")}


def _model_of(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """The model of a definition, wherever below it stands."""
    for one in models_below(model):
        if one.__name__ == name:
            return one
    return None


def models_below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Every model that a model's fields take, itself first."""
    yield model
    for field in model.model_fields.values():
        for kind in kinds_in(field.annotation):
            yield from models_below(kind)


def kinds_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for one in getattr(annotation, "__args__", ()):
        yield from kinds_in(one)


def _told(schema: Schema, model: type[BaseModel] | None) -> Schema:
    """With what the model's source says of its keys, and of itself."""
    if model is None:
        return schema
    docs, about = docs_of(model), summary_of(model)
    for name, one in schema.get("properties", {}).items():
        text = docs.get(name) or _of_section(model, name)
        one.pop("title", None)
        one.update({"description": text} if text else {})
    return {**schema, **({"description": about} if about else {})}


def section_summary(section: str) -> str:
    """What a section of a run is about."""
    return ABOUT.get(section) or _of_section(RunConfig, section)


def _of_section(model: type[BaseModel], name: str) -> str:
    kinds = list(kinds_in(model.model_fields[name].annotation)) if name in model.model_fields else []
    return summary_of(kinds[0]) if kinds else ""


def _without_null(node: Any) -> Any:
    """TOML has no null, and what a section is by default is said by its keys."""

    def written(key: str, value: Any) -> bool:
        return key != "default" or not (value is None or isinstance(value, dict))

    return _mapped(node, lambda table: {key: one for key, one in table.items() if written(key, one)})


def _mapped(node: Any, change: Callable[[Schema], Schema]) -> Any:
    if isinstance(node, list):
        return [_mapped(one, change) for one in node if one != {"type": "null"}]
    if not isinstance(node, dict):
        return node
    table = {key: _mapped(one, change) for key, one in change(node).items()}
    if len(table.get("anyOf", ())) == 1:
        table |= table.pop("anyOf")[0]
    if "description" in table and isinstance(table["description"], str):
        table["description"] = plain(table["description"].partition("\n\n")[0])
    return table
