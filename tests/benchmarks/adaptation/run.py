"""Forward-only adaptation without labels: real networks on corrupted photographs, at 28 forward passes an image.

``PYTHONPATH=tests/integration:tests/benchmarks/gain python tests/benchmarks/adaptation/run.py RESULTS.json --work DIR
--pilot``, then without ``--pilot``. The budget is FOA's (Niu et al. 2024, arXiv 2404.01650: 28 candidates for every
batch). A search sees one half of the photographs and none of their labels; networks are then scored on that half, as
FOA scores a stream, and on the other. Both halves take their turn. The pilot, on another cut of the photographs, finds
the setting that raises the fitness most: no label is asked there either. Finished runs are not repeated.
"""

from __future__ import annotations

import argparse
import copy
import json
import platform
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from corruptions import CORRUPTIONS
from lites import SIDES
from photographs import SEVERITY, VIEWS, clean, corrupted, halves

from evoray.config import RunConfig, parse_config
from evoray.data import open_dataset
from evoray.evolution import evolve
from evoray.mutation import Lineage, apply_lineage
from evoray.search.inputs import Inputs, check_inputs, normalisation
from evoray.tasks.base import Preparation

HERE = Path(__file__).parent
LITE = HERE.parents[1] / "integration"
SEED, PILOT_SEED = 0, 100
PILOT_KINDS = ("gaussian_noise",)
NORMS = {"include": ["*bn*"]}
"""The affine parameters of BatchNorm, 0.9% of the weights: what methods that adapt at test time move."""
SETTINGS: dict[str, dict[str, Any]] = {
    "one round, parts 1, sigma 0.02": {"mutation": {"parts": 1, "sigma": 0.02}, "search": {"children": 28}},
    "one round, parts 10, sigma 0.05": {"mutation": {"parts": 10, "sigma": 0.05}, "search": {"children": 28}},
    "four rounds, parts 10, sigma 0.05": {
        "mutation": {"parts": 10, "sigma": 0.05},
        "search": {"children": 7, "generations": 4},
    },
    "four rounds, parts 1, sigma 0.02": {
        "mutation": {"parts": 1, "sigma": 0.02},
        "search": {"children": 7, "generations": 4},
    },
    "cma-es, four rounds, sigma 0.02": {
        "mutation": {"parts": 1, "sigma": 0.02, "subspace": "static"},
        "search": {"strategy": "cma-es", "children": 7, "generations": 4},
    },
}
"""28 children each."""
STEP = "one step, sigma 0.02"
"""Found by ``steps.py``, with labels, once what the pilot chose had made networks worse."""
CHOSEN_LATER: dict[str, dict[str, Any]] = {
    STEP: {
        "mutation": {"parts": 1, "sigma": 0.02},
        "search": {"strategy": "evolution-strategy", "children": 28, "learning_rate": 0.5},
    }
}
CPU = torch.device("cpu")


def configured(work: Path, network: str, fitness: str, kind: str, seed: int, fold: int, setting: str) -> RunConfig:
    select, test = (str(corrupted(work, kind, seed, half)) for half in (fold, 1 - fold))
    own = (SETTINGS | CHOSEN_LATER)[setting]
    values = {
        "seed": seed,
        "parent": {"source": "module", "name": f"lites:{network}"},
        # networks are scored below, on both halves: the run's own test is kept small
        "data": {"path": select, "test_path": test, "select": 1.0, "test": 0.1},
        "fitness": {"name": fitness}
        | ({"reference": str(clean(work))} if fitness == "agreement" else {}),
        "mutation": NORMS | own["mutation"],
        "search": own["search"],
        "statistics": {"children_on_test": 0},
        "ensemble": {"size": 4},
        "compute": {
            "backend": "local", "workers": 1, "threads_per_worker": 1, "batch_size": 20, "dtype": "bfloat16",
        },
    }  # fmt: skip
    return parse_config(values, config_dir=work)


def adapted(config: RunConfig, work: Path, score: bool) -> dict[str, Any]:
    """One run, and what its networks answer on both halves; without ``score`` the fitness on the adapted one alone."""
    out = work / "run"
    shutil.rmtree(out, ignore_errors=True)
    started, cpu = time.perf_counter(), time.process_time()
    result = evolve(config, out, config_dir=work, page=False)
    spent = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}
    inputs = _inputs(config, work)
    lineages = {"parent": Lineage(), "best": _lineage(out, "best"), "soup": _lineage(out, "soup")}
    members = [_lineage(out, one["id"]) for one in result.summary["ensemble"]["members"]]
    scored = {"adapted": config.data.path} | ({"other": str(config.data.test_path)} if score else {})
    rows, values = {}, {}
    for half, path in scored.items():
        answers = {name: _answers(inputs, lineage, path) for name, lineage in lineages.items()}
        labels = answers["parent"][1]
        if half == "adapted":
            values = {name: _fitness(inputs, *one) for name, one in answers.items()}
        if not score:
            continue
        log_p = {name: outputs.double().log_softmax(1) for name, (outputs, _) in answers.items()}
        each = [_answers(inputs, one, path)[0].double().softmax(1) for one in members]
        log_p["ensemble"] = torch.stack(each).mean(0).log() if each else log_p["parent"]
        rows[half] = {name: of_photographs(one, labels) for name, one in log_p.items()}
    work_done = result.summary["work"]
    return {"fitness": values, "members": len(members), "images": work_done["images"], **spent, "rows": rows}


