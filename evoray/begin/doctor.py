"""``evoray doctor``: is this machine ready for a run, and what has to be done where it is not.

Everything that may be broken is asked apart from the rest: it works without torch, and with a Ray that does not answer.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evoray.begin import cluster, machine, software
from evoray.begin.findings import Finding, looked


def diagnosis() -> Iterator[Finding]:
    """Every finding, in an order in which people ask; what takes seconds runs meanwhile."""
    with ThreadPoolExecutor(2) as pool:
        of_torch = pool.submit(lambda: list(looked("torch", software.torch_and_gpus)))
        of_cluster = pool.submit(cluster.look)
        yield from looked("Python", software.python)
        yield from looked("packages", software.packages)
        yield from of_torch.result()
        yield from looked("processor", machine.processor)
        yield from looked("memory", machine.memory)
        yield from looked("/dev/shm", lambda: machine.shared_memory(machine.memory_bytes()[0]))
        yield from looked("disk", lambda: machine.disk(_places()))
        yield from looked("Ray", lambda: cluster.ray(of_cluster.result()))
        yield from looked("tokens", cluster.tokens)
        yield from looked("ports", lambda: machine.ports(_answers(of_cluster.result())))
        yield from looked("extras", software.extras)


def _places() -> dict[str, str]:
    return {"runs": str(Path.cwd()), "Ray's sessions": os.path.join(os.environ.get("RAY_TMPDIR", "/tmp"), "ray")}


def _answers(found: cluster.Cluster | None) -> bool:
    return found is not None and not found.error
