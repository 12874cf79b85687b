"""Gain per second: test NLL against wall-clock, at equal time: a search over all weights, behind a cut, and by depth.

``python tests/benchmarks/gain/run.py RESULTS.json --parents DIR``. A setting of each arm is chosen on parents (or
photographs) of another seed, by ``select`` alone. The clock runs from the first stage of a run on, so what finds sigma
and makes activations counts; the base at about sixty times of each run is then scored on ``test``, off the clock.
Finished runs are not repeated.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from arms import ARMS, Setting, settings
from images import photographs

from evoray.config import RunConfig, parse_config
from evoray.data.splits import SearchClosed
from evoray.evolution import evolve
from evoray.mutation import Lineage, apply_lineage
from evoray.runtime.events import Event, StageStarted
from evoray.search.inputs import Inputs, check_inputs, normalisation
from evoray.study.peers.problem import fashion_mnist
from evoray.tasks.base import Preparation

HERE = Path(__file__).parent
LITE = HERE.parents[1] / "integration"
"""Where lite0.py stands."""
SMALL = ("cnn", "resnet", "vit")
PILOT_SEED = 100
SELECT, TEST = 1000, 2000
"""Images of Fashion-MNIST's test set."""
CPU = torch.device("cpu")


@dataclasses.dataclass(frozen=True)
class Problem:
    """A parent and its data. seconds: of a run; pilot: of a run that a setting is chosen by; points: of its curve."""

    name: str
    seed: int
    values: dict[str, Any]
    seconds: float
    pilot: float
    points: int = 60


class Clock:
    """An observer: when the first stage began."""

    begun: float | None = None

    def observe(self, event: Event) -> None:
        if self.begun is None and isinstance(event, StageStarted):
            self.begun = time.perf_counter()


def fashion(name: str, seed: int, options: argparse.Namespace) -> Problem:
    select, test = fashion_mnist(options.work, seed, SELECT, TEST)
    values = {
        "seed": seed,
        "parent": {
            "source": "module",
            "name": f"evoray.models.small:{name}",
            "weights": str(options.parents.resolve() / f"{name}-seed{seed}-early.safetensors"),
        },
        "data": {"path": str(select), "test_path": str(test), "select": 1.0, "test": 1.0},
        "compute": {"backend": "local", "workers": 1, "batch_size": 500, "threads_per_worker": 1},
    }
    return Problem(name, seed, values, options.seconds, options.pilot)


def lite(seed: int, options: argparse.Namespace) -> Problem:
    select, test = photographs(options.work, seed)
    values = {
        "seed": seed,
        "parent": {"source": "module", "name": "lite0:parent"},
        "data": {"path": str(select), "test_path": str(test), "select": 1.0, "test": 1.0},
        "compute": {"backend": "local", "workers": 1, "batch_size": 64, "threads_per_worker": 1},
    }
    return Problem("efficientnet-lite0", seed, values, options.seconds * 3, options.pilot * 3, 12)


def configured(
    problem: Problem, setting: Setting, seconds: float, generations: int, sigma: Any, work: Path
) -> RunConfig:
    search = {
        "strategy": "timed:Timed",
        "children": setting.children,
        "generations": generations,
        "seconds": seconds,
        "trace": str(work / "trace.json"),
        "elite": 8,
    }
    values = problem.values | {"mutation": setting.mutation | {"sigma": sigma}, "search": search}
    return parse_config(values | {"statistics": {"children_on_test": 0}, "ensemble": {"size": 1}}, config_dir=work)


