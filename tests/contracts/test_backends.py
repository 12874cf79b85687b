"""Every backend: each item's value once and the right one, whatever came before; and whole runs, bit for bit."""

from __future__ import annotations

import copy
import sys
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import torch
from outputs import all_of, bytes_of
from raising import Raises

from evoray.backends.base import Job
from evoray.backends.registry import _BACKENDS, make_backend
from evoray.config import ComputeConfig
from evoray.config.resolve import Facts, resolve
from evoray.config.schema import BACKENDS
from evoray.errors import DataError, EvaluationError
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.packing import EvaluatorSource, packed_bulk
from evoray.evaluation.settings import like_a_worker
from evoray.evaluation.units.children import Candidate, ChildrenUnit
from evoray.evolution import evolve
from evoray.models import canonical_state, write_state
from evoray.mutation import Lineage, Mutation, tensors_sha256
from evoray.search.inputs import check_inputs
from evoray.search.workers import make_program

GENERATIONS = 2


def test_the_configuration_knows_every_name():
    assert set(BACKENDS) == set(_BACKENDS)


class Bench:
    """A parent, another of the same shape, and what children of each are worth: evaluated here, by no backend."""

    def __init__(self, config):
        inputs = check_inputs(config, Path(__file__).parent)
        self.program = make_program(inputs, resolve(inputs.config, Facts(has_gpu=False)))
        self.parent = inputs.parent.model
        self.rows = inputs.splits.rows["select"]
        self.other = self.like_the_parent(0.5)
        self.values = {}

    def like_the_parent(self, by):
        """Another parent, unknown to workers."""
        model = copy.deepcopy(self.parent)
        with torch.no_grad():
            model.output.bias += by
        return model

    def open(self, backend, model):
        """As a run opens it."""
        bulk = packed_bulk(model)
        backend.open(EvaluatorSource(self.program, bulk.key), bulk)

    def lineage(self, item):
        return Lineage().child(Mutation(mask_seed=1, parts=10, part=item % 10, noise_seed=item, sigma=0.1))

    def job(self, work, base=None):
        """``base``: what all children start with; workers leave their networks there."""
        base = base or Lineage()

        def unit(shard, items):
            children = tuple(Candidate(f"c{item}", self.lineage(item).entries) for item in items)
            return ChildrenUnit(base, children, "select", shard)

        return Job(work, unit, (base,))

    def right(self, model, work):
        if model not in self.values:
            self.values[model] = Evaluator(copy.deepcopy(model), self.program), {}
        evaluator, known = self.values[model]
        pairs = [(shard, item) for shard, items in work.items() for item in items]
        with like_a_worker(self.program):
            for shard, item in set(pairs) - known.keys():
                entries = self.lineage(item).entries
                known[shard, item] = evaluator.evaluate(Lineage(), entries, "select", shard).tobytes()
        return {pair: known[pair] for pair in pairs}


@pytest.fixture(scope="module")
def bench(small_run):
    return Bench(small_run(compute__threads_per_worker=1, compute__device="cpu", compute__gpus_per_worker=0))


@pytest.fixture(scope="module", params=list(_BACKENDS))
def shared(request, ray_workers):
    """Two workers that all tests of a backend take turns with: what one leaves behind, the next would see."""
    if request.param == "ray":
        yield ray_workers()
        return
    with closing(make_backend(ComputeConfig(backend=request.param, workers=2))) as backend:
        yield backend


@pytest.fixture
def backend(shared, bench):
    bench.open(shared, bench.parent)
    return shared


def values(outcomes):
    """Value by (shard, item), as bytes; each may come once."""
    outcomes = list(outcomes)
    assert max(Counter((one.shard, one.item) for one in outcomes).values(), default=1) == 1
    assert [one.failure for one in outcomes if one.failure] == []
    return {(one.shard, one.item): one.value.tobytes() for one in outcomes}


UNEVEN = {0: range(7), 1: (2,), 3: (5, 0, 6), 4: ()}


def test_every_item_of_every_shard_comes_once_with_its_value(backend, bench):
    assert values(backend.run(bench.job(UNEVEN))) == bench.right(bench.parent, UNEVEN)


