from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoray.config import parse_config
from evoray.mutation import Lineage
from evoray.mutation.partition import PartitionConfig
from evoray.runtime.importing import leaving_no_modules
from evoray.strategies.sampling import draw_children, draw_mutation


def draw_one(config):
    return draw_mutation(config, 0.1, 0, 0, 3)


def draw_some(config):
    return draw_children(config, 0.1, 0, 0, 4, Lineage())[3].lineage.entries[-1].mutation


SEEDS = st.integers(0, 2**63 - 1)


def address(seed, *key):
    """A 64-bit seed as NumPy's documentation says it is made."""
    return int(np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)[0])


@given(SEEDS, st.integers(0, 50), st.integers(0, 50), st.integers(1, 12))
def test_a_child_is_a_function_of_its_address(seed, generation, child, parts):
    found = draw_mutation(PartitionConfig(parts=parts), 0.5, seed, generation, child)
    group, part = divmod(child, parts)
    assert (found.parts, found.part, found.sigma, found.sign) == (parts, part, 0.5, 1)
    assert found.mask_seed == address(seed, 1, generation, group)
    assert found.noise_seed == address(seed, 2, generation, child)


@given(SEEDS, st.integers(0, 20))
def test_antithetic_children_differ_in_sign_alone(seed, pair):
    config = PartitionConfig(parts=3, antithetic=True)
    plus, minus = (draw_mutation(config, 0.1, seed, 4, child) for child in (2 * pair, 2 * pair + 1))
    assert (plus.sign, minus.sign) == (1, -1)
    assert plus == minus.model_copy(update={"sign": 1})
    assert plus.part == pair % 3


def test_a_static_subspace_is_one_mask_for_the_whole_run():
    config = PartitionConfig(parts=3, subspace="static")
    drawn = [draw_mutation(config, 0.1, 7, generation, child) for generation in range(3) for child in range(5)]
    assert {(one.mask_seed, one.part) for one in drawn} == {(address(7, 1, 0, 0), 0)}
    assert len({one.noise_seed for one in drawn}) == 15


@pytest.mark.parametrize("count", [0, 1, 12])
def test_children_extend_one_base_by_an_entry_each(count):
    config = PartitionConfig(parts=5)
    base = Lineage().child(draw_mutation(config, 0.1, 0, 0, 0))
    children = draw_children(config, 0.2, 9, 3, count, base)
    assert [one.name for one in children] == [f"g0003/c{child:04d}" for child in range(count)]
    for child, one in enumerate(children):
        assert (one.base, one.generation, one.kind, one.own) == (base, 3, "child", 1)
        assert one.lineage.entries[-1].weight == 1.0
        assert one.lineage.entries[-1].mutation == draw_mutation(config, 0.2, 9, 3, child)


OWN = """
from typing import Literal
from evoray.config import MutationConfig
from evoray.mutation import Recipe

class OwnConfig(MutationConfig):
    kind: Literal["own_kind_of_two:Own"] = "own_kind_of_two:Own"

    @property
    def disjoint(self):
        return 1

class Own(Recipe):
    Section = OwnConfig
    kind: Literal["own_kind_of_two:Own"] = "own_kind_of_two:Own"
    number: int

    @classmethod
    def draw(cls, config, sigma, seed, generation, child):
        return cls(number={number} + child)

    def at_most(self, space):
        return 0

    def delta(self, space, start, stop):
        raise NotImplementedError
"""


@pytest.mark.parametrize("drawn_by", [draw_one, draw_some])
def test_a_kind_of_a_users_own_is_the_one_of_its_configurations_folder(tmp_path, drawn_by):
    """Two folders have a module of that name; each configuration keeps its own, whichever was read last."""
    configs = []
    with leaving_no_modules():
        for number in (100, 200):
            folder = tmp_path / str(number)
            folder.mkdir()
            (folder / "own_kind_of_two.py").write_text(OWN.replace("{number}", str(number)))
            values = {
                "parent": {"name": "resnet18", "weights": "random"},
                "data": {"path": "mnist5k"},
                "mutation": {"kind": "own_kind_of_two:Own"},
            }
            configs.append(parse_config(values, config_dir=folder).mutation)
        for _ in range(2):
            assert [drawn_by(one).number for one in configs] == [103, 203]
    assert [drawn_by(one).number for one in configs] == [103, 203]  # and their folders are not on the path any more
    assert drawn_by(configs[0].model_copy(update={"sigma": 0.5})).number == 103
