"""How much a picture may ask for: memory stays under a gigabyte and time under seconds, whatever a file claims.

Checked on what the header says, before anything is decoded. Nothing of the process is changed: Pillow's own
``MAX_IMAGE_PIXELS`` stays what the user made it.
"""

import struct
from collections.abc import Iterator
from typing import Any

from PIL import Image

from evoray.errors import PictureError

ENCODED_BYTES = 512 * 2**20
"""Of a file, or of a record in a tar or a table."""
PIXELS = 100_000_000
"""Of a picture, and of what it is resized to."""
SIDE = 65_536
"""Pixels of a stored image's height or width."""
_MEMORY = 8 * PIXELS
"""Bytes while a picture is decoded: Pillow's copy and the converted one take four a pixel each."""
_SCANNED = 2_000_000_000
"""Pixels times scans of a progressive JPEG, each of which may go over the whole picture: some ten seconds."""
_SLOW_BYTES = 32 * 2**20
"""Of a PPM that Pillow decodes value by value in Python, which is two million values a second."""
_SMALL_BYTES = 256 * 2**10
"""Below it a header cannot hold enough to matter."""
_JPEG_SEGMENTS, _EXIF_SEGMENTS = 20_000, 256
_PNG_CHUNKS = 200_000
_TIFF_TAGS, _TIFF_NUMBERS, _TIFF_SAMPLES = 4096, 500_000, 6
_TILE_SIDES, _SAMPLES = (322, 323), 277
_BYTE_TYPES = (1, 2, 6, 7)


def check_encoded(size: int) -> None:
    """Raises PictureError where a file is too large to be read into memory."""
    if size > ENCODED_BYTES:
        raise PictureError(f"{size:,} bytes, more than the {ENCODED_BYTES:,} that a picture's file may have.")


def check_header(content: bytes) -> None:
    """Raises PictureError where the header of a file alone would keep a decoder busy, or take its memory."""
    check_encoded(len(content))
    start = content[:4]
    try:
        if start[:2] in (b"II", b"MM"):
            _check_tiff(content)
        elif len(content) > _SMALL_BYTES:
            if start[:2] == b"\xff\xd8":
                _check_jpeg(content)
            elif start == b"\x89PNG":
                _check_png(content)
    except (struct.error, IndexError, OverflowError):  # cut short, or places beyond its end: the decoder says so
        return


