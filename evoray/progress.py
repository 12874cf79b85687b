"""What a run tells as it goes. Imports nothing heavy, so that the command line can draw it at once."""


class Progress:
    """Silent; the command line draws it, a library user may override any of it."""

    def stage(self, name: str, total: int, unit: str = "child x shard") -> None:
        """A stage of ``total`` steps begins: evaluations of a child on a shard, or what ``unit`` says."""

    def advance(self, count: int) -> None:
        """So many of them are done."""

    def note(self, text: str) -> None:
        """A sentence worth showing."""
