"""A finished run's files as Python objects, checked where the tables and figures look."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from evoray.errors import UsageError
from evoray.statistics import Comparison

NETWORKS = {
    "parent": "Parent",
    "best_child": "Best child",
    "soup": "Soup",
    "soup_recalibrated": "Soup, recalibrated",
    "ensemble": "Ensemble",
}
METRICS = {"nll": "NLL", "top1": "Top-1 accuracy", "top5": "Top-5 accuracy", "fitness": "Fitness"}
COLUMNS = [
    *("child_id", "generation", "rank", "status"),
    *("select_nll", "select_top1", "test_nll", "test_top1"),
]
RECIPE = ("parts", "part", "sigma")
"""Columns that are there where the run's kind of mutation has them."""
_REMEDY = "Take the file as the run wrote it, or finish the run with --resume."


@dataclass(frozen=True)
class Run:
    """``summary.json`` and ``population.parquet``; what is missing in them is a UsageError that names it."""

    summary: Mapping[str, Any]
    children: list[dict[str, Any]]

    @classmethod
    def of(cls, summary: Mapping[str, Any], population: pa.Table) -> Run:
        missing = [name for name in COLUMNS if name not in population.column_names]
        if missing:
            raise UsageError(f"population.parquet: no column {', '.join(missing)}. {_REMEDY}")
        recipe = [name for name in RECIPE if name in population.column_names]
        return cls(summary, population.select([*COLUMNS, *recipe]).to_pylist())

    def get(self, *keys: str) -> Any:
        """A required value of the summary by its path."""
        value: Any = self.summary
        for key in keys:
            if not isinstance(value, Mapping) or key not in value:
                raise UsageError(f"summary.json: no {'.'.join(keys)}. {_REMEDY}")
            value = value[key]
        return value

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
        """Those of NETWORKS that the run has; all have a parent, a best child, a soup and an ensemble."""
        return [name for name in NETWORKS if name != "soup_recalibrated" or name in self.summary]

    def test(self, network: str, metric: str) -> float | None:
        """A network's metric on the test images."""
        return self.number("parent", "test", metric) if network == "parent" else self.number(network, metric)

    @property
    def members(self) -> list[str]:
        """Child ids of the ensemble, in their order."""
        return [str(member["id"]) for member in self._records("members", ("id",))]

    @property
    def curve(self) -> list[Mapping[str, Any]]:
        """The ensemble after each member: size, nll, top1; empty where the run recorded none."""
        points = self._records("curve", ("size", "nll", "top1")) if "curve" in self.get("ensemble") else []
        for point in points:
            for key in ("size", "nll", "top1"):
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
                raise UsageError(f"summary.json: reliability.{name} lacks counts, confidence or hits. {_REMEDY}")
        return {name: sums for name, sums in found.items() if name in NETWORKS}

    @property
    def comparisons(self) -> list[Comparison]:
        return [Comparison.from_dict(values) for values in self.get("comparisons")]

    def comparison(self, network: str, metric: str) -> Comparison | None:
        for one in self.comparisons:
            if (one.name, one.metric, one.against) == (network, metric, "parent"):
                return one
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
            raise UsageError(f"summary.json: ensemble.{name} is {records!r}, not a list. {_REMEDY}")
        for record in records:
            if not isinstance(record, Mapping) or any(key not in record for key in keys):
                raise UsageError(f"summary.json: {record!r} in ensemble.{name} lacks {', '.join(keys)}. {_REMEDY}")
        return records

    @staticmethod
    def _checked(value: Any, where: str) -> float | None:
        if value is None or (isinstance(value, int | float) and math.isfinite(value)):
            return value
        raise UsageError(f"summary.json: {where} is {value!r}, not a number. {_REMEDY}")

    def label(self, network: str) -> str:
        """``Ensemble of 8``, ``Best child g0000/c0012``."""
        name = NETWORKS.get(network, network)
        if network == "ensemble":
            return f"{name} of {len(self.members)}"
        if network not in ("best_child", "soup"):
            return name
        identity = str(self.get(network, "id"))
        return f"{name} (none beat the parent)" if identity == "parent" else f"{name} {identity}"
