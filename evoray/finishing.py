"""The end of a run: the last choices on ``select``, the one look at ``test``, the files."""

from __future__ import annotations

from collections.abc import Sequence

from evoray.choosing import choose_members, final_soup, fittest
from evoray.last_look import last_look
from evoray.results import RunResult, write_page, write_results
from evoray.search.population import Judged, parent_total
from evoray.search.session import OpenRun
from evoray.strategies import Ask


def finish(run: OpenRun, judged: Sequence[Judged], soup: Ask | None, *, page: bool = True) -> RunResult:
    """From judged children (at least one of which did not fail) and the strategy's soup to a run directory."""
    (best,) = fittest(judged, 1)
    chosen = choose_members(run, judged)
    soup = final_soup(run, judged, soup, chosen.members)
    parent_total(run)  # known from here on, also where no strategy asked for it: soon no one can be judged
    look = last_look(run, judged, soup, best, chosen)
    run.journal.flush()
    result = write_results(run, judged, soup, best, look)
    if page:
        write_page(run.directory)
    return result
