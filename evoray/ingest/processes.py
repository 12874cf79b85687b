"""Shards written by processes of this machine."""

import multiprocessing
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait

from evoray.errors import DataError, RunError
from evoray.ingest.shard_writer import Finished, ShardWriter
from evoray.runtime.forkserver import preload, take_interrupts
from evoray.runtime.malloc import keep_freed_memory

Mapper = Callable[[ShardWriter, Callable[[int], None]], Iterator[tuple[int, Finished]]]
"""The extension point: every shard written once, given back by its number in any order; counts records as it goes."""


def in_processes(workers: int | None) -> Mapper:
    """``workers`` processes (None: one a core), or this process alone where that is 1."""

    def write(writer: ShardWriter, count: Callable[[int], None]) -> Iterator[tuple[int, Finished]]:
        wanted = workers or os.cpu_count() or 1
        if wanted == 1:
            for number in range(writer.shards):
                yield number, writer.write(number, count)
            return
        yield from _in_pool(writer, wanted, count)

    return write


def _in_pool(writer: ShardWriter, wanted: int, count: Callable[[int], None]) -> Iterator[tuple[int, Finished]]:
    context = multiprocessing.get_context(preload(writer.transform.decoder))
    workers = min(wanted, writer.shards)
    with ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(pickled(writer),)) as pool:
        try:
            futures = {
                pool.submit(_write_in_worker, number, _threads(number, writer.shards, wanted)): number
                for number in range(writer.shards)
            }
            for future in as_completed(futures):
                finished = future.result()
                count(finished.records)
                yield futures[future], finished
        except BrokenProcessPool:
            raise RunError(
                "a decoding process died, perhaps for want of memory. Give fewer workers; what is finished is kept."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)  # after a failure: not the rest of ImageNet first


def _threads(number: int, shards: int, workers: int) -> int:
    """Pillow releases the GIL, so the last round's shards, too few for all workers, take the idle cores."""
    last = shards % workers
    return workers // last if last and number >= shards - last else 1


def pickled(writer: ShardWriter) -> bytes:
    """A writer on its way to other processes."""
    try:
        return pickle.dumps(writer)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise DataError(f"the records cannot be sent to other processes ({error}). Give workers = 1.") from None


_at_work: ShardWriter
"""Of a worker process."""


def _start_worker(content: bytes) -> None:
    global _at_work
    take_interrupts()
    mute_libraries()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    keep_freed_memory()  # an image is a megabyte three times over, and as much for the next one
    _at_work = pickle.loads(content)
    if _at_work.transform.decoder == "torchvision":
        import torch

        torch.set_num_threads(1)


def mute_libraries() -> None:
    """What libtiff and libjpeg print on damaged pictures is for nobody: the reason is listed. Python's own words stay.

    For a process of ours alone: its descriptor 2 leads nowhere afterwards.
    """
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _end_with_parent() -> None:
    """A parent that is killed cannot tell its workers, which would wait for its next word for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _write_in_worker(number: int, threads: int) -> Finished:
    return _at_work.write(number, lambda _: None, threads)
