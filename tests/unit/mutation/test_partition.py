"""The kind ``partition``: how its recipes are drawn, and what they are elsewhere."""

from __future__ import annotations

import pickle

import pyarrow as pa
import pytest
from recipes import LINEAGE

from evoray.mutation import Mutation
from evoray.mutation.partition import Partition, PartitionConfig


def test_antithetic_pairs_share_all_but_the_sign():
    config = PartitionConfig(parts=5, antithetic=True)
    first, second = (Partition.draw(config, 0.1, 0, 0, child) for child in (6, 7))
    assert (first.sign, second.sign) == (1, -1)
    assert first == second.model_copy(update={"sign": 1})


def test_a_static_subspace_is_one_for_the_run():
    config = PartitionConfig(parts=5, subspace="static")
    drawn = [Partition.draw(config, 0.1, 0, g, c) for g in range(3) for c in range(4)]
    assert len({(m.mask_seed, m.part) for m in drawn}) == 1
    assert len({m.noise_seed for m in drawn}) == 12


def test_a_recorded_child_is_drawn_again():
    """Seeds as runs before this file existed drew them."""
    drawn = Partition.draw(PartitionConfig(parts=5), 0.1, 7, 2, 13)
    assert (drawn.mask_seed, drawn.part) == (1993900192394216470, 3)
    assert drawn.noise_seed == 3068490430099925626


@pytest.mark.parametrize("entry", LINEAGE.entries)
def test_a_row_of_the_population_holds_the_recipe(entry):
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in Partition.columns.items()])
    table = pa.Table.from_pylist([entry.mutation.row()], schema=schema)
    assert Partition.from_row(table.to_pylist()[0]) == entry.mutation


def test_a_recipe_is_pickled_in_few_bytes():
    one = Mutation(mask_seed=2**63, parts=10, part=3, noise_seed=2**63, sigma=0.1)
    assert len(pickle.dumps(one)) == 93
    assert pickle.loads(pickle.dumps(one)) == one
