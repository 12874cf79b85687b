"""Lines for a terminal: a column of names, and sentences beside it that are broken between words."""

import textwrap
from collections.abc import Iterable, Iterator

LEAST = 24
"""Characters that a sentence has room for, however narrow the terminal."""


def beside(rows: Iterable[tuple[str, str]], width: int, indent: int = 0) -> Iterator[str]:
    """Each name with its sentence; a name that is longer than most has a line of its own."""
    rows = [(name, text) for name, text in rows]
    column = min(max((len(name) for name, _ in rows), default=0), max(width // 3, 12)) + 2
    for name, text in rows:
        lines = folded(text, max(width - indent - column, LEAST)) or [""]
        head = name.ljust(column)
        if len(name) + 1 > column:
            yield " " * indent + name
            head = " " * column
        yield (" " * indent + head + lines[0]).rstrip()
        yield from (" " * (indent + column) + line for line in lines[1:])


def folded(text: str, width: int) -> list[str]:
    """Lines of at most so many characters, but for words that are longer."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def listed(words: Iterable[str], most: int = 6) -> str:
    """``a, b, c and 7 more``."""
    words = list(words)
    more = f" and {len(words) - most:,} more" if len(words) > most else ""
    return f"{', '.join(words[:most])}{more}"
