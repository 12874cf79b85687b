"""What a run finds on its workers before it begins: in which order, what is opened for it, and what is said."""

from __future__ import annotations

import itertools

import pytest

from evoray.backends.base import Outcome, Work
from evoray.config import parse_config
from evoray.errors import BackendError
from evoray.evaluation.units.batch_size import LARGEST, TuneUnit
from evoray.evaluation.units.dtype import DtypeUnit, Found, SlowUnit
from evoray.search.inputs import check_inputs
from evoray.search.workers import open_workers

NET = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(192, 5)
    def forward(self, x):
        return self.fc(x.flatten(1))
class Half(Net):
    def __init__(self):
        super().__init__()
        self.half()
"""
LINE = "compute.dtype is bfloat16 for this run: it is fast"
SLOW = "the processor has no bfloat16 instructions"


class Workers:
    """A backend whose workers answer at once; ``asked`` holds (what, type and batch size they were opened with)."""

    def __init__(self, **answers):
        self.answers = {"DtypeUnit": Found("bfloat16", LINE), "TuneUnit": 64, "SlowUnit": "", **answers}
        self.opened, self.asked, self.splits, self.note = [], [], [], None

    def has_gpu(self):
        return False

    def open(self, source, bulk):
        built = not self.opened or self.opened[-1] != (source.program.dtype, source.program.batch_size)
        self.work = Work(models_built=built, nodes=not self.opened, parent_bytes=bulk.nbytes)
        self.opened.append((source.program.dtype, source.program.batch_size))

    def run(self, job):
        ((shard, items),) = job.work.items()
        unit = job.unit(shard, tuple(items))
        assert isinstance(unit, DtypeUnit | TuneUnit | SlowUnit) and unit.shard == shard
        self.splits.append(job.split)
        self.work.units += 1
        self.asked.append((type(unit).__name__, self.opened[-1]))
        answer = self.answers[type(unit).__name__]
        if answer is not None:
            yield answer if isinstance(answer, Outcome) else Outcome(shard, 0, answer)


@pytest.fixture
def run(tmp_path):
    (tmp_path / "user_net.py").write_text(NET)

    def opened(workers, name="Net", **compute):
        values = {
            "parent": {"source": "module", "name": f"user_net:{name}", "weights": "random"},
            "data": {"path": "mock:images=16,size=8,classes=5"},
            "compute": {"backend": "local", "workers": 1, **compute},
        }
        notes = []
        inputs = check_inputs(parse_config(values, config_dir=tmp_path), tmp_path)
        return open_workers(inputs, workers, notes.append)[1].compute, notes

    return opened


DIED = Outcome(0, 0, failure="it killed its worker 3 times")


@pytest.mark.parametrize(
    ("asked", "answers", "questions", "opened"),
    [
        ({}, {}, [], [("float32", 256)]),
        ({"dtype": "auto"}, {}, [("DtypeUnit", ("float32", 256))], [("float32", 256), ("bfloat16", 256)]),
        (
            {"dtype": "auto"},
            {"DtypeUnit": Found("float32", LINE)},
            [("DtypeUnit", ("float32", 256))],
            [("float32", 256), ("float32", 256)],
        ),
        (
            {"dtype": "auto", "batch_size": "auto"},
            {},
            [("DtypeUnit", ("float32", LARGEST)), ("TuneUnit", ("bfloat16", LARGEST))],
            [("float32", LARGEST), ("bfloat16", LARGEST), ("bfloat16", 64)],
        ),
        ({"batch_size": "auto"}, {}, [("TuneUnit", ("float32", LARGEST))], [("float32", LARGEST), ("float32", 64)]),
        ({"dtype": "bfloat16"}, {}, [("SlowUnit", ("bfloat16", 256))], [("bfloat16", 256)] * 2),
    ],
)
def test_the_type_is_found_first_then_the_size(asked, answers, questions, opened, run):
    workers = Workers(**answers)
    found, _ = run(workers, **asked)
    assert workers.asked == questions and workers.opened == opened
    assert (found.dtype, found.batch_size) == opened[-1]
    built = 1 + sum(one != other for one, other in itertools.pairwise(opened))
    assert (workers.work.models_built, workers.work.nodes) == (built, 1), "it costs the run"
    assert workers.work.units == 0, "the run's own units are the first: then observers are told of the workers"
    assert "select" not in workers.splits, "what a question takes says nothing of a run's units"


def test_one_line_says_which_type_was_found(run):
    _, notes = run(Workers(), dtype="auto")
    assert notes == ["looking for the fastest type", LINE]


@pytest.mark.parametrize("found", ["bfloat16", "float32"])
def test_a_network_in_another_type_is_told_once_that_is_known(found, run):
    _, notes = run(Workers(DtypeUnit=Found(found, LINE)), "Half", dtype="auto")
    assert len(notes) == 3 and f"it is evaluated in {found} (compute.dtype)" in notes[-1]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_slow_type_is_said_once_with_its_remedy(dtype, run):
    found, notes = run(Workers(SlowUnit=SLOW), dtype=dtype)
    (line,) = notes
    assert line.startswith(f"compute.dtype = {dtype}: {SLOW}") and "\n" not in line
    assert "Set compute.dtype to float32, or to auto" in line
    assert found.dtype == dtype, "it is said, and nothing is changed"


@pytest.mark.parametrize(
    ("asked", "answers"),
    [
        ({"dtype": "bfloat16"}, {}),
        ({"dtype": "float32"}, {"SlowUnit": SLOW}),
        ({"dtype": "bfloat16"}, {"SlowUnit": DIED}),
        ({"dtype": "bfloat16"}, {"SlowUnit": None}),
    ],
)
def test_otherwise_nothing_is_said(asked, answers, run):
    assert run(Workers(**answers), **asked)[1] == []


@pytest.mark.parametrize(
    ("key", "unit", "remedy"), [("dtype", "DtypeUnit", "Set one."), ("batch_size", "TuneUnit", "Set a number.")]
)
@pytest.mark.parametrize(("answer", "reason"), [(DIED, "killed its worker"), (None, "no worker answered")])
def test_workers_that_die_of_the_question_are_an_error_with_the_key(key, unit, remedy, answer, reason, run):
    with pytest.raises(BackendError, match=f'^compute.{key} = "auto": no .*{reason}.*{remedy}$'):
        run(Workers(**{unit: answer}), **{key: "auto"})
