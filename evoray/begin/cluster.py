"""The Ray cluster that a run would join: asked in a process of its own, for a short time. None is started."""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evoray.begin.findings import Finding, attention, bad, good

SECONDS = 20
"""In which a cluster has to answer; most of it is the import of Ray."""
ASK = "import json; from evoray.backends.ray import seen; print(json.dumps(seen()))"
SECRETS = (
    *("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "HF_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "WANDB_API_KEY", "MLFLOW_TRACKING_URI"),
)
"""What Ray, stores of objects and trackers are let in by. That they are set is said, and never what they hold."""


@dataclass(frozen=True)
class Cluster:
    """nodes: of each that is alive its resources, by Ray's names. error: why nothing is known of it."""

    address: str
    nodes: tuple[Mapping[str, float], ...] = ()
    error: str = ""

    def total(self, name: str) -> float:
        return sum(node.get(name, 0.0) for node in self.nodes)

    def holds(self, cpus: float, gpus: float) -> int:
        """How many workers of that size there is room for."""
        return sum(_fits(node, cpus, gpus) for node in self.nodes)

    @property
    def words(self) -> str:
        gpus = f", {self.total('GPU'):g} GPUs" if self.total("GPU") else ""
        return f"{len(self.nodes)} node{'s' * (len(self.nodes) != 1)}, {self.total('CPU'):g} cores{gpus}"


def address(environment: Mapping[str, str] = os.environ) -> str | None:
    """Of the cluster that a run would join: what RAY_ADDRESS says, or one that was started here; None: neither."""
    if environment.get("RAY_ADDRESS"):
        return environment["RAY_ADDRESS"]
    file = Path(environment.get("RAY_TMPDIR", "/tmp")) / "ray" / "ray_current_cluster"
    try:
        return file.read_text().strip() or None
    except (OSError, ValueError):
        return None


def look(
    environment: Mapping[str, str] = os.environ, run: Callable[..., Any] = subprocess.run, seconds: float = SECONDS
) -> Cluster | None:
    """The cluster that is there or addressed; None where there is none."""
    where = address(environment)
    if where is None:
        return None
    try:
        command, env = [sys.executable, "-c", ASK], dict(environment)
        done = run(command, env=env, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return Cluster(where, error=f"does not answer within {seconds:g} s")
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    if done.returncode or not lines:
        return Cluster(where, error="does not answer")
    return Cluster(where, tuple(json.loads(lines[-1])))


def ray(cluster: Cluster | None, environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Its version, and whether the cluster answers. cluster: from ``look``."""
    yield good("Ray", importlib.metadata.version("ray"))
    if cluster is None:
        yield good(
            "cluster", "none is addressed or running here: a run starts a Ray of its own for as long as it lasts"
        )
    elif not cluster.error:
        yield good("cluster", f"{cluster.address}: {cluster.words}")
    elif environment.get("RAY_ADDRESS"):
        yield bad(
            "cluster",
            f"RAY_ADDRESS = {cluster.address}: {cluster.error}",
            "Start it, set RAY_AUTH_MODE and its token as on the cluster, or unset RAY_ADDRESS.",
        )
    else:
        remedy = (
            "It has ended, or is another program's own. A run that cannot join it starts one for itself; where another "
            "is meant, name it in RAY_ADDRESS."
        )
        yield attention("cluster", f"{cluster.address}: {cluster.error}", remedy)


def tokens(environment: Mapping[str, str] = os.environ, home: Path | None = None) -> Iterator[Finding]:
    """Which are set; the token of Ray where its mode asks for one."""
    given = [name for name in SECRETS if environment.get(name)]
    if environment.get("RAY_AUTH_MODE", "").lower() == "token" and not environment.get("RAY_AUTH_TOKEN"):
        path = Path(environment.get("RAY_AUTH_TOKEN_PATH") or (home or Path.home()) / ".ray" / "auth_token")
        if not path.is_file():
            found = f"RAY_AUTH_MODE is token, and none is in RAY_AUTH_TOKEN nor in {path}"
            yield bad("tokens", found, "Copy the cluster's there.")
            return
        if path.stat().st_mode & 0o077:
            yield attention("tokens", f"{path} may be read by others of this machine", f"Run: chmod 600 {path}")
            return
    yield good("tokens", f"set: {', '.join(given)}" if given else "none is set; a run on this machine needs none")


def _fits(node: Mapping[str, float], cpus: float, gpus: float) -> int:
    asked = (("CPU", cpus), ("GPU", gpus))
    return min((int(node.get(name, 0.0) / need + 1e-9) for name, need in asked if need), default=0)
