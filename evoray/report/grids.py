"""The tables of a run as plain text, drawn by Rich on the terminal and by the template on the page."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evoray.data.schema import counted
from evoray.report import text
from evoray.report.finished_run import NETWORKS, Run
from evoray.report.measures import ShownMeasure
from evoray.statistics import Comparison

TOP_CHILDREN = 10
EFFECTS = {"better": "better", "worse": "worse", "not shown": "no difference shown", "undefined": "not defined"}
READINGS = EFFECTS | {"not shown": "not shown"}


PASSED = "breaks guard "
"""How the status begins of a child that ranks where its fitness puts it, and may not win."""


@dataclass(frozen=True)
class Grid:
    """A title, column headings, rows of as many cells, and one sentence below.

    words: how many leading columns hold words; the rest are numbers, set to the right.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    words: int = 1


def networks(run: Run) -> Grid:
    """Parent, best child, soup and ensemble on the test images; the run's fitness first."""
    shown = list(run.measures.values())
    rows = tuple(
        (run.label(network), *(one.show(run.test(network, one.key)) for one in shown)) for network in run.networks
    )
    note = f"{text.count(run.test('parent', 'n'))} test {run.records}, none of which chose anything. The search was to "
    note += f"improve {run.main.described}."
    if lower := [one for one in shown if not one.higher_is_better and one is not run.main]:
        note += f" Lower is better for {_and([_with_unit(one) for one in lower])}."
    return Grid(f"On the test {run.records}", ("Network", *(one.short for one in shown)), rows, note)


def _with_unit(one: ShownMeasure) -> str:
    """``NLL (nats per image)``, ``ECE (calibration error, 0 to 1)``."""
    words = [one.said] if one.short.lower() not in one.said.lower() else []
    name = one.short if words else one.said
    inside = ", ".join([*words, *([one.unit] if one.unit else [])])
    return f"{name} ({inside})" if inside else name


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def comparisons(run: Run) -> Grid:
    """Every difference to the parent with its interval."""
    columns = ("Network", "Measure", "Difference", "95% interval", "p", "Reading")
    found = run.comparisons
    rows = tuple((*named(run, one), *difference(one, run.measure_of(one)), READINGS[one.effect]) for one in found)
    tests = dict.fromkeys(_test_of(run, one) for one in found)
    note = f"Paired on the same test {run.records}. {', '.join(tests)}." if tests else "Nothing was compared."
    if any(math.isfinite(one.p_adjusted) for one in found):
        note += f" p counts what was compared (Holm): in the fitness of the run, the candidates; else all {len(found)}"
        note += " rows. Each interval stands alone."
        if any(one.against == "parent_calibrated" for one in found):
            note += " *: against the parent at its own temperature."
    else:
        note += " Each row stands alone: without any true difference, one in forty would look better."
    return Grid("Difference from the parent", columns, rows, note, words=2)


def named(run: Run, one: Comparison) -> tuple[str, str]:
    """Who is compared, and in what, short enough for eighty columns."""
    who = NETWORKS.get(one.name, one.name) + (" *" if one.against == "parent_calibrated" else "")
    return who, run.measure_of(one).short


def _test_of(run: Run, one: Comparison) -> str:
    """What a difference is measured in, and by which test."""
    measure = run.measure_of(one)
    test = "exact McNemar test" if measure.is_fraction else "t-test"
    test = f"jackknife over groups of {run.records}" if one.metric == "fitness" else test
    unit = measure.difference_unit if measure.is_fraction or measure.unit else ""
    between = " " if unit.startswith("per ") else " in "
    return f"{measure.short}{between}{unit} ({test})" if unit else f"{measure.short} ({test})"


def difference(one: Comparison, measure: ShownMeasure) -> tuple[str, str, str]:
    """Difference, interval and p as text, in the measure's own direction; fractions in percentage points."""
    values = one.turned(measure.higher_is_better).to_dict()
    factor, least = (100, 2) if measure.is_fraction else (1, 4)
    scaled = [None if v is None else v * factor for v in (values["difference"], *values["ci95"])]
    middle, low, high = scaled
    decimals = text.decimals_for(None if low is None or high is None else high - low, least)
    interval = f"{text.signed(low, decimals)} to {text.signed(high, decimals)}"
    return (
        text.signed(middle, decimals),
        interval,
        text.p_value(values["p_value"] if values["p_adjusted"] is None else values["p_adjusted"]),
    )


def children(run: Run, limit: int = TOP_CHILDREN) -> Grid:
    """The fittest children on ``select``, with their test figures where they are members."""
    members, shown = set(run.members), [run.main, *([run.beside] if run.beside else [])]
    ranked = sorted((row for row in run.children if row["rank"] is not None), key=lambda row: int(row["rank"]))
    rows = tuple(
        (
            text.count(row["rank"]),
            row["child_id"],
            "yes" if row["child_id"] in members else "",
            *_recipe(row).values(),
            *(one.show(run.child(row, split, one)) for split in ("select", "test") for one in shown),
        )
        for row in ranked[:limit]
    )
    columns = (
        "Rank",
        "Child",
        "Member",
        *(_recipe(ranked[0]) if ranked else ("Part", "Sigma")),
        *(f"{split} {one.in_table}" for split in ("Select", "Test") for one in shown),
    )
    return Grid(f"The {len(rows)} fittest children by {run.main.said}", columns, rows, _children_note(run), words=3)


