"""Parquet from a stranger: how much a file claims to be is looked at before anything is unpacked.

A file of a kilobyte may hold a billion rows. A table is bounded by what its footer says of rows and unpacked bytes, and
read in small batches, in which a long text that stands in every row is still one text.
"""

import io
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from evoray.errors import DataError, EvorayError
from evoray.runtime.reading import said, shown, translated

TABLE_BYTES = 256 * 2**20
"""Unpacked. A million children have 200 MB."""
TABLE_ROWS = 2_000_000
BATCH_ROWS = 8192


def read_parquet(
    content: bytes, origin: str, remedy: str, error: type[EvorayError] = DataError, limit: int = TABLE_BYTES
) -> pa.Table:
    """The table of a Parquet file; ``error`` where it is none, or larger than ``limit`` once unpacked."""
    with translated(origin, remedy, error):
        try:
            file = pyarrow.parquet.ParquetFile(io.BytesIO(content))
        except (pa.ArrowException, OSError, UnicodeDecodeError) as reason:
            raise error(f"{shown(origin)}: damaged, not Parquet ({said(reason)}). {remedy}") from None
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        unpacked = sum(
            group.total_byte_size for group in groups
        )  # asked for its own, a damaged column ends the process
        rows = file.metadata.num_rows
        if rows > TABLE_ROWS or rows != sum(group.num_rows for group in groups) or not 0 <= unpacked <= limit:
            raise error(
                f"{shown(origin)}: damaged or too large, {rows:,} rows of {unpacked:,} bytes, and such a table has "
                f"at most {TABLE_ROWS:,} of {limit:,}. {remedy}"
            )
        return _in_batches(content, file.schema_arrow, origin, remedy, error, limit)


def _in_batches(
    content: bytes, schema: pa.Schema, origin: str, remedy: str, error: type[EvorayError], limit: int
) -> pa.Table:
    """The rows, texts unpacked only once it is known how long they are together."""
    texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_binary(field.type)]
    file = pyarrow.parquet.ParquetFile(io.BytesIO(content), read_dictionary=texts, pre_buffer=False)
    batches, size = [], 0
    for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
        size += sum(_unpacked(column) for column in batch.columns)
        if size > limit:
            raise error(f"{shown(origin)}: unpacked it is more than the {limit:,} bytes that it may have. {remedy}")
        batches.append(batch.cast(schema) if texts else batch)
    table = pa.Table.from_batches(batches, schema)
    table.validate(full=True)
    return table


def _unpacked(column: pa.Array) -> int:
    """Bytes of a column once every row has a text of its own."""
    if not isinstance(column, pa.DictionaryArray):
        return int(column.nbytes)
    lengths = pyarrow.compute.binary_length(column.dictionary)
    return 4 * len(column) + (pyarrow.compute.sum(lengths.take(column.indices)).as_py() or 0)


def check_types(table: pa.Table, wanted: Mapping[str, Sequence[str]], required: Sequence[str] = ()) -> None:
    """Raises ValueError for a column of another kind than ``int``, ``float`` or ``text``, or one with empty cells."""
    tests = {
        "int": pa.types.is_integer,
        "float": lambda kind: pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind),
        "text": lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind),
    }
    if len(set(table.column_names)) != len(table.column_names):
        raise ValueError("two columns of one name")
    for kind, names in wanted.items():
        for name in set(names) & set(table.column_names):
            if not tests[kind](table.schema.field(name).type):
                raise ValueError(f"its column {name} is {table.schema.field(name).type}")
    for name in required:
        if name in table.column_names and table[name].null_count:
            raise ValueError(f"its column {name} has empty cells")
