from __future__ import annotations

import importlib.metadata
import json
import subprocess
from types import SimpleNamespace

import pytest

from evoray.begin import software


def answers(**found):
    """What runs the probe, answered with these findings."""
    return lambda *_, **__: SimpleNamespace(returncode=0, stdout=f"noise\n{json.dumps(found)}\n", stderr="")


WORKING = {"torch": importlib.metadata.version("torch"), "cuda": None, "gpus": [], "torchvision": "0.0"}


def test_this_python_and_its_packages_are_good():
    assert [one.level for one in (*software.python(), *software.packages())] == ["good", "good"]


def test_packages_that_lack_or_are_old_are_named_with_what_to_do():
    def versions(name):
        if name == "torch":
            raise importlib.metadata.PackageNotFoundError(name)
        return "0.1" if name == "pillow" else "99" if name == "ray" else importlib.metadata.version(name)

    found = {one.what: one for one in software.packages(versions)}
    assert set(found) == {"torch", "pillow", "ray"} and {one.level for one in found.values()} == {"bad"}
    assert found["torch"].found == "not installed" and "pip install" in found["torch"].remedy
    assert found["pillow"].found == "0.1, and EvoRay asks for >=11"


def test_an_extra_that_is_not_there_says_how_to_get_it():
    def versions(name):
        if name == "onnxruntime":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1"

    found = {one.what: one.found for one in software.extras(versions)}
    assert found["extra onnx"] == 'not installed; where it is wanted: pip install "evoray[onnx]"'
    assert found["extra timm"] == "installed"


def test_torch_that_works_without_a_gpu_is_good():
    assert [one.level for one in software.torch_and_gpus(answers(**WORKING), has_nvidia=False)] == ["good"] * 3


def test_gpus_are_told_with_their_memory_and_types():
    gpus = [
        {"name": "A", "bytes": 80 * 2**30, "capability": [9, 0]},
        {"name": "T4", "bytes": 15 * 2**30, "capability": [7, 5]},
    ]
    found = list(software.torch_and_gpus(answers(**WORKING | {"cuda": "13.0", "gpus": gpus}), has_nvidia=True))
    assert found[2].found == "A, 80 GiB, computes in bfloat16 and float16"
    assert found[3].found == "T4, 15 GiB, emulates bfloat16; float16 is its reduced type"


def test_a_gpu_that_torch_does_not_see_is_worth_attention():
    (*_, found) = software.torch_and_gpus(answers(**WORKING | {"cuda": "13.0"}), has_nvidia=True)
    assert found.level == "attention" and "nvidia-smi" in found.remedy


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("ModuleNotFoundError: No module named 'torch'", "pip install --upgrade evoray"),
        ("ImportError: libcudart.so.13: cannot open shared object file", "--force-reinstall torch torchvision"),
    ],
)
def test_torch_that_cannot_be_imported_is_bad_with_a_remedy(error, remedy):
    (found,) = software.torch_and_gpus(answers(error=error, torchvision_error="the same"))
    assert found.level == "bad" and error in found.found and remedy in found.remedy


def test_torchvision_that_cannot_be_imported_does_not_fit():
    _, found = software.torch_and_gpus(
        answers(
            torch="2.9", cuda=None, gpus=[], torchvision_error="RuntimeError: operator torchvision::nms does not exist"
        )
    )
    assert (found.level, found.what) == ("bad", "torchvision") and "install both together" in found.remedy


def test_torchvision_that_asks_for_another_torch_is_bad():
    _, found, *_ = software.torch_and_gpus(answers(**WORKING | {"torch": "1.0+cpu"}), has_nvidia=False)
    assert found.level == "bad" and "asks for torch" in found.found


def test_a_process_that_dies_or_hangs_says_so():
    def dies(*_, **__):
        return SimpleNamespace(returncode=-4, stdout="", stderr="")

    def hangs(*_, **__):
        raise subprocess.TimeoutExpired("python", 1)

    def raises(*_, **__):
        return SimpleNamespace(returncode=1, stdout="", stderr="Traceback\nMemoryError: none\n")

    (found,) = software.torch_and_gpus(dies)
    assert "SIGILL" in found.found and "another build" in found.remedy
    (found,) = software.torch_and_gpus(hangs)
    assert "took more than" in found.found and "slow" in found.remedy
    (found,) = software.torch_and_gpus(raises)
    assert "MemoryError: none" in found.found
