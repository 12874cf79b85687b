from __future__ import annotations

import numpy as np
import torch
from devices import CONVOLUTIONS, ORDER, space_of

from evoray.evaluation.layout import Layout
from evoray.mutation import Space, TensorSpec
from evoray.mutation.device.strata import Strata
from evoray.mutation.device.tables import Addresses, Tables

CPU = torch.device("cpu")


def tables(order=None, own="bfloat16", dtype=torch.float32, transposed=CONVOLUTIONS) -> Tables:
    space = space_of(own)
    return Tables.of(space, order, Layout(space, transposed).addresses, dtype, CPU)


def test_rows_stand_in_the_order_of_drawing():
    flat, deep = tables(), tables(ORDER)
    assert flat.starts.tolist() == flat.flat.tolist() == [0, 162, 168, 168, 368]
    assert flat.stops.tolist() == [162, 168, 168, 368, 369]
    assert deep.starts.tolist() == [0, 1, 201, 201, 363] and deep.flat.tolist() == [368, 168, 168, 0, 162]
    assert deep.places.tolist() == flat.places[list(ORDER)].tolist()
    assert deep.scales.tolist() == flat.scales[list(ORDER)].tolist()


def test_types_that_round_are_those_that_are_neither_float32_nor_the_buffers():
    assert tables().rounded == (torch.bfloat16,)
    assert tables().own.tolist() == [1, 1, 1, 1, 0]
    assert tables(dtype=torch.bfloat16).rounded == ()
    assert tables(own="float16", dtype=torch.bfloat16).rounded == (torch.float16,)


def test_only_convolutions_under_channels_last_are_transposed():
    assert tables().transposed and tables().window.tolist() == [9, 1, 1, 1, 1]
    assert not tables(transposed=()).transposed


def test_every_coordinate_has_the_number_of_its_tensor():
    for order in (None, ORDER):
        found = tables(order).numbers(torch.arange(0, 369, 2))
        numbers = np.repeat(np.arange(5), np.array([162, 6, 0, 200, 1])[list(order or range(5))])
        assert found.tolist() == numbers[::2].tolist()
    assert tables().numbers(torch.arange(0)).tolist() == []


def test_amplitudes_are_rounded_product_by_product():
    scales = np.float32([0.1, 1e-40, 3e38, 0.0])
    space = Space([TensorSpec(name, (1,), "float32", float(one)) for name, one in zip("abcd", scales, strict=True)])
    ones = np.ones(4, dtype=np.int64)
    found = Tables.of(space, None, Addresses(ones, ones, ones), torch.float32, CPU)
    for sigma in (0.1, 1e-45, 3e38):
        strata = Strata(0, 1, 0, 0, sigma, -1, 0, 4)
        with np.errstate(over="ignore"):
            expected = np.float32(-1) * (np.float32(sigma) * scales)
        assert np.array_equal(found.amplitudes(strata).numpy().view(np.uint32), expected.view(np.uint32))


def test_the_space_is_not_shared():
    space = space_of()
    made = Tables.of(space, None, Layout(space).addresses, torch.float32, CPU)
    made.scales.zero_(), made.flat.zero_()
    assert space.scales.any() and space.offsets.any()
