"""Whether two commits give the same answers: twelve small runs in both, compared to the last bit.

Run as ``python tests/benchmarks/same_answers.py [--base COMMIT] [--head COMMIT|.] [--only NAME …] [--out FILE]``; exit
status 1 on any difference. ``--head .`` is this checkout as it stands. Runs are made one after the other by ``python -m
evoray run``, with the interpreter that runs this script and with ``PYTHONPATH`` set to the one checkout or the other.

Compared is every file that the base wrote, but those with times in them (IGNORED): documents key by key, tables column
by column with their types, anything else by its digest. Numbers are equal when they are written alike, so NaN equals
NaN and 0.0 is not -0.0. What only the head has (files, keys, columns) is noted and is no difference; what only the base
has is one. In ``config.json`` a value that replaces ``"auto"`` is noted as well.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path("tests/benchmarks/results/same_answers.json")
BASE = "83bb37f"
IGNORED = ("journal/", "metrics.jsonl", "report.html")
"""Files, or beginnings of their names, that hold times, or draw what the others say."""
IGNORED_KEYS = ("run_id", "work")
"""Keys of ``summary.json`` that no two runs share."""
RUN_LIMIT_S = 1800
SHOWN = 3
"""Differences of one file that are written to the results; all are counted."""
IN_FILE = ": "
"""Between a file's name and the place in it."""

TRAINED = {
    "parent.source": "module",
    "parent.name": "evoray.demo:small_cnn",
    "parent.weights": "parent.safetensors",
    "parent.mean": [0.1307],
    "parent.std": [0.3081],
}
RANDOM = {"parent.source": "module", "parent.name": "evoray.models.small:cnn", "parent.weights": "random"}
COMMON = {
    "data.path": "mnist5k",  # five shards
    "data.select": 0.1,
    "data.test": 0.1,
    "search.children": 6,
    "ensemble.size": 3,
    "compute.backend": "local",
    "compute.workers": 2,
    "compute.threads_per_worker": 1,
}
RUNS: dict[str, dict[str, Any]] = {
    "decomposition": TRAINED
    | {"search.generations": 2, "soup.method": "greedy", "fitness.constraints": ["nll <= 0.33"]},
    "one-plus-lambda": TRAINED
    | {
        "search.strategy": "one-plus-lambda",
        "search.generations": 2,
        "fitness.name": "cost",
        "fitness.costs": [[abs(true - told) for told in range(10)] for true in range(10)],
        "ensemble.method": "greedy",
        "ensemble.pool": 8,
        "soup.method": "greedy",
    },
    "mu-lambda": TRAINED
    | {
        "search.strategy": "mu-lambda",
        "search.generations": 2,
        "mutation.scale": "absolute",
        "mutation.sigma": 0.005,
        "mutation.antithetic": True,
        "ensemble.method": "weighted",
        "soup.method": "uniform",
    },
    "evolution-strategy": TRAINED
    | {
        "search.strategy": "evolution-strategy",
        "search.optimizer": "adam",
        "search.generations": 3,
        "ensemble.temperature": True,
    },
    "cma-es": TRAINED
    | {
        "search.strategy": "cma-es",
        "search.dimensions": 4,
        "search.generations": 3,
        "fitness.name": "top1",
        "ensemble.method": "majority",
    },
    "randopt": TRAINED
    | {
        "search.strategy": "randopt",
        "search.children": 8,
        "mutation.sigma": 0.02,
        "mutation.exclude": ["output.*"],
        "soup.method": "uniform",
        "ensemble.keep_logits": True,
        "compute.dtype": "bfloat16",
    },
    "racing": TRAINED
    | {
        "seed": 1,
        "data.select": 0.3,
        "search.children": 24,
        "search.generations": 2,
        "search.racing": True,
        "search.confidence": 0.8,
        "search.budget_images": 16_000,
    },
    "auto-sigma": TRAINED | {"search.children": 40, "mutation.sigma": "auto", "mutation.subspace": "static"},
    "constraints": TRAINED
    | {
        "seed": 2,
        "fitness.name": "brier",
        "fitness.constraints": ["top1 >= parent", "class-accuracy >= parent - 0.02"],
    },
    "batchnorm": RANDOM | {"seed": 3, "data.select": 0.05, "data.test": 0.05, "soup.recalibrate": True},
    "own-fitness": RANDOM
    | {
        "data.path": "mock:images=200,size=28,classes=10,channels=1,shard_size=32",
        "data.select": 0.5,
        "data.test": 0.5,
        "fitness.name": "own_fitness:margin",
        "compute.layout": "contiguous",
        "compute.batch_size": 16,
    },
    "ray": TRAINED
    | {
        "search.strategy": "mu-lambda",
        "search.generations": 2,
        "fitness.name": "macro-f1",
        "ensemble.keep_logits": True,
        "compute.backend": "ray",
    },
}
"""By name what each run sets beside COMMON; between them they take every strategy and every way to an answer."""

