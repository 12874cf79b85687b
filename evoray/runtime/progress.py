"""What a run tells as it goes. Imports nothing heavy, so that the command line can draw it at once."""

from __future__ import annotations

from collections.abc import Callable


class Progress:
    """Silent; the command line draws it, a library user may override any of it."""

    def stage(self, name: str, total: int, unit: str = "child x shard") -> None:
        """A stage of ``total`` steps begins: evaluations of a child on a shard, or what ``unit`` says."""

    def advance(self, count: int) -> None:
        """So many of them are done."""

    def counter(self, name: str, unit: str) -> Callable[[int, int], None]:
        """To be called with (just done, in all); the stage begins with the first call."""
        begun = False

        def advance(done: int, total: int) -> None:
            nonlocal begun
            if not begun:
                self.stage(name, total, unit)
                begun = True
            self.advance(done)

        return advance

    def note(self, text: str) -> None:
        """A sentence worth showing."""