_known: dict[str, Inputs] = {}


def _inputs(config: RunConfig, work: Path) -> Inputs:
    """Network, space and fitness, which hang on no corruption: looked at once."""
    key = f"{config.parent.name}/{config.fitness.name}"
    if key not in _known:
        _known[key] = check_inputs(config, work)
    return _known[key]


def _lineage(out: Path, name: str) -> Lineage:
    return Lineage.from_json(json.loads((out / "lineage" / f"{name}.json").read_text())["entries"])


def _answers(inputs: Inputs, lineage: Lineage, path: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [n, 1000] in the run's type, and labels, of a half's images: the views of its photographs in order."""
    flat = apply_lineage(inputs.space.flatten(inputs.state), inputs.space, lineage.entries)
    model = copy.deepcopy(inputs.parent.model)
    model.load_state_dict({**inputs.state, **inputs.space.unflatten(flat)}, strict=False)
    model.to(torch.bfloat16, memory_format=torch.channels_last).eval()
    data = open_dataset(path)
    how = Preparation(CPU, torch.bfloat16, True, *normalisation(inputs.parent, 3))
    shard = data.load(0)
    rows = photographs_in_order(shard)
    with torch.inference_mode():
        batch = inputs.task.batch(shard, rows, how)
        return inputs.task.outputs(model, batch)[: len(rows)], inputs.task.targets(shard, rows, CPU)


def photographs_in_order(shard: Any) -> np.ndarray:
    """Rows of a shard, whose order is a shuffle, as they were written."""
    return np.argsort([int(source.rpartition("/")[2]) for source in shard.sources])


def _fitness(inputs: Inputs, outputs: torch.Tensor, labels: torch.Tensor) -> float:
    fitness = inputs.fitness.make(inputs.task, lambda _: None)
    return fitness.value(fitness.layout.row(inputs.task.sums(outputs, labels), fitness.sums(outputs, labels)))


def of_photographs(log_p: torch.Tensor, labels: torch.Tensor) -> dict[str, list[float]]:
    """NLL and top-1 of each photograph of a half, means over its views."""
    nll = -log_p.gather(1, labels[:, None])[:, 0].numpy()
    hit = (log_p.argmax(1) == labels).double().numpy()
    return {
        name: np.round(values.reshape(-1, VIEWS).mean(axis=1), 4).tolist()
        for name, values in (("nll", nll), ("top1", hit))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--pilot", action="store_true", help="find the setting, and stop")
    parser.add_argument("--networks", nargs="*", default=list(SIDES))
    parser.add_argument("--fitness", nargs="*", default=["agreement"])
    parser.add_argument("--step", action="store_true", help="the setting that steps.py found, in place of the pilot's")
    parser.add_argument("--folds", nargs="*", type=int, default=[0, 1], help="which half is adapted on")
    parser.add_argument("--kinds", nargs="*", default=list(CORRUPTIONS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    for file in (HERE / "lites.py", LITE / "lite0.py"):
        shutil.copy(file, options.work)
    known = json.loads(options.results.read_text()) if options.results.exists() else {"pilots": {}, "runs": {}}
    known["about"] = about()
    if options.pilot:
        cases = [("lite0", "agreement", kind, PILOT_SEED, 0, one) for one in SETTINGS for kind in PILOT_KINDS]
        _all(cases, known["pilots"], known, options, score=False)
        return
    setting = STEP if options.step else chosen(known["pilots"])
    cases = [
        (network, fitness, kind, SEED, fold, setting)
        for network in options.networks
        for fitness in options.fitness
        for fold in options.folds
        for kind in options.kinds
    ]
    _all(cases, known["runs"], known, options)


def _all(
    cases: list[Any], into: dict[str, Any], known: dict[str, Any], options: argparse.Namespace, score: bool = True
) -> None:
    for case in cases:
        key = "/".join(map(str, case))
        if key not in into:
            found = adapted(configured(options.work, *case), options.work, score)
            into[key] = found | {"commit": known["about"]["commit"]}
            options.results.write_text(json.dumps(known))
            print(key, {name: round(value, 4) for name, value in into[key]["fitness"].items()}, flush=True)


def chosen(pilots: dict[str, Any]) -> str:
    """The setting whose soup raised the fitness most, in the mean over the corruptions of the pilot."""
    gains = {
        setting: np.mean(
            [one["fitness"]["soup"] - one["fitness"]["parent"] for key, one in pilots.items() if key.endswith(setting)]
        )
        for setting in SETTINGS
    }
    return max(gains, key=lambda setting: gains[setting])


def about() -> dict[str, Any]:
    commit = subprocess.run(["git", "rev-parse", "--short=7", "HEAD"], capture_output=True, text=True).stdout.strip()
    return {
        "commit": commit,
        "device": f"CPU {torch.backends.cpu.get_cpu_capability()}, 1 thread, {platform.machine()}",
        "torch": torch.__version__,
        "severity": SEVERITY,
        "halves": [half.tolist() for half in halves(SEED)],
    }


if __name__ == "__main__":
    main()
