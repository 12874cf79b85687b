"""How bytes, words and values go wrong by chance: functions of a generator of random numbers and a file's bytes."""

from __future__ import annotations

import json
import random
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any

from damages import VALUES

Mutation = Callable[[random.Random, bytes], bytes]

NUMBERS = (0, 1, -1, 2, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
WORDS = (
    *(
        b"",
        b" ",
        b"null",
        b"true",
        b"nan",
        b"-inf",
        b"1e999",
        b"-1",
        b"0",
        b"0.5",
        b"1e-320",
        b"9" * 400,
        b"0x1F",
        b"1_0",
    ),
    *(b"\x1b[2J", b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"\x00", b"\r\n", b"\xe2\x80\xae", b"\xef\xbb\xbf"),
    *(b"../../etc/passwd", b"/etc/passwd", b"/dev/zero", b"~root", b"$HOME", b"file:///etc/passwd", b"os:system"),
    *(b"[[[[[[", b"{" * 50, b'"', b"'", b"=", b"\\", b"%s%n", b"{0}", b"__import__", b"A" * 5000),
)
"""What is put in the place of a word."""
_WORD = re.compile(rb"[A-Za-z_][\w.-]*|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.ASCII)
PICKLES = (
    b"cos\nsystem\n(S'touch RAN'\ntR.",
    b"\x80\x02cposix\nsystem\nq\x00X\x09\x00\x00\x00touch RANq\x01\x85q\x02Rq\x03.",
    b'cbuiltins\nexec\n(S\'open("RAN", "w")\'\ntR.',
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR.",
)
"""Programs that a pickle would run."""


def bits(random: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 8, 64)) if changed else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def cut(random: random.Random, content: bytes) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def removed(random: random.Random, content: bytes) -> bytes:
    begin, end = sorted(random.randrange(len(content) + 1) for _ in range(2))
    return content[:begin] + content[min(end, begin + 4096) :]


def repeated(random: random.Random, content: bytes) -> bytes:
    begin, end = sorted(random.randrange(len(content) + 1) for _ in range(2))
    return content[:end] + content[begin:end][:4096] * random.choice((1, 2, 50)) + content[end:]


def inserted(random: random.Random, content: bytes) -> bytes:
    place = random.randrange(len(content) + 1)
    added = random.choice((random.randbytes(random.randrange(1, 64)), random.choice(WORDS), *PICKLES[:1]))
    return content[:place] + added + content[place:]


def number(random: random.Random, content: bytes) -> bytes:
    """Another number in its place, of 1 to 8 bytes in either order: sizes, offsets and counts are such."""
    kind = random.choice("BHIQ")
    raw = struct.pack(random.choice("<>") + kind, random.choice(NUMBERS) & ((1 << 8 * struct.calcsize(kind)) - 1))
    place = random.randrange(len(content) + 1)
    return content[:place] + raw + content[place + len(raw) :]


def swapped(random: random.Random, content: bytes) -> bytes:
    first, second, third = sorted(random.randrange(len(content) + 1) for _ in range(3))
    return content[:first] + content[second:third] + content[first:second] + content[third:]


def word(random: random.Random, content: bytes) -> bytes:
    """One word or number of a text is another."""
    found = list(_WORD.finditer(content))
    if not found:
        return inserted(random, content)
    one, other = random.choice(found), random.choice(found)
    new = random.choice((other.group(), random.choice(WORDS), str(random.choice(NUMBERS)).encode()))
    return content[: one.start()] + new + content[one.end() :]


def line(random: random.Random, content: bytes) -> bytes:
    """A line less, twice, or in another place."""
    lines = content.split(b"\n")
    taken = lines.pop(random.randrange(len(lines)))
    for _ in range(random.choice((0, 1, 2))):
        lines.insert(random.randrange(len(lines) + 1), taken)
    return b"\n".join(lines)


def value(random: random.Random, content: bytes) -> bytes:
    """A JSON document with one value of another kind, one key less, more, or under another name."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return bits(random, content)
    node, parent, key = document, None, None
    while isinstance(node, dict | list) and node and (parent is None or random.random() < 0.75):
        parent, key = node, random.choice(list(node) if isinstance(node, dict) else range(len(node)))
        node = parent[key]
    if parent is None:
        return json.dumps(drawn(random)).encode()
    act = random.randrange(6)
    if act == 0:
        del parent[key]
    elif act == 1 and isinstance(parent, dict):
        parent[random.choice(("", "x" * 500, "\x1b[2J", "sha256", "kind", "__class__"))] = parent.pop(key)
    elif act == 2 and isinstance(node, int | float) and not isinstance(node, bool):
        parent[key] = random.choice((node + 1, -node, node * 1000, node / 3, random.choice(NUMBERS)))
    else:
        parent[key] = drawn(random)
    return json.dumps(document).encode()


def drawn(random: random.Random) -> Any:
    """A value of any kind."""
    kind = random.randrange(4)
    if kind == 0:
        return random.choice(WORDS).decode("latin-1")
    if kind == 1:
        return random.choice(NUMBERS)
    return random.choice(list(VALUES.values()))


def member(random: random.Random, content: bytes) -> bytes:
    """A zip archive whose member is damaged and whose checksum is right, or with a member less, or twice."""
    made = BytesIO()
    try:
        with zipfile.ZipFile(BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
            names = old.namelist()
            hit, gone = random.choice(names), random.random() < 0.1
            for name in names:
                inside = old.read(name)
                if name == hit:
                    if gone:
                        continue
                    pickled = name.endswith(".pkl") and random.random() < 0.3
                    inside = random.choice(PICKLES) if pickled else random.choice(BYTES)(random, inside)
                new.writestr(name, inside)
    except (zipfile.BadZipFile, IndexError, ValueError, NotImplementedError, EOFError, OSError, RuntimeError):
        return bits(random, content)
    return made.getvalue()


def header(random: random.Random, content: bytes) -> bytes:
    """A safetensors file whose header is another document, with its length set right."""
    size = int.from_bytes(content[:8], "little")
    changed = value(random, content[8 : 8 + size])
    return len(changed).to_bytes(8, "little") + changed + content[8 + size :]


def record(random: random.Random, content: bytes) -> bytes:
    """A tar with a member damaged, renamed or of another type, its header's checksum right."""
    made = BytesIO()
    try:
        with tarfile.open(fileobj=BytesIO(content)) as old, tarfile.open(fileobj=made, mode="w") as new:
            members = old.getmembers()
            hit = random.randrange(len(members))
            for place, one in enumerate(members):
                inside = old.extractfile(one).read()
                if place == hit:
                    act = random.randrange(3)
                    if act == 0:
                        inside = random.choice(BYTES)(random, inside)
                    elif act == 1:
                        one.name = random.choice(
                            ("../../RAN", "/etc/RAN", "x" * 300, "a.b.c", "\x1b[2J.jpg", ".jpg", members[0].name)
                        )
                    else:
                        one.type, one.linkname = (
                            random.choice((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)),
                            "/etc/passwd",
                        )
                one.size = len(inside)
                new.addfile(one, BytesIO(inside))
    except (tarfile.TarError, AttributeError, ValueError, LookupError, EOFError, RecursionError):
        return bits(random, content)
    return made.getvalue()


BYTES: tuple[Mutation, ...] = (bits, bits, cut, removed, repeated, inserted, number, number, swapped)
TEXT: tuple[Mutation, ...] = (word, word, word, line, bits, inserted, removed, repeated, cut)
JSON: tuple[Mutation, ...] = (value, value, value, value, word, *TEXT)
ZIP: tuple[Mutation, ...] = (member, member, member, *BYTES)
SAFETENSORS: tuple[Mutation, ...] = (header, header, *BYTES)
TAR: tuple[Mutation, ...] = (record, record, *BYTES)


def mutated(random: random.Random, content: bytes, ways: tuple[Mutation, ...]) -> bytes:
    """One to three of them, one after the other; at most a mebibyte more than before."""
    limit = len(content) + 2**20
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        content = random.choice(ways)(random, content)[:limit]
    return content
