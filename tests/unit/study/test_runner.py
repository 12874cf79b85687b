from __future__ import annotations

import pytest
from runs import write_finished

from evoray.errors import UsageError
from evoray.runtime.progress import Progress
from evoray.storage.directory import RunDirectory
from evoray.study import runner
from evoray.study.plan import cases
from evoray.study.runner import run_study, unfinished


class Told(Progress):
    def __init__(self):
        self.total, self.done, self.notes = 0, 0, []

    def stage(self, name, total, unit="evaluations"):
        self.total = total

    def advance(self, count):
        self.done += count

    def note(self, text):
        self.notes.append(text)


class FakeBackend:
    def __init__(self):
        self.closed = 0

    def close(self):
        self.closed += 1


@pytest.fixture
def evolved(monkeypatch):
    """What would have been run: (directory, resume, backend); each run ends at once, better with a larger sigma."""
    ran = []

    def evolve(config, location, *, resume, backend, **_):
        ran.append((location, resume, backend))
        fitness = [-1 / config.mutation.sigma] * config.search.generations
        write_finished(RunDirectory(location), config, fitness=fitness)

    monkeypatch.setattr(runner, "evolve", evolve)
    monkeypatch.setattr(runner, "make_backend", lambda *_: FakeBackend())
    return ran


@pytest.fixture
def run(study, study_file, tmp_path):
    def go(**options):
        return list(run_study(study, study_file.parent, str(tmp_path / "out"), **options))

    return go


RUNS = 4 + 3
"""Of a case: two settings of each side, and three arms of several generations."""


def test_every_case_is_run_in_turn_and_its_outcomes_are_known_from_then_on(run, evolved):
    told = Told()
    known = run(progress=told)
    assert [len(outcomes) for outcomes in known] == [RUNS, 2 * RUNS, 3 * RUNS, 4 * RUNS]
    assert len(evolved) == told.total == told.done == 4 * RUNS
    assert [one.parent for one in known[-1][::RUNS]] == ["cnn", "resnet", "cnn", "resnet"]
    assert [one.seed for one in known[-1][::RUNS]] == [0, 0, 1, 1]
    assert told.notes[0] == known[0][0].run == "cnn/seed0/one/parts4-sigma0.05"


def test_what_is_finished_is_not_run_again(run, evolved, study, study_file, tmp_path):
    first = run()
    again = run()
    assert len(evolved) == 4 * RUNS
    assert again[-1] == first[-1]
    assert unfinished(study, study_file.parent, str(tmp_path / "out")) == []


def test_an_interrupted_run_goes_on_and_a_new_one_begins(run, evolved, tmp_path):
    run(only="cnn/seed0")
    begun = tmp_path / "out" / "cnn" / "seed0" / "one" / "parts4-sigma0.05"
    (begun / "summary.json").unlink()
    run(only="cnn/seed0")
    assert [(location, resume) for location, resume, _ in evolved[RUNS:]] == [(str(begun), True)]
    assert not any(resume for _, resume, _ in evolved[:RUNS])


def test_longer_arms_take_the_setting_that_select_chose(run, evolved):
    (outcomes,) = run(only="cnn/seed0")
    longer = {one.arm: (one.parts, one.sigma) for one in outcomes if one.role == "long"}
    assert longer == {"dense": (1, 0.05), "sparse, dynamic": (16, 0.1), "sparse, static": (16, 0.1)}


def test_the_first_of_equals_is_chosen(run, evolved, monkeypatch):
    def evolve(config, location, **_):
        write_finished(RunDirectory(location), config, fitness=[-0.5] * config.search.generations)

    monkeypatch.setattr(runner, "evolve", evolve)
    (outcomes,) = run(only="cnn/seed0")
    assert {(one.parts, one.sigma) for one in outcomes if one.role == "long" and one.side == "sparse"} == {(4, 0.05)}


def test_only_what_matches_is_run_and_the_rest_is_read(run, evolved):
    run(only="cnn/seed1")
    known = run(only="resnet/*")
    assert [len(outcomes) for outcomes in known] == [2 * RUNS, 3 * RUNS]
    assert len(evolved) == 3 * RUNS
    assert {(one.parent, one.seed) for one in known[-1]} == {("cnn", 1), ("resnet", 0), ("resnet", 1)}


def test_a_dry_run_runs_nothing(run, evolved, study, study_file, tmp_path):
    assert run(dry=True) == [[]] * 4 and evolved == []
    run(only="cnn/seed0")
    del evolved[:]
    assert [len(outcomes) for outcomes in run(dry=True)] == [RUNS] * 4 and evolved == []
    left = unfinished(study, study_file.parent, str(tmp_path / "out"))
    assert [case.name for case in left] == ["resnet/seed0", "cnn/seed1", "resnet/seed1"]


def test_a_half_finished_grid_has_no_longer_arms_yet(run, evolved, tmp_path):
    run(only="cnn/seed0")
    (tmp_path / "out" / "cnn" / "seed0" / "one" / "parts4-sigma0.05" / "summary.json").unlink()
    assert {one.role for one in run(dry=True)[0]} == {"grid"}


def test_one_backend_serves_all_runs_and_is_closed(run, evolved):
    run()
    (backend,) = {backend for _, _, backend in evolved}
    assert backend.closed == 1


def test_a_backend_is_closed_though_a_run_fails(run, monkeypatch, evolved):
    opened = []
    monkeypatch.setattr(runner, "make_backend", lambda *_: opened.append(FakeBackend()) or opened[-1])

    def evolve(*_, **__):
        raise ConnectionError

    monkeypatch.setattr(runner, "evolve", evolve)
    with pytest.raises(ConnectionError):
        run()
    assert [backend.closed for backend in opened] == [1]


def test_a_run_of_another_study_is_not_touched(run, evolved, study, study_file, tmp_path):
    first = next(iter(cases(study, study_file.parent))).grid()[0]
    other = first.config.model_copy(update={"mutation": first.config.mutation.model_copy(update={"parts": 5})})
    write_finished(RunDirectory(str(tmp_path / "out" / first.directory)), other)
    with pytest.raises(UsageError, match=r"holds a run of another study, its mutation was .*Name a new --out"):
        run()
    assert evolved == []


def test_another_machines_workers_are_no_other_study(run, evolved, study, study_file, tmp_path):
    first = next(iter(cases(study, study_file.parent))).grid()[0]
    other = first.config.model_copy(update={"compute": first.config.compute.model_copy(update={"workers": 7})})
    write_finished(RunDirectory(str(tmp_path / "out" / first.directory)), other)
    run(only="cnn/seed0")
    assert len(evolved) == RUNS - 1


def test_a_pattern_without_a_case_names_those_that_there_are(run, evolved):
    with pytest.raises(UsageError, match='"vit/\\*" matches no case; there are cnn/seed0, resnet/seed0, cnn/seed1'):
        run(only="vit/*")
