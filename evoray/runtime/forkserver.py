"""A process that has imported what the workers need, from which they are forked: imported once, not once a worker.

Nothing is imported here, so that a command can start it before its own imports and do them meanwhile.
"""

import multiprocessing
import signal
from multiprocessing import forkserver, resource_tracker

WRITING = ["evoray.ingest.shard_writer"]
DECODERS = {"pil": WRITING, "torchvision": [*WRITING, "torchvision.transforms.v2.functional", "torchvision.io"]}


def preload(decoder: str) -> str:
    """Returns at once, with the start method to use; the process ends with this program.

    A fork server that this program has already is taken as it is; its workers import the rest. Where there can be none
    (its socket's path may take some 100 characters, and a temporary folder may be longer), workers are spawned.

    Ctrl-C does not reach what is started here, which would print a stack trace while it imports; a worker takes it
    again once it is ready (``take_interrupts``).
    """
    multiprocessing.set_forkserver_preload(DECODERS[decoder])
    resource_tracker.ensure_running()  # which unblocks the signal, and so comes first
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    except OSError:
        return "spawn"
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return "forkserver"


def take_interrupts() -> None:
    """In a worker: Ctrl-C ends it at once and without a word, for its parent says what is to be said."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
