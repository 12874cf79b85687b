"""Which strata lie in a range, and where a mutation's coordinates are in the flat vector."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from recipes import PARTS, U64, layered, mutations

from evoray.mutation import Space, TensorSpec, mask_indices
from evoray.mutation.device.strata import Strata, drawn_offsets, runs, strata_form
from evoray.mutation.partition import Partition

SPACE = Space([TensorSpec(name, (size,), "float32", 1.0) for name, size in zip("abcde", (5, 0, 7, 1, 4), strict=True)])
ORDER = (3, 0, 1, 4, 2)


@given(U64, PARTS, st.integers(1, 300), st.data())
@example(1, 2**32, 300, None)
def test_strata_between_are_those_that_change_something_there(
    seed: int, parts: int, length: int, data: st.DataObject | None
) -> None:
    part = data.draw(st.integers(0, parts - 1)) if data else 7
    start, stop = sorted(data.draw(st.integers(0, length)) for _ in range(2)) if data else (0, 300)
    first, count = Strata(seed, parts, part, 0, 1.0, 1, 0, length).between(start, stop)
    indices = mask_indices(length, seed, parts, part)
    expected = indices[(start <= indices) & (indices < stop)]
    assert count == len(expected)
    assert count == 0 or first == expected[0] // parts


@given(mutations(), st.integers(0, 10**9))
def test_a_whole_mask_is_counted(mutation, n: int) -> None:
    space = Space([TensorSpec("a", (n,), "float32", 1.0)])
    form = strata_form(mutation, space)
    assert form is not None and form.between(0, form.length)[1] == mutation.count(n)


@pytest.mark.parametrize("order", [None, ORDER, tuple(range(5))])
@pytest.mark.parametrize(("first", "last"), [(0, 17), (0, 3), (4, 13), (16, 17), (2, 2)])
@pytest.mark.parametrize(("start", "stop"), [(0, 17), (0, 5), (3, 6), (4, 16), (5, 5), (11, 13)])
def test_runs_map_positions_to_coordinates(order, first, last, start, stop) -> None:
    """Against a vector of the flat coordinates, laid out in that order."""
    drawn = np.concatenate([np.arange(*SPACE.offsets[number : number + 2]) for number in order or range(5)])
    strata = Strata(0, 1, 0, 0, 1.0, 1, first, last - first, order)
    found = {}
    for run in runs(strata, SPACE, start, stop):
        assert 0 <= run.start < run.stop <= strata.length
        found |= {position: position + run.shift for position in range(run.start, run.stop)}
    assert found == {at - first: flat for at, flat in enumerate(drawn) if first <= at < last and start <= flat < stop}


def test_tensors_are_drawn_in_their_order() -> None:
    assert drawn_offsets(SPACE, None).tolist() == [0, 5, 5, 12, 13]
    assert drawn_offsets(SPACE, ORDER).tolist() == [1, 6, 10, 0, 6]


def test_a_kind_without_such_a_form_says_so() -> None:
    class Own(Partition):
        """Inherits all but what it adds."""

        def delta(self, *args: Any) -> Any: ...

    values = {"mask_seed": 1, "parts": 3, "part": 2, "noise_seed": 4, "sigma": 0.5, "sign": -1}
    assert strata_form(Own(**values), SPACE) is None
    assert strata_form(Partition(**values), SPACE) == Strata(1, 3, 2, 4, 0.5, -1, 0, 17, None)


@given(layered())
def test_a_block_is_strata_on_a_stretch_of_the_deep_vector(mutation) -> None:
    space = SPACE.with_depth(ORDER)
    form = strata_form(mutation, space)
    assert form is not None
    drawn = []
    for run in runs(form, space, 0, space.n):
        first, count = form.between(run.start, run.stop)
        indices = mask_indices(form.length, form.mask_seed, form.parts, form.part, first, count)
        drawn += (indices + run.shift).tolist()
    assert drawn == mutation.delta(space, 0, space.n)[0].tolist()
    assert strata_form(mutation, SPACE) is None
