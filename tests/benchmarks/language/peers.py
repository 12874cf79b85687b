"""Peers side by side on SmolLM2: es-at-scale's update, RandOpt's, and EvoRay's sparse children, 32 evaluations each.

``python tests/benchmarks/language/peers.py RESULTS --work DIR``. The demo's kind of problems, seed 0, 64 that choose
and 128 that chose nothing; parent, prompts, tokenizer, greedy decoding, type, batches and threads are those of one
configuration, and all networks answer by EvoRay's evaluator. An arm's result is ``RESULTS/ARM.json``, and
``RESULTS/peers.md`` the table of all that there are. A finished arm is not repeated, and one that was stopped goes on
with the answers it has: the same command again.

The peers' numbers are those of their papers and programs (``peer_arms.py``). 32 evaluations are two of es-at-scale's
iterations of 16 (published: 30 members, some hundred iterations): a step gains the same in expectation whatever the
population, so that two steps are worth more to it than one of 32. RandOpt draws each guess's sigma from its list; 8 of
32 vote as EvoRay's 8 do, and 3, a tenth (published: 50 of 5,000).
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peer_arms import SEED, Network, Sizes, es_arm, own_arm, randopt_arm
from peer_costs import drift_arm, seconds_arm
from run import CONFIG, SELECT, TEST, about, gain, write

from evoray import RunConfig, Space, load_config, load_parent, parse_config
from evoray.commands.common import Bars
from evoray.demo.language import KIND, prepare
from evoray.evaluation.settings import like_a_worker
from evoray.models import canonical_state, mutable_names
from evoray.report import text

EVALUATIONS = 32
OURS: Mapping[str, Mapping[str, Any]] = {
    "sparse-auto": {"sigma": "auto", "scale": "rms", "parts": 10},
    "sparse-0.001": {"sigma": 1e-3, "scale": "absolute", "parts": 10},
}
PEERS = {"es": es_arm, "randopt": randopt_arm}
ARMS = ("drift", "seconds", "es", "randopt", *OURS)
"""In this order."""
SAID = {
    "es": ("es-at-scale", "es"),
    "randopt": ("RandOpt", "randopt"),
    "sparse-auto": ("EvoRay, sigma found", "sparse"),
    "sparse-0.001": ("EvoRay, sigma of the peers", "sparse"),
}
"""An arm's name for people, and whose costs and drift are its."""
HEAD = (
    "Method",
    "Answer",
    "Evaluations",
    "Test, right",
    "Seconds a child",
    "to restore",
    "Drift in float32",
    "in bfloat16",
    "Same bits",
)


def arm_config(config: RunConfig, mutation: Mapping[str, Any], sizes: Sizes) -> RunConfig:
    """The demo's run with an arm's mutations and as many children as the peers have evaluations."""
    values = config.model_dump(mode="json", exclude_unset=True)  # what is left out stays the task's own
    own = {"mutation": mutation, "search": {"children": sizes.evaluations}, "statistics": {"children_on_test": 0}}
    for section, keys in own.items():
        values[section] = values.get(section, {}) | keys
    return parse_config(values, "a peer's arm")


def problems_of(work: Path, sizes: Sizes) -> Path:
    """The folder with problems, shards and configuration; made where it is not whole."""
    data = work / "data"
    if not (data / "test" / "manifest.json").exists():  # what is written last
        shutil.rmtree(data, ignore_errors=True)
        with Bars("the same command goes on") as bars:
            prepare(data, SEED, "local", bars, kind=KIND, select=sizes.select, test=sizes.test)
    return data


def run_arm(arm: str, work: Path, sizes: Sizes) -> dict[str, Any]:
    """All arms share their problems and their configuration but for its mutations."""
    data = problems_of(work, sizes)
    config = load_config(data / CONFIG)
    if arm in OURS:
        return own_arm(arm_config(config, OURS[arm], sizes), data, work / arm)
    config = arm_config(config, OURS["sparse-0.001"], sizes)
    if arm == "drift":
        model = load_parent(config.parent, data).model
        names = mutable_names(model, config.mutation.include, config.mutation.exclude)
        space = Space.from_state(canonical_state(model)[0], names, config.mutation.scale)
        return drift_arm(model, space, config, work)
    network = Network(config, data)
    with like_a_worker(network.program):
        if arm == "seconds":
            return seconds_arm(network, config)
        return PEERS[arm](network, work / arm, sizes)


def markdown(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The table of the arms that there are; were the parent's answers others in some arm, it would show both."""
    asked = [arm for arm in SAID if arm in found]
    lines = [_line(HEAD), f"|{'---|' * len(HEAD)}"]
    if asked:
        parents = dict.fromkeys(text.percent(found[arm]["parent"]) for arm in asked)
        lines.append(_line(["parent", "", "", " or ".join(parents), *[""] * 5]))
    for arm in asked:
        costs = _costs(SAID[arm][1], found)
        for name, network in found[arm]["networks"].items():
            lines.append(_line([SAID[arm][0], name, _evaluations(found[arm]), gain(network), *costs]))
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _evaluations(arm: Mapping[str, Any]) -> str:
    """``32``, and what a run spends besides on finding sigma and on soups."""
    spent = arm["evaluations"]
    rest = [f" + {text.plain(spent[name])} for {what}" for name, what in _BESIDES if spent.get(name)]
    return f"{text.count(spent['children'])}{''.join(rest)}"


_BESIDES = (("sigma", "sigma"), ("soups", "soups"))


def _costs(rule: str, found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Of a rule: seconds a child, seconds to restore, drift in each type, and whether bits are the same."""
    seconds, drift = found.get("seconds"), found.get("drift")
    own = seconds["rules"][rule] if seconds else {}
    steps = [own.get(f"{name}_cpu_s") for name in ("perturb", "evaluate", "restore")]
    cells = [text.plain(None if None in steps else sum(steps)), text.plain(steps[-1])]
    types = [drift["rules"][f"{rule} {dtype}"] for dtype in ("float32", "bfloat16")] if drift else []
    apart = [f"{text.plain(one['largest'])}, rms {text.plain(one['rms'])}" for one in types] or ["–", "–"]
    same = ("yes" if all(one["same_bits"] for one in types) else "no") if types else "–"
    return [*cells, *apart, same]


def finished(results: Path) -> dict[str, dict[str, Any]]:
    paths = {arm: results / f"{arm}.json" for arm in ARMS}
    return {arm: json.loads(path.read_text(encoding="utf-8")) for arm, path in paths.items() if path.exists()}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("results", type=Path)
    asked.add_argument("--work", type=Path, required=True, help="problems, answers and run directories; kept")
    asked.add_argument("--arms", nargs="*", default=list(ARMS), choices=ARMS)
    for name, value in (("select", SELECT), ("test", TEST), ("evaluations", EVALUATIONS)):
        asked.add_argument(f"--{name}", type=int, default=value)
    options = asked.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    options.work.mkdir(parents=True, exist_ok=True)
    sizes = Sizes(options.select, options.test, options.evaluations)
    for arm in options.arms:
        path = options.results / f"{arm}.json"
        if not path.exists():
            found = {"arm": arm, **run_arm(arm, options.work.resolve(), sizes), **about()}
            write(path, json.dumps(found, indent=1) + "\n")
        write(options.results / "peers.md", markdown(finished(options.results)))
        print(f"{arm}: done", flush=True)


if __name__ == "__main__":
    main()
