"""Pictures written byte by byte: PNG and TIFF in forms that Pillow reads and does not write."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(values, colour=0, bits=16, before=(), after=()):
    """A PNG of [H, W] or [H, W, C] values, big-endian; ``before`` and ``after`` are chunks around the pixels."""
    values = np.asarray(values)
    height, width = values.shape[:2]
    rows = values.astype({8: "u1", 16: ">u2"}[bits]).reshape(height, -1)
    packed = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(packed))
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return head + b"".join(before) + pixels + b"".join(after) + chunk(b"IEND", b"")


def png_header(width, height, bits=8, colour=2):
    """What claims a size, and holds a few bytes of pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def tiff(values, kind, photometric=1, order="<", bits=None, more=(), big=False):
    """An uncompressed TIFF of [H, W] or [H, W, C] values of a NumPy type such as ``u2``, ``i2``, ``f4``.

    bits: of a sample, where it is not the type's; ``values`` are then the packed bytes themselves.
    more: further tags (tag, type, values), which replace those of the same number.
    """
    values = np.asarray(values)
    height, width = values.shape[:2]
    samples = 1 if values.ndim == 2 else values.shape[2]
    pixels = values.astype(order + kind).tobytes()
    if bits == 12:
        pairs = values.reshape(-1, 2).astype(int)
        pixels = b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in pairs)
    each = bits or np.dtype(kind).itemsize * 8
    head = (16 if big else 8) + len(pixels)
    form = {"u": 1, "i": 2, "f": 3}[np.dtype(kind).kind]
    tags = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [each] * samples), 259: (3, [1]), 262: (3, [photometric]),
        273: (4, [16 if big else 8]), 277: (3, [samples]), 278: (4, [height]), 279: (4, [len(pixels)]),
        339: (3, [form] * samples),
    }  # fmt: skip
    tags.update({tag: (kind_, list(found)) for tag, kind_, found in more})
    return tiff_of(tags, pixels, order, head, big)


def tiff_of(tags, pixels, order="<", head=None, big=False):
    """A TIFF of tags {tag: (type, values)}; values that do not fit in an entry follow the directory."""
    sizes = {1: "B", 2: "B", 3: "H", 4: "I", 7: "B", 11: "f", 12: "d", 16: "Q"}
    first = 16 if big else 8
    head = first + len(pixels) if head is None else head
    mark = b"II" if order == "<" else b"MM"
    start = mark + (struct.pack(order + "HHHQ", 43, 8, 0, head) if big else struct.pack(order + "HI", 42, head))
    room, width, number = (8, 20, "Q") if big else (4, 12, "I")
    entries, behind = [], b""
    place = head + (8 if big else 2) + width * len(tags) + room
    for tag, (kind, values) in sorted(tags.items()):
        content = struct.pack(f"{order}{len(values)}{sizes[kind]}", *values)
        if len(content) > room:
            where = struct.pack(order + number, place + len(behind))
            behind += content + b"\0" * (len(content) % 2)
            content = where
        entries.append(struct.pack(order + "HH" + number, tag, kind, len(values)) + content.ljust(room, b"\0"))
    count = struct.pack(order + ("Q" if big else "H"), len(entries))
    return start + pixels + count + b"".join(entries) + bytes(room) + behind


def pgm(values, top, plain=False):
    """A PGM of [H, W], or a PPM of [H, W, 3]."""
    values = np.asarray(values)
    height, width = values.shape[:2]
    magic = {(2, False): "P5", (3, False): "P6", (2, True): "P2", (3, True): "P3"}[values.ndim, plain]
    head = f"{magic} {width} {height} {top}\n".encode()
    if plain:
        return head + " ".join(str(value) for value in values.ravel()).encode()
    return head + values.astype(">u2" if top > 255 else "u1").tobytes()