OWN_FITNESS = '''"""A user's own fitness, in a module beside the configuration."""


def margin(logits, labels):
    """By how much the right class leads the best other one, an image."""
    right = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], float("-inf"))
    return right - others.amax(1)
'''
TRAIN = "import pathlib, evoray.demo; evoray.demo.train_parent(0, pathlib.Path('parent.safetensors'))"
FIND = "import importlib.util; print(importlib.util.find_spec('evoray').origin)"


@dataclass(frozen=True)
class Checkout:
    """One commit's files, and how runs of it are named."""

    name: str
    folder: Path
    commit: str


@dataclass(frozen=True)
class Finding:
    """One place where two answers are not written alike."""

    kind: str
    place: str
    text: str

    @property
    def is_difference(self) -> bool:
        return self.kind in ("changed", "removed", "failed")

    @property
    def file(self) -> str:
        return self.place.partition(IN_FILE)[0]

    def __str__(self) -> str:
        return f"{self.place} {self.kind}{': ' if self.text else ''}{self.text}"


@dataclass(frozen=True)
class Comparison:
    """What one run was found to be in both checkouts."""

    name: str
    compared: dict[str, int]
    findings: list[Finding]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def differences(self) -> list[Finding]:
        return [one for one in self.findings if one.is_difference]

    @property
    def notes(self) -> list[Finding]:
        return [one for one in self.findings if not one.is_difference]

    def first_differences(self) -> list[Finding]:
        """A few of every file."""
        files = dict.fromkeys(one.file for one in self.differences)
        return [one for file in files for one in islice((x for x in self.differences if x.file == file), SHOWN)]

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "equal": not self.differences,
            "compared": self.compared,
            "differences": dict(Counter(one.file for one in self.differences)),
            "first_differences": [str(one) for one in self.first_differences()],
            "notes": [str(one) for one in self.notes],
            "seconds": {name: round(seconds, 1) for name, seconds in self.seconds.items()},
        }


class RunFailedError(RuntimeError):
    """A subprocess ended with another status than 0."""


def read_answers(folder: Path) -> dict[str, Any]:
    """Everything a run directory says, by the name of the file that says it."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name: _read(folder / name) for name in names if not name.startswith(IGNORED)}


def _read(path: Path) -> Any:
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return {name: {"type": str(table[name].type), "values": table[name].to_pylist()} for name in table.column_names}
    if path.suffix != ".json":
        return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    document = json.loads(path.read_text(encoding="utf-8"))
    ignored = IGNORED_KEYS if path.name == "summary.json" else ()
    return {key: value for key, value in document.items() if key not in ignored}


def compare(base: Any, head: Any, place: str = "") -> Iterator[Finding]:
    """Every place where two answers are not written alike, from the top down."""
    if isinstance(base, dict) and isinstance(head, dict):
        for key in [*base, *(key for key in head if key not in base)]:
            below = key if not place else f"{place}.{key}" if IN_FILE in place else f"{place}{IN_FILE}{key}"
            if key not in head:
                yield Finding("removed", below, "")
            elif key not in base:
                yield Finding("added", below, "")
            else:
                yield from compare(base[key], head[key], below)
    elif isinstance(base, list) and isinstance(head, list):
        if len(base) != len(head):
            yield Finding("changed", place, f"{len(base)} entries became {len(head)}")
        for number, (one, other) in enumerate(zip(base, head, strict=False)):
            yield from compare(one, other, f"{place}[{number}]")
    elif repr(base) != repr(head):
        resolved = base == "auto" and place.startswith("config.json")
        yield Finding("resolved" if resolved else "changed", place, f"{base!r} became {head!r}")


def counts(answers: Mapping[str, Any]) -> dict[str, int]:
    """How much was compared: files, digests of networks' weights, and single values."""
    keys = list(_keys(answers))
    return {"files": len(answers), "weights": keys.count("weights_sha256"), "values": len(keys)}


def _keys(value: Any, key: str = "") -> Iterator[str]:
    """The key of each single value; of those in a list, the list's."""
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else ((key, inner) for inner in value):
            yield from _keys(inner, name)
    else:
        yield key


def write_configurations(folder: Path) -> None:
    """A TOML file a run, and the module that one of them names."""
    (folder / "own_fitness.py").write_text(OWN_FITNESS)
    for name, own in RUNS.items():
        (folder / f"{name}.toml").write_text("".join(f"{key} = {json.dumps(x)}\n" for key, x in (COMMON | own).items()))


