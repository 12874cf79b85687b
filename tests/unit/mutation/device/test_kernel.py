"""The kernel without a GPU: run by Triton's interpreter, compiled for sm_90, and its launches recorded.

``tests/gpu`` runs it where there is one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from devices import ENTRIES, Network
from torch._subclasses.fake_tensor import FakeTensorMode

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="comes with PyTorch's CUDA builds alone"
)
PROGRAM = """
import torch
from devices import ENTRIES, DTYPES, Network, check, mutation
from evoray.mutation import Entry
from evoray.mutation.device import kernel

kernel.GROUPS = 16  # several programs, 256 strata each
assert kernel.probe(torch.device("cpu"))
single, brain, half = DTYPES
for own, dtype in (("float32", single), ("bfloat16", single), ("float16", brain), ("bfloat16", half)):
    every = own == "bfloat16" and dtype == single
    check(kernel.TritonWriter, own, dtype, own != "float32", ENTRIES if every else ENTRIES[::3])

# halves at every bit pattern's border: ties, the largest numbers, those below the normal ones, infinities
import numpy as np
patterns = [0, 1, 0x7F7FFFFF, 0x7F800000, 0x7F7F8000, 0x3F808000, 0x3F818000, 0x3F807FFF, 0x8000, 0x18000]
patterns = np.array([*patterns, *(one | 0x80000000 for one in patterns)], dtype=np.uint32)
odd = torch.from_numpy(patterns.view(np.float32))
for dtype in DTYPES:
    network = Network("bfloat16", dtype, False)
    network.base[: len(odd)] = odd
    writer = network.made(kernel.TritonWriter)
    writer.restore(Entry(1.0, mutation(3, 1)))
    expected = network.with_only(ENTRIES[1], network.rounded())
    assert torch.equal(network.buffer.view(torch.uint8), expected.view(torch.uint8)), dtype
"""


def test_the_interpreter_gives_numpys_bits():
    room = str(Path(__file__).parents[1])
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": room}
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr


POINTERS = {"own": "*i32", **dict.fromkeys(("starts", "stops", "flat", "places", "channels", "window"), "*i64")}
VERSIONS = {
    "sparse": {"mode": 1, "dense": False, "transposed": True, "rounds": True, "bfloat16": True},
    "dense": {"mode": 2, "dense": True, "transposed": False, "rounds": False, "bfloat16": False},
}


@pytest.fixture(scope="module", params=VERSIONS)
def compiled(request, tmp_path_factory):
    """(its name, what Triton makes of it for an H100: no GPU and no driver is needed)."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from evoray.mutation.device import kernel

    constants = {**VERSIONS[request.param], "groups": kernel.GROUPS}
    target = "*i16" if constants["bfloat16"] else "*fp32"
    types = {
        one.name: "constexpr" if one.is_constexpr else one.annotation_type or POINTERS.get(one.name, "*fp32")
        for one in kernel.child_kernel.params
    }
    source = ASTSource(kernel.child_kernel, types | {"target": target}, constants)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(triton.knobs.cache, "dir", str(tmp_path_factory.mktemp("triton")))
        made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=kernel.OPTIONS)
    return request.param, made


def test_it_compiles_for_sm_90(compiled):
    _, made = compiled
    assert made.asm["cubin"].startswith(b"\x7fELF") and ".target sm_90" in made.asm["ptx"]


def test_no_product_is_fused_and_nothing_below_the_normal_numbers_is_lost(compiled):
    ptx = compiled[1].asm["ptx"]
    assert re.search(r"\bmul(\.rn)?\.f32", ptx)
    assert not re.search(r"\bfma\.|\bmad\.\w*\.?f32|\.ftz|\.approx", ptx)


def test_a_thread_draws_a_counter_block_once(compiled):
    """Sixteen strata a thread: one block of noise and two of the mask, ten rounds of two products each (the first
    round knows one of its two)."""
    name, made = compiled
    assert made.asm["ptx"].count("mul.hi.u64") <= {"sparse": 3, "dense": 1}[name] * 20


def test_sizes_and_seeds_compile_nothing_anew():
    from evoray.mutation.device import kernel

    scalars = [one for one in kernel.child_kernel.params if one.annotation_type]
    assert [one.name for one in scalars] == kernel._scalars
    assert all(one.do_not_specialize for one in scalars)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_launch_is_given_what_lies_on_the_gpu(monkeypatch, dtype):
    """On tensors without values: nothing asks for one, and every tensor that the kernel is given is there."""
    from evoray.mutation.device import kernel

    launches = []

    class Recording:
        def __getitem__(self, grid):
            return lambda *args, **options: launches.append((grid, args, options))

    monkeypatch.setattr(kernel, "child_kernel", Recording())
    monkeypatch.setattr(torch.cuda, "device_of", contextlib.nullcontext)
    with FakeTensorMode():
        network = Network("float16", dtype, True, "cuda")
        writer = network.made(kernel.TritonWriter)
        for entry in ENTRIES:
            writer.write(entry)
            writer.restore(entry)
            writer.add_(network.base, entry, 0, network.space.n)
        writer.add_(network.base, ENTRIES[1], 5, 5)  # nothing to do, nothing launched
    modes = [options["mode"] for _, _, options in launches]
    assert modes.count(kernel.WRITE) == modes.count(kernel.RESTORE) == len(ENTRIES) - 1  # one changes nothing
    assert modes.count(kernel.ADD) >= len(ENTRIES) - 1
    for grid, args, options in launches:
        tensors = [one for one in args if isinstance(one, torch.Tensor)]
        assert len(tensors) == 11 and all(one.device.type == "cuda" and one.is_contiguous() for one in tensors)
        assert options["enable_fp_fusion"] is False and grid == (1,)
        bits = dtype == torch.bfloat16 and options["mode"] != kernel.ADD
        assert tensors[1].dtype == (torch.int16 if bits else torch.float32)
