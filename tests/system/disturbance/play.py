"""One schedule from beginning to end: driver after driver, until one has finished, and what they have left."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from disturbance import endings
from disturbance.cases import Case
from disturbance.drive import Order
from disturbance.drivers import Driver, Drivers
from disturbance.faults import FAULTS, Disk, Scene
from disturbance.schedule import Fault, Schedule

ATTEMPT_S = 900.0
"""What a driver may take on a busy machine before it counts as hanging."""
REFUSALS = {
    "full disk": r"No space left|cannot be written",
    "directory gone": r"cannot be written|is no longer there|no such",
    "journal cut": r"journal/\S+: damaged",
    "driver terminated": r"stopped by SIGTERM",
    "flipped byte": r"damaged",
    "out of memory": r"memory|alloc|thread|refuse",
}
"""What the refusal that a kind of fault may end in has to speak of."""
DEATHS = {
    "driver killed": {-signal.SIGKILL},
    "journal cut": {-signal.SIGKILL},
    "driver terminated": {-signal.SIGTERM},
    "out of memory": {-signal.SIGKILL, -signal.SIGABRT, -signal.SIGSEGV},
}
"""Signals that may end the driver, by kind of fault."""
SEGMENT = re.compile(r"journal/\S+?\.arrow")


@dataclass
class Seen:
    """A fault that has happened: how, in which stage, and how its driver ended."""

    kind: str
    stage: str
    how: str
    ended: str = ""


@dataclass
class Played:
    """What came of a schedule; wrong: what should not be, empty where the ending is right."""

    seed: int
    case: str
    backend: str
    faults: list[Seen] = field(default_factory=list)
    attempts: int = 0
    refusals: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass
class Ground:
    """What all schedules share. lengths: seconds of each stage of a case's undisturbed run."""

    drivers: Drivers
    disk: Disk
    cache: Path
    logs: Path
    nodes: Any = None
    """The cluster (``nodes.Nodes``), where there is one."""

    def faults(self, backend: str) -> Mapping[str, Callable[[Scene, Fault], str]]:
        if backend == "local":
            return FAULTS
        from disturbance.nodes import NODE_FAULTS  # imports Ray

        return NODE_FAULTS

    def environment(self, schedule: Schedule) -> dict[str, str]:
        """Of a schedule's drivers."""
        if schedule.backend == "local":
            return {}
        from disturbance.nodes import losing

        loses = any(fault.kind == "lost messages" for fault in schedule.faults)
        return self.nodes.environment | (losing() if loses else {})


def order_of(ground: Ground, case: Case, run: Path, name: str, backend: str = "local", **more) -> Order:
    overrides, log = (*case.overrides, f'compute.backend="{backend}"'), str(ground.logs / f"{name}.log")
    return Order(str(case.config), overrides, str(run), log, is_window=case.is_window, **more)


def play(ground: Ground, schedule: Schedule, case: Case, reference) -> Played:
    """reference: the files and the stages' lengths of the undisturbed run."""
    played, began = Played(schedule.seed, schedule.case, schedule.backend), time.monotonic()
    run, pending, sessions = ground.disk.path / f"run-{schedule.seed}", list(schedule.faults), []
    for played.attempts in range(1, len(schedule.faults) + 4):
        moments = [(fault.stage, fault.share) for fault in pending]
        name, slow = f"{schedule.seed}-{played.attempts}", str(ground.logs / f"slow-{schedule.seed}")
        more = {"moments": moments, "flush": schedule.flush, "slow": slow, "page": schedule.page}
        more |= {"backend": schedule.backend, "environment": ground.environment(schedule)}
        driver = ground.drivers.start(order_of(ground, case, run, name, **more))
        sessions.append(driver.pid)
        try:
            scene = Scene(driver, run, ground.disk, case, ground.cache, random.Random(f"{schedule.seed} {pending}"))
            scene.nodes = ground.nodes
            code = _attempt(ground, scene, pending, reference.lengths, played)
            said = driver.said()
        finally:
            driver.close()
        if code == 0 and endings.unchecked(run) and any(fault.kind == "out of memory" for fault in schedule.faults):
            continue  # memory was refused to the last check, which is said and stops no run: the same command again
        if code == 0 or not _judge(played, code, said):
            break
        _remedy(run, said)
    else:
        played.wrong.append("it did not come to an end")
    _look_around(played, run, sessions, reference)
    if schedule.backend == "ray":
        _look_at(ground, played, run)
    if played.wrong and run.exists():
        shutil.copytree(run, ground.logs / f"wrong-{schedule.seed}", dirs_exist_ok=True)
    shutil.rmtree(run, ignore_errors=True)
    if not played.wrong:
        for log in ground.logs.glob(f"{schedule.seed}-*.log"):
            log.unlink()
    played.seconds = round(time.monotonic() - began, 2)
    return played


