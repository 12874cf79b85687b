"""What a run exports while it goes, by name. Ray-free: ``backends/ray.py`` gives the values to Prometheus.

A counter ``evoray_units`` appears there as ``ray_evoray_units_total``, a gauge ``evoray_queue`` as
``ray_evoray_queue``; every series also says which run it is. ``cluster/grafana.json`` draws each of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from evoray.backends.base import Work


@dataclass(frozen=True)
class Metric:
    """kind: a counter only grows, a gauge is set. tag: what one series of several is told apart by."""

    name: str
    kind: Literal["counter", "gauge"]
    description: str
    tag: str | None = None

    @property
    def exported(self) -> str:
        return f"ray_{self.name}" + ("_total" if self.kind == "counter" else "")


UNITS = Metric("evoray_units", "counter", "Units sent to workers")
EVALUATIONS = Metric("evoray_evaluations", "counter", "Children x shards that are done")
IMAGES = Metric("evoray_images", "counter", "Images evaluated")
RETRIES = Metric("evoray_retries", "counter", "Units or workers lost and asked for again")
REPEATED = Metric("evoray_repeated", "counter", "Units also given to a second worker because they were late")
BYTES = Metric("evoray_bytes_to_workers", "counter", "Bytes sent to workers: units, and the parent once a node")
SECONDS = Metric("evoray_worker_seconds", "counter", "Seconds of all workers: build, load, evaluate, wait", "phase")
QUEUE = Metric("evoray_queue", "gauge", "Children x shards not handed out yet")
WORKERS = Metric("evoray_workers", "gauge", "Workers by state: ready, starting, leaving", "state")

METRICS = (UNITS, EVALUATIONS, IMAGES, RETRIES, REPEATED, BYTES, SECONDS, QUEUE, WORKERS)

_FROM_WORK = {
    UNITS: "units",
    EVALUATIONS: "evaluations",
    IMAGES: "images",
    RETRIES: "retries",
    REPEATED: "repeated",
    BYTES: "bytes_to_workers",
}


class Sink(Protocol):
    """Where values go; ``tags`` always hold ``run``, and the metric's own tag."""

    def add(self, metric: Metric, value: float, tags: dict[str, str]) -> None: ...

    def set(self, metric: Metric, value: float, tags: dict[str, str]) -> None: ...


class NoSink:
    """Where nothing is exported."""

    def add(self, metric: Metric, value: float, tags: dict[str, str]) -> None:
        pass

    def set(self, metric: Metric, value: float, tags: dict[str, str]) -> None:
        pass


class Meter:
    """Turns a run's totals into what has been added since it looked last; nothing for a run without an id."""

    def __init__(self, sink: Sink, run: str) -> None:
        self._sink, self.run = sink, run
        self._last: dict[tuple[Metric, str], float] = {}

    def look(self, work: Work, queue: int, workers: Mapping[str, int]) -> None:
        """Args: ``workers``: how many are in each state."""
        if not self.run:
            return
        for metric, field in _FROM_WORK.items():
            self._grow(metric, float(getattr(work, field)))
        for phase, seconds in work.seconds.items():
            self._grow(SECONDS, seconds, phase)
        self._sink.set(QUEUE, queue, {"run": self.run})
        for state, count in workers.items():
            self._sink.set(WORKERS, count, {"run": self.run, "state": state})

    def _grow(self, metric: Metric, total: float, tag: str = "") -> None:
        more = total - self._last.get((metric, tag), 0.0)
        if more > 0:
            self._last[metric, tag] = total
            self._sink.add(metric, more, {"run": self.run} | ({metric.tag: tag} if metric.tag else {}))
