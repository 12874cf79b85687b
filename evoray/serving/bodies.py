"""From a request's head and body to pictures' bytes, or a refusal."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evoray.errors import UsageError
from evoray.runtime.reading import kind_of, parse_json, shown
from evoray.serving.limits import Limits, Refused

TOP = 5
"""Classes of an answer, where nobody asks for another number."""
MOST_CLASSES = 1000
PICTURE = "application/octet-stream"
"""Taken as a picture of whatever format, like every image/*: its first bytes say which."""
ANY_PICTURE = "a picture (image/jpeg, image/png, …) or application/json"


@dataclass(frozen=True)
class Asked:
    """pictures: files' bytes, in order; top: classes of each answer."""

    pictures: tuple[bytes, ...]
    top: int = TOP


def check_head(headers: Mapping[str, str], limits: Limits) -> str:
    """The media type of a body that is worth reading.

    Raises:
        Refused: 415 for another type or an encoding, 411 without a length, 413 for too long a body, 400 for a bad one.
    """
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" and media != PICTURE and not media.startswith("image/"):
        form = " A form is not read: send the file itself as the body." if media.startswith("multipart/") else ""
        raise Refused(415, f"Content-Type {shown(media, 60) or 'is missing'}: send {ANY_PICTURE}.{form}")
    if (encoding := headers.get("content-encoding", "identity").strip().lower()) != "identity":
        raise Refused(415, f"Content-Encoding {shown(encoding, 60)}: send the body as it is.")
    if (length := headers.get("content-length")) is None:
        if "transfer-encoding" not in headers:
            raise Refused(411, "Say how long the body is (Content-Length).")
        return media
    if not (length.isascii() and length.isdigit()):
        raise Refused(400, "Content-Length is no number.")
    if len(length) > 18 or int(length) > limits.body:
        raise Refused(413, too_long(limits))
    return media


def too_long(limits: Limits) -> str:
    return f"The body has more than {limits.body:,} bytes, which is the most."


def asked_of(media: str, body: bytes, query: Mapping[str, str], limits: Limits) -> Asked:
    """What a request asks for.

    Raises:
        Refused: 400 for an empty body or no JSON, 413 for too many pictures, 422 for JSON of another shape.
    """
    if not body:
        raise Refused(400, f"The body is empty. Send {ANY_PICTURE}.")
    top = _top(query["top"]) if "top" in query else TOP
    if media != "application/json":
        return Asked((body,), top)
    try:
        document = parse_json(body, "the body", UsageError)
    except UsageError as error:
        raise Refused(400, str(error).replace("damaged, ", "")) from None
    return _of_document(document, top, limits)


def _of_document(document: Any, top: int, limits: Limits) -> Asked:
    if not isinstance(document, dict):
        raise Refused(422, f'{kind_of(document)} where an object is expected: {{"images": ["BASE64", …]}}.')
    if "texts" in document:
        raise Refused(422, 'This server answers for images alone. Send {"images": ["BASE64", …]}.')
    if unknown := sorted(document.keys() - {"images", "top"}):
        raise Refused(422, f"{shown(unknown[0], 60)}: no such key. There are images and top.")
    images = document.get("images")
    if not isinstance(images, list) or not images:
        raise Refused(422, "images: a list of pictures in base64 is expected, with one or more in it.")
    if len(images) > limits.pictures:
        raise Refused(413, f"images: {len(images):,} pictures, and {limits.pictures} is the most of one request.")
    pictures = tuple(_decoded(number, one) for number, one in enumerate(images))
    return Asked(pictures, _top(document["top"]) if "top" in document else top)


def _decoded(number: int, text: Any) -> bytes:
    if not isinstance(text, str):
        raise Refused(422, f"images[{number}]: {kind_of(text)} where base64 is expected.")
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(422, f"images[{number}]: no base64. Give the file's bytes, without data:…;base64,") from None
    if not found:
        raise Refused(422, f"images[{number}]: empty.")
    return found


def _top(value: Any) -> int:
    """1 to MOST_CLASSES; of a query it is a text."""
    text = value if isinstance(value, str) else str(value) if type(value) is int else ""
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MOST_CLASSES:
        return int(text)
    raise Refused(422, f"top: {shown(value, 40)} is no number of classes. Give 1 to {MOST_CLASSES}.")
