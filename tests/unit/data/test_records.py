from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pydantic import ValidationError

from evoray.data.records import Column, Ragged, Records, from_arrow, schema_of, to_arrow

TYPES = ("uint8", "int32", "int64", "float32", "float64")


@st.composite
def columns(draw):
    """(column, values) of any type and shape."""
    kind = draw(st.sampled_from((*TYPES, "string", "lists")))
    rows = draw(st.integers(1, 5))
    if kind == "string":
        texts = st.text(st.characters(codec="utf-8"), max_size=5)
        return Column(type="string"), draw(st.lists(texts, min_size=rows, max_size=rows))
    if kind == "lists":
        lists = draw(st.lists(st.lists(st.integers(-9, 9), max_size=4), min_size=rows, max_size=rows))
        return Column(type="int64"), Ragged.of(lists, "int64")
    shape = draw(st.one_of(st.just(()), array_shapes(max_dims=3, max_side=3)))
    return Column(type=kind, shape=shape), draw(arrays(np.dtype(kind), (rows, *shape)))


def same(one, other):
    if isinstance(one, Ragged):
        return list(map(list, one)) == list(map(list, other)) and other.values.dtype == one.values.dtype
    if isinstance(one, list):
        return one == other
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


@given(columns(), st.integers(1, 3))
def test_a_column_comes_back_bit_by_bit_in_one_chunk_or_many(made, chunks):
    column, values = made
    whole = to_arrow(values, column)
    assert whole.type == column.arrow
    step = -(-len(whole) // chunks)
    cut = pa.chunked_array([whole[at : at + step] for at in range(0, len(whole), step)])
    assert same(values, from_arrow(pa.chunked_array([whole]), column))
    assert same(values, from_arrow(cut, column))


def test_one_chunk_of_numbers_is_a_view():
    column = Column(type="float32", shape=(2, 3))
    array = to_arrow(np.arange(24, dtype=np.float32).reshape(4, 2, 3), column)
    found = from_arrow(pa.chunked_array([array]), column)
    assert found.__array_interface__["data"][0] == array.buffers()[1].address


@pytest.mark.parametrize(
    "values",
    [
        {"type": "string", "shape": (2,)},
        {"type": "float32", "shape": (0,)},
        {"type": "float32", "shape": (2**14, 2**14)},
        {"type": "float32", "shape": (1,) * 9},
        {"type": "object"},
        {"type": "float32", "more": 1},
    ],
)
def test_no_column(values):
    with pytest.raises(ValidationError):
        Column(**values)


def test_lists_of_their_own_lengths():
    lists = Ragged.of([[1, 2], [], [3]], "int64")
    assert (len(lists), lists.lengths.tolist(), lists[0].tolist(), lists[1].tolist()) == (3, [2, 0, 1], [1, 2], [])
    assert len(Ragged.of([], "int64")) == 0


def test_records_know_their_columns():
    records = Records(0, {"target": np.zeros((2, 1))}, ["a", "b"])
    assert len(records) == 2 and "target" in records and "image" not in records
    with pytest.raises(AttributeError, match="no images"):
        _ = records.images


def test_a_schema_leaves_widths_out():
    made = {"input": Column(type="float32", shape=(3,)), "text": Column(type="string"), "n": Column(type="int64")}
    assert schema_of("regression", made, "input").columns == {
        "input": "fixed_size_binary",
        "text": "string",
        "n": "list<item: int64>",
        "source": "string",
    }