def timed(problem: Problem, setting: Setting, seconds: float, score: bool = True) -> dict[str, Any]:
    """One run: its curve, a list of (seconds, evaluations, NLL on select, NLL on test). A short one says how many
    generations there will be, since what finds sigma may cost a share of the run."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for file in (HERE / "timed.py", LITE / "lite0.py"):
            shutil.copy(file, work)
        short = seconds / 20
        pace = _run(configured(problem, setting, short, 1000, 0.1, work), work, work / "short")[1]
        generations = max(2, round(pace[-1]["generation"] * seconds / (pace[-1]["at"] - pace[0]["at"] + 1e-9)))
        config = configured(problem, setting, seconds, min(generations, 100_000), "auto", work)
        begun, trace, summary = _run(config, work, work / "run")
        curve = _scored(check_inputs(config, work), begun, _thinned(trace, problem.points), score)
    return {
        "setting": setting.name,
        "generations": generations,
        "sigma": summary["sigma"],
        "work": summary["work"],
        "curve": curve,
    }


def _run(config: RunConfig, work: Path, out: Path) -> Any:
    clock = Clock()
    result = evolve(config, out, config_dir=work, page=False, observers=[clock])
    trace = json.loads((work / "trace.json").read_text())
    summary = {"sigma": result.summary.get("sigma"), "work": result.summary.get("work")}
    return (clock.begun, trace, summary)


def _thinned(trace: list[dict[str, Any]], points: int) -> list[dict[str, Any]]:
    """So many at most, the last among them: scoring a large network takes as long as a child."""
    chosen = np.unique(np.linspace(0, len(trace) - 1, points).round().astype(int))
    return [trace[number] for number in chosen]


def _scored(inputs: Inputs, begun: float, trace: list[dict[str, Any]], score: bool) -> list[list[float | None]]:
    curve = []
    flat = inputs.space.flatten(inputs.state)
    for point in trace:
        network = apply_lineage(flat.copy(), inputs.space, Lineage.from_json(point["entries"]).entries)
        test = _on_test(inputs, network) if score else None
        curve.append([point["at"] - begun, point["evaluations"], -point["fitness"], test])
    return curve


def _on_test(inputs: Inputs, flat: np.ndarray) -> float:
    inputs.parent.model.load_state_dict({**inputs.state, **inputs.space.unflatten(flat)}, strict=False)
    splits, task, losses = inputs.splits, inputs.task, []
    splits.open_test(SearchClosed("scored afterwards"))
    mean, std = normalisation(inputs.parent, splits.described["test"].image_shape[0])
    with torch.inference_mode():
        for shard in splits.shards("test"):
            records, rows = splits.datasets["test"].load(shard), splits.rows["test"][shard]
            for part in np.array_split(rows, -(-len(rows) // 500)):
                batch = task.batch(records, part, Preparation(CPU, torch.float32, False, mean, std))
                outputs = task.outputs(inputs.parent.model, batch)
                losses.append(task.scores(outputs[: len(part)], task.targets(records, part, CPU))["nll"])
    return float(np.concatenate(losses).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--parents", type=Path, required=True, help="of jobs/train_parents.py, seed 100 among them")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--problems", nargs="*", default=[*SMALL, "efficientnet-lite0"])
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--pilot", type=float, default=15, help="0: what most of the small networks took")
    options = parser.parse_args()
    torch.set_num_threads(1)
    known = json.loads(options.results.read_text()) if options.results.exists() else {"pilots": {}, "runs": {}}
    known["about"] = {
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True
        ).stdout.strip(),
        "device": f"CPU {torch.backends.cpu.get_cpu_capability()}, 1 thread, {platform.machine()}",
        "torch": torch.__version__,
        "seconds": options.seconds,
        "pilot": options.pilot,
    }
    for name in options.problems:
        chosen = {}
        pilot = _problem(name, PILOT_SEED, options)
        for arm in ARMS:
            chosen[arm] = _chosen(pilot, arm, known, options.results)
        for seed in options.seeds:
            problem = _problem(name, seed, options)
            if f"{name}/{seed}" not in known.setdefault("parents", {}):
                known["parents"][f"{name}/{seed}"] = _of_parent(problem)
                options.results.write_text(json.dumps(known))
            for arm, setting in chosen.items():
                key = f"{name}/{seed}/{arm}"
                if key not in known["runs"]:
                    known["runs"][key] = timed(problem, setting, problem.seconds)
                    options.results.write_text(json.dumps(known))
                    print(key, setting.name, known["runs"][key]["curve"][-1], flush=True)


def _of_parent(problem: Problem) -> float:
    """NLL on test."""
    inputs = check_inputs(parse_config(problem.values, config_dir=LITE), LITE)
    return _on_test(inputs, inputs.space.flatten(inputs.state))


def _problem(name: str, seed: int, options: argparse.Namespace) -> Problem:
    if name in SMALL:
        return fashion(name, seed, options)
    return lite(seed, options)


def _usual(arm: str, known: dict[str, Any]) -> int:
    """Which of an arm's settings most of the networks took that had pilots."""
    taken = []
    for name in SMALL:
        found = [run["curve"][-1][2] for key, run in known["pilots"].items() if key.startswith(f"{name}/{arm}/")]
        taken.append(int(np.argmin(found)))
    return max(taken, key=taken.count)


def _chosen(problem: Problem, arm: str, known: dict[str, Any], results: Path) -> Setting:
    """The setting with the lowest NLL on ``select`` after the pilot's time."""
    inputs = check_inputs(parse_config(problem.values, config_dir=LITE), LITE)
    names = [one.name for one in inputs.space.tensors]
    shape = inputs.splits.described["select"].image_shape
    tried = settings(arm, inputs.parent.model, names, torch.zeros(1, *shape))
    if problem.pilot == 0:
        return tried[_usual(arm, known)]
    for setting in tried:
        key = f"{problem.name}/{arm}/{setting.name}"
        if key not in known["pilots"]:
            known["pilots"][key] = timed(problem, setting, problem.pilot, score=False)
            results.write_text(json.dumps(known))
            print("pilot", key, known["pilots"][key]["curve"][-1][:3], flush=True)
    return min(tried, key=lambda one: known["pilots"][f"{problem.name}/{arm}/{one.name}"]["curve"][-1][2])


if __name__ == "__main__":
    main()
