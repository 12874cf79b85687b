from __future__ import annotations

from evoray.begin import doctor
from evoray.begin.cluster import Cluster
from evoray.begin.findings import bad


def test_everything_is_looked_at_also_without_torch(monkeypatch):
    monkeypatch.setattr(doctor.software, "torch_and_gpus", lambda: [bad("torch", "cannot be used", "mend it")])
    monkeypatch.setattr(doctor.cluster, "look", lambda: Cluster("a", error="does not answer"))
    monkeypatch.setattr(doctor.machine, "_is_taken", lambda port: False)
    found = list(doctor.diagnosis())
    whats = [one.what for one in found]
    for what in ("Python", "packages", "torch", "processor", "memory", "disk", "Ray", "cluster", "tokens", "ports"):
        assert what in whats
    assert [one.what for one in found if one.level == "bad"] == ["torch"]


def test_a_look_that_fails_leaves_the_others(monkeypatch):
    def broken():
        raise RuntimeError("gone")

    monkeypatch.setattr(doctor.software, "torch_and_gpus", broken)
    monkeypatch.setattr(doctor.cluster, "look", broken)
    monkeypatch.setattr(doctor.machine, "_is_taken", lambda port: False)
    found = {one.what: one for one in doctor.diagnosis()}
    assert found["torch"].level == found["Ray"].level == "attention" and "gone" in found["torch"].found
    assert "processor" in found and "tokens" in found
