"""A finished run's files as Python objects, checked where the tables and figures look."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from evoray.data.schema import IMAGES, RECORDS
from evoray.errors import UsageError
from evoray.report.measures import ShownMeasure, own, read_measures
from evoray.statistics import Comparison
from evoray.storage.documents import REMEDY

NETWORKS = {
    "parent": "Parent",
    "best_child": "Best child",
    "soup": "Soup",
    "soup_recalibrated": "Soup, recalibrated",
    "ensemble": "Ensemble",
}
COLUMNS = ("child_id", "generation", "rank", "status")
FIGURES = ("select_", "test_")
"""Beginnings of columns that hold figures of a child."""
RECIPE = ("blocks", "block", "parts", "part", "sigma")
"""Columns that are there where the run's kind of mutation has them."""


@dataclass(frozen=True)
class Run:
    """``summary.json`` and ``population.parquet``; what is missing in them is a UsageError that names it."""

    summary: Mapping[str, Any]
    children: list[dict[str, Any]]

    @classmethod
    def of(cls, summary: Mapping[str, Any], population: pa.Table) -> Run:
        missing = [name for name in COLUMNS if name not in population.column_names]
        if missing:
            raise UsageError(f"population.parquet: no column {', '.join(missing)}. {REMEDY}")
        shown = [name for name in population.column_names if name in RECIPE or name.startswith(FIGURES)]
        return cls(summary, population.select([*COLUMNS, *shown]).to_pylist())

    def get(self, *keys: str) -> Any:
        """A required value of the summary by its path."""
        value: Any = self.summary
        for key in keys:
            if not isinstance(value, Mapping) or key not in value:
                raise UsageError(f"summary.json: no {'.'.join(keys)}. {REMEDY}")
            value = value[key]
        return value

    @property
    def records(self) -> str:
        """What the run counted: ``images``, or ``records``."""
        return RECORDS if self.summary.get("counted") == RECORDS else IMAGES

    def number(self, *keys: str) -> float | None:
        """A required value that is a number, or None where the run could not define it."""
        return self._checked(self.get(*keys), ".".join(keys))

    def recorded(self, section: str) -> dict[str, float | None]:
        """The numbers of an optional section, by name; words and switches in it are left out."""
        values = self.summary.get(section, {})
        found = values.items() if isinstance(values, Mapping) else ()
        return {
            str(key): self._checked(value, f"{section}.{key}")
            for key, value in found
            if value is None or (isinstance(value, int | float) and not isinstance(value, bool))
        }

    @property
    def networks(self) -> list[str]:
        """Those of NETWORKS that the run has; all have a parent, a best child and a soup."""
        optional = {"soup_recalibrated": "soup_recalibrated" in self.summary, "ensemble": self.has_ensemble}
        return [name for name in NETWORKS if optional.get(name, True)]

    @property
    def has_ensemble(self) -> bool:
        """Tasks that combine nothing make none; runs of before all have one."""
        return "ensemble" in self.summary or "measures" not in self.summary

    @cached_property
    def measures(self) -> dict[str, ShownMeasure]:
        """Every figure by its key, the run's fitness first."""
        if "measures" not in self.summary:
            self.get("parent", "test")
        try:
            return read_measures(self.summary, self.fitness)
        except (KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"summary.json: measures are damaged ({type(error).__name__}: {error}). {REMEDY}"
            ) from None

    @property
    def main(self) -> ShownMeasure:
        """The run's fitness: what its children were ranked by."""
        return self.measures[self.fitness]

    @property
    def beside(self) -> ShownMeasure | None:
        """The first other figure in which networks were compared; shown where there is room for two."""
        for one in self.comparisons:
            if one.metric in self.measures and one.metric != self.fitness:
                return self.measures[one.metric]
        return None

    def measure_of(self, one: Comparison) -> ShownMeasure:
        """What a comparison is of."""
        return self.main if one.metric == "fitness" else self.measures.get(one.metric) or own(one.metric)

    def child(self, row: Mapping[str, Any], split: str, measure: ShownMeasure) -> float | None:
        """A child's figure on ``select`` or ``test``, in the measure's own direction; None where it is not known."""
        if f"{split}_{measure.key}" in row:
            return self._checked(row[f"{split}_{measure.key}"], f"{split}_{measure.key}")
        if measure.key != self.fitness:
            return None
        if split == "test":
            value = self._sampled.get(str(row["child_id"]))
        else:
            value = self._checked(row.get("select_fitness"), "select_fitness")
        return None if value is None else measure.sign * value

    @cached_property
    def _sampled(self) -> dict[str, float | None]:
        """Fitness on ``test`` of the children that were drawn by chance."""
        sample = self.section("children").get("sample", [])
        known = [one for one in sample if isinstance(one, Mapping)] if isinstance(sample, list) else []
        return {str(one.get("id")): self._checked(one.get("test"), "children.sample") for one in known}

    def parent_on_select(self, measure: ShownMeasure) -> float | None:
        """The parent's figure on ``select``; None where an older run did not record its fitness there."""
        if measure.key == self.fitness and measure.key not in self.section("parent", "select"):
            value = self._checked(self.section("children", "parent").get("select"), "children.parent.select")
            return None if value is None else measure.sign * value
        return self.number("parent", "select", measure.key)

    def test(self, network: str, metric: str) -> float | None:
        """A network's metric on the test images; None for a fitness that an older run did not record there."""
        if metric == self.fitness and "measures" not in self.summary and metric not in self.section("parent", "test"):
            return None
        return self.number("parent", "test", metric) if network == "parent" else self.number(network, metric)

    @property
    def members(self) -> list[str]:
        """Child ids of the ensemble, in their order."""
        if not self.has_ensemble:
            return []
        return [str(member["id"]) for member in self._records("members", ("id",))]

    @property
    def curve(self) -> list[Mapping[str, Any]]:
        """The ensemble after each member: size, and the same figures in each; empty where the run recorded none."""
        if not self.has_ensemble or "curve" not in self.get("ensemble"):
            return []
        points = self._records("curve", ("size",))
        keys = tuple(dict.fromkeys(key for point in points for key in point))
        if len(keys) < 2 and points:
            raise UsageError(f"summary.json: ensemble.curve holds sizes alone. {REMEDY}")
        for point in self._records("curve", keys):
            for key in keys:
                self._checked(point[key], f"ensemble.curve.{key}")
        return points

    @property
    def reliability(self) -> dict[str, Mapping[str, Any]]:
        """Sums by confidence bin of some networks (``statistics.calibration``); empty where none are kept."""
        values = self.summary.get("reliability", {})
        found = values if isinstance(values, Mapping) else {}
        for name, sums in found.items():
            lengths = {len(sums.get(key, "")) for key in ("counts", "confidence", "hits")}
            if lengths == {0} or len(lengths) > 1:
                raise UsageError(f"summary.json: reliability.{name} lacks counts, confidence or hits. {REMEDY}")
        return {name: sums for name, sums in found.items() if name in NETWORKS}

    @property
    def comparisons(self) -> list[Comparison]:
        found = self.get("comparisons")
        if not isinstance(found, list):
            raise UsageError(f"summary.json: comparisons are no list. {REMEDY}")
        return [Comparison.from_dict(values) for values in found]

    @property
    def notes(self) -> list[str]:
        """What was said before the run; older runs recorded nothing of it."""
        found = self.summary.get("notes", [])
        if not isinstance(found, list):
            raise UsageError(f"summary.json: notes are no list. {REMEDY}")
        return [str(note) for note in found]

    def comparison(self, network: str, metric: str) -> Comparison | None:
        """With the parent, in a figure or in the run's fitness, in the direction in which people know it."""
        for one in self.comparisons:
            named = one.metric == metric or (one.metric == "fitness" and metric == self.fitness)
            if named and (one.name, one.against) == (network, "parent"):
                return one.turned(self.measure_of(one).higher_is_better)
        return None

    @property
    def fitness(self) -> str:
        """The fitness's name, as the configuration gave it; nll where none was recorded."""
        return str(self.summary.get("fitness", "nll"))

    def section(self, *keys: str) -> Mapping[str, Any]:
        """An optional section of the summary; empty where the run recorded none."""
        value: Any = self.summary
        for key in keys:
            value = value.get(key, {}) if isinstance(value, Mapping) else {}
        return value if isinstance(value, Mapping) else {}

    def _records(self, name: str, keys: tuple[str, ...]) -> list[Mapping[str, Any]]:
        records = self.get("ensemble", name)
        if not isinstance(records, list):
            raise UsageError(f"summary.json: ensemble.{name} is {records!r}, not a list. {REMEDY}")
        for record in records:
            if not isinstance(record, Mapping) or any(key not in record for key in keys):
                raise UsageError(f"summary.json: {record!r} in ensemble.{name} lacks {', '.join(keys)}. {REMEDY}")
        return records

    @staticmethod
    def _checked(value: Any, where: str) -> float | None:
        if value is None or (isinstance(value, int | float) and math.isfinite(value)):
            return value
        raise UsageError(f"summary.json: {where} is {value!r}, not a number. {REMEDY}")

    def label(self, network: str) -> str:
        """``Ensemble of 8``, ``Best child g0000/c0012``."""
        name = NETWORKS.get(network, network)
        if network == "ensemble":
            alone = self.members == ["parent"]
            return f"{name} (every vote was worse than the parent)" if alone else f"{name} of {len(self.members)}"
        if network not in ("best_child", "soup"):
            return name
        identity = str(self.get(network, "id"))
        none = "none beat the parent" if network == "soup" else "none that holds the guards beat the parent"
        return f"{name} ({none})" if identity == "parent" else f"{name} {identity}"
