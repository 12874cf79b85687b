"""A run as a Ray job: the Jobs REST API by the standard library alone, so that a laptop without Ray or torch submits.

Ray's own client would have to be imported beside the backend, and its command line turns every failure into exit
code 1; four requests are all that is needed. What is sent is the configuration's folder, as one zip.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import re
import shlex
import subprocess
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from evoray.errors import BackendError, ConfigError, UsageError
from evoray.runtime.paths import names_a_checkpoint
from evoray.runtime.reading import SCREEN, read_at_most, read_file, said, shown, translated

if TYPE_CHECKING:
    from evoray.config import ParentConfig, RunConfig

PACKAGE_BYTES = 500 * 2**20
"""What Ray's control store takes of a working directory."""
STOP_WAIT_S = 30
"""Between SIGTERM and SIGKILL, in place of Ray's 3 s: enough to flush a journal to an object store."""
ANSWER_BYTES = 2**30
"""Of one answer: a job's whole log."""
SURROGATES = re.compile("[\ud800-\udfff]")
OF_FILES = ("transformers", "onnx")
"""Sources whose ``parent.name`` is a folder or a file."""
HUB = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")
"""What may be a name on the Hub."""
NO_PYTHON = (126, 127)
"""Exit codes of a shell that cannot run, or cannot find, a command."""
NOT_FOUND = re.compile(r"python: (?:command )?not found")
ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


@dataclass(frozen=True)
class JobState:
    """status: PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED; driver_exit_code once the driver has ended by itself."""

    status: str
    message: str
    driver_exit_code: int | None
    entrypoint: str = ""

    @property
    def exit_code(self) -> int:
        """0, 1 or 2 as the driver ended; 1 where it was stopped, killed, or never started."""
        if self.status == "SUCCEEDED":
            return 0
        return self.driver_exit_code if self.driver_exit_code in (1, 2) else 1


def remedy_of(state: JobState) -> str | None:
    """What to do about a job that did not end well, where its log does not say it."""
    if state.status == "STOPPED":
        return "What was finished is in the journal: submit again with --resume."
    if state.driver_exit_code in NO_PYTHON or NOT_FOUND.search(state.message):
        return (
            "The head node has no python on its PATH, or one that may not be run. Take an image that has (docker/ "
            "builds one), or say where it is: --env PATH=/opt/venv/bin:/usr/bin:/bin"
        )
    if "No module named 'evoray" in state.message or "No module named evoray" in state.message:
        return (
            "The python of the head node has no evoray. Install it in the cluster's image (docker/ builds one), or "
            "name the environment that has it: --env PATH=/opt/venv/bin:/usr/bin:/bin"
        )
    return None


