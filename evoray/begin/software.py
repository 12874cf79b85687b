"""Python, the packages that EvoRay needs, PyTorch and its GPUs: read from metadata, and tried in a process of its own.

A library that was built for another machine ends the process that imports it, so PyTorch is imported elsewhere.
"""

import importlib.metadata
import json
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

from evoray.begin import machine
from evoray.begin.findings import Finding, attention, bad, good
from evoray.runtime.reading import shown

SECONDS = 120
"""In which PyTorch has to be imported, on the slowest disk."""
INSTALL = "Run: pip install --upgrade evoray"
PROBE = """
import json
found = {}
try:
    import torch
    found["torch"] = torch.__version__
    found["cuda"] = torch.version.cuda or torch.version.hip
    found["gpus"] = [
        {"name": one.name, "bytes": one.total_memory, "capability": [one.major, one.minor]}
        for one in (torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count()))
    ] if torch.cuda.is_available() else []
    found["sum"] = float(torch.ones(64, 64).mm(torch.ones(64, 64)).sum())
except BaseException as error:
    found["error"] = f"{type(error).__name__}: {error}"
try:
    import torchvision
    found["torchvision"] = torchvision.__version__
except BaseException as error:
    found["torchvision_error"] = f"{type(error).__name__}: {error}"
print(json.dumps(found))
"""
Run = Callable[..., Any]


def python() -> Iterator[Finding]:
    """Its version, and whether EvoRay is made for it."""
    from packaging.specifiers import SpecifierSet

    version, where = platform.python_version(), sys.executable
    wanted = importlib.metadata.metadata("evoray")["Requires-Python"] or ""
    if SpecifierSet(wanted).contains(version, prereleases=True):
        yield good("Python", f"{version} ({where})")
    else:
        yield bad("Python", f"{version}, and EvoRay asks for {wanted}", "Make an environment of such a Python.")


def packages(versions: Callable[[str], str] = importlib.metadata.version) -> Iterator[Finding]:
    """Those that EvoRay asks for: there, and in a version that it takes."""
    wrong = False
    for requirement in _required():
        found = _version(requirement.name, versions)
        if found is None:
            wrong = True
            yield bad(requirement.name, "not installed", INSTALL)
        elif not requirement.specifier.contains(found, prereleases=True):
            wrong = True
            yield bad(requirement.name, f"{found}, and EvoRay asks for {requirement.specifier}", INSTALL)
    if not wrong:
        yield good("packages", "all that EvoRay asks for are there, in versions that it takes")


def extras(versions: Callable[[str], str] = importlib.metadata.version) -> Iterator[Finding]:
    """What is not asked for unless somebody wants it."""
    names = importlib.metadata.metadata("evoray").get_all("Provides-Extra") or []
    for extra in names:
        wanted = _required(extra)
        lacking = [one.name for one in wanted if _version(one.name, versions) is None]
        if not lacking:
            yield good(f"extra {extra}", "installed")
        else:
            yield good(f"extra {extra}", f'not installed; where it is wanted: pip install "evoray[{extra}]"')


def torch_and_gpus(run: Run = subprocess.run, has_nvidia: bool | None = None) -> Iterator[Finding]:
    """Imports both in another process, multiplies two matrices, and asks for GPUs.

    has_nvidia: whether a GPU is plugged in, whatever torch sees; None looks.
    """
    found = _probed(run)
    if (error := found.get("error")) is not None:
        yield bad("torch", f"cannot be used ({shown(error, 200)})", _remedy_of_torch(error))
    else:
        yield good("torch", f"{found['torch']}, {'CUDA ' + found['cuda'] if found.get('cuda') else 'for CPUs'}")
    if (other := found.get("torchvision_error")) is not None and error is None:
        remedy = (
            "Its version does not fit that of torch: install both together, pip install --upgrade torch torchvision"
        )
        yield bad("torchvision", f"cannot be imported ({shown(other, 200)})", remedy)
    elif error is None:
        yield _fitting(found["torchvision"], found["torch"])
        yield from _gpus(found, machine.has_nvidia() if has_nvidia is None else has_nvidia)


def _fitting(torchvision: str, torch: str) -> Finding:
    """Whether torchvision's own metadata takes this torch."""
    from packaging.requirements import Requirement

    for line in importlib.metadata.requires("torchvision") or ():
        wanted = Requirement(line)
        if wanted.name == "torch" and not wanted.specifier.contains(torch.partition("+")[0], prereleases=True):
            remedy = "Install both together: pip install --upgrade torch torchvision"
            return bad("torchvision", f"{torchvision} asks for torch{wanted.specifier}, and torch is {torch}", remedy)
    return good("torchvision", f"{torchvision}, which takes torch {torch}")


def _gpus(found: dict[str, Any], has_nvidia: bool) -> Iterator[Finding]:
    if not found["gpus"] and has_nvidia:
        built = "" if found.get("cuda") else "; this torch is built for CPUs"
        remedy = "Look at nvidia-smi, at the driver's version, and at CUDA_VISIBLE_DEVICES; or install torch for CUDA."
        yield attention("GPU", f"one is plugged in, and torch sees none{built}", remedy)
    elif not found["gpus"]:
        yield good("GPU", "none; children are evaluated on the processor")
    for number, gpu in enumerate(found["gpus"]):
        major = gpu["capability"][0]
        kinds = "computes in bfloat16 and float16" if major >= 8 else "emulates bfloat16; float16 is its reduced type"
        yield good(f"GPU {number}", f"{shown(gpu['name'], 60)}, {gpu['bytes'] / 2**30:.0f} GiB, {kinds}")


def _probed(run: Run) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-c", PROBE]
    try:
        done = run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"importing it took more than {SECONDS} s"}
    if done.returncode != 0:
        return {"error": _death(done.returncode, done.stderr)}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def _death(code: int, stderr: str) -> str:
    if code < 0:
        return f"the process that imported it was ended by {signal.Signals(-code).name}"
    return (stderr.strip().splitlines() or [f"exit code {code}"])[-1]


def _remedy_of_torch(error: str) -> str:
    if "No module named 'torch'" in error:
        return INSTALL
    if "SIGILL" in error:
        return "This build uses instructions that the processor does not have: install another build of torch."
    if "took more than" in error:
        return "The disk is slow, or another program holds it: try again, and look at what else runs."
    return "Install it again, together with torchvision: pip install --force-reinstall torch torchvision"


def _required(extra: str = "") -> list[Any]:
    """The requirements of EvoRay's metadata: its own, or those that an extra adds."""
    from packaging.requirements import Requirement

    found = []
    for line in importlib.metadata.requires("evoray") or ():
        one = Requirement(line)
        marker = one.marker
        own = marker is None or marker.evaluate({"extra": ""})
        added = marker is not None and not own and marker.evaluate({"extra": extra})
        if one.name != "evoray" and (added if extra else own):
            found.append(one)
    return found


def _version(name: str, versions: Callable[[str], str]) -> str | None:
    try:
        return versions(name)
    except importlib.metadata.PackageNotFoundError:
        return None
