"""A child that kills whoever meets it ranks last, the same in every run, and a resumed run does not meet it again."""

from __future__ import annotations

import json
import uuid
from contextlib import closing
from dataclasses import replace

import pytest
from outputs import PulledPlug, StopsAfter, bytes_of

from evoray.backends.base import Outcome
from evoray.backends.local import LocalBackend
from evoray.errors import RunError
from evoray.evolution import evolve

GUILTY = "g0000/c0002"


class Quarantine:
    """The local backend, but some children kill their workers, and are given up in words that differ each time."""

    def __init__(self, compute, *guilty):
        self.local, self.guilty, self.met = LocalBackend(compute), guilty, set()
        self.note, self.has_gpu, self.open, self.close = print, self.local.has_gpu, self.local.open, self.local.close

    @property
    def work(self):
        return self.local.work

    def run(self, job):
        harmless = {}
        for shard, items in job.work.items():
            names = {item: self.named(job.unit(shard, (item,))) for item in items}
            self.met.update(names.values())
            harmless[shard] = [item for item in items if names[item] not in self.guilty]
            for item in set(items) - set(harmless[shard]):
                yield Outcome(shard, item, failure=f"given up, its worker died each time: process {uuid.uuid4()}")
        yield from self.local.run(replace(job, work=harmless))

    @staticmethod
    def named(unit):
        children = getattr(unit, "children", ())
        return children[0].name if children else None


def run(config, out, *guilty, **options):
    """The result, and the names of all that workers met."""
    with closing(Quarantine(config.compute, *guilty)) as backend:
        return evolve(config, out, backend=backend, page=False, **options), backend.met


RACE = {"search__racing": True}


@pytest.mark.parametrize(("changes", "after"), [({}, 1), ({}, 40), (RACE, 3)], ids=["at-once", "later", "raced"])
def test_it_is_not_met_again_and_ranks_last(small_run, tmp_path, changes, after):
    """The words differ from run to run, and within one; the answer does not."""
    config = small_run(compute__workers=1, **changes)
    whole, met = run(config, tmp_path / "whole", GUILTY)
    assert GUILTY in met
    with pytest.raises(PulledPlug):
        run(config, tmp_path / "cut", GUILTY, progress=StopsAfter(after))
    resumed, met = run(config, tmp_path / "cut", GUILTY, resume=True)
    assert GUILTY not in met
    assert bytes_of(resumed.directory) == bytes_of(whole.directory)
    last = resumed.population.sort_by("rank").to_pylist()[-1]
    assert (last["child_id"], last["status"]) == (GUILTY, "given up, its worker died each time")
    assert last["select_fitness"] is last["select_n"] is None


def test_how_its_workers_ended_is_kept(small_run, tmp_path):
    config = small_run(compute__workers=1)
    with pytest.raises(PulledPlug):
        run(config, tmp_path / "run", GUILTY, progress=(seen := Notes(20)))
    (note,) = (text for text in seen.notes if text.startswith(GUILTY))
    resumed, _ = run(config, tmp_path / "run", GUILTY, resume=True)
    lines = [json.loads(line) for line in resumed.directory.read("metrics.jsonl").splitlines()]
    (given_up,) = (line["given_up"] for line in lines if "given_up" in line)
    assert given_up.keys() == {GUILTY}
    process = given_up[GUILTY].rpartition(" ")[2]
    assert process in note, "the words of the run that met it"
    assert given_up[GUILTY].startswith("shard 0: given up")


class Notes(StopsAfter):
    def __init__(self, count):
        super().__init__(count)
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def test_a_parent_that_is_given_up_ends_the_run_and_is_tried_again(small_run, tmp_path):
    config = small_run(compute__workers=1)
    whole = evolve(config, tmp_path / "whole", page=False)
    with pytest.raises(RunError, match=r"the parent on shard 0 of select: given up.*go on with resume=True"):
        run(config, tmp_path / "run", "parent")
    resumed, met = run(config, tmp_path / "run", resume=True)
    assert "parent" in met
    assert bytes_of(resumed.directory) == bytes_of(whole.directory)
