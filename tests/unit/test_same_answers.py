"""``tests/benchmarks/same_answers.py`` sees what differs, and takes nothing that was added for a difference."""

from __future__ import annotations

import json
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.same_answers import COMMON, RUNS, compare, counts, read_answers, write_configurations

from evoray.config import load_config

SUMMARY = {"run_id": "a", "work": {"wall_s": 1.5}, "verdict": "better", "soup": {"nll": 0.25, "curve": [1.0, 2.0]}}
TABLE = {"child_id": ["g0000/c0000", "g0000/c0001"], "test_nll": [math.nan, 0.5]}


@pytest.fixture
def answers(tmp_path):
    """Writes a run directory of two documents, a table, a file of bytes and a log; reads its answers."""

    def make(summary=SUMMARY, table=TABLE, config=None, content=b"bytes", types=None):
        (tmp_path / "lineage").mkdir(exist_ok=True)
        (tmp_path / "summary.json").write_text(json.dumps(summary))
        (tmp_path / "config.json").write_text(json.dumps(config or {"compute": {"resident_gib": "auto"}}))
        (tmp_path / "lineage" / "best.json").write_text(json.dumps({"weights_sha256": "ab"}))
        (tmp_path / "lineage" / "soup.safetensors").write_bytes(content)
        (tmp_path / "metrics.jsonl").write_text(json.dumps({"wall_s": 1.5}))
        pq.write_table(pa.table(table, schema=types), tmp_path / "population.parquet")
        return read_answers(tmp_path)

    return make


def found(base, head):
    return [(one.kind, one.place) for one in compare(base, head)]


def test_the_same_is_equal_whatever_it_took(answers):
    later = SUMMARY | {"run_id": "b", "work": {"wall_s": 2.5}}
    assert found(answers(), answers(summary=later)) == []
    assert counts(answers()) == {"files": 5, "weights": 1, "values": 4 + 1 + 1 + 1 + 2 * 3}


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"summary": SUMMARY | {"verdict": "worse"}}, "summary.json: verdict"),
        (
            {"summary": SUMMARY | {"soup": {"nll": math.nextafter(0.25, 1), "curve": [1.0, 2.0]}}},
            "summary.json: soup.nll",
        ),
        ({"summary": SUMMARY | {"soup": {"nll": 0.25, "curve": [1.0]}}}, "summary.json: soup.curve"),
        ({"table": TABLE | {"test_nll": [math.nan, -0.5]}}, "population.parquet: test_nll.values[1]"),
        ({"table": TABLE | {"test_nll": [None, 0.5]}}, "population.parquet: test_nll.values[0]"),
        (
            {"types": pa.schema({"child_id": "large_string", "test_nll": "float64"})},
            "population.parquet: child_id.type",
        ),
        ({"content": b"other"}, "lineage/soup.safetensors: sha256"),
        ({"config": {"compute": {"resident_gib": 2.0}}}, None),
    ],
)
def test_a_changed_value_is_found(answers, changed, where):
    findings = list(compare(answers(), answers(**changed)))
    assert [one.place for one in findings if one.is_difference] == ([] if where is None else [where])


def test_what_is_missing_is_a_difference_and_what_is_new_is_none(answers):
    whole, less = answers(), answers(table={"child_id": TABLE["child_id"]})
    del less["lineage/best.json"]
    missing, new = list(compare(whole, less)), list(compare(less, whole))
    places = ["lineage/best.json", "population.parquet: test_nll"]
    assert [(one.kind, one.place) for one in missing] == [("removed", place) for place in places]
    assert sorted((one.kind, one.place) for one in new) == [("added", place) for place in places]
    assert all(one.is_difference for one in missing) and not any(one.is_difference for one in new)


def test_every_configuration_loads(tmp_path):
    write_configurations(tmp_path)
    loaded = {name: load_config(tmp_path / f"{name}.toml") for name in RUNS}
    assert len(loaded) == 12
    assert {one.search.strategy for one in loaded.values()} >= {"decomposition", "cma-es", "randopt", "mu-lambda"}
    assert {one.ensemble.method for one in loaded.values()} == {"top-k", "greedy", "weighted", "majority"}
    assert {one.compute.workers for one in loaded.values()} == {COMMON["compute.workers"]}