def _recipe(row: Mapping[str, Any]) -> dict[str, str]:
    """What a child's kind of mutation lets be said of it in a word: column -> text."""
    said = {}
    for one in ("block", "part"):
        if f"{one}s" in row:
            number, count = row.get(one), row[f"{one}s"]
            said[one.title()] = text.NOTHING if number is None or count is None else f"{number + 1}/{count}"
    if "sigma" in row:
        said["Sigma"] = text.plain(row["sigma"])
    return said


def _children_note(run: Run) -> str:
    images = text.count(run.number("splits", "select"))
    note = f"{text.count(len(run.children))} children, ranked by {run.main.described} on {images} select "
    note += f"{run.records}, where the best of many looks better than it is. On test only members and "
    note += "a sample drawn by chance were looked at."
    statuses = [row["status"] for row in run.children if row["status"] != "ok"]
    passed = sum(status.startswith(PASSED) for status in statuses)
    failed = Counter(status for status in statuses if not status.startswith(PASSED))
    if failed:
        reasons = "; ".join(f"{number} × {status}" for status, number in failed.most_common(3))
        note += f" {text.count(failed.total())} failed and rank last: {reasons}."
    if passed:
        note += f" {text.count(passed)} break a guard and were passed over."
    return note


def evidence(run: Run) -> Grid | None:
    """What the children as a whole say, and how the members differ; None where the run recorded neither."""
    found, diverse = run.section("children"), run.section("ensemble", "diversity")
    rows: list[tuple[str, str]] = []
    for key, name in (("better_on_select", "on select"), ("better_on_test", "on test, of a sample")):
        share = found.get(key, {})
        if share.get("share") is not None:
            low, high = share["ci95"]
            interval = f"{100 * low:.0f}–{100 * high:.0f}%"
            rows.append((f"Children fitter than the parent {name}", f"{share['count']} of {share['n']} ({interval})"))
    order = found.get("select_test", {})
    if order.get("spearman") is not None:
        low, high = (text.signed(bound, 2) for bound in order["ci95"])
        rows.append(("Order on select against test (Spearman)", f"{order['spearman']:.2f} ({low} to {high})"))
    for key, name, show in (
        ("disagreement", "Members that answer differently, mean of pairs", text.percent),
        ("error_correlation", "Correlation of members' errors, mean of pairs", text.plain),
        ("kl", counted("KL of a member from the ensemble (nats per image)", run.records), text.plain),
    ):
        if diverse.get(key) is not None:
            rows.append((name, show(diverse[key])))
    return Grid("Evidence", ("What", "How much"), tuple(rows), "In brackets: 95% intervals.") if rows else None


def work(run: Run) -> Grid:
    """What the run cost."""
    values, words = run.recorded("work"), run.get("work")
    rows = (
        ("Wall time", text.duration(values.get("wall_s"))),
        ("Evaluations (child × shard)", text.count(values.get("evaluations"))),
        ("Units handed to workers", text.count(values.get("units"))),
        (counted("Image passes", run.records), text.count(values.get("images"))),
        (counted("Image passes per second", run.records), text.count(values.get("images_per_s"))),
        ("Sent to workers", text.size(values.get("bytes_to_workers"))),
        ("Units lost with a worker, done again", text.count(values.get("retries"))),
        ("Units late, done twice", text.count(values.get("repeated"))),
        ("Workers", text.count(values.get("workers"))),
        ("Backend", str(words.get("backend", text.NOTHING))),
    )
    loose = words.get("deterministic") is False
    note = "compute.deterministic was off: a second run may differ in last bits." if loose else ""
    return Grid("Work done", ("What", "How much"), rows, note)


def mutation(run: Run) -> Grid | None:
    """The mutated weights; None where the run recorded nothing of them."""
    values = run.recorded("mutation")
    known: tuple[tuple[str, str, Callable[[float | None], str]], ...] = (
        ("n", "Weights that may mutate", text.count),
        ("density", "Mutated in one child", text.percent),
        ("sigma", "Sigma", text.plain),
        ("vanished", "Mutations lost to rounding", text.percent),
    )
    rows = tuple((name, show(values[key])) for key, name, show in known if key in values)
    return Grid("Mutation", ("What", "How much"), rows) if rows else None


def settings(config: Mapping[str, Any]) -> Grid:
    """The resolved configuration, a row a key."""
    return Grid("Configuration", ("Key", "Value"), tuple(_flat(config, ())), words=2)


def _flat(values: Mapping[str, Any], path: Sequence[str]) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            rows += _flat(value, (*path, str(key)))
        elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
            rows += _flat({str(number): one for number, one in enumerate(value)}, (*path, str(key)))
        elif value is not None:
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            rows.append((".".join((*path, str(key))), shown or text.NOTHING))
    return rows
