"""What a server counts, for Prometheus: each replica its own, added up where they are asked for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds: upper ends of the histogram's buckets; a further one is for what took longer."""


@dataclass
class Counts:
    """requests: by path and status; buckets: predictions by their seconds; records, batches: that the network saw."""

    requests: dict[tuple[str, int], int] = field(default_factory=dict)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0
    records: int = 0
    batches: int = 0

    def request(self, path: str, status: int, seconds: float) -> None:
        """Of an answered prediction the seconds are counted as well."""
        self.requests[path, status] = self.requests.get((path, status), 0) + 1
        if path == "/predict" and status == 200:
            self.buckets[bisect_left(BOUNDS, seconds)] += 1
            self.seconds += seconds

    def batch(self, records: int) -> None:
        self.batches += 1
        self.records += records


def added(counts: Iterable[Counts]) -> Counts:
    """All replicas', those that are gone too."""
    total = Counts()
    for one in counts:
        for key, number in one.requests.items():
            total.requests[key] = total.requests.get(key, 0) + number
        total.buckets = [a + b for a, b in zip(total.buckets, one.buckets, strict=True)]
        total.seconds += one.seconds
        total.records += one.records
        total.batches += one.batches
    return total


def exposition(counts: Counts, labels: Mapping[str, str]) -> bytes:
    """Prometheus' text format. labels: of ``evoray_serve_info``, such as the member's name."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    class Ours(Collector):
        def collect(self) -> Iterator[Any]:
            return _families(counts, labels)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Ours())
    return bytes(generate_latest(registry))


def _families(counts: Counts, labels: Mapping[str, str]) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, InfoMetricFamily

    yield InfoMetricFamily("evoray_serve", "What is served.", value=dict(labels))
    requests = CounterMetricFamily("evoray_serve_requests", "Requests answered.", labels=["path", "status"])
    for (path, status), number in sorted(counts.requests.items()):
        requests.add_metric([path, str(status)], number)
    yield requests
    yield CounterMetricFamily("evoray_serve_records", "Records that the network saw.", value=counts.records)
    yield CounterMetricFamily("evoray_serve_batches", "Batches that the network saw.", value=counts.batches)
    below, so_far = [], 0
    for bound, number in zip((*map(str, BOUNDS), "+Inf"), counts.buckets, strict=True):
        so_far += number
        below.append((bound, so_far))
    histogram = HistogramMetricFamily("evoray_serve_prediction_seconds", "From a request's head to its answer.")
    histogram.add_metric([], below, counts.seconds)
    yield histogram
