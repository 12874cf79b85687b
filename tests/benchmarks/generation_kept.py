"""Answers of children that change late layers, with what is kept of the prompts and without; and what both hold.

    python tests/benchmarks/generation_kept.py FOLDER RESULTS.json [--batch 8] [--rounds 3] [--new 16 64] [--no-memory]

A child changes every weight from one decoder layer on (a half, three quarters and 0.95 of the layers lie before it) and
answers prompts of 40 to 64 tokens to the last token. ``expected`` is the answer's multiplications over those that are
left, as a worker counts them. Times are the processor's of the one thread, whole and kept in turn in each round, so
that other programs on the machine matter little; tokens have to be the same. Memory is that of a process for each way.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from generation import TAKES, network

from evoray.evaluation.host import ModelHost
from evoray.evaluation.kept.keeper import Keeper, Part
from evoray.evaluation.probe import Probe
from evoray.models import canonical_state, mutable_names
from evoray.models.transformers.attention import prepare
from evoray.mutation import Entry, Space
from evoray.tasks.base import Batch, Network
from evoray.tasks.generation.decoding import MASK, TOKENS, Begun, Manner, speak
from evoray.tasks.generation.opening import Prompts
from evoray.tasks.generation.speech import Speech

SHORTEST, LONGEST = 40, 64
BEFORE = (0.5, 0.75, 0.95)
"""Of the layers, those that a child leaves as they are."""
EXACT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_ARENA_MAX": "1"}
"""What is freed goes back to the system at once."""
MB = 1e6


class Within(Probe):
    """Says which tensors it changes."""

    def tensors(self, space: Space) -> tuple[int, ...]:
        return self.within or ()


class Answers:
    """A task of answers without a reward."""

    repeats = True

    def __init__(self, speech: Speech, count: int) -> None:
        self.speech, self.count = speech, count
        self.opening = Prompts(speech, count, self.outputs)

    def outputs(self, network: Network, batch: Batch, begun: Begun | None = None) -> Any:
        ids, mask = batch.inputs[TOKENS], batch.inputs[MASK]
        return speak(network, ids, mask, range(batch.count), self.speech, Manner(self.count), begun).tokens


def host_of(folder: str) -> tuple[ModelHost, Any]:
    """(host of all weights, the network's configuration)."""
    model = network(folder, torch.float32, "cpu")
    model.config.pad_token_id = model.config.pad_token_id or 0
    prepare(model)
    state, _ = canonical_state(model)
    return ModelHost(model, Space.from_state(state, mutable_names(model, ("*",), ()), "rms"), "cpu"), model.config


def batch_of(count: int, vocabulary: int) -> Batch:
    ids = torch.randint(4, vocabulary, (count, LONGEST), generator=torch.Generator().manual_seed(1))
    lengths = torch.linspace(SHORTEST, LONGEST, count).long()
    mask = (torch.arange(LONGEST) >= LONGEST - lengths[:, None]).long()
    return Batch({TOKENS: ids * mask, MASK: mask}, count)


def child_behind(space: Space, layer: int) -> tuple[Entry, ...]:
    behind = [at for at, one in enumerate(space.tensors) if ".layers." in one.name and _layer(one.name) >= layer]
    return (Entry(1.0, Within(sigma=0.01, within=tuple(behind))),)


def _layer(name: str) -> int:
    return int(name.split(".layers.")[1].split(".")[0])


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    found = work()
    return time.process_time() - started, found


def measured(folder: str, batch_size: int, counts: list[int], rounds: int) -> Iterator[dict[str, Any]]:
    host, config = host_of(folder)
    speech = Speech(None, (), 0, "static", config, TAKES)  # type: ignore[arg-type]
    batch, layers = batch_of(batch_size, config.vocab_size), config.num_hidden_layers
    for count in counts:
        task: Any = Answers(speech, count)
        keeper = Keeper(host, task, host.forward, lambda run: run)
        cuts: list[tuple[float, int, Part, list[torch.Tensor]]] = []
        for share in BEFORE:
            layer = int(share * layers)
            part = keeper.part([child_behind(host.space, layer)], lambda: batch)
            assert part is not None, keeper.why_not
            cuts.append((share, layer, part, keeper.alive(part, batch)))
        taken: list[dict[str, float]] = []
        without = functools.partial(task.outputs, host.forward, batch)
        for number in range(rounds):
            taken.append({})
            for share, layer, part, alive in cuts:
                with host.child(child_behind(host.space, layer)):
                    if share == BEFORE[0] or number == 0:  # it costs the same behind any cut
                        whole, wanted = timed(without)
                        taken[-1].setdefault("whole", whole)
                    kept, found = timed(functools.partial(keeper.outputs, part, batch, alive))
                if share == BEFORE[0] or number == 0:
                    assert (wanted == found).all(), "tokens differ"
                taken[-1][str(share)] = kept
            print(taken[-1], file=sys.stderr, flush=True)
        for share, layer, part, _ in cuts:
            ratios = [one["whole"] / one[str(share)] for one in taken]
            yield {
                "new": count,
                "before": share,
                "layer": layer,
                "expected": 1 / part.share,
                "answers_per_s": batch_size / statistics.median(one[str(share)] for one in taken),
                "answers_per_s_whole": batch_size / statistics.median(one["whole"] for one in taken),
                "ratio": statistics.median(ratios),
                "spread": [min(ratios), max(ratios)],
                "kept_kib_a_record": keeper.kept_bytes(part, batch) / batch_size / 1024,
            }


def own_mb() -> float:
    """Of this process's own resident memory: pages of files come and go with what else the machine does."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(one for one in lines if one.startswith("RssAnon")).split()[1]) * 1024 / MB


@contextmanager
def watched() -> Iterator[list[float]]:
    """The most so far, looked at every 10 ms."""
    most, done = [own_mb()], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            most[0] = max(most[0], own_mb())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        done.set()
        thread.join()


def held(folder: str, batch_size: int, count: int, keep: bool) -> dict[str, float]:
    """What this process holds: before the network, with the host of it, and at most while children answer."""
    before = own_mb()
    host, config = host_of(folder)
    parent = sum(one.nbytes for one in host.model.parameters()) / MB
    made = own_mb()
    speech = Speech(None, (), 0, "static", config, TAKES)  # type: ignore[arg-type]
    batch, task = batch_of(batch_size, config.vocab_size), Answers(speech, count)
    tail, kept_mb = child_behind(host.space, config.num_hidden_layers // 2), 0.0
    keeper = Keeper(host, task, host.forward, lambda run: run)  # type: ignore[arg-type]
    part = keeper.part([tail], lambda: batch) if keep else None
    alive = keeper.alive(part, batch) if part else []
    if part:
        kept_mb = keeper.kept_bytes(part, batch) / MB
    now = own_mb()
    with watched() as most:
        for _ in range(2):
            with host.child(tail), torch.inference_mode():
                keeper.outputs(part, batch, alive) if part else task.outputs(host.forward, batch)
    return {
        "parent_mb": parent,
        "before_mb": before,
        "host_mb": made - before,
        "between_mb": now - before,
        "peak_mb": most[0] - before,
        "kept_mb": kept_mb,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("results", nargs="?", type=Path)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--new", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--memory", choices=("kept", "whole", "no"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.memory in ("kept", "whole"):
        print(json.dumps(held(args.folder, args.batch, args.new[0], args.memory == "kept")))
        return
    commit = ["git", "rev-parse", "--short=7", "HEAD"]
    found: dict[str, Any] = {
        "commit": subprocess.run(commit, check=True, capture_output=True, text=True).stdout.strip(),
        "device": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, one thread",
        "torch": torch.__version__,
        "batch": args.batch,
        "rounds": args.rounds,
    }
    if args.memory is None:
        same = [
            sys.executable,
            __file__,
            args.folder,
            "--batch",
            str(args.batch),
            "--new",
            str(args.new[0]),
            "--memory",
        ]
        own = {**os.environ, **EXACT}
        ways = [subprocess.run([*same, way], check=True, stdout=subprocess.PIPE, env=own) for way in ("whole", "kept")]
        found["memory"] = dict(zip(("whole", "kept"), (json.loads(one.stdout) for one in ways), strict=True))
    with torch.inference_mode():
        found["rows"] = list(measured(args.folder, args.batch, args.new, args.rounds))
    text = json.dumps(found, indent=1) + "\n"
    print(text)
    if args.results:
        args.results.write_text(text)


if __name__ == "__main__":
    main()
