"""From evaluated children and the final test to the files of a run directory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from evoray.errors import UsageError
from evoray.report.brief import as_html, brief
from evoray.results.answers import answers_table
from evoray.results.final_test import FinalTest
from evoray.results.guards import Guarded, with_guards
from evoray.results.lineages import buffers_file, write_lineages
from evoray.results.members import Choices
from evoray.results.panel import logits_files
from evoray.results.parquet import population_table, predictions_table
from evoray.results.rebuilt import check_rebuilt, with_rebuilt
from evoray.results.summary import make_summary
from evoray.runtime.reading import translated
from evoray.search.auto_sigma import ChosenSigma
from evoray.search.loop import Found
from evoray.search.session import Session
from evoray.storage.directory import RECALIBRATED, RunDirectory
from evoray.storage.documents import REMEDY


@dataclass(frozen=True, repr=False)
class RunResult:
    """What a run found; everything here is also in its directory."""

    directory: RunDirectory
    summary: dict[str, Any]
    population: pa.Table

    @property
    def verdict(self) -> str:
        return str(self.summary["verdict"])

    def __repr__(self) -> str:
        return brief(self.directory.location, self.summary)

    def _repr_html_(self) -> str:
        return as_html(self.directory.location, self.summary)


def write_results(
    session: Session,
    found: Found,
    choices: Choices,
    final: FinalTest,
    sigma: ChosenSigma,
    guarded: Sequence[Guarded] = (),
) -> RunResult:
    """Writes lineages, tables and summary; ``summary.json`` comes last."""
    directory = session.directory
    population = population_table(choices.evaluated, final)
    write_lineages(session, choices)
    if final.recalibrated:
        directory.write(f"lineage/{RECALIBRATED}.safetensors", buffers_file(final.recalibrated))
    summary = make_summary(session, found, choices, final, sigma)
    summary = with_guards(summary, choices, guarded)
    summary = with_rebuilt(summary, check_rebuilt(session, choices, final))
    directory.write_table("population.parquet", population)
    directory.write_table("predictions.parquet", predictions_table(final.test))
    if (answers := answers_table(session, final.test)) is not None:
        directory.write_table("answers.parquet", answers)
    if choices.members:
        directory.write_json("ensemble.json", summary["ensemble"] | {"logits": logits_files(session, final.test)})
    directory.write_json("summary.json", summary)
    return RunResult(directory, summary, population)


def read_results(directory: RunDirectory) -> RunResult:
    """A finished run's results, from its directory."""
    return RunResult(directory, directory.read_json("summary.json"), directory.read_table("population.parquet"))


def write_page(directory: RunDirectory) -> str:
    """Draws ``report.html`` from the other files; returns its path."""
    from evoray.report.page import render  # matplotlib, only where a page is drawn

    with translated(directory.location, f"Its page cannot be drawn. {REMEDY}", UsageError):
        page = render(
            directory.read_json("summary.json"),
            directory.read_json("config.json"),
            directory.read_table("population.parquet"),
            directory.read_json("window.json") if directory.exists("window.json") else None,
        )
    directory.write("report.html", page.encode(errors="backslashreplace"))
    return directory.path("report.html")
