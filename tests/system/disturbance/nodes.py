"""A real cluster of several nodes on this machine, and what is done to its nodes and workers.

Real: signals, nodes that are killed, added and drained, a kernel's limit of memory on one worker, Ray's own losing of
messages. A stand-in: the partition, a node all of whose processes stop answering for longer than it is waited for;
``tests/system/faults/test_network.py`` cuts a real network.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from disturbance.endings import command_of
from disturbance.faults import ANY_FAULTS, Scene, limited, state_of
from disturbance.schedule import Fault

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))
COUNT = 2
MOST = 4
HEALTH = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "4",
}
GONE_S = 10.0
"""Longer than a node may be silent; Ray's own settings take 10 to 15 too."""
LOSSES = {"num_failures": 60, "req_failure_prob": 20, "resp_failure_prob": 20, "in_flight_failure_prob": 0}


class NotStartedError(Exception):
    """A node did not start in time, which is nothing that EvoRay did: the schedule says nothing."""


class Nodes:
    """A head without workers and two nodes of one CPU; made whole again by ``settle`` after each schedule."""

    def __init__(self) -> None:
        from machines import Machines

        import evoray.backends.ray  # noqa: F401  before ray: how clusters of this process are secured

        self._folder = tempfile.mkdtemp(prefix="evr")  # unix sockets need short paths
        os.environ |= {**HEALTH, "RAY_TMPDIR": self._folder}
        self.spoilt: list = []
        with _patient():
            self.machines = Machines()
        try:
            self.settle()
        except BaseException:
            self.close()
            raise

    @property
    def environment(self) -> dict[str, str]:
        """What a driver needs to join."""
        own = {key: value for key, value in os.environ.items() if key.startswith("RAY_")}
        return {**own, "RAY_ADDRESS": self.machines.address}

    def settle(self) -> None:
        """Two good nodes; those that were drained, cut off or added go."""
        for node in self.spoilt:
            if node in self.machines.nodes:
                self.machines.kill(node)
        self.spoilt = []
        while len(self.machines.nodes) > COUNT:
            self.machines.kill(self.machines.nodes[-1])
        self.add(COUNT - len(self.machines.nodes))

    def add(self, count: int = 1) -> list:
        """Raises NotStartedError."""
        try:
            with _patient():
                return self.machines.add(count)
        except Exception as error:  # Ray raises plain ones
            raise NotStartedError(str(error)) from error

    def raylet(self, node) -> int:
        return node.all_processes["raylet"][0].process.pid

    def workers(self, node=None) -> list[int]:
        """Actors of EvoRay, of one node or of all."""
        of = {self.raylet(one) for one in ([node] if node else self.machines.nodes)}
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and command_of(int(entry.name)).startswith("ray::Actor"):
                with suppress(OSError):
                    words = (entry / "stat").read_text().rpartition(")")[2].split()
                    if int(words[1]) in of and words[0] not in "ZX":
                        found.append(int(entry.name))
        return sorted(found)

    def left_over(self, seconds: float = 60.0) -> list[int]:
        """Actors that live although no driver does."""
        deadline = time.monotonic() + seconds
        while (found := self.workers()) and time.monotonic() < deadline:
            time.sleep(0.2)
        return found

    def close(self) -> None:
        self.machines.cluster.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)


def _patient():
    """Ray waits 30 s for a node to start; on a busy machine that is not enough."""
    import ray

    from evoray.backends.patience import LONGER_S, waiting

    return waiting(ray._private.services, LONGER_S)


def _some_worker(scene: Scene) -> int | None:
    found = scene.nodes.workers()
    return scene.chance.choice(found) if found else None


def worker_killed(scene: Scene, fault: Fault) -> str:
    pid = _some_worker(scene)
    if pid is None or not scene.driver.alive:
        return ""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return "killed"
    return ""


def worker_stopped(scene: Scene, fault: Fault) -> str:
    pid = _some_worker(scene)
    if pid is None or not scene.driver.alive:
        return ""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        scene.rest(0.2 + 2 * fault.amount)
        was = state_of(pid)
        os.kill(pid, signal.SIGCONT)
        return "stopped and continued" if was == "T" else ""
    return ""


def worker_out_of_memory(scene: Scene, fault: Fault) -> str:
    pid = _some_worker(scene)
    if pid is None or not scene.driver.alive:
        return ""
    return limited(pid, lambda: scene.driver.alive, lambda: state_of(pid) in ("", "Z", "X"))


def node_killed(scene: Scene, fault: Fault) -> str:
    """Every process of it, with SIGKILL; another comes."""
    if not scene.driver.alive:
        return ""
    machines = scene.nodes.machines
    machines.kill(scene.chance.choice(machines.nodes))
    scene.nodes.add()
    return "killed, another joined"


def node_joined(scene: Scene, fault: Fault) -> str:
    machines = scene.nodes.machines
    if not scene.driver.alive or len(machines.nodes) >= MOST:
        return ""
    scene.nodes.spoilt += scene.nodes.add()
    return "joined" if scene.driver.alive else ""


def node_drained(scene: Scene, fault: Fault) -> str:
    from ray._raylet import GcsClient
    from ray.core.generated import autoscaler_pb2

    machines = scene.nodes.machines
    free = [node for node in machines.nodes if node not in scene.nodes.spoilt]
    if not scene.driver.alive or not free:
        return ""
    node = scene.chance.choice(free)
    reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    deadline = int((time.time() + 60) * 1000)
    accepted, _ = GcsClient(address=machines.address).drain_node(node._node_id, reason, "chaos", deadline)
    scene.nodes.spoilt.append(node)
    if not [one for one in machines.nodes if one not in scene.nodes.spoilt]:
        scene.nodes.add()
    return "drained" if accepted else ""


def partition(scene: Scene, fault: Fault) -> str:
    """A node falls silent, for long enough to be given up, or for less."""
    machines = scene.nodes.machines
    if not scene.driver.alive or not machines.nodes:
        return ""
    node = scene.chance.choice(machines.nodes)
    silent = [*scene.nodes.workers(node), scene.nodes.raylet(node)]
    for number, seconds in ((signal.SIGSTOP, GONE_S * 2 * fault.amount), (signal.SIGCONT, 0)):
        for pid in silent:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        scene.rest(seconds)
    scene.nodes.spoilt.append(node)
    scene.nodes.add()
    return "silent, then back"


def lost_messages(scene: Scene, fault: Fault) -> str:
    """Drivers of the schedule lose a fifth of requests and replies from their start on; seen by what was sent again."""
    return "lost" if scene.driver.alive else ""


def losing() -> dict[str, str]:
    """What makes a driver lose messages."""
    return {"RAY_testing_rpc_failure": json.dumps({"CoreWorkerService.grpc_client.PushTask": LOSSES})}


NODE_FAULTS: dict[str, Callable[[Scene, Fault], str]] = {
    **ANY_FAULTS,
    "worker killed": worker_killed,
    "worker stopped": worker_stopped,
    "worker out of memory": worker_out_of_memory,
    "node killed": node_killed,
    "node joined": node_joined,
    "node drained": node_drained,
    "partition": partition,
    "lost messages": lost_messages,
}