class RefusedError(BackendError):
    """The cluster answered, and not with what was asked for."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class JobClient:
    """One cluster's Jobs API.

    Args:
        address: the dashboard, such as ``http://127.0.0.1:8265``; token: the cluster's, None where it has none.

    Raises:
        UsageError: an address that is none. BackendError: nothing answers there, or it refuses; says why.
    """

    def __init__(self, address: str, token: str | None = None, timeout_s: float = 60.0) -> None:
        self.address = address.rstrip("/")
        if "://" not in self.address:
            self.address = f"http://{self.address}"
        if not self.address.startswith(("http://", "https://")):
            raise UsageError(f"--address {address}: give the dashboard's address, such as http://127.0.0.1:8265.")
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.timeout_s = timeout_s

    def upload(self, package: bytes) -> str:
        """Hands a zip to the cluster, unless it has it already; its ``gcs://`` URI."""
        name = f"_ray_pkg_{hashlib.sha256(package).hexdigest()[:32]}.zip"
        try:
            self._request("GET", f"/api/packages/gcs/{name}")
        except RefusedError as error:
            if error.status != 404:
                raise
            self._request("PUT", f"/api/packages/gcs/{name}", package)
        return f"gcs://{name}"

    def submit(self, entrypoint: str, working_dir: str, env_vars: Mapping[str, str]) -> str:
        """Starts a job; its id."""
        runtime_env = {"working_dir": working_dir, "env_vars": dict(env_vars)}
        body = json.dumps({"entrypoint": entrypoint, "runtime_env": runtime_env}).encode()
        with self._understood():
            return str(json.loads(self._request("POST", "/api/jobs/", body))["submission_id"])

    def state(self, job: str) -> JobState:
        with self._understood():
            found = json.loads(self._request("GET", f"/api/jobs/{job}"))
            code = found.get("driver_exit_code")
            message = shown(found.get("message") or "", SCREEN)
            return JobState(
                str(found["status"]), message, None if code is None else int(code), str(found.get("entrypoint") or "")
            )

    def logs(self, job: str) -> str:
        """Everything the driver has written so far."""
        with self._understood():
            return str(json.loads(self._request("GET", f"/api/jobs/{job}/logs"))["logs"])

    def stop(self, job: str) -> None:
        """SIGTERM now, SIGKILL ``RAY_JOB_STOP_WAIT_TIME_S`` later."""
        self._request("POST", f"/api/jobs/{job}/stop", b"")

    def _understood(self) -> AbstractContextManager[None]:
        """Whatever answers there may be no Ray dashboard."""
        remedy = "It is no Ray dashboard, or of another version. Correct --address."
        return translated(f"the answer of {self.address}", remedy, BackendError)

    def _request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        headers = {"Content-Type": "application/json", **self.headers} if body is not None else self.headers
        request = urllib.request.Request(self.address + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as response:
                return read_at_most(response, ANSWER_BYTES, self.address, BackendError)
        except urllib.error.HTTPError as error:
            raise self._refusal(path, error) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise BackendError(
                f"{self.address}: no Ray dashboard answers there ({said(error)}). Start the cluster with "
                "ray[default], forward its port 8265, or correct --address."
            ) from None

    def _refusal(self, path: str, error: urllib.error.HTTPError) -> RefusedError:
        if error.code in (401, 403):
            message = (
                f"{self.address}: the cluster asks for a token, and there is none here or a wrong one. Set "
                "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH) to the cluster's."
            )
        else:
            lines = error.read().decode(errors="replace").strip().splitlines() or [error.reason]
            message = f"{self.address}{path}: HTTP {error.code}: {shown(lines[-1], 500)}"
        return RefusedError(message, error.code)


def cluster_token(environment: Mapping[str, str] = os.environ) -> str | None:
    """Ray's own places: RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH, and in token mode ``~/.ray/auth_token``."""
    if environment.get("RAY_AUTH_TOKEN"):
        return environment["RAY_AUTH_TOKEN"].strip()
    if environment.get("RAY_AUTH_MODE", "").lower() != "token":
        return None  # a token must not travel to an address that did not ask for it
    path = Path(environment.get("RAY_AUTH_TOKEN_PATH") or os.path.expanduser("~/.ray/auth_token"))
    try:
        return read_file(path, 2**16, UsageError).decode().strip() or None
    except (UsageError, UnicodeDecodeError):
        raise UsageError(
            f"RAY_AUTH_MODE=token, and no token in RAY_AUTH_TOKEN nor in {path}. Copy the cluster's there."
        ) from None


def entrypoint(config: str, out: str, overrides: Sequence[str], resume: bool) -> str:
    """The driver's command line on the cluster; ``config`` relative to the working directory."""
    words = ["python", "-m", "evoray.commands.job", config, "--out", out]
    words += [word for override in overrides for word in ("--set", override)]
    return shlex.join(words + ["--resume"] * resume)


def out_of(entrypoint: str) -> str | None:
    """The run directory of a driver's command line; None where it names none."""
    try:
        words = shlex.split(entrypoint)
    except ValueError:
        return None
    return next((out for flag, out in pairwise(words) if flag == "--out"), None)


def check_out(out: str) -> str:
    """A run directory that outlives a job: an absolute path or a URI; UsageError otherwise."""
    if "\0" not in out and ("://" in out or os.path.isabs(os.path.expanduser(out))):
        return out
    raise UsageError(
        f"--out {shown(out)}: a job's working directory is a copy that goes with the job. Give a URI (s3://bucket/run) "
        "or an absolute path on storage that every node sees."
    )


def check_paths(config: RunConfig, folder: Path) -> None:
    """Refuses data that lies beside the configuration here: it does not travel with the job."""
    sets = [("", config.data), *((f"guard {one.name}: ", one.data) for one in config.guard)]
    named = [(f"{whose}data.{key}", getattr(data, key)) for whose, data in sets for key in ("path", "test_path")]
    for name, value in (*named, ("fitness.reference", config.fitness.reference)):
        if value and "://" not in value and not os.path.isabs(value) and os.path.isdir(folder / value):
            raise ConfigError(
                f"{name} = {value!r} is a directory of this machine. Copy the shards to where every "
                "node reads them, and give that URI (s3://bucket/shards) or absolute path."
            )
    weights = config.parent.weights
    if weights and names_a_checkpoint(weights) and "://" not in weights:
        inside = Path(os.path.realpath(folder / weights)).is_relative_to(os.path.realpath(folder))
        if not weights.startswith(("/", "~", "$")) and not ((folder / weights).exists() and inside):
            raise ConfigError(f"parent.weights = {weights!r}: no such file beside the configuration, in {folder}.")


def parent_files(config: ParentConfig, folder: Path) -> list[str]:
    """Of a parent that is a folder or a file beside the configuration: what has to travel, whatever git ignores.

    Raises ConfigError where it lies outside of the folder that travels, or is nowhere.
    """
    name, named = config.name, f"parent.name = {config.name!r}"
    if config.source not in OF_FILES or name.startswith(("/", "~", "$")):
        return []
    place = folder / name
    if not place.exists():
        if config.source == "transformers" and HUB.fullmatch(name):
            return []
        raise ConfigError(f"{named}: it is not beside the configuration, in {folder}, which is all that travels.")
    if not Path(os.path.realpath(place)).is_relative_to(os.path.realpath(folder)):
        raise ConfigError(
            f"{named}: it lies outside {folder}, and that folder is all that travels with the job. Move it there, or "
            "give an absolute path that the cluster's machines see."
        )
    if place.is_file():
        return [os.path.normpath(name)]
    return [os.path.normpath(os.path.join(name, one)) for one in _walked(place)]


def parent_note(config: ParentConfig, folder: Path) -> str | None:
    """What is said of a parent that does not travel: it has to be there already."""
    if config.source not in OF_FILES or parent_files(config, folder):
        return None
    there = "parent.download = true fetches it there" if config.download else "or set parent.download = true"
    hub = not config.name.startswith(("/", "~", "$"))
    where = f"the Hub's cache of the cluster's head node ({there})" if hub else "the cluster's head node"
    return f"parent.name = {config.name!r} does not travel with the job: it is looked for in {where}"


def package_folder(folder: Path, always: Sequence[str] = ()) -> bytes:
    """A folder as a zip, the same bytes for the same files: what git would track, else all but hidden files.

    Args:
        always: files that travel whatever git ignores, such as the parent's weights.
    """
    names = sorted({*(_tracked(folder) or _walked(folder)), *always})
    total = sum((folder / name).stat().st_size for name in names)
    if total > PACKAGE_BYTES:
        largest = max(names, key=lambda name: (folder / name).stat().st_size)
        raise UsageError(
            f"{folder}: {total / 2**20:.0f} MiB of files, and a job's folder holds at most {PACKAGE_BYTES // 2**20} "
            f"(the largest is {largest}). Keep runs, shards and large weights elsewhere, or list them in .gitignore."
        )
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            if not name.isprintable() or SURROGATES.search(name):
                raise UsageError(
                    f"{shown(folder / name)}: its name cannot travel. Rename it, or list it in .gitignore."
                )
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            archive.writestr(info, read_file(folder / name, PACKAGE_BYTES, UsageError), zipfile.ZIP_DEFLATED)
    return sink.getvalue()


def _tracked(folder: Path) -> list[str] | None:
    """Files that git tracks or would, None where there is no git or no repository."""
    command = ["git", "-C", str(folder), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        found = os.fsdecode(subprocess.run(command, capture_output=True, check=True).stdout)
    except (OSError, subprocess.CalledProcessError):
        return None
    return [name for name in found.split("\0") if name and (folder / name).is_file()]


def _walked(folder: Path) -> list[str]:
    names = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and not _left_out(Path(root, name))]
        plain = (Path(root, name) for name in files if not name.startswith("."))
        names += [str(path.relative_to(folder)) for path in plain if path.is_file()]
    return names


def _left_out(path: Path) -> bool:
    """Caches, run directories and shards."""
    return path.name == "__pycache__" or (path / "journal").is_dir() or (path / "manifest.json").is_file()
