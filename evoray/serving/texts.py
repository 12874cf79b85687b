"""Texts as somebody sends them, made into tokens by the tokenizer that made those of the run's."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evoray.data import ShardDataset
from evoray.data.records import Ragged, Records
from evoray.errors import DataError
from evoray.ingest.records.texts import Reader
from evoray.models import Parent
from evoray.models.transformers.matching import TOKENIZER
from evoray.runtime.reading import kind_of, shown
from evoray.serving.plan import Limits, Refused
from evoray.tasks.text.batches import KINDS, TOKENS

Tokens = tuple[list[int], list[int] | None]
"""Of a record, and of which of its two texts each is."""


@dataclass(frozen=True)
class Texts:
    """columns: of a record's text, or of its two; cut: whether longer texts are cut, as the run's were.

    kinds: whether records say of which of two texts each token is. See ``Intake``.
    """

    reader: Reader
    columns: tuple[str, ...]
    cut: bool
    kinds: bool
    classes: tuple[str, ...]
    key: str = "text"
    said: str = "text"
    _one: threading.Lock = field(default_factory=threading.Lock)

    @property
    def may_fail(self) -> bool:
        """Where nothing says how many tokens the network takes."""
        return self.reader.context is None

    @property
    def bodies(self) -> str:
        return "application/json" if len(self.columns) > 1 else "text/plain or application/json"

    @property
    def example(self) -> str:
        if len(self.columns) == 1:
            return '{"texts": ["…", …]}'
        record = ", ".join(f'"{shown(name, 40)}": "…"' for name in self.columns)
        return f'{{"texts": [{{{record}}}, …]}}'

    @property
    def facts(self) -> Mapping[str, Any]:
        limit = self.reader.context
        longer = "" if limit is None else f"; {limit} at most, and longer ones are {'cut' if self.cut else 'refused'}"
        how = f"Texts become tokens by the run's own tokenizer{longer}."
        return {"takes": "texts", "columns": list(self.columns), "tokens": limit, "how": how}

    @property
    def blank(self) -> Tokens:
        return [0], [0] if self.kinds else None

    def takes(self, media: str) -> bool:
        return media == "text/plain" and len(self.columns) == 1

    def of_body(self, body: bytes) -> tuple[str, ...]:
        try:
            return (body.decode("utf-8-sig"),)
        except UnicodeDecodeError:
            raise Refused(400, "The body is no UTF-8.") from None

    def several(self, value: Any) -> bool:
        return isinstance(value, list)

    def of_value(self, value: Any, where: str) -> tuple[str, ...]:
        """A record's text or texts, in the order of the columns."""
        if isinstance(value, str) and len(self.columns) == 1:
            return (_checked(value, where),)
        names = ", ".join(shown(name, 40) for name in self.columns)
        if not isinstance(value, dict):
            wanted = "a text" if len(self.columns) == 1 else f"an object of {names}"
            raise Refused(422, f"{where}: {kind_of(value)} where {wanted} is expected.")
        if other := sorted(value.keys() ^ set(self.columns)):
            what = "no such column" if other[0] in value else "is missing"
            raise Refused(422, f"{where}: {shown(other[0], 60)}: {what}. A record has {names}.")
        return tuple(_checked(value[name], f"{where}.{shown(name, 60)}") for name in self.columns)

    def prepare(self, given: Sequence[str], limits: Limits) -> Tokens:
        """Tokens, of no more than the network takes.

        Raises:
            Refused: 413 for too many characters, 422 for too many tokens or none.
        """
        if (length := sum(map(len, given))) > limits.characters:
            raise Refused(413, f"The text has {length:,} characters, and {limits.characters:,} is the most.")
        with self._one:  # a tokenizer is told to cut, and told not to: by one at a time
            try:
                found = self.reader.read(given[:1], given[1:] or None, "")
            except DataError:
                raise Refused(422, "The text has no token that the network knows.") from None
        if found.cut and not self.cut:
            raise Refused(422, f"The text has more than {self.reader.context} tokens, which is what the network takes.")
        return found.tokens[0], found.kinds[0] if self.kinds and found.kinds else None

    def records(self, prepared: Sequence[Tokens]) -> Records:
        columns: dict[str, Any] = {TOKENS: Ragged.of([tokens for tokens, _ in prepared], "int32")}
        if self.kinds:
            columns[KINDS] = Ragged.of([kinds or [0] * len(tokens) for tokens, kinds in prepared], "uint8")
        return Records(0, columns, [""] * len(prepared))


def texts_of(dataset: ShardDataset, parent: Parent) -> Texts:
    """How a run's became tokens.

    Raises:
        DataError: the parent has no tokenizer, or another one than theirs.
    """
    manifest: Any = getattr(dataset, "manifest", None)
    read = manifest.read
    if parent.tokenizer is None:
        raise DataError(f"the run's data is text, and its parent {shown(parent.name)} names no tokenizer.")
    reader = Reader(Path(parent.tokenizer), True)
    if read.get(TOKENIZER, reader.digest) != reader.digest:
        raise DataError(
            f"{shown(dataset.name)}: its texts are in tokens of another tokenizer than "
            f"{shown(parent.tokenizer)}'s. Name the parent's folder with --parent, or the run's data with --data."
        )
    columns = read.get(TOKENS)
    known = isinstance(columns, list) and len(columns) in (1, 2) and all(isinstance(name, str) for name in columns)
    names = tuple(columns) if known else ("text",)
    return Texts(reader, names, read.get("truncate") is True, KINDS in manifest.columns, tuple(dataset.classes))


def _checked(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise Refused(422, f"{where}: {kind_of(value)} where a text is expected.")
    if not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
        raise Refused(422, f"{where}: half a character (a lone surrogate), which is no text.")
    return value