def check_size(image: Image.Image, encoded: int = 0) -> None:
    """Raises PictureError where a picture, not decoded yet, has too many pixels for its kind.

    encoded: bytes of its file; 0 where there is none.
    """
    width, height = image.size
    most = min(PIXELS, _MEMORY // _bytes_a_pixel(image))
    if width * height > most:
        raise PictureError(
            f"{width:,} x {height:,} pixels, more than the {most:,} that such a picture may have. Cut it into tiles."
        )
    tile: Any = next(iter(getattr(image, "tile", ())), ("",))
    if tile[0] in ("ppm", "ppm_plain") and encoded > _SLOW_BYTES:
        raise PictureError(
            f"{encoded:,} bytes of numbers that are decoded one by one, and {_SLOW_BYTES:,} is the most. "
            "Save it as a PNG, or as a binary PPM with a maximum of 255 or 65535."
        )


def check_scans(image: Image.Image, content: bytes) -> None:
    """Raises PictureError for a progressive JPEG whose many passes over the picture would take minutes."""
    pixels = image.width * image.height
    if "progressive" not in image.info or pixels * len(content) // 10 <= _SCANNED:  # a scan has ten bytes or more
        return
    scans = content.count(b"\xff\xda")
    if scans * pixels > _SCANNED:
        raise PictureError(
            f"a progressive JPEG of {scans:,} scans over {pixels:,} pixels, which takes minutes. Save it again."
        )


def check_resized(before: tuple[int, int], after: tuple[int, int]) -> None:
    """Raises PictureError where a sliver's longer side grows out of bounds. Sizes are (width, height)."""
    if after[0] * after[1] > PIXELS:
        raise PictureError(
            f"{before[0]:,} x {before[1]:,} pixels would be resized to {after[0]:,} x {after[1]:,}, more than the "
            f"{PIXELS:,} pixels that a picture may have. Cut it, or leave it out."
        )


def check_side(size: tuple[int, int]) -> None:
    """Raises PictureError where a picture that is not cut is too long for a shard. size: (width, height)."""
    if max(size) > SIDE:
        raise PictureError(
            f"{size[0]:,} x {size[1]:,} pixels to be stored, and {SIDE:,} a side are the most. Give a crop."
        )


def _bytes_a_pixel(image: Image.Image) -> int:
    """At the height of decoding and conversion, rounded up."""
    if getattr(image, "format", None) == "WEBP" or image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return 16  # libwebp keeps two canvases; deep values pass through NumPy
    return 12 if "progressive" in image.info else 8  # libjpeg keeps all coefficients


def _check_jpeg(content: bytes) -> None:
    """Every segment before the picture is a step in Python, and every further Exif copies those before it."""
    place, exif = 2, 0
    for _ in range(_JPEG_SEGMENTS):
        if content[place : place + 1] != b"\xff":
            return  # junk, which the decoder skips or refuses
        marker = content[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker in (0xDA, 0xD9):
            return
        exif += marker == 0xE1 and content.startswith(b"Exif\0\0", place + 4)
        place += 2 + struct.unpack_from(">H", content, place + 2)[0]
        if exif > _EXIF_SEGMENTS:
            raise PictureError(f"a JPEG with more than {_EXIF_SEGMENTS} Exif segments. Save it again without them.")
    raise PictureError(f"a JPEG with more than {_JPEG_SEGMENTS:,} segments before its picture. Save it again.")


def _check_png(content: bytes) -> None:
    place = 8
    for _ in range(_PNG_CHUNKS):
        if place >= len(content):
            return
        place += 12 + struct.unpack_from(">I", content, place)[0]
    raise PictureError(f"a PNG of more than {_PNG_CHUNKS:,} chunks. Save it again.")


def _check_tiff(content: bytes) -> None:
    """The first picture's tags: their number, their numbers, the samples of a pixel, and the size of a tile."""
    sides = [1, 1]
    for tag, kind, count, value in _tiff_tags(content):
        if count > _TIFF_NUMBERS and kind not in _BYTE_TYPES:
            raise PictureError(f"a TIFF whose tag {tag} claims {count:,} numbers; {_TIFF_NUMBERS:,} is the most.")
        if tag == _SAMPLES and value > _TIFF_SAMPLES:
            raise PictureError(
                f"a TIFF of {value:,} bands. Pick one or three of them, and save those as a picture of 8 bits a band."
            )
        if tag in _TILE_SIDES:
            sides[tag - _TILE_SIDES[0]] = value
    if sides[0] * sides[1] > PIXELS:
        raise PictureError(
            f"a TIFF with tiles of {sides[0]:,} x {sides[1]:,} pixels, more than the {PIXELS:,} allowed."
        )


def _tiff_tags(content: bytes) -> Iterator[tuple[int, int, int, int]]:
    """(tag, type, count, value) of each entry of the first directory; a value that stands elsewhere gives its place."""
    order = "<" if content.startswith(b"II") else ">"
    big = 43 in content[2:4]
    (place,) = struct.unpack_from(order + ("Q" if big else "I"), content, 8 if big else 4)
    head, entry = (order + "Q", order + "HHQ") if big else (order + "H", order + "HHI")
    (entries,) = struct.unpack_from(head, content, place)
    if entries > _TIFF_TAGS:
        raise PictureError(f"a TIFF of {entries:,} tags; {_TIFF_TAGS:,} is the most.")
    place += struct.calcsize(head)
    room = 8 if big else 4
    for _ in range(entries):
        tag, kind, count = struct.unpack_from(entry, content, place)
        place += struct.calcsize(entry)
        short = kind == 3 and count * 2 <= room
        (value,) = struct.unpack_from(order + ("H" if short else "Q" if big else "I"), content, place)
        yield tag, kind, count, value
        place += room
