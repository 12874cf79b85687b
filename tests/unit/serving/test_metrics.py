from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families as read

from evoray.serving.metrics import BOUNDS, Counts, added, exposition


def samples(counts):
    text = exposition(counts, {"member": 'a"b\n'}).decode()
    return {(one.name, *sorted(one.labels.items())): one.value for family in read(text) for one in family.samples}


def test_replicas_are_added_up_and_read_by_prometheus():
    one, other = Counts(), Counts()
    one.request("/predict", 200, 0.02)
    one.request("/predict", 200, 60)
    one.request("/predict", 401, 0.02)
    other.request("/predict", 200, 0.001)
    other.request("/health", 200, 0.5)
    one.batch(2)
    other.batch(1)
    found = samples(added([one, other]))
    assert found["evoray_serve_requests_total", ("path", "/predict"), ("status", "200")] == 3
    assert found["evoray_serve_requests_total", ("path", "/predict"), ("status", "401")] == 1
    assert found[("evoray_serve_records_total",)] == 3
    assert found[("evoray_serve_batches_total",)] == 2
    assert found["evoray_serve_prediction_seconds_bucket", ("le", "0.005")] == 1
    assert found["evoray_serve_prediction_seconds_bucket", ("le", "0.025")] == 2
    assert found["evoray_serve_prediction_seconds_bucket", ("le", "+Inf")] == 3
    assert found[("evoray_serve_prediction_seconds_sum",)] == 60.021
    assert found["evoray_serve_info", ("member", 'a"b\n')] == 1


def test_a_bound_belongs_to_its_bucket():
    counts = Counts()
    counts.request("/predict", 200, BOUNDS[0])
    assert counts.buckets[0] == 1


def test_nothing_yet():
    assert samples(added([]))["evoray_serve_prediction_seconds_bucket", ("le", "+Inf")] == 0
