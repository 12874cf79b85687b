"""``evoray schema``: a JSON Schema by which editors check and complete configurations."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from evoray.commands.common import say

STUDY = "evoray.study.config:StudyConfig"
"""By its name: the room of studies is not below the commands."""


class Of(StrEnum):
    """Whose configuration."""

    RUN = "run"
    STUDY = "study"


def schema(
    of: Annotated[Of, typer.Argument(help="A run's configuration, or a study's.")] = Of.RUN,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file; else it is printed.")] = None,
) -> None:
    """Write a JSON Schema of the configuration. An editor of TOML takes it by the line `#:schema FILE` at the top."""
    from evoray.begin.schema import model_at, run_schema, schema_of
    from evoray.commands.files import check_in_wheel
    from evoray.runtime.paths import expanded

    if of is Of.STUDY:
        check_in_wheel(STUDY.partition(".config")[0], "evoray schema study")
    found = run_schema() if of is Of.RUN else schema_of(model_at(STUDY))
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    from evoray.begin.files import write_text

    path = Path(expanded(str(out)))
    write_text(path, text)
    say(f"{path}: name it in the first line of a configuration: #:schema {path}")