def python(checkout: Checkout, folder: Path, *arguments: str) -> str:
    """Runs this interpreter on one checkout's package, in a folder that holds none; returns what it printed.

    Ray's files and secrets go into the folder too, so no cluster that runs on this machine is joined.
    """
    own = {"PYTHONPATH": str(checkout.folder), "HOME": str(folder), "RAY_TMPDIR": str(folder)}
    env = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"} | own
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=RUN_LIMIT_S)
    if done.returncode:
        raise RunFailedError(f"exit status {done.returncode}, {' '.join(done.stderr.splitlines()[-1:])}")
    return done.stdout


def run(checkout: Checkout, folder: Path, name: str) -> tuple[dict[str, Any], float]:
    """One run's answers, and the seconds it took."""
    started = time.perf_counter()
    out = f"{checkout.name}-{name}"
    python(checkout, folder, "-m", "evoray", "run", f"{name}.toml", "--out", out)
    return read_answers(folder / out), time.perf_counter() - started


def compare_run(base: Checkout, head: Checkout, folder: Path, name: str) -> Comparison:
    """One run in both checkouts; the base has to come to an end."""
    expected, base_s = run(base, folder, name)
    try:
        found, head_s = run(head, folder, name)
    except (RunFailedError, subprocess.TimeoutExpired) as error:
        return Comparison(name, counts(expected), [Finding("failed", "the run", str(error))], {"base": base_s})
    return Comparison(name, counts(expected), list(compare(expected, found)), {"base": base_s, "head": head_s})


@contextmanager
def checked_out(name: str, revision: str, folder: Path) -> Iterator[Checkout]:
    """A commit's files in a folder of their own, gone afterwards; ``.`` is this checkout as it stands."""
    if revision == ".":
        changed = "-dirty" if git("status", "--porcelain") else ""
        yield Checkout(name, ROOT, git("rev-parse", "HEAD") + changed)
        return
    commit = git("rev-parse", "--verify", f"{revision}^{{commit}}")
    git("worktree", "add", "--detach", str(folder), commit)
    try:
        yield Checkout(name, folder, commit)
    finally:
        git("worktree", "remove", "--force", str(folder))


def git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def check_package(checkout: Checkout, folder: Path) -> None:
    """Ends the script where another EvoRay than the checkout's would run."""
    origin = Path(python(checkout, folder, "-c", FIND).strip())
    if not origin.is_relative_to(checkout.folder):
        raise SystemExit(f"{checkout.name}: not the checkout's own package is imported")


def processor() -> str:
    """The CPU's model as Linux names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def row(one: Comparison) -> str:
    """A line of the table: name, what was compared, equal or the first difference."""
    compared = " ".join(f"{number:>6} {what}" for what, number in one.compared.items())
    seconds = " ".join(f"{seconds:5.1f} s" for seconds in one.seconds.values())
    told = f"{len(one.differences)} differences; {one.differences[0]}" if one.differences else "equal"
    notes = f" ({len(one.notes)} notes; {one.notes[0]})" if one.notes else ""
    return f"{one.name:<20}{compared}  {seconds:<17}  {told}{notes}"


def compare_commits(base: str, head: str, names: Sequence[str]) -> tuple[dict[str, str], list[Comparison]]:
    """The runs of these names in both; prints a line of the table when a run is done."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="same-")))
        folder = place / "runs"
        folder.mkdir()
        ours, theirs = (
            stack.enter_context(checked_out(name, revision, place / name))
            for name, revision in (("base", base), ("head", head))
        )
        for checkout in (ours, theirs):
            check_package(checkout, folder)
        write_configurations(folder)
        python(ours, folder, "-c", TRAIN)
        found = []
        for name in names:
            found.append(compare_run(ours, theirs, folder, name))
            print(row(found[-1]), flush=True)
        return {checkout.name: checkout.commit for checkout in (ours, theirs)}, found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare the answers of two commits on this machine.")
    parser.add_argument("--base", default=BASE, help=f"a commit; default {BASE}")
    parser.add_argument("--head", default="HEAD", help="a commit, or . for this checkout as it stands; default HEAD")
    parser.add_argument("--only", nargs="+", choices=RUNS, default=list(RUNS), metavar="NAME", help=", ".join(RUNS))
    parser.add_argument("--out", type=Path, default=ROOT / RESULTS, help=f"a JSON file; default {RESULTS}")
    return parser.parse_args()


def main() -> int:
    asked, started = arguments(), time.perf_counter()
    commits, found = compare_commits(asked.base, asked.head, asked.only)
    equal = not any(one.differences for one in found)
    about = {
        "equal": equal,
        "commits": commits,
        "command": " ".join(["python", "tests/benchmarks/same_answers.py", *sys.argv[1:]]),
        "machine": {
            "cpu": processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "torch": version("torch"),
        },
        "seconds": round(time.perf_counter() - started, 1),
    }
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps({**about, "runs": [one.to_json() for one in found]}, indent=1) + "\n")
    print(f"{'all equal' if equal else 'NOT EQUAL'} in {about['seconds']} s; {commits['base']} and {commits['head']}")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
