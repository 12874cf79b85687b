"""Fuzz: damaged inputs by the ten thousand, each read as a user's file is read, in one process after the other.

``python tests/fuzz/campaign.py --inputs 100000 --report DIR``; ``--replay NUMBER`` does one input again and shows what
it said. Input N of a seed is the same whenever it is asked for. Each has to end well or with one message and exit 1 or
2 (``program.assert_clean``), within 20 s and 1 GiB, without running a program, opening a socket, or writing anything
beside what its command was asked to write; and a refusal leaves nothing written.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

SILENT_S = 300.0
"""So long without a word from the process that works, and it hangs."""


def parsed() -> argparse.Namespace:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--inputs", type=int, default=100_000)
    asked.add_argument("--first", type=int, default=0, help="the number of the first input")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--minutes", type=float, default=60.0, help="ends after the input at which they are over")
    asked.add_argument("--report", type=Path, help="a folder for fuzz.json")
    asked.add_argument("--replay", type=int, help="one input, with what it said")
    asked.add_argument("--only", help="kinds whose names begin so")
    asked.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    return asked.parse_args()


def main() -> None:
    options = parsed()
    if options.work:
        worked(options)
    elif options.replay is not None:
        with tempfile.TemporaryDirectory() as folder:
            options.work, options.first, options.inputs = Path(folder), options.replay, 1
            worked(options)
    else:
        sys.exit(1 if campaign(options) else 0)


def campaign(options: argparse.Namespace) -> int:
    """Processes one after the other until all inputs are read; how many inputs ended wrongly."""
    counts: dict[str, Counter[str]] = {}
    seconds: Counter[str] = Counter()
    failures: list[dict[str, Any]] = []
    most = {"seconds": 0.0, "memory": 0}
    number, end, started = options.first, options.first + options.inputs, time.monotonic()
    until = started + 60 * options.minutes
    while number < end and time.monotonic() < until:
        for one in of_process(options, number, end, until):
            number = one["number"] + 1
            counts.setdefault(one["kind"], Counter())[one["end"]] += 1
            seconds[one["kind"]] += one.get("whole", 0.0)
            most = {key: max(value, one.get(key, 0)) for key, value in most.items()}
            if one["end"] == "wrong":
                failures.append(one)
                print(f"input {one['number']} ({one['kind']}): {one['why'][-1500:]}", flush=True)
            if number % 1000 == 0:
                rate = (number - options.first) / (time.monotonic() - started)
                print(f"{number - options.first} inputs, {rate:.0f}/s, {len(failures)} wrong", flush=True)
    found = {
        "seed": options.seed,
        "inputs": number - options.first,
        "wrong": len(failures),
        "wall_s": round(time.monotonic() - started),
        "longest_s": round(most["seconds"], 2),
        "largest_mib": round(most["memory"] / 2**20),
        "kinds": {kind: dict(sorted(found.items())) for kind, found in sorted(counts.items())},
        "ms_an_input": {kind: round(1000 * seconds[kind] / counts[kind].total(), 1) for kind in sorted(counts)},
        "failures": [{key: one[key] for key in ("number", "kind", "why")} for one in failures],
    }
    if options.report:
        options.report.mkdir(parents=True, exist_ok=True)
        (options.report / "fuzz.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps({key: value for key, value in found.items() if key != "failures"}, indent=1))
    return len(failures)


def of_process(options: argparse.Namespace, first: int, end: int, until: float) -> Any:
    """What one process tells of its inputs. One that dies or hangs has the input it was at counted as wrong."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["--work", folder, "--seed", str(options.seed), "--first", str(first), "--inputs", str(end - first)]
        words += ["--only", options.only] if options.only else []
        log = open(Path(folder) / "log", "w+")  # noqa: SIM115  read below, when the process has ended
        child = subprocess.Popen(
            [sys.executable, __file__, *words], stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
        at: dict[str, Any] = {"number": first, "kind": "?"}
        try:
            os.set_blocking(child.stdout.fileno(), False)
            rest, heard = b"", time.monotonic()
            while time.monotonic() < until:
                said = child.stdout.read() or b""
                *lines, rest = (rest + said).split(b"\n")
                for line in lines:
                    heard = time.monotonic()
                    one = json.loads(line)
                    at = one
                    if "end" in one:
                        yield one
                if child.poll() is not None and not said:
                    break
                if time.monotonic() - heard > SILENT_S:
                    yield at | {"end": "wrong", "why": f"nothing for {SILENT_S:.0f} s"}
                    return
                time.sleep(0.05)
            if child.poll() not in (None, 0):
                log.seek(0)
                if at["kind"] == "?":
                    raise SystemExit(f"no input was begun: {log.read()[-3000:]}")
                yield at | {"end": "wrong", "why": f"the process ended with {child.returncode}: {log.read()[-3000:]}"}
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            log.close()


def worked(options: argparse.Namespace) -> None:
    """In a process of its own: reads inputs, and says a line of JSON before and after each."""
    here = Path(__file__).resolve().parent
    sys.path[:0] = [str(here), str(here.parent)]
    import warnings

    import guarding
    from targets import make_material, targets

    warnings.simplefilter("ignore")
    sys.dont_write_bytecode = True  # what Python compiles as it imports is no input's doing
    say = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is none of it
    place = options.work / "place"
    place.mkdir()
    os.chdir(place)
    make_material(place)
    shutil.copytree(place, options.work / "good")
    good = guarding.Good(place, options.work / "good")
    kinds = [one for one in targets() if not options.only or one.kind.startswith(options.only)]
    for one in kinds:  # what a first use imports, builds and caches is no input's doing
        outcome = one.read()
        if outcome.code != 0 and "GGUF" not in one.kind:
            raise SystemExit(f"{one.kind}: a good file is refused: {outcome.errors}")
        good.restore()
    watch = guarding.Watch([options.work, Path(tempfile.gettempdir()) / "evoray", Path.home() / ".cache"])
    for number in range(options.first, options.first + options.inputs):
        drawn = random.Random(f"{options.seed}-{number}")
        target = drawn.choices(kinds, [one.weight for one in kinds])[0]
        print(json.dumps({"number": number, "kind": target.kind}), file=say)
        began = time.perf_counter()
        found = guarding.tried(target, drawn, place, good, watch)
        found["whole"], said = round(time.perf_counter() - began, 5), found.pop("said")
        if options.replay is not None:
            print(said, file=say)
        print(json.dumps({"number": number, "kind": target.kind, **found}), file=say)


if __name__ == "__main__":
    main()