def _attempt(ground: Ground, scene: Scene, pending: list[Fault], lengths, played: Played) -> int | None:
    """Injects what comes; the driver's exit code, None where it hangs."""
    driver, seen, unseen = scene.driver, [], []
    while (moment := driver.heard(ATTEMPT_S)) is not None:
        fault = next(fault for fault in pending if (fault.stage, fault.share) == moment)
        pending.remove(fault)
        driver.go_on()
        left = lengths.get(fault.stage, 0.0) * (1 - fault.share)
        scene.rest(fault.delay * min(left, 5.0))
        how = ground.faults(played.backend)[fault.kind](scene, fault)
        (seen if how else unseen).append(Seen(fault.kind, fault.stage, how))
    code = driver.ended(ATTEMPT_S)
    for one in unseen:  # memory that was given again before the driver came to what it had been refused
        if one.kind == "out of memory" and code and re.search(REFUSALS[one.kind], driver.said()):
            one.how = "no memory was given"
            seen.append(one)
    for one in seen:
        one.ended = "hung" if code is None else "went on" if code == 0 else "refused" if code > 0 else "died"
    played.faults += seen
    return code


def _judge(played: Played, code: int | None, said: str) -> bool:
    """Whether a driver that did not finish ended as one of this run's faults may end it; if not, says it is wrong."""
    kinds = {one.kind for one in played.faults}
    message = _nameless(" ".join(said.split()))
    if code is None:
        played.wrong.append(f"attempt {played.attempts} hangs")
    elif code < 0:
        if not any(code in DEATHS.get(kind, ()) for kind in kinds):
            played.wrong.append(f"attempt {played.attempts} died of signal {-code}: {message[-300:]}")
    elif "Traceback" in said and not kinds & {"out of memory"}:
        played.wrong.append(f"attempt {played.attempts} ended in a stack trace: {message[-300:]}")
    elif not any(re.search(REFUSALS.get(kind, "$^"), said) for kind in kinds):
        played.wrong.append(f"attempt {played.attempts} was refused (exit {code}) without a reason: {message[-300:]}")
    else:
        played.refusals.append(_nameless(message[-300:]))
    return not played.wrong


def _nameless(message: str) -> str:
    return re.sub(r"/\S*/", "…/", message)


def _remedy(run: Path, said: str) -> None:
    """Does what the message asks for: the damaged segment that it names is removed."""
    if "damaged" in said and (found := SEGMENT.search(said.replace("\n", ""))):
        (run / found[0]).unlink(missing_ok=True)


def _look_around(played: Played, run: Path, sessions, reference) -> None:
    if left := endings.left_over(sessions):
        played.wrong.append(f"processes left: {sorted(left.values())}")
    if played.wrong:
        return
    if found := endings.halves(run):
        played.wrong.append(f"left in the run directory: {', '.join(found)}")
    if found := endings.differing(endings.answer_of(run), reference.answer):
        played.wrong.append(f"not the bytes of an undisturbed run: {', '.join(found)}")


def _look_at(ground: Ground, played: Played, run: Path) -> None:
    """No worker is left on the cluster; messages were lost if some were sent again; two good nodes for the next."""
    if left := ground.nodes.left_over():
        played.wrong.append(f"{len(left)} workers left on the cluster")
    summary = run / "summary.json"
    if not summary.exists() or not json.loads(summary.read_text())["work"]["retries"]:
        played.faults = [one for one in played.faults if one.kind != "lost messages"]
    ground.nodes.settle()


@dataclass(frozen=True)
class Reference:
    """An undisturbed run."""

    answer: dict[str, bytes]
    lengths: dict[str, float]


def undisturbed(ground: Ground, case: Case, run: Path) -> Reference:
    """Runs it. Raises RuntimeError where even that fails."""
    name = f"reference-{case.name.replace('/', '-')}"
    driver: Driver = ground.drivers.start(order_of(ground, case, run, name, page=True))
    try:
        if driver.ended(ATTEMPT_S) != 0:
            raise RuntimeError(f"{case.name}: the undisturbed run failed: {driver.said()[-2000:]}")
        return Reference(endings.answer_of(run), driver.lengths)
    finally:
        driver.close()
        shutil.rmtree(run, ignore_errors=True)
