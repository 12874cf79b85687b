"""What a run's figures are called, their units and directions: as its summary says them, the run's fitness first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evoray.report import text


@dataclass(frozen=True)
class ShownMeasure:
    """One figure, as tables and axes show it.

    key: in the summary. said: its name in a sentence. unit: ``fraction``, shown in percent; or in words, or empty.
    """

    key: str
    label: str
    short: str
    unit: str
    higher_is_better: bool
    said: str

    @property
    def sign(self) -> int:
        """Of a difference that is an improvement."""
        return 1 if self.higher_is_better else -1

    @property
    def is_fraction(self) -> bool:
        return self.unit == "fraction"

    @property
    def factor(self) -> int:
        """From a value to what an axis shows."""
        return 100 if self.is_fraction else 1

    @property
    def axis(self) -> str:
        """``Top-1 accuracy (%)``, ``NLL (nats per image)``."""
        unit = "%" if self.is_fraction else self.unit
        return f"{self.label} ({unit})" if unit else self.label

    @property
    def difference_unit(self) -> str:
        """``percentage points``, ``nats per image``; the measure's own name where it has no unit."""
        return "percentage points" if self.is_fraction else self.unit or self.said

    @property
    def direction(self) -> str:
        return f"{'higher' if self.higher_is_better else 'lower'} is better"

    @property
    def described(self) -> str:
        """``cost (per image, lower is better)``."""
        return f"{self.said} ({', '.join(part for part in (self._unit_in_words, self.direction) if part)})"

    @property
    def _unit_in_words(self) -> str:
        return "" if self.is_fraction else self.unit

    @property
    def in_table(self) -> str:
        """The short name behind another word: ``top-1``, ``NLL``."""
        return self.short if self.short[:2].isupper() else self.short[:1].lower() + self.short[1:]

    def show(self, value: float | None) -> str:
        """A value as people read it."""
        return text.percent(value) if self.is_fraction else text.nats(value)


_PERCENT = (
    ("top1", "Top-1 accuracy", "Top-1"),
    ("top5", "Top-5 accuracy", "Top-5"),
    ("balanced-accuracy", "Balanced accuracy", "Balanced"),
    ("macro-f1", "Macro F1", "Macro F1"),
    ("worst-class", "Accuracy of the worst class", "Worst class"),
)
BEFORE: Mapping[str, ShownMeasure] = {
    one.key: one
    for one in (
        *(
            ShownMeasure(key, label, short, "fraction", True, label[0].lower() + label[1:])
            for key, label, short in _PERCENT
        ),
        ShownMeasure("nll", "NLL", "NLL", "nats per image", False, "NLL"),
        ShownMeasure("ece", "Calibration error", "ECE", "0 to 1", False, "calibration error"),
        ShownMeasure("brier", "Brier score", "Brier", "0 to 2", False, "Brier score"),
        ShownMeasure("cost", "Cost", "Cost", "per image", False, "cost"),
    )
}
"""Of runs whose summaries were written before they said what their figures measure."""


def own(name: str) -> ShownMeasure:
    """A user's function, of which a summary says nothing else: higher is better."""
    short = name.rpartition(":")[2]
    return ShownMeasure(name, f"Fitness ({short})", short, "", True, short)


def read_measures(summary: Mapping[str, Any], fitness: str) -> dict[str, ShownMeasure]:
    """Every figure by its key, the run's fitness first.

    Raises:
        KeyError, TypeError, AttributeError: the summary's ``measures`` lack something.
    """
    if "measures" not in summary:
        old = {key: BEFORE[key] for key in ("top1", "top5", "nll", "ece")}
        old |= {"brier": BEFORE["brier"]} if "brier" in summary["parent"]["test"] else {}
        return {fitness: BEFORE.get(fitness) or own(fitness), **old}
    found = {
        str(key): ShownMeasure(
            str(key),
            str(one["label"]),
            str(one["short"]),
            str(one["unit"]),
            bool(one["higher_is_better"]),
            str(one["said"]),
        )
        for key, one in summary["measures"].items()
    }
    return {fitness: found.get(fitness) or own(fitness), **found}
