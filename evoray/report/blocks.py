"""What each block of a layered run's weights was worth: a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from evoray.report import text
from evoray.report.finished_run import Run
from evoray.report.grids import Grid


def blocks(run: Run) -> Grid | None:
    """A row for each block, in the order of first use; None where the run's mutations are of no blocks.

    The price of a child is there where the run counted it, or was told.
    """
    counts = {int(row["blocks"]) for row in run.children if row.get("blocks") is not None}
    if len(counts) != 1:
        return None
    (count,) = counts
    prices = _prices(run, count)
    rows = tuple(
        (
            f"{block + 1}/{count}",
            text.percent(1 / count),
            text.count(len(some)),
            *_gained(run, some),
            *([text.percent(prices[block])] if prices else []),
        )
        for block, some in enumerate(_by_block(run, count))
    )
    unit = " in percentage points" if run.main.is_fraction else ""
    note = f"Gain over the parent in {run.main.described} on select{unit}, above 0 for a better child. The best of "
    note += "many looks better than it is, and children of later generations have their base's gain in theirs."
    if prices:
        note += " Price: a child's work as a share of a forward pass, where activations are kept."
    columns = ("Block", "Weights", "Children", "Best gain", "Better than parent", *(["Price"] if prices else []))
    return Grid("Blocks in the order of first use", columns, rows, note)


def _by_block(run: Run, count: int) -> list[list[Mapping[str, Any]]]:
    found: list[list[Mapping[str, Any]]] = [[] for _ in range(count)]
    for row in run.children:
        if row.get("block") is not None and 0 <= row["block"] < count:
            found[row["block"]].append(row)
    return found


def _gained(run: Run, rows: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """(the best gain, how many gained); of children that have a fitness, where the parent's is known."""
    measure = run.main
    parent, values = run.parent_on_select(measure), [run.child(row, "select", measure) for row in rows]
    if parent is None or not (known := [value for value in values if value is not None]):
        return text.NOTHING, text.NOTHING
    gains = [measure.sign * (value - parent) * measure.factor for value in known]
    share = sum(gain > 0 for gain in gains) / len(gains)
    return text.signed(max(gains), 2 if measure.is_fraction else 4), text.percent(share)


def _prices(run: Run, count: int) -> list[float]:
    found = run.section("mutation").get("prices")
    prices = [one for one in found if isinstance(one, int | float)] if isinstance(found, list) else []
    return prices if len(prices) == count else []
