from __future__ import annotations

from types import SimpleNamespace

import pytest

from evoray.begin import machine

GIB = 2**30
INTEL = "processor\t: 0\nmodel name\t: Xeon\nflags\t\t: fpu avx avx2 avx512f avx512_bf16 amx_bf16 amx_tile\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd bf16\n"


def usage(total, free):
    return lambda path: SimpleNamespace(total=int(total * GIB), used=0, free=int(free * GIB))


@pytest.mark.parametrize(
    ("cpuinfo", "words"),
    [
        (INTEL, ["Xeon", "amx_tile", "computes in bfloat16 (avx512_bf16, amx_bf16)"]),
        (ARM, ["asimd", "computes in bfloat16 (bf16)"]),
        ("flags : avx avx2\n", ["avx2", "no units for bfloat16"]),
        (None, ["cores"]),
    ],
)
def test_a_processor_is_told_by_its_flags(tmp_path, cpuinfo, words):
    if cpuinfo is not None:
        (tmp_path / "cpuinfo").write_text(cpuinfo)
    (found,) = machine.processor(tmp_path)
    assert found.level == "good" and all(word in found.found for word in words)


def test_memory_is_what_a_container_may_have(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal:  16777216 kB\nMemAvailable:  8388608 kB\n")
    limit, used = tmp_path / "max", tmp_path / "current"
    assert machine.memory_bytes(tmp_path, limit) == (16 * GIB, 8 * GIB)
    limit.write_text("max\n")
    assert machine.memory_bytes(tmp_path, limit) == (16 * GIB, 8 * GIB)
    limit.write_text(str(4 * GIB))
    used.write_text(str(3 * GIB))
    assert machine.memory_bytes(tmp_path, limit, used) == (4 * GIB, GIB)
    (found,) = machine.memory(tmp_path, limit, used)
    assert found.level == "attention" and "1.0 GiB of it free" in found.found
    assert list(machine.memory(tmp_path / "absent", limit)) == []


@pytest.mark.parametrize(
    ("size", "free", "level"), [(8, 8, "good"), (0.0625, 0.0625, "attention"), (8, 0.1, "attention")]
)
def test_little_shared_memory_is_worth_attention(tmp_path, size, free, level):
    (found,) = machine.shared_memory(16 * GIB, tmp_path, usage(size, free))
    assert found.level == level and ("--shm-size" in found.remedy) == (level == "attention")


def test_a_system_without_shared_memory_is_good(tmp_path):
    assert [one.level for one in machine.shared_memory(GIB, tmp_path / "absent")] == ["good"]


@pytest.mark.parametrize(
    ("total", "free", "level"),
    [(100, 50, "good"), (100, 3, "attention"), (100, 0.1, "bad"), (10_000, 400, "attention")],
)
def test_a_full_disk_is_told(tmp_path, total, free, level):
    (found,) = machine.disk({"runs": str(tmp_path / "not" / "yet")}, usage(total, free))
    assert found.level == level and bool(found.remedy) == (level != "good")


def test_a_folder_that_cannot_be_written_is_bad(tmp_path, monkeypatch):
    monkeypatch.setattr(machine.os, "access", lambda *_: False)
    (found,) = machine.disk({"runs": str(tmp_path)}, usage(100, 50))
    assert found.level == "bad" and "cannot be written" in found.found


def test_ports_are_free_taken_by_ray_or_by_another():
    (free,) = machine.ports(False, lambda port: False)
    (own,) = machine.ports(True, lambda port: port == 8265)
    (other,) = machine.ports(False, lambda port: port == 8265)
    assert (free.level, own.level, other.level) == ("good", "good", "attention")
    assert "8265 (dashboard)" in other.found and "--dashboard-port" in other.remedy
