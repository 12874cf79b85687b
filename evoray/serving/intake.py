"""How a request's records become the network's: what a server of pictures, of texts and of numbers each know apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from evoray.data import ShardDataset
from evoray.errors import UsageError
from evoray.models import Parent
from evoray.runtime.reading import shown
from evoray.serving.pictures import pictures_of
from evoray.serving.plan import Limits
from evoray.serving.texts import texts_of
from evoray.serving.vectors import numbers_of
from evoray.tasks.inputs import INPUT
from evoray.tasks.text.batches import TOKENS

KEYS = ("image", "text", "input")
"""Under which a document has a record; with an s, several."""


class Intake(Protocol):
    """From what somebody sends to a shard of records.

    key: one of ``KEYS``. said: what a record is called in a sentence. bodies: what may be sent, in words.
    example: a document as it is sent. classes: names of the data's classes, else of its columns of targets.
    may_fail: whether the network may fail for a record that is well formed, such as a row of no embedding.
    """

    @property
    def key(self) -> str: ...
    @property
    def said(self) -> str: ...
    @property
    def bodies(self) -> str: ...
    @property
    def may_fail(self) -> bool: ...
    @property
    def example(self) -> str: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def facts(self) -> Mapping[str, Any]:
        """For /health; ``how``, a sentence of what becomes of a record, is for people."""
        ...

    def takes(self, media: str) -> bool:
        """Whether a body of this type is one record as it is."""
        ...

    def of_body(self, body: bytes) -> Any:
        """Such a body as ``prepare`` takes it."""
        ...

    def several(self, value: Any) -> bool:
        """Whether a document's value is a list of records, and not one."""
        ...

    def of_value(self, value: Any, where: str) -> Any:
        """One record of a document as ``prepare`` takes it. Raises Refused, naming ``where``."""
        ...

    def prepare(self, given: Any, limits: Limits) -> Any:
        """What may take a while, in a thread of its own. Raises Refused."""
        ...

    def records(self, prepared: Sequence[Any]) -> Any:
        """A shard of them, for ``Task.batch``."""
        ...

    @property
    def blank(self) -> Any:
        """A prepared record that means nothing."""
        ...


def intake_of(dataset: ShardDataset, parent: Parent) -> Intake:
    """By the columns of the run's data.

    Raises:
        UsageError: its records are neither pictures nor texts nor numbers. DataError, ModelError: texts without the
            tokenizer that made tokens of the run's.
    """
    columns = getattr(getattr(dataset, "manifest", None), "columns", {})
    if TOKENS in columns:
        return texts_of(dataset, parent)
    if dataset.image_shape[0]:
        return pictures_of(dataset)
    if INPUT in columns:
        return numbers_of(dataset)
    raise UsageError(
        f"{shown(dataset.name)}: its records are no pictures, texts or numbers, and only those are served."
    )
