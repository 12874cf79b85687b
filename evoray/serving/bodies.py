"""From a request's head and body to the records that it asks about, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evoray.config.allowed import did_you_mean
from evoray.errors import DataError
from evoray.ingest.json_keys import parse_unique
from evoray.runtime.reading import kind_of, quoted, shown
from evoray.serving.intake import KEYS, Intake
from evoray.serving.plan import Limits, Refused

TOP = 5
"""Classes of an answer, where nobody asks for another number."""
MOST_CLASSES = 1000
JSON = "application/json"
UNRANKED = "top: this server answers with numbers, and has no classes to choose from. Leave it out."
KNOWN = (" It takes none.", " There is top.")
ALPHABETS = ("", "utf-8", "utf8", "us-ascii", "ascii")


@dataclass(frozen=True)
class Asked:
    """records: as ``Intake.prepare`` takes them, in order; top: classes of each answer; alone: one, and no list."""

    records: tuple[Any, ...]
    top: int = TOP
    alone: bool = False


def check_head(headers: Mapping[str, str], limits: Limits, intake: Intake) -> str:
    """The media type of a body that is worth reading.

    Raises:
        Refused: 415 for another type or an encoding, 411 without a length, 413 for too long a body, 400 for a bad one.
    """
    media, _, more = headers.get("content-type", "").partition(";")
    media = media.strip().lower()
    if media != JSON and not intake.takes(media):
        form = f" A form is not read: send the {intake.said} as the body." if media.startswith("multipart/") else ""
        raise Refused(415, f"Content-Type {shown(media, 60) or 'is missing'}: send {intake.bodies}.{form}")
    if media.startswith("text/") and (alphabet := _charset(more)) not in ALPHABETS:
        raise Refused(415, f"charset {shown(alphabet, 40)}: send UTF-8.")
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


def _charset(parameters: str) -> str:
    for one in parameters.lower().split(";"):
        name, _, value = one.partition("=")
        if name.strip() == "charset":
            return value.strip().strip('"')
    return ""


def asked_of(
    media: str, body: bytes, query: Sequence[tuple[str, str]], limits: Limits, intake: Intake, ranked: bool = True
) -> Asked:
    """What a request asks for.

    Args:
        query: keys and values of its address, in order.
        ranked: whether an answer is of the likeliest classes, so that somebody may say of how many.

    Raises:
        Refused: 400 for an empty body, no JSON or another query, 413 for too many records, 422 for JSON of another
            shape.
    """
    top = _of_query(query, ranked)
    if not body:
        raise Refused(400, f"The body is empty. Send {intake.bodies}.")
    if media != JSON:
        return Asked((intake.of_body(body),), top, alone=True)
    try:
        document = parse_unique(body, "the body")
    except DataError as error:
        raise Refused(400, str(error).replace("damaged, ", "")) from None
    if not ranked and isinstance(document, dict) and "top" in document:
        raise Refused(422, UNRANKED)
    return _of_document(document, top, limits, intake)


def _of_query(query: Sequence[tuple[str, str]], ranked: bool) -> int:
    keys = [key for key, _ in query]
    for key in keys:
        if key != "top":
            hint = did_you_mean(key, ["top"]) if ranked else ""
            raise Refused(400, f"{shown(key, 60) or 'A query'}: no such key of the address.{hint or KNOWN[ranked]}")
    if keys and not ranked:
        raise Refused(422, UNRANKED)
    if len(keys) > 1:
        raise Refused(400, "top: given twice in the address. Give it once.")
    return _top(query[0][1]) if query else TOP


def _of_document(document: Any, top: int, limits: Limits, intake: Intake) -> Asked:
    if not isinstance(document, dict):
        raise Refused(422, f"{kind_of(document)} where an object is expected: {intake.example}.")
    one, several = intake.key, f"{intake.key}s"
    if unknown := sorted(document.keys() - {one, several, "top"}):
        if unknown[0] in (*KEYS, *(f"{key}s" for key in KEYS)):
            raise Refused(422, f"This server answers for {intake.said}s alone. Send {intake.example}.")
        meant = did_you_mean(unknown[0], (one, several, "top"))
        raise Refused(422, f"{shown(unknown[0], 60)}: no such key. There are {several} (or {one}) and top.{meant}")
    if len(given := [key for key in (one, several) if key in document]) != 1:
        raise Refused(422, f"Give {several}, or {one} for one of them: {intake.example}.")
    top = _top(document["top"]) if "top" in document else top
    key, value = given[0], document[given[0]]
    if not intake.several(value):
        return Asked((intake.of_value(value, key),), top, alone=True)
    if not value:
        raise Refused(422, f"{key}: an empty list. Send one or more: {intake.example}.")
    if len(value) > limits.records:
        raise Refused(413, f"{key}: {len(value):,} {intake.said}s, and {limits.records} is the most of one request.")
    return Asked(tuple(intake.of_value(item, f"{key}[{at}]") for at, item in enumerate(value)), top)


def _top(value: Any) -> int:
    """1 to MOST_CLASSES; of a query it is a text."""
    text = value if isinstance(value, str) else str(value) if type(value) is int else ""
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MOST_CLASSES:
        return int(text)
    given = quoted(value, 40) if type(value) in (str, int, float) else kind_of(value)
    raise Refused(422, f"top: {given} where a number of classes is expected. Give 1 to {MOST_CLASSES}.")
