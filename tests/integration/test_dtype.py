"""``compute.dtype = "auto"`` is found once, and what is recorded gives the same bytes again; slow types are named."""

from __future__ import annotations

import json

import pytest
import torch
from outputs import bytes_of

from evoray.errors import UsageError
from evoray.evaluation.units import batch_size, dtype
from evoray.evolution import evolve
from evoray.runtime.events import Noted


class Notes:
    def __init__(self):
        self.lines = []

    def observe(self, event):
        if isinstance(event, Noted):
            self.lines.append(event.text)

    def about(self, words):
        return [line for line in self.lines if words in line]


@pytest.fixture
def fast_bfloat16(monkeypatch):
    monkeypatch.setattr(dtype, "seconds_of", lambda passes, largest: {"float32": 3.0, "bfloat16": 1.0})


def compute_of(run):
    return run.directory.read_json("config.json")["compute"]


def test_the_type_found_is_recorded_and_resumes_as_it_was(small_run, tmp_path, monkeypatch):
    asked, notes = small_run(compute__dtype="auto", compute__workers=1), Notes()
    first = evolve(asked, tmp_path / "run", page=False, observers=[notes])
    recorded = compute_of(first)["dtype"]
    assert recorded in ("float32", "bfloat16")
    assert len(notes.about(f"compute.dtype is {recorded} for this run")) == 1
    given = evolve(small_run(compute__dtype=recorded), tmp_path / "given", page=False)
    assert bytes_of(first.directory) == bytes_of(given.directory)
    before = bytes_of(first.directory)
    (tmp_path / "run" / "summary.json").unlink()

    def never(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr("evoray.search.workers.found_dtype", never)
    again = evolve(asked, tmp_path / "run", resume=True, page=False)
    assert bytes_of(again.directory) == before
    assert compute_of(again)["dtype"] == recorded


def test_a_run_goes_on_in_the_type_that_was_found_first_and_the_size_after_it(
    small_run, tmp_path, fast_bfloat16, monkeypatch
):
    listed = {"architecture": "x86_64", "avx512_bf16": False}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: listed, raising=False)
    timed = []

    def seconds(evaluator, shard, size):
        timed.append(evaluator.program.dtype)
        return 1.0 / size

    monkeypatch.setattr(batch_size, "seconds_per_image", seconds)
    notes = Notes()
    asked = small_run(compute__dtype="auto", compute__batch_size="auto", compute__workers=2)
    first = evolve(asked, tmp_path / "run", page=False, observers=[notes])
    assert set(timed) == {"bfloat16"}
    found = compute_of(first)
    assert found["dtype"] == "bfloat16" and type(found["batch_size"]) is int
    assert [line for line in notes.lines if "compute.dtype" in line] == notes.about("compute.dtype is bfloat16")
    assert first.summary["work"]["models_built"] == 3 * 2

    monkeypatch.setattr(dtype, "seconds_of", None)
    (tmp_path / "run" / "summary.json").unlink()
    notes = Notes()
    again = evolve(asked, tmp_path / "run", resume=True, page=False, observers=[notes])
    assert compute_of(again) == found
    (slow,) = notes.about("compute.dtype = bfloat16: the processor")
    assert "Set compute.dtype to float32, or to auto" in slow and not notes.about("looking for the fastest")


def test_resume_refuses_another_type_and_a_record_of_none(small_run, tmp_path, fast_bfloat16):
    asked = small_run(compute__dtype="auto", compute__workers=1)
    evolve(asked, tmp_path / "run", page=False)
    with pytest.raises(UsageError, match=r"compute\.dtype was 'bfloat16' and is 'float32'"):
        evolve(small_run(compute__dtype="float32"), tmp_path / "run", resume=True)
    path = tmp_path / "run" / "config.json"
    recorded = json.loads(path.read_text())
    for value in ("auto", "int8", 7, None, ["float32"]):
        path.write_text(json.dumps(recorded | {"compute": recorded["compute"] | {"dtype": value}}))
        with pytest.raises(UsageError, match=r"config\.json: damaged \(compute\.dtype is no type\)\. \w"):
            evolve(asked, tmp_path / "run", resume=True)
