"""What ``evoray serve`` costs beside plain PyTorch: ``python tests/benchmarks/serving.py RUN``.

RUN: a finished run of the demo (5,000 MNIST images). 1,000 of its pictures as PNG files. Plain: a process decodes a
picture, runs the soup on it, one after the other. Served: 32 clients at a time over HTTP on the loopback, from one more
process; client, proxy and replicas share the machine's cores. Then a replica is killed while 1,000 more are asked for.
Writes tests/benchmarks/results/serving.md.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import signal
import statistics
import time
from pathlib import Path

import numpy as np
import ray
import torch
from PIL import Image
from served import Asked, Running, ask, served

from evoray.data import open_dataset
from evoray.serving.plan import Limits, Plan
from evoray.serving.predictor import Predictor

REQUESTS, AT_A_TIME = 1000, 32
RESULTS = Path(__file__).parent / "results" / "serving.md"


def files(count: int) -> list[bytes]:
    """PNG files of MNIST."""
    dataset, found = open_dataset("mnist5k"), []
    for image in dataset.load(0).images[:count]:
        sink = io.BytesIO()
        Image.fromarray(image[0]).save(sink, "PNG")
        found.append(sink.getvalue())
    return (found * (count // len(found) + 1))[:count]


def plain(run: str, member: str, bodies: list[bytes]) -> list[float]:
    """Seconds of each picture."""
    torch.set_num_threads(1)
    predictor, seconds = Predictor(Plan(run, member, ".")), []
    for body in bodies:
        begun = time.perf_counter()
        predictor.answers([predictor.intake.prepare(body, Limits())], [5])
        seconds.append(time.perf_counter() - begun)
    return seconds


def row(name: str, seconds: list[float], whole: float) -> str:
    p50, p99 = (1000 * float(np.quantile(seconds, at)) for at in (0.5, 0.99))
    return f"| {name} | {p50:.1f} | {p99:.1f} | {len(seconds) / whole:.0f} |"


def asked(running: Running, bodies: list[bytes]) -> tuple[list[Asked], float]:
    ask(running.url, bodies[:64], AT_A_TIME)
    begun = time.perf_counter()
    found = ask(running.url, bodies, AT_A_TIME)
    return found, time.perf_counter() - begun


def killed(running: Running, bodies: list[bytes]) -> tuple[int, int, int]:
    """Requests that were under way when a replica was killed, that failed, and that failed though begun later."""
    when: list[float] = []

    def kill(done: int) -> None:
        if done == len(bodies) // 3:
            os.kill(running.replicas()[0], signal.SIGKILL)
            when.append(time.perf_counter())

    found = ask(running.url, bodies, AT_A_TIME, kill)
    failed = [one for one in found if one.status != 200]
    under_way = [one for one in found if one.begun < when[0] < one.ended]
    return len(under_way), len(failed), sum(one.begun > when[0] for one in failed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    run, bodies = parser.parse_args().run, files(REQUESTS)
    rows = []
    for member in ("soup", "ensemble"):
        seconds = plain(run, member, bodies)
        rows.append(row(f"{member}, plain PyTorch, one after the other", seconds, sum(seconds)))
        for replicas in (1, 2) if member == "soup" else (2,):
            with served(run, "--member", member, "--replicas", str(replicas)) as running:
                found, whole = asked(running, bodies)
                assert all(one.status == 200 for one in found)
                name = f"{member}, served, {replicas} replica{'s' * (replicas > 1)}, {AT_A_TIME} at a time"
                rows.append(row(name, [one.seconds for one in found], whole))
                lost = killed(running, bodies) if replicas > 1 else None
                code, left = running.stop()
            print(rows[-1], lost, code, left, flush=True)
    assert lost is not None
    RESULTS.write_text(
        "# Serving\n\n"
        f"{REQUESTS:,} PNG files of 28 x 28 pixels, the demo's CNN. {len(os.sched_getaffinity(0))} cores, shared by "
        f"clients, proxy, replicas and whatever else ran there (load {os.getloadavg()[0]:.1f}); Ray {ray.__version__}, "
        f"PyTorch {torch.__version__}, Python {platform.python_version()}. Written by tests/benchmarks/serving.py.\n\n"
        "| | p50, ms | p99, ms | requests a second |\n|---|---:|---:|---:|\n" + "\n".join(rows) + "\n\n"
        f"A replica of two killed (SIGKILL) during {REQUESTS:,} requests: {lost[0]} were under way, {lost[1]} failed, "
        f"{lost[2]} of them begun after it was killed.\n"
    )
    print(RESULTS.read_text(), statistics.mean(os.getloadavg()))


if __name__ == "__main__":
    main()
