"""Arrow files from a stranger: what is mapped or in memory stays where it is, and nothing is unpacked.

A compressed buffer of a kilobyte may hold gigabytes of zeros. EvoRay writes none, so its readers take none: every
message is looked at before its batch is made, and every batch before its values are.
"""

import struct
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from evoray.runtime.reading import shown

_MAGIC = b"ARROW1\0\0"


def read_arrow(source: pa.NativeFile | pa.Buffer, schema: Mapping[str, Any], metadata: str | None = None) -> pa.Table:
    """The record batches of an Arrow file that lies in memory or is mapped, without a copy of them.

    Args:
        schema: its columns, in their order: name -> a type, or a function that says whether a type fits.

    Raises:
        ValueError: compressed or dictionary-encoded batches, other columns, nulls, or buffers that do not fit.
    """
    file = pa.BufferReader(source) if isinstance(source, pa.Buffer) else source
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("no Arrow file")
    messages = pa.ipc.MessageReader.open_stream(file)
    found, batches = None, []
    for message in iter(lambda: _next(messages), None):
        if message.type == "schema":
            found = pa.ipc.read_schema(message)
            _check_columns(found, schema)
        elif message.type != "record batch" or found is None or _is_compressed(message.metadata):
            raise ValueError("it holds what EvoRay does not write: compressed or dictionary-encoded batches")
        else:
            batches.append(pa.ipc.read_record_batch(message, found))
    if found is None:
        raise ValueError("no schema in it")
    table = pa.Table.from_batches(batches, found)
    table.validate(full=True)
    if any(column.null_count for column in table.columns):
        raise ValueError("it has empty cells")
    return table


def _next(messages: Any) -> Any:
    try:
        return messages.read_next_message()
    except StopIteration:
        return None


def _check_columns(found: pa.Schema, schema: Mapping[str, Any]) -> None:
    fits = found.names == list(schema) and all(
        wanted(kind) if callable(wanted) else kind == wanted
        for kind, wanted in zip(found.types, schema.values(), strict=True)
    )
    if not fits:
        columns = ", ".join(f"{field.name} {field.type}" for field in found)
        raise ValueError(f"its columns are {shown(columns)}")


def _is_compressed(metadata: pa.Buffer) -> bool:
    """Whether a record batch says that its buffers are compressed (``compression`` in Arrow's Message.fbs).

    A flatbuffer's table begins with the distance to its vtable: its own length, the table's, and each field's place.
    """
    content = metadata.to_pybytes()
    header = _field(content, struct.unpack_from("<i", content, 0)[0], 2)
    if header is None:
        return True
    return _field(content, header + struct.unpack_from("<i", content, header)[0], 3) is not None


def _field(content: bytes, table: int, number: int) -> int | None:
    """Where a table's field lies; None where it is left out."""
    vtable = table - struct.unpack_from("<i", content, table)[0]
    if min(table, vtable) < 0:
        raise ValueError("its messages are damaged")
    at = 4 + 2 * number
    if at + 2 > struct.unpack_from("<H", content, vtable)[0]:
        return None
    place = struct.unpack_from("<H", content, vtable + at)[0]
    return table + place if place else None