@pytest.mark.parametrize("work", [{}, {0: ()}])
def test_no_work_is_done_at_once(backend, bench, work):
    assert list(backend.run(bench.job(work))) == []


def test_a_second_job_is_as_good_as_the_first(backend, bench):
    first, second = {0: range(4)}, {0: range(2, 9), 2: range(3)}
    assert values(backend.run(bench.job(first))) == bench.right(bench.parent, first)
    assert values(backend.run(bench.job(second))) == bench.right(bench.parent, second)


def test_another_model_on_the_same_workers_and_the_first_again(backend, bench):
    work = {0: range(3), 1: range(3)}
    ours, theirs = (bench.right(model, work) for model in (bench.parent, bench.other))
    assert all(ours[pair] != theirs[pair] for pair in ours)
    assert values(backend.run(bench.job(work))) == ours
    for model, right in ((bench.other, theirs), (bench.parent, ours)):
        bench.open(backend, model)
        assert backend.work.units == backend.work.evaluations == 0, "counted from the last opening"
        assert values(backend.run(bench.job(work))) == right


def test_what_is_stopped_early_leaves_nothing_behind(backend, bench):
    """Units are numbered anew in each job: a late answer would be taken for one of the next job's."""
    long = {shard: range(100, 200) for shard in range(5)}
    outcomes = backend.run(bench.job(long))
    for _ in range(3):
        next(outcomes)
    outcomes.close()
    assert 3 <= backend.work.evaluations < 250
    short = {shard: range(6) for shard in range(5)}
    assert values(backend.run(bench.job(short))) == bench.right(bench.parent, short)


def raising(kind, shard, items):
    return Raises(kind, shard)


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("user", EvaluationError, r"ZeroDivisionError: of the user"),
        ("memory", EvaluationError, r"MemoryError: no more of it"),
        ("own", DataError, r"^shard 3 is damaged$"),
    ],
)
def test_what_a_unit_raises_is_evorays_own_error(backend, bench, kind, error, words):
    with pytest.raises(error, match=words):
        list(backend.run(Job({0: range(4), 1: range(4)}, partial(raising, kind))))
    work = {0: range(2)}
    assert values(backend.run(bench.job(work))) == bench.right(bench.parent, work), "and the next job is served"


def test_the_callers_model_is_not_written(backend, bench):
    before = tensors_sha256(canonical_state(bench.parent)[0])
    list(backend.run(bench.job({0: range(5)}, base=bench.lineage(7))))
    assert tensors_sha256(canonical_state(bench.parent)[0]) == before


@pytest.fixture(scope="module", params=list(_BACKENDS))
def kind(request, embedded_ray):
    """Each backend's name in turn, and a Ray that it finds."""
    if request.param == "ray":
        embedded_ray()
    return request.param


@pytest.fixture(scope="module")
def single(kind):
    """One worker, which does nothing twice, so that all it does can be counted; its last test closes it."""
    with closing(make_backend(ComputeConfig(backend=kind, workers=1))) as backend:
        yield backend


OTHERWISE = {"mutation__sigma": 0.05, "search__generations": 2}


def test_a_second_run_reloads_nothing(single, kind, small_run, bench, tmp_path):
    """Model, parent and shards are there, and counted; a parent that no node has seen is sent once."""
    write_state(tmp_path / "own.safetensors", bench.like_the_parent(0.25).state_dict())

    def run(name, **changes):
        config = small_run(compute__workers=1, parent__weights=str(tmp_path / "own.safetensors"), **changes)
        result = evolve(config, tmp_path / name, page=False, backend=single)
        return bytes_of(result.directory), result.summary["work"]

    cold, first = run("cold")
    _, second = run("warm", **OTHERWISE)
    assert run("again")[0] == cold
    assert first["models_built"] == 1 and first["shards_loaded"] == 10
    assert second["models_built"] == 0 and second["shards_loaded"] == 0
    if kind == "ray":
        assert first["bytes_to_workers"] > first["parent_bytes"] > 105_866 * 4
        assert second["bytes_to_workers"] < 20_000
        assert (first["nodes"], second["nodes"]) == (1, 0)


