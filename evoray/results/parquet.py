"""The tables of a run: children, and predictions on ``test``."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from evoray.mutation import Lineage
from evoray.results.final_test import FinalTest
from evoray.results.panel import Panel
from evoray.search.population import Evaluated
from evoray.tasks.base import Task, as_dict
from evoray.tasks.sums import SumsLayout


def population_table(evaluated: Sequence[Evaluated], final: FinalTest) -> pa.Table:
    """A row a child, ranked over the whole run (1 is best, failures last, ties by age)."""
    children = [one for one in evaluated if one.ask.kind == "child"]
    order = sorted(range(len(children)), key=lambda i: -children[i].fitness)
    rank = {child: place + 1 for place, child in enumerate(order)}
    task = final.test.task
    tested = dict(final.sample)
    tested |= dict(zip((member.name for member in final.test.members), final.test.merged("members"), strict=True))
    rows = [_child_row(task, one, rank[i], tested.get(one.ask.name)) for i, one in enumerate(children)]
    return pa.Table.from_pylist(rows, schema=_population_schema(task, children))


def _population_schema(task: Task, children: Sequence[Evaluated]) -> pa.Schema:
    """The recipe's columns are those of the children's kinds of mutation, the figures' those of the task."""
    figures = [("n", pa.int64()), *((name, pa.float64()) for name in task.measures)]
    recipe = {
        name: pa.type_for_alias(kind)
        for one in children
        for entry in one.ask.lineage.tail(one.ask.base)
        for name, kind in entry.mutation.columns.items()
    }
    return pa.schema(
        [
            ("child_id", pa.string()),
            ("generation", pa.int64()),
            ("child", pa.int64()),
            *recipe.items(),
            ("entries", pa.string()),
            *((f"select_{name}", kind) for name, kind in figures),
            ("select_fitness", pa.float64()),
            *((f"test_{name}", kind) for name, kind in figures),
            ("rank", pa.int64()),
            ("status", pa.string()),
        ]
    )


def _child_row(task: Task, one: Evaluated, rank: int, tested: np.ndarray | None) -> dict[str, Any]:
    own = one.ask.lineage.tail(one.ask.base)
    row: dict[str, Any] = {
        "child_id": one.ask.name,
        "generation": one.ask.generation,
        "child": int(one.ask.name.rpartition("/c")[2]),
        "rank": rank,
        "status": one.status,
        "select_fitness": one.fitness if np.isfinite(one.fitness) else None,
    }
    first, *others = (entry.mutation.row() for entry in own)
    row |= {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
    if len(own) > 1:  # a child that is more than one mutation of its base, as JSON like in a lineage file
        row["entries"] = json.dumps(Lineage(own).to_json())
    layout = SumsLayout(task.columns)
    for split, total in (("select", one.total), ("test", tested)):
        if total is not None:
            values = as_dict(layout.count(total), task.figures(layout.by_name(total)))
            row |= {f"{split}_{name}": value for name, value in values.items()}
    return row


def predictions_table(panel: Panel) -> pa.Table:
    """Test records in order: index, label, and the ensemble's likeliest classes with their probabilities, or the votes
    for its answer."""
    if not panel.members or panel.task.classification is None:
        names = ("index", "label", *(("votes",) if panel.members else ()))
        return pa.table({name: _column(panel.images(name)) for name in names})
    classes, probability = panel.images("classes"), panel.images("probability")
    width = classes.shape[1]
    return pa.table(
        {
            "index": pa.array(panel.images("index"), pa.int64()),
            "label": pa.array(panel.images("label"), pa.int64()),
            "classes": pa.FixedSizeListArray.from_arrays(pa.array(classes.ravel(), pa.int32()), width),
            "probabilities": pa.FixedSizeListArray.from_arrays(pa.array(probability.ravel(), pa.float32()), width),
        }
    )


def _column(values: np.ndarray) -> pa.Array:
    """Numbers; of several for each record a list, row by row."""
    wide = values.reshape(len(values), -1)
    if wide.shape[1] == 1:
        return pa.array(wide[:, 0])
    return pa.FixedSizeListArray.from_arrays(pa.array(wide.ravel()), wide.shape[1])
