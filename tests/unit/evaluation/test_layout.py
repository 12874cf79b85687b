from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from evoray.evaluation import layout as module
from evoray.evaluation.layout import ALIGNMENT, Layout, stretches, transposable, within
from evoray.mutation import Space

SHAPES = st.one_of(
    st.tuples(st.integers(1, 9)),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3), st.integers(1, 3)),
)


def space_of(shapes, dtype=torch.float32):
    state = {f"t{number:02d}": torch.ones(shape, dtype=dtype) for number, shape in enumerate(shapes)}
    return Space.from_state(state, sorted(state), "rms")


def filled(layout):
    """A buffer in which every place holds its own number, as far as float64 counts."""
    return torch.arange(layout.size, dtype=torch.float64)


@given(st.lists(SHAPES, min_size=1, max_size=5), st.booleans())
def test_a_coordinates_place_is_where_its_tensors_view_has_it(shapes, channels_last):
    """Format 1 counts row-major through all tensors; the views say where each of them lies."""
    space = space_of(shapes)
    layout = Layout(space, [spec.name for spec in space.tensors] if channels_last else ())
    views = layout.views(filled(layout))
    row_major = torch.cat([views[spec.name].reshape(-1) for spec in space.tensors]).numpy()
    places = layout.positions(np.arange(len(row_major)))
    assert places.dtype == np.int64 and places.tolist() == row_major.tolist()
    some = np.arange(0, len(row_major), 3)
    assert layout.positions(some).tolist() == row_major[some].tolist()
    assert len(set(places.tolist())) == len(places) and places.max() < layout.size


@given(st.lists(SHAPES, min_size=1, max_size=5))
def test_every_tensor_starts_at_a_whole_line(shapes):
    space = space_of(shapes)
    layout = Layout(space)
    views = layout.views(filled(layout))
    starts = [int(views[spec.name].flatten()[0]) for spec in space.tensors]
    assert all(start % ALIGNMENT == 0 for start in starts) and starts == sorted(starts)
    assert layout.size == sum(-(-spec.size // ALIGNMENT) * ALIGNMENT for spec in space.tensors)
    assert {name: tuple(view.shape) for name, view in views.items()} == {s.name: tuple(s.shape) for s in space.tensors}


def test_a_transposed_convolution_lies_as_channels_last_kernels_want_it():
    space = space_of([(2, 3, 2, 2), (4, 3)])
    layout = Layout(space, ["t00"])
    view = layout.views(filled(layout))["t00"]
    assert view.shape == (2, 3, 2, 2) and view.is_contiguous(memory_format=torch.channels_last)
    assert view[1, 2, 0, 1].item() == 1 * 12 + (0 * 2 + 1) * 3 + 2  # o * kh * kw * I + (y * kw + x) * I + i


@pytest.mark.parametrize("shape", [(6, 3), (6,), (6, 1, 3, 3), (6, 3, 1, 1)])
def test_what_transposing_would_not_move_is_left(shape):
    space = space_of([shape])
    assert torch.equal(
        Layout(space, ["t00"]).views(torch.arange(64))["t00"], Layout(space).views(torch.arange(64))["t00"]
    )


def test_views_share_the_buffers_memory():
    layout = Layout(space_of([(2, 3, 2, 2)]), ["t00"])
    buffer = torch.zeros(layout.size)
    layout.views(buffer)["t00"].fill_(1.0)
    assert buffer.sum() == 24


@pytest.mark.parametrize("transposed", [(), ("t00", "t01", "t02")])
@pytest.mark.parametrize("limit", [1, 7, 40, 1000])
def test_chunks_hold_all_coordinates_in_order(limit, transposed, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", limit)
    space = space_of([(4, 3, 2, 2), (5,), (6, 5)])
    layout = Layout(space, transposed)
    buffer = filled(layout)
    chunks = layout.chunks(buffer)
    pieces = [piece for chunk in chunks for piece in chunk.pieces]
    assert [piece.start for piece in pieces] == [0, *(piece.stop for piece in pieces[:-1])]
    assert pieces[-1].stop == space.n and (chunks[0].start, chunks[-1].stop) == (0, space.n)
    held = torch.cat([piece.view.reshape(-1) for piece in pieces])
    assert held.tolist() == layout.positions(np.arange(space.n)).tolist()
    assert all(chunk.stop - chunk.start <= max(limit, 12) for chunk in chunks), "a single row may be longer"


def test_a_piece_knows_its_tensors_own_type():
    space = space_of([(3,)], torch.bfloat16)
    layout = Layout(space)
    ((piece,),) = [chunk.pieces for chunk in layout.chunks(torch.zeros(layout.size))]
    assert piece.own == torch.bfloat16


def test_convolutions_of_images_are_the_ones_to_transpose():
    model = nn.Sequential(nn.Conv2d(2, 3, 1), nn.Sequential(nn.Conv2d(3, 3, 3), nn.Conv1d(3, 3, 3)), nn.Linear(3, 3))
    assert transposable(model) == {"0.weight", "1.0.weight"}
    assert transposable(nn.Conv2d(2, 3, 1)) == {"weight"}, "also where the network is one layer"


@given(
    st.lists(SHAPES, min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 150), st.integers(0, 60)), max_size=4),
    st.integers(1, 30),
)
def test_what_spans_touch_is_what_holds_any_of_their_coordinates(shapes, spans, chunk):
    space = space_of(shapes)
    spans = [(min(start, space.n), min(start + length, space.n)) for start, length in spans]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        layout = Layout(space)
        chunks = layout.chunks(torch.zeros(layout.size))
    found = within(chunks, spans)
    pieces = [piece for one in found for piece in one.pieces]
    expected = [
        piece
        for one in chunks
        for piece in one.pieces
        if any(start < stop and start < piece.stop and piece.start < stop for start, stop in spans)
    ]
    assert [(one.start, one.stop) for one in pieces] == [(one.start, one.stop) for one in expected]
    assert all(one.stop == other.start for some in found for one, other in pairwise(some.pieces))
    for together in stretches(found, 2):
        assert len(together) <= 2 and all(one.stop == other.start for one, other in pairwise(together))
    assert [one for together in stretches(found, 2) for one in together] == found
