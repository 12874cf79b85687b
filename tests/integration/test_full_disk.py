"""A disk that fills up under a run: it stops with a clear error, and goes on once there is room again."""

from __future__ import annotations

import resource
import subprocess

import pytest
from outputs import bytes_of

from evoray.errors import RunError
from evoray.evolution import evolve
from evoray.runtime.progress import Progress
from evoray.storage import journal


class Mounted:
    """A real small disk, filled by a file that takes all that is left."""

    def __init__(self, path):
        self.path, self._ballast = path, path / "ballast"

    def fill(self):
        with open(self._ballast, "wb", buffering=0) as file:
            for size in (4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def free(self):
        self._ballast.unlink()


class Limited:
    """Where mounting is not allowed: no file may grow, which fails with EFBIG in place of ENOSPC."""

    def __init__(self, path):
        self.path, self._before = path, resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, self._before[1]))

    def free(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        yield Limited(path)
        return
    yield Mounted(path)
    subprocess.run(["umount", str(path)], check=True)


class FillsAfter(Progress):
    def __init__(self, disk, count):
        self._disk, self._left = disk, count

    def advance(self, count):
        self._left -= count
        if self._left == 0:
            self._disk.fill()


class Counts(Progress):
    count = 0

    def advance(self, count):
        self.count += count


@pytest.fixture(scope="module")
def config(small_run):
    return small_run(search__children=12, compute__workers=1)


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """The run on a disk with room, and how many evaluations it takes."""
    total = Counts()
    return evolve(config, tmp_path_factory.mktemp("whole") / "run", page=False, progress=total).directory, total.count


@pytest.mark.parametrize("share", [0.02, 0.5, 0.95, 1.0])
def test_the_run_stops_and_goes_on(whole, config, disk, monkeypatch, share):
    """Filled under the journal of children, of soups, of the panels; and after the last unit, under the results."""
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    (directory, total), left = whole, Counts()
    try:
        with pytest.raises(RunError, match=r"cannot be written.*resume=True"):
            evolve(config, disk.path / "run", progress=FillsAfter(disk, round(share * total)))
    finally:
        disk.free()
    assert not (disk.path / "run" / "summary.json").exists()
    resumed = evolve(config, disk.path / "run", resume=True, page=False, progress=left).directory
    assert bytes_of(resumed) == bytes_of(directory)
    assert left.count <= total
    assert share < 0.5 or left.count < total, "what was written before is not done again"
