"""What a run tells as it goes. Imports nothing heavy, so that the command line can draw it at once."""

from collections.abc import Callable

from evoray.runtime.events import ChildGivenUp, Event, Noted, RoundDone, StageProgress, StageStarted


class Progress:
    """Silent; the command line draws it, a library user may override any of it."""

    def stage(self, name: str, total: int, unit: str = "evaluations") -> None:
        """A stage of ``total`` steps begins: evaluations of a child on a shard, or what ``unit`` says."""

    def evaluating(self, started: StageStarted) -> None:
        """A stage of evaluations begins, with all that is known of it."""
        self.stage(started.stage, started.total)

    def advance(self, count: int) -> None:
        """So many of them are done."""

    def round_done(self, done: RoundDone) -> None:
        """A round's candidates are evaluated; ``done.standing`` says who is best so far."""

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


class ShownProgress:
    """The observer that draws: gives events to a Progress."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def observe(self, event: Event) -> None:
        match event:
            case StageStarted():
                self._progress.evaluating(event)
            case StageProgress():
                self._progress.advance(event.done)
            case RoundDone():
                self._progress.round_done(event)
            case ChildGivenUp():
                self._progress.note(f"{event.child} on shard {event.shard}: {event.reason}. It ranks last.")
            case Noted():
                self._progress.note(event.text)
