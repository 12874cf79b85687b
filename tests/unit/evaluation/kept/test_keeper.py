"""Kept on equals kept off, bit for bit; what cannot be cut runs whole, and says why."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from evoray.errors import EvaluationError
from evoray.evaluation.kept.tape import Unrepeatable
from evoray.evaluation.units.children import Candidate, ChildrenUnit
from evoray.mutation import Entry, Lineage, Mutation
from tests.unit.evaluation.kept.nets import CUTTABLE, NOT, NumPyBefore, Plain, Unused, worker


def entry(seed, parts=2, weight=1.0):
    return Entry(weight, Mutation(mask_seed=seed, parts=parts, part=seed % parts, noise_seed=seed + 100, sigma=0.3))


def rows(evaluator, base=(), children=3, **unit):
    """What a unit of children says; every child is of its own seed."""
    some = tuple(Candidate(f"c{seed}", (entry(seed),)) for seed in range(children))
    return np.stack(ChildrenUnit(Lineage(tuple(base)), some, "select", 0, **unit).run(evaluator))


def both(kind, names, **how):
    return [worker(kind, names, keep_activations=keep, **how) for keep in ("auto", False)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", [*CUTTABLE, NumPyBefore])
def test_kept_on_is_kept_off(kind, dtype):
    names = ("head",) if kind.__name__ == "Attends" else ("second", "head")
    on, off = both(kind, names, dtype=dtype)
    base = (entry(50, weight=0.5),)
    for given in ((), base, ()):
        assert np.array_equal(rows(on, given), rows(off, given))
        assert np.array_equal(rows(on, given, paired=True), rows(off, given, paired=True))
    assert on.counters.images == off.counters.images == off.counters.passes
    assert on.counters.passes < off.counters.passes * 0.9
    assert not on.counters.note


@pytest.mark.parametrize("kind", NOT)
def test_a_network_that_cannot_be_cut_runs_whole_and_says_why(kind):
    torch.manual_seed(1)
    on = worker(kind, ("head",), keep_activations="auto")
    rows(on)
    assert NOT[kind] in on.counters.note and on.counters.passes == on.counters.images
    with pytest.raises(EvaluationError, match=rf"keep_activations = true: .*{NOT[kind]}"):
        rows(worker(kind, ("head",), keep_activations=True))


def test_nothing_is_recorded_where_all_weights_change(monkeypatch):
    monkeypatch.setattr("evoray.evaluation.kept.keeper.record_opening", lambda *_: pytest.fail("recorded"))
    on, off = both(Plain, ("*",))
    assert np.array_equal(rows(on), rows(off))


def test_a_units_changed_weights_are_looked_at_once(monkeypatch):
    """Its children come again with every shard, and with a base of another generation."""
    on, tails = worker(Plain, ("second", "head"), keep_activations="auto"), [(entry(seed),) for seed in range(3)]
    looked, tensors = [], Mutation.tensors
    monkeypatch.setattr(Mutation, "tensors", lambda one, space: (looked.append(one.mask_seed), tensors(one, space))[1])
    parts = [on.keeper.part(tails, lambda: on._kept._first_batch("select", 0)) for _ in range(3)]
    assert parts[0] is not None and parts[0] is parts[1] is parts[2]
    assert [looked.count(seed) for seed in range(3)] == [1, 1, 1]
    for seed in range(1000, 1200):
        on._kept._keeper.part([(entry(seed),)], lambda: pytest.fail("recorded already"))
    assert len(on._kept._keeper._asked) <= 64
    on._kept._keeper.give_up(Unrepeatable("no more"))
    assert on._kept._keeper.part([(entry(0),), (entry(1),), (entry(2),)], lambda: pytest.fail("asked")) is None


def test_weights_that_are_never_used_cost_nothing():
    on, off = both(Unused, ("extra",))
    assert np.array_equal(rows(on), rows(off))
    assert on.counters.passes < off.counters.passes / 2


def test_what_does_not_fit_is_made_once_a_unit():
    (on, off), tight = both(Plain, ("head",)), worker(Plain, ("head",), resident_gib=1e-7, keep_activations="auto")
    assert np.array_equal(rows(tight), rows(off)) and np.array_equal(rows(on), rows(off))
    kept = tight.kept(Lineage(), [(entry(0),)], "select", 0)
    assert kept.streams and kept.nbytes == 0
    before = tight.counters.passes
    rows(tight, children=5)
    images = len(tight.targets("select", 0))
    share = kept.part.share
    assert tight.counters.passes - before == pytest.approx(images * (1 - share) + 5 * images * share)


def test_bases_that_differ_behind_the_cut_have_it_in_common():
    on, off = both(Plain, ("head",))
    first = on.kept(Lineage(), [(entry(0),)], "select", 0)
    base = Lineage((entry(7), entry(8, weight=0.25)))
    assert on.kept(base, [(entry(0),)], "select", 0) is first
    assert np.array_equal(rows(on, base.entries), rows(off, base.entries))


def test_bases_that_differ_before_the_cut_do_not():
    """The space is all of the network; the child is of a kind that says which tensors it changes."""

    class Last(Mutation):
        def tensors(self, space):
            return [number for number, one in enumerate(space.tensors) if one.name.startswith("head")]

        def delta(self, space, start, stop):
            indices, values = super().delta(space, start, stop)
            inside = space.per_coordinate(np.isin(np.arange(len(space.tensors)), self.tensors(space)), indices)
            return indices[inside], values[inside]

    last = Entry(1.0, Last(mask_seed=1, parts=1, part=0, noise_seed=2, sigma=0.5))
    on, off = both(Plain, ("*",))
    found = [
        [one.evaluate(Lineage(base), (last,), "select", 0) for base in ((), (entry(3),), (entry(3), last), ())]
        for one in (on, off)
    ]
    assert np.array_equal(*map(np.stack, found))
    assert len({on.kept(Lineage(base), [(last,)], "select", 0).nbytes for base in ((), (entry(3),))}) == 1
    keys = [key for key in on._shard_cache._kept if len(key) == 4]
    assert len(keys) == 2 and {len(key[3]) for key in keys} == {0, 1}


def test_the_last_batch_has_a_tape_of_its_own_and_filled_batches_one():
    on, off = both(Plain, ("head",), images=20)
    assert np.array_equal(rows(on), rows(off))
    assert len(on._kept._keeper._tapes) == 2


@pytest.mark.parametrize("units", [4, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("gib", [1.0, 1e-7])
def test_after_units_of_a_hundred_children_the_base_is_intact(units, gib):
    """Dense children and sparse ones, of two bases in turn."""
    on = worker(Plain, ("second", "head"), keep_activations=True, resident_gib=gib, images=2, batch_size=2)
    before, first = copy.deepcopy(on.host.buffer), rows(on)
    for unit in range(units):
        seeds = range(100 * unit, 100 * unit + 100)
        some = tuple(Candidate(f"c{seed}", (entry(seed, parts=2 if seed % 3 else 200),)) for seed in seeds)
        ChildrenUnit(Lineage((entry(7),) if unit % 4 == 3 else ()), some, "select", 0).run(on)
    on.host.set_base(())
    assert torch.equal(on.host.buffer, before) and np.array_equal(rows(on), first)
    assert on.counters.passes < on.counters.images and not on.counters.note


def test_an_error_of_the_rest_names_its_child():
    on = worker(Plain, ("head",), keep_activations="auto")
    rows(on)
    part = on.kept(Lineage(), [(entry(0),)], "select", 0).part
    rests = on._kept._keeper._rests
    for key, rest in list(rests.items()):
        rests[key] = type(rest)(rest.cut, lambda *alive: 1 / 0)
    assert part.first is not None
    with pytest.raises(EvaluationError, match=r"child c0 on shard 0 of select: ZeroDivisionError"):
        rows(on)


@pytest.mark.parametrize("gib", [1.0, 1e-7])
def test_an_error_of_the_first_part_names_a_child_too(gib, monkeypatch):
    on = worker(Plain, ("head",), keep_activations="auto", resident_gib=gib)
    monkeypatch.setattr(on._kept._keeper, "alive", lambda *_: 1 / 0)
    with pytest.raises(EvaluationError, match=r"child c0 on shard 0 of select: ZeroDivisionError"):
        rows(on)


@pytest.mark.parametrize("gib", [1.0, 1e-7])
def test_a_network_that_turns_out_to_differ_later_runs_whole(gib, monkeypatch):
    on, off = worker(Plain, ("head",), keep_activations="auto", resident_gib=gib), worker(Plain, ("head",))
    follow, calls = on._kept._keeper._follow, []

    def later(cut, batch):
        calls.append(batch)
        if len(calls) == 3:
            raise Unrepeatable("it changed its mind")
        return follow(cut, batch)

    monkeypatch.setattr(on._kept._keeper, "_follow", later)
    assert np.array_equal(rows(on), rows(off))
    assert "it changed its mind" in on.counters.note
