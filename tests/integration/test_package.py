"""A wheel and a source distribution: built, looked into, and the wheel's own code run away from the repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = """
[parent]
source = "module"
name = "evoray.demo:small_cnn"
weights = "random"
[data]
path = "mnist5k"
select = 0.02
test = 0.02
[search]
children = 4
[statistics]
children_on_test = 0
[compute]
backend = "local"
workers = 1
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with both; building needs hatchling, from an index or a cache."""
    if shutil.which("uv") is None:
        pytest.skip("uv is not installed, which builds the package")
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(["uv", "build", "-q", "--out-dir", folder, ROOT], check=True, timeout=240)
    return folder


def only(folder, pattern):
    (found,) = folder.glob(pattern)
    return found


@pytest.mark.slow
def test_the_wheel_holds_the_code_and_what_it_reads(built):
    wheel = only(built, "*.whl")
    assert wheel.stat().st_size < 10**6
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = BytesParser().parsebytes(archive.read(next(name for name in names if name.endswith("/METADATA"))))
    own = {str(path.relative_to(ROOT)) for path in (ROOT / "evoray").rglob("*") if path.is_file()}
    left_out = ("evoray/study/", "evoray/benchmarks/", "evoray/LICENSE")
    own = {name for name in own if not name.startswith(left_out) and not name.endswith("README.md")}
    own = {name for name in own if "__pycache__" not in name}
    assert {name for name in names if name.startswith("evoray/")} == own
    assert {"evoray/report/page.html.j2", "evoray/demo/images.py", "evoray/__main__.py"} <= own
    assert any(re.fullmatch(r"evoray-.*\.dist-info/licenses/evoray/LICENSE", name) for name in names)
    assert metadata["License-Expression"] == "Apache-2.0" and metadata.get_all("Project-URL")
    assert {"demo", "timm", "transformers", "onnx"} <= set(metadata.get_all("Provides-Extra"))


@pytest.mark.slow
def test_the_source_distribution_holds_what_the_wheel_is_made_of(built):
    with tarfile.open(only(built, "*.tar.gz")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "evoray/LICENSE",
        "evoray/study/runner.py",
        "README.md",
        "pyproject.toml",
        "tests/unit/test_package.py",
        "jobs/evolve.py",
    } <= names
    assert not any("__pycache__" in name or name.startswith((".git/", "runs/", ".venv")) for name in names)


@pytest.mark.slow
def test_a_run_away_from_the_repository(built, tmp_path):
    """From the wheel's own files, from a configuration to the page."""
    zipfile.ZipFile(only(built, "*.whl")).extractall(tmp_path / "site")
    (tmp_path / "run.toml").write_text(RUN)
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}

    def python(*words):
        command = [sys.executable, *words]
        ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=240)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    assert python("-c", "import evoray; print(evoray.__file__)").startswith(str(tmp_path / "site"))
    assert "report: " in python("-m", "evoray", "run", "run.toml", "--out", "out")
    assert (tmp_path / "out" / "report.html").stat().st_size > 50_000
