"""Texts to tokens, by a parent's tokenizer; every token list fits into the parent's context."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evoray.config import load_config
from evoray.data.text.folder import CONFIG, context_of, read_config
from evoray.data.text.tokenizer import load_tokenizer, tokenizer_digest
from evoray.errors import ConfigError, DataError, ModelError
from evoray.models.transformers.folder import find_folder
from evoray.runtime.reading import shown

NO_LIMIT = 10**9
"""A tokenizer's ``model_max_length`` that is larger means none."""
TOGETHER = 1000
"""Texts that are tokenised at a time."""


@dataclass(frozen=True)
class Tokenised:
    """token lists, one a text; kinds: of which of two texts each token is, where the tokenizer says; cut: how many
    were longer than the context."""

    tokens: list[list[int]]
    kinds: list[list[int]] | None
    cut: int


class Reader:
    """A tokenizer, and how many tokens the network behind it takes.

    truncate: texts that are too long are cut, and counted; otherwise they are refused.
    """

    def __init__(self, folder: Path, truncate: bool) -> None:
        self.folder, self.truncate = folder, truncate
        self.own: Any = load_tokenizer(folder)
        self.digest = tokenizer_digest(folder)
        values = read_config(folder) if (folder / CONFIG).exists() else {}
        limits = [context_of(values), getattr(self.own, "model_max_length", None)]
        known = [one for one in limits if isinstance(one, int) and 0 < one < NO_LIMIT]
        self.context: int | None = min(known, default=None)
        size = values.get("vocab_size")
        if isinstance(size, int) and len(self.own) > size and max(self.own.get_vocab().values()) >= size:
            raise ModelError(
                f"{shown(folder)}: its tokenizer knows {len(self.own)} tokens and its network {size}. They do not "
                "belong together: save both again."
            )

    @property
    def recorded(self) -> dict[str, Any]:
        """For the manifest; decides with the texts what the tokens are."""
        return {"tokenizer": self.digest, "context": self.context, "truncate": self.truncate}

    def read(self, texts: Sequence[str], others: Sequence[str] | None, origin: str) -> Tokenised:
        """Tokens with the special ones that the tokenizer sets; of pairs where ``others`` are the second texts.

        Raises:
            DataError: a text without a token, or longer than the context; names the record.
        """
        tokens: list[list[int]] = []
        kinds: list[list[int]] = []
        for start in range(0, len(texts), TOGETHER):
            some = list(texts[start : start + TOGETHER])
            beside = None if others is None else list(others[start : start + TOGETHER])
            found = self.own(some, beside, truncation=False, padding=False, verbose=False)
            tokens += found["input_ids"]
            kinds += found.get("token_type_ids", []) if others is not None else []
        cut = self._fitted(tokens, kinds, texts, others, origin)
        for row, one in enumerate(tokens):
            if not one:
                raise DataError(f"{origin}, record {row}: no token in its text. Leave the record out.")
        return Tokenised(tokens, kinds or None, cut)

    def read_whole(self, texts: Sequence[str], origin: str) -> tuple[list[list[int]], list[int], int]:
        """Tokens of texts to be predicted from the first one on, behind a token that begins them; the bytes of UTF-8
        that they stand for; and how many texts were cut.

        Raises:
            DataError: a text without a token, or longer than the context; names the record.
        """
        begin, limit = self.beginning(), self.context or NO_LIMIT
        tokens = [[*begin, *self.plain(text)] for text in texts]
        size = [len(text.encode()) for text in texts]
        long = [row for row, one in enumerate(tokens) if len(one) > limit]
        if long and not self.truncate:
            raise self.too_long(origin, long, len(tokens[long[0]]))
        for row in long:
            tokens[row] = tokens[row][:limit]
            size[row] = len(texts[row][: self._end(texts[row], limit - len(begin), origin)].encode())
        for row, one in enumerate(tokens):
            if len(one) == len(begin):
                raise DataError(f"{origin}, record {row}: no token in its text. Leave the record out.")
        return tokens, size, len(long)

    def read_choices(self, question: str, choices: Sequence[str], where: str) -> list[list[int]]:
        """Tokens of a question and of each choice behind it, a blank between them.

        A choice's are those that the tokenizer makes of both together, where the question's stay what they are.

        Raises:
            DataError: longer than the context, or without a token.
        """
        begin, question = self._leading(), question.rstrip()
        asked = [*begin, *self.plain(question)] or self.beginning()
        found = [asked]
        for choice in choices:
            text = f" {choice.strip()}" if question else choice.strip()
            whole = [*begin, *self.plain(question + text)]
            together = bool(question) and whole[: len(asked)] == asked
            found.append(whole[len(asked) :] if together else self.plain(text))
            if not found[-1]:
                raise DataError(f"{where}: no token in its choice {shown(choice, 40)}.")
        longest = len(asked) + max(map(len, found[1:]))
        if self.context is not None and longest > self.context:
            raise DataError(
                f"{where}: question and choice have {longest} tokens, and the parent takes {self.context}. Shorten it, "
                "or leave it out; what is cut would be the choice."
            )
        return found

    def _leading(self) -> list[int]:
        """Special tokens that the tokenizer sets before every text."""
        alone, plain = self.own("a", verbose=False)["input_ids"], self.plain("a")
        count = next((at for at in range(len(alone)) if alone[at : at + len(plain)] == plain), 0)
        found: list[int] = alone[:count]
        return found

    def plain(self, text: str) -> list[int]:
        """Without special tokens."""
        found: list[int] = self.own(text, add_special_tokens=False, verbose=False)["input_ids"]
        return found

    def opened(self, text: str) -> list[int]:
        """With the special tokens that the tokenizer sets before a text, and none behind it: it goes on."""
        return [*self._leading(), *self.plain(text)]

    def beginning(self) -> list[int]:
        """What stands before a text that is predicted from its first token on: the token that begins texts, else the
        one that ends them. Raises ModelError where the tokenizer has neither."""
        for name in ("bos_token_id", "eos_token_id"):
            if isinstance(number := getattr(self.own, name, None), int):
                return [number]
        raise ModelError(
            f"{shown(self.folder)}: its tokenizer has neither a bos_token nor an eos_token to begin a text with, so "
            "its first token could not be predicted. Take the tokenizer of a network that predicts tokens."
        )

    def _end(self, text: str, count: int, origin: str) -> int:
        """Characters that so many tokens stand for."""
        if not self.own.is_fast:
            raise DataError(
                f"{origin}: this tokenizer does not say where it cuts. Cut the texts, and ingest them again."
            )
        found = self.own(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return int(found["offset_mapping"][count - 1][1])

    def _fitted(
        self,
        tokens: list[list[int]],
        kinds: list[list[int]],
        texts: Sequence[str],
        others: Sequence[str] | None,
        origin: str,
    ) -> int:
        if self.context is None:
            return 0
        long = [row for row, one in enumerate(tokens) if len(one) > self.context]
        if long and not self.truncate:
            raise self.too_long(origin, long, len(tokens[long[0]]))
        for row in long:
            second = None if others is None else others[row]
            shorter = self.own(texts[row], second, truncation=True, max_length=self.context, verbose=False)
            tokens[row] = shorter["input_ids"]
            if kinds:
                kinds[row] = shorter["token_type_ids"]
        return len(long)

    def too_long(self, origin: str, rows: Sequence[int], length: int) -> DataError:
        more = f", and {len(rows) - 1} more are too long" if len(rows) > 1 else ""
        return DataError(
            f"{origin}, record {rows[0]}: its text has {length} tokens, and the parent takes {self.context}{more}. "
            "Shorten them, or cut them all at the end with --truncate."
        )


def reader_for(config: Path | None, truncate: bool, task: str) -> Reader:
    """Of the parent that a configuration names.

    Raises:
        ConfigError: no configuration, or its parent names no tokenizer.
    """
    if config is None:
        raise ConfigError(
            f"--task {shown(task)}: texts become tokens by the parent's own tokenizer. Name the run's configuration "
            "with --for."
        )
    parsed, folder = load_config(config), config.resolve().parent
    if parsed.parent.source == "transformers":
        return Reader(find_folder(parsed.parent, folder), truncate)
    from evoray.models import load_parent

    named = load_parent(parsed.parent, folder, seed=parsed.seed).tokenizer
    if named is None:
        raise ConfigError(
            f'--for {shown(config)}: its parent names no tokenizer. Take source = "transformers", or have the '
            "module's function return evoray.Parent(model, tokenizer=FOLDER)."
        )
    return Reader(Path(named), truncate)
