"""Chaos: faults of many kinds at random moments of runs of every task and strategy; each has to end right.

    python tests/system/chaos.py --seed 0 --faults 1000 --minutes 60 --report DIR
    python tests/system/chaos.py --replay SEED

A seed is a schedule: one run, and two to six faults (``disturbance/schedule.py``). Drivers are killed, stopped, starved
of disk and memory (``disturbance/faults.py``) until one finishes; then its files are compared with those of an
undisturbed run, byte for byte, and nothing may be left (``disturbance/endings.py``). A wrong ending prints its seed,
keeps its files under ``--work``, and is played again by ``--replay``. The moments are the same again; what a busy
machine does between them is not.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from disturbance import cases, play, report, schedule
from disturbance.drivers import Drivers
from disturbance.faults import Disk


def arguments(words=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the first schedule; the next ones follow")
    parser.add_argument("--faults", type=int, default=1000, help="stop after so many were seen")
    parser.add_argument("--minutes", type=float, default=60, help="begin no schedule after so many")
    parser.add_argument("--report", type=Path, help="folder for chaos.md and chaos.json")
    parser.add_argument("--merge", type=Path, nargs="+", help="reports of campaigns that ran beside each other")
    parser.add_argument("--replay", type=int, help="one schedule again, by its seed")
    parser.add_argument("--backend", choices=("local", "ray", "both"), default="both", help="ray: a cluster of its own")
    parser.add_argument("--only", default="", help="cases whose names begin so, with commas")
    parser.add_argument("--work", type=Path, help="folder to keep; data and networks are taken from there if they are")
    return parser.parse_args(words)


class Campaign:
    """Plays schedules on one ground; undisturbed runs are made as they are needed, once."""

    def __init__(self, work: Path, only: str = "", backend: str = "both") -> None:
        self.ground = play.Ground(Drivers(), Disk(work / "disk"), work / "ground" / "cache", work / "logs")
        self.ground.logs.mkdir(exist_ok=True)
        if not (work / "ground" / "ready").exists():
            self._prepare(work / "ground")
        found = cases.cases_in(work / "ground")
        self.cases = {name: one for name, one in found.items() if name.startswith(tuple(only.split(",")))}
        self._references: dict[str, play.Reference] = {}
        self._backend = backend
        self.void: list[int] = []
        """Seeds of schedules that say nothing, as a node of the campaign's own cluster did not start."""

    def _prepare(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        making = multiprocessing.get_context("forkserver").Process(target=cases.prepare, args=(folder,))
        making.start()
        making.join()
        if making.exitcode:
            raise SystemExit("the data of the campaign could not be made")
        (folder / "ready").touch()

    def reference(self, name: str) -> play.Reference:
        if name not in self._references:
            run = self.ground.disk.path / "reference"
            self._references[name] = play.undisturbed(self.ground, self.cases[name], run)
        return self._references[name]

    def schedule(self, seed: int) -> schedule.Schedule:
        backend = schedule.draw_backend(seed) if self._backend == "both" else self._backend
        name = schedule.draw_case(seed, list(self.cases), backend)
        return schedule.draw(seed, name, self.reference(name).lengths, backend)

    def play(self, seed: int) -> play.Played | None:
        """None where the schedule is void."""
        drawn = self.schedule(seed)
        if drawn.backend == "local":
            return play.play(self.ground, drawn, self.cases[drawn.case], self.reference(drawn.case))
        from disturbance.nodes import Nodes, NotStartedError  # imports Ray

        try:
            if self.ground.nodes is None:
                self.ground.nodes = Nodes()
            return play.play(self.ground, drawn, self.cases[drawn.case], self.reference(drawn.case))
        except NotStartedError as error:
            print(f"void, seed {seed} ({drawn.case}): a node of the campaign's did not start: {error}", flush=True)
            self.void.append(seed)
            if self.ground.nodes is not None:
                self.ground.nodes.close()
            self.ground.nodes = None
            shutil.rmtree(self.ground.disk.path / f"run-{seed}", ignore_errors=True)
            return None

    def close(self) -> None:
        self.ground.disk.close()
        if self.ground.nodes is not None:
            self.ground.nodes.close()


def run(asked: argparse.Namespace, work: Path) -> int:
    campaign, commit = Campaign(work, asked.only, asked.backend), commit_of()
    began, played = time.monotonic(), []
    try:
        seeds = [asked.replay] if asked.replay is not None else range(asked.seed, asked.seed + 10**6)
        for seed in seeds:
            minutes = (time.monotonic() - began) / 60
            if sum(len(one.faults) for one in played) >= asked.faults or minutes > asked.minutes:
                break
            if asked.replay is not None:
                print(campaign.schedule(seed), flush=True)
            if (one := campaign.play(seed)) is None:
                continue
            played.append(one)
            tell(played)
            if asked.report:
                report.write(asked.report, summary(asked, played, began, commit) | {"void": len(campaign.void)})
    finally:
        campaign.close()
    return int(any(one.wrong for one in played))


def commit_of() -> str:
    root = Path(__file__).resolve().parents[2]
    found = subprocess.run(["git", "rev-parse", "--short=7", "HEAD"], cwd=root, capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


def summary(asked, played, began, commit) -> dict:
    options = f"--seed {asked.seed} --faults {asked.faults} --minutes {asked.minutes:g} --backend {asked.backend}"
    options += f" --only {asked.only}" * bool(asked.only)
    about = {
        "command": f"python tests/system/chaos.py {options}",
        "commit": commit,
        "date": time.strftime("%Y-%m-%d"),
        "device": f"{os.cpu_count()} cores, {platform.machine()}, no GPU",
        "minutes": round((time.monotonic() - began) / 60, 1),
        "wanted": asked.faults,
    }
    return report.summary_of(played, about)


def tell(played) -> None:
    """A line a schedule."""
    last, faults = played[-1], sum(len(one.faults) for one in played)
    what = ", ".join(f"{one.kind} in {one.stage}: {one.how}, {one.ended}" for one in last.faults)
    print(
        f"{faults} faults, {len(played)} runs | seed {last.seed} {last.case} {last.seconds:.0f} s | {what}", flush=True
    )
    for words in last.wrong:
        print(f"WRONG, seed {last.seed} ({last.case}): {words}", flush=True)


def main() -> int:
    asked = arguments()
    if asked.merge:
        found = [json.loads((folder / "chaos.json").read_text()) for folder in asked.merge]
        report.write(asked.report, functools.reduce(report.merged, found) | {"wanted": asked.faults})
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # nothing of ours is to be left either
    if asked.work is not None:
        asked.work.mkdir(parents=True, exist_ok=True)
        return run(asked, asked.work.resolve())
    work = Path(tempfile.mkdtemp(prefix="evc"))
    ended = run(asked, work)
    if ended:
        print(f"the files are in {work}", flush=True)
    else:
        shutil.rmtree(work, ignore_errors=True)
    return ended


if __name__ == "__main__":
    sys.exit(main())
