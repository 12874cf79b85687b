from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import evoray
from evoray.backends.base import Work
from evoray.backends.metrics import IMAGES, METRICS, QUEUE, RETRIES, SECONDS, UNITS, WORKERS, Meter

ROOT = Path(evoray.__file__).parents[1]
DASHBOARD = json.loads((ROOT / "cluster" / "grafana.json").read_text())


class Recorded:
    def __init__(self):
        self.totals = {}

    def add(self, metric, value, tags):
        assert value > 0
        self.totals[metric, tags.get(metric.tag)] = self.totals.get((metric, tags.get(metric.tag)), 0) + value
        assert tags["run"] == "r1"

    def set(self, metric, value, tags):
        self.totals[metric, tags.get(metric.tag)] = value


def test_counters_grow_by_what_is_new_and_gauges_are_set():
    sink, work = Recorded(), Work()
    meter = Meter(sink, "r1")
    work.units, work.images, work.seconds = 3, 100, {"evaluate": 2.0}
    meter.look(work, 50, {"ready": 2, "starting": 1})
    meter.look(work, 40, {"ready": 3, "starting": 0})
    work.units, work.retries, work.seconds = 5, 1, {"evaluate": 2.5, "wait": 0.5}
    meter.look(work, 0, {"ready": 3, "starting": 0})
    assert sink.totals == {
        (UNITS, None): 5,
        (IMAGES, None): 100,
        (RETRIES, None): 1,
        (SECONDS, "evaluate"): 2.5,
        (SECONDS, "wait"): 0.5,
        (QUEUE, None): 0,
        (WORKERS, "ready"): 3,
        (WORKERS, "starting"): 0,
    }


def test_every_metric_is_drawn_and_every_drawn_one_exists():
    expressions = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    drawn = set(re.findall(r"\bray_evoray_\w+", " ".join(expressions)))
    assert drawn == {metric.exported for metric in METRICS}


def test_the_dashboard_selects_by_tags_that_exist():
    tags = {metric.tag for metric in METRICS if metric.tag} | {"run"}
    text = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])
    assert set(re.findall(r"(\w+)=~?\"", text)) <= tags
    assert {name for group in re.findall(r"by \((\w+)\)", text) for name in group.split(",")} <= tags


def test_the_dashboard_can_be_imported():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert DASHBOARD["uid"] == "evoray"
    for panel in DASHBOARD["panels"]:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


ASKED_OF_ENGINES = ("evoray_open", "evoray_write", "evoray_take_back", "evoray_weights_sha256")
NO_METRICS = ("evoray_log_fields", "evoray_sdpa", *ASKED_OF_ENGINES)


def test_names_are_not_made_anywhere_else():
    """A metric that is not in METRICS would not be drawn."""
    for path in (ROOT / "evoray").rglob("*.py"):
        strings = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
        made = [text for text in strings if isinstance(text, str) and re.fullmatch("evoray_[a-z_]+", text)]
        if path.name == "metrics.py" and path.parent.name == "backends":
            assert sorted(made) == sorted(metric.name for metric in METRICS)
        else:
            own = [name for name in made if not (path.parent.name == "serving" and name.startswith("evoray_serve"))]
            assert [name for name in own if name not in NO_METRICS] == [], path
