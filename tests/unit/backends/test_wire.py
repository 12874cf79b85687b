"""Units arrive as they were sent, in few bytes."""

from __future__ import annotations

import random

from evoray.backends.wire import Decoder, Encoder
from evoray.evaluation.units.children import Candidate, ChildrenUnit
from evoray.mutation import Entry, Lineage, Mutation

RANDOM = random.Random(0)


def entry(part, mask_seed=None):
    mask_seed = RANDOM.getrandbits(64) if mask_seed is None else mask_seed
    return Entry(1.0, Mutation(mask_seed=mask_seed, parts=10, part=part, noise_seed=RANDOM.getrandbits(64), sigma=0.1))


BASE = Lineage(tuple(entry(i % 10) for i in range(80)))
CHILDREN = tuple(Candidate(f"g0003/c{i:04d}", (entry(i % 10),)) for i in range(200))


def unit(start, count):
    return ChildrenUnit(BASE, CHILDREN[start : start + count], "select", 3)


def test_a_unit_comes_back_and_its_base_is_the_shared_one():
    encoder = Encoder((BASE,), unit(0, 2))
    decoder = Decoder(encoder.preamble)
    one, other = (decoder.decode(encoder.encode(unit(start, 5))) for start in (0, 100))
    assert one == unit(0, 5) and other == unit(100, 5)
    assert one.base is other.base


def test_a_child_costs_less_than_a_hundred_bytes_even_alone():
    encoder = Encoder((BASE,), unit(0, 2))
    assert max(len(encoder.encode(unit(start, 1))) for start in range(200)) < 100
    assert len(encoder.encode(unit(0, 50))) < 50 * 60


def test_a_specimen_of_another_kind_costs_bytes_only():
    encoder = Encoder((), "something else")
    assert Decoder(encoder.preamble).decode(encoder.encode(unit(0, 3))) == unit(0, 3)
