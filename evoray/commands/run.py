"""``evoray demo`` and ``evoray run``: one search, from a configuration to a table and a page."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evoray.commands.common import Bars, Json, Overrides, finish
from evoray.commands.files import check_files, check_out

if TYPE_CHECKING:
    from evoray.config import RunConfig
    from evoray.results.write import RunResult


class Shown(StrEnum):
    """What the demo shows."""

    IMAGES = "images"
    LANGUAGE = "language"


def demo(
    task: Annotated[Shown, typer.Option(help="images: a small CNN. language: SmolLM2-135M, a reward.")] = Shown.IMAGES,
    out: Annotated[Path | None, typer.Option(help="Run directory; default runs/demo-seedN.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of all that is drawn.")] = 0,
    backend: Annotated[str, typer.Option(help="ray or local.")] = "ray",
    as_json: Json = False,
) -> None:
    """Evolve a small network on packaged real images, or a language model on problems; ends with a table and a page."""
    (_language_demo if task is Shown.LANGUAGE else _image_demo)(out, seed, backend, as_json)


def _image_demo(out: Path | None, seed: int, backend: str, as_json: bool) -> None:
    from evoray.storage.directory import free_path

    target = out or free_path(Path("runs") / f"demo-seed{seed}")
    check_out(str(target))
    from evoray.demo import demo_config, train_parent
    from evoray.evolution import evolve

    weights = target.with_name(f"{target.name}-parent.safetensors")
    config = demo_config(seed, weights, backend)
    weights.parent.mkdir(parents=True, exist_ok=True)
    with Bars() as bars:
        bars.note("training the parent on 800 images")
        train_parent(seed, weights)
        result = _on_any(config, bars, lambda config: evolve(config, target, progress=bars))
    finish(result, as_json)


def _on_any(config: RunConfig, bars: Bars, evolved: Callable[[RunConfig], RunResult]) -> RunResult:
    """A demo's run; where Ray cannot be started here, the same without it."""
    from evoray.errors import NotStartedError

    try:
        return evolved(config)
    except NotStartedError as error:
        bars.note(f"{str(error).partition('. ')[0]}: the demo goes on with the local backend, and the same answer")
        compute = config.compute.model_copy(update={"backend": "local"})
        return evolved(config.model_copy(update={"compute": compute}))


def _language_demo(out: Path | None, seed: int, backend: str, as_json: bool) -> None:
    """Beside the run directory lies a folder of what it is made of: problems, shards, and the configuration."""
    from evoray.storage.directory import free_path

    target = out or free_path(Path("runs") / f"demo-language-seed{seed}")
    made_of = free_path(target.with_name(f"{target.name}-data"))
    check_out(str(target))
    from evoray.demo.language import CONFIG, prepare
    from evoray.demo.side_by_side import print_answers
    from evoray.evolution import evolve

    with Bars(f"evoray run {made_of / CONFIG} --out {target} --resume goes on") as bars:
        config = prepare(made_of, seed, backend, bars)
        result = _on_any(
            config, bars, lambda config: evolve(config, target, config_dir=made_of.resolve(), progress=bars)
        )
    finish(result, as_json)
    if not as_json:
        print_answers(result.directory)


def run(
    config: Annotated[Path, typer.Argument(help="The run, in TOML.")],
    out: Annotated[str | None, typer.Option(help="Run directory or URI; default runs/NAME.")] = None,
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    as_json: Json = False,
) -> None:
    """Run a search from a configuration file."""
    from evoray.runtime.paths import expanded

    config = Path(expanded(str(config)))
    target = out or str(Path("runs") / config.stem)
    check_files(config, overrides or ())
    check_out(target, resume)
    from evoray.config import load_config
    from evoray.evolution import evolve

    parsed = load_config(config, overrides or ())
    with Bars() as bars:
        result = evolve(parsed, target, config_dir=config.parent.resolve(), resume=resume, progress=bars)
    finish(result, as_json)
