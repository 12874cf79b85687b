"""``compute.batch_size = "auto"``: found once, on a worker, and recorded in the run's configuration.

A batch size may change last bits of the logits, so it is one for the whole run and all workers, and a resumed run
takes the recorded one. What is timed is the eager forward pass of the parent on black images; a compiled network
differs little in which size suits it, and compiling for every size would take minutes.
"""

from __future__ import annotations

from evoray.backends import Backend, Job
from evoray.errors import BackendError
from evoray.evaluation.units.batch_size import TuneUnit


def tuned_batch_size(backend: Backend, shard: int) -> int:
    """Asks one worker of an open backend. Raises BackendError when it died of the question."""
    job = Job({shard: [0]}, lambda number, items: TuneUnit("select", number))
    for outcome in backend.run(job):
        if outcome.failure is not None:
            raise BackendError(
                f'compute.batch_size = "auto": no size could be tried ({outcome.failure}). Set a number.'
            )
        return int(outcome.value)
    raise BackendError('compute.batch_size = "auto": no worker answered. Set a number.')