def test_the_wire_carries_recipes(single, kind, bench):
    """Beyond the parent, once a node: at most 200 bytes a child and unit."""
    bench.open(single, bench.like_the_parent(0.125))
    work = {shard: range(60) for shard in range(5)}
    assert len(list(single.run(bench.job(work)))) == 300
    counted = single.work
    assert counted.evaluations == 300
    if kind == "ray":
        assert counted.nodes == 1 and counted.parent_bytes > 105_866 * 4
        assert 0 < counted.bytes_to_workers - counted.parent_bytes < 200 * 300


def test_work_is_counted_and_close_comes_back(bench, single):
    """A cold run, a warm one, and the end of the backend's life."""
    work, parent = {0: range(5), 2: range(5)}, bench.like_the_parent(0.75)
    images = sum(len(bench.rows[shard]) * len(items) for shard, items in work.items())
    assert single.has_gpu() in (True, False)
    for built, loaded in ((1, 2), (0, 0)):
        bench.open(single, parent)
        assert values(single.run(bench.job(work))) == bench.right(parent, work)
        counted = single.work
        assert (counted.models_built, counted.shards_loaded) == (built, loaded)
        assert (counted.evaluations, counted.images, counted.workers) == (10, images, 1)
        assert 2 <= counted.units <= 10 and counted.retries == counted.repeated == 0
        assert counted.seconds["evaluate"] > 0 and (counted.seconds["load"] > 0) == bool(loaded)
        assert 0 <= counted.bytes_to_workers - counted.parent_bytes * counted.nodes < 3000
        assert len(counted.devices) <= 1
    unfinished = single.run(bench.job({0: range(100)}))
    next(unfinished)
    single.close()
    single.close()


@pytest.fixture(scope="module")
def reference(tmp_path_factory, small_run):
    config = small_run(compute__workers=2, search__generations=GENERATIONS)
    return all_of(evolve(config, tmp_path_factory.mktemp("local") / "run", page=False))


@pytest.mark.parametrize("name", [name for name in _BACKENDS if name != "ray"])
def test_a_whole_run_ends_in_the_same_bytes(reference, small_run, tmp_path, name):
    """The same population, lineages and predictions. On Ray: tests/system/test_own_ray.py."""
    config = small_run(compute__backend=name, compute__workers=3, search__generations=GENERATIONS)
    files, summary = all_of(evolve(config, tmp_path / "run", page=False))
    assert files.keys() == reference[0].keys()
    assert [name for name in files if files[name] != reference[0][name]] == []
    assert summary == reference[1]


OWN_BACKEND = """
from pathlib import Path

from evoray.backends.local import LocalBackend

class Counting(LocalBackend):
    \"\"\"The local backend, in a file of the user's.\"\"\"

    def run(self, job):
        with Path(__file__).with_name("jobs").open("a") as file:
            file.write(".")
        return super().run(job)

def make(compute):
    return Counting(compute)
"""


def test_a_users_own_backend_is_named_in_the_configuration(reference, small_run, tmp_path):
    (tmp_path / "own_backend.py").write_text(OWN_BACKEND)
    config = small_run(compute__backend="own_backend:make", compute__workers=2, search__generations=GENERATIONS)
    files, summary = all_of(evolve(config, tmp_path / "run", config_dir=tmp_path, page=False))
    assert files == reference[0] and summary == reference[1]
    assert len((tmp_path / "jobs").read_text()) > GENERATIONS
    assert "own_backend" not in sys.modules


EVERYTHING = {
    "ensemble__method": "greedy",
    "ensemble__temperature": True,
    "soup__method": "greedy",
    "fitness__name": "macro-f1",
    "fitness__constraints": ("class-accuracy >= parent - 0.1",),
    "statistics__children_on_test": 3,
    "search__children": 9,
}


@pytest.fixture(scope="module")
def chosen(small_run, tmp_path_factory):
    config = small_run(**EVERYTHING, compute__workers=1)
    return all_of(evolve(config, tmp_path_factory.mktemp("chosen") / "run", page=False))


def test_choosing_members_soup_and_calibration_is_the_same(chosen, shared, small_run, tmp_path):
    """On two workers that have served other runs."""
    assert all_of(evolve(small_run(**EVERYTHING), tmp_path / "run", page=False, backend=shared)) == chosen
