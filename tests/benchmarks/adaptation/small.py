"""The same fitnesses where images are many: small networks of Fashion-MNIST under the photographs' corruptions.

``PYTHONPATH=tests/benchmarks/gain python tests/benchmarks/adaptation/small.py FILE --parents DIR --work DIR``. A parent
that was trained on clean images sees 1,000 corrupted test images without their labels (``adapted``), and is scored on
them and on 2,000 others (``other``). Corruptions are of severity 3, drawn on each image alone. One setting, chosen
before anything was run: the default search over BatchNorm's affine parameters, 10 children a generation in 10 of them.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from corruptions import CORRUPTIONS

from evoray.config import parse_config
from evoray.evolution import evolve
from evoray.study.peers.problem import Records, all_of, one_shard
from evoray.study.small_parents import checkpoint

SEVERITY, ADAPTED, OTHER, CLEAN = 3, 1000, 2000, 64
NORMS = {
    "cnn": ("features.*.1.weight", "features.*.1.bias"),
    "resnet": ("stem.1.*", "blocks.*.first.1.*", "blocks.*.second.1.*", "blocks.*.shortcut.1.*"),
}
"""BatchNorm's affine parameters."""
FITNESSES = ("information", "agreement", "entropy")


def images(name: str, rows: slice) -> Records:
    """uint8 [28, 28] and labels, in a fixed shuffled order."""
    pictures, labels, classes = all_of(name)
    order = np.random.default_rng(20260101).permutation(len(labels))[rows]
    found = Records((pictures[row], int(labels[row])) for row in order)
    found.classes = classes
    return found


def shards(work: Path, name: str, found: Records, kind: str | None) -> Path:
    random = np.random.default_rng(7)
    records = Records()
    for image, label in found:
        three = np.repeat(image[:, :, None], 3, axis=2)
        shown = three if kind is None else CORRUPTIONS[kind](three, SEVERITY, random)
        records.append((np.ascontiguousarray(shown[:, :, 0]), label))
    records.classes = found.classes
    return one_shard(work / f"{name}-{kind or 'clean'}", records, 1)


def adapted(config: dict[str, Any], out: Path) -> dict[str, Any]:
    """Figures of parent and soup on the images that were adapted on and on the others, and their intervals there."""
    shutil.rmtree(out, ignore_errors=True)
    summary = evolve(parse_config(config), out, page=False).summary
    told = {"parent": {split: summary["parent"][split] for split in ("select", "test")}, "soup": summary.get("soup")}
    told["comparisons"] = [one for one in summary["comparisons"] if one["name"] == "soup"]
    return told


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("file", type=Path)
    asked.add_argument("--parents", type=Path, required=True)
    asked.add_argument("--work", type=Path, required=True)
    asked.add_argument("--networks", nargs="+", default=["cnn"])
    asked.add_argument("--fitnesses", nargs="+", default=list(FITNESSES), choices=FITNESSES)
    options = asked.parse_args()
    known = json.loads(options.file.read_text()) if options.file.exists() else {}
    clean = shards(options.work, "train", images("fashion-mnist-train", slice(CLEAN)), None)
    first = images("fashion-mnist", slice(ADAPTED))
    rest = images("fashion-mnist", slice(ADAPTED, ADAPTED + OTHER))
    for network in options.networks:
        for kind in CORRUPTIONS:
            paths = [shards(options.work, name, found, kind) for name, found in (("first", first), ("rest", rest))]
            for fitness in options.fitnesses:
                if (name := f"{network}/{kind}/{fitness}") in known:
                    continue
                weights = checkpoint(options.parents, network, 0, "normal")
                parent = {"source": "module", "name": f"evoray.models.small:{network}", "weights": str(weights)}
                values: dict[str, Any] = {
                    "parent": parent,
                    "data": {"path": str(paths[0]), "test_path": str(paths[1]), "select": 1.0, "test": 1.0},
                    "mutation": {"sigma": "auto", "include": list(NORMS[network])},
                    "search": {"children": 10, "elite": 2, "generations": 10},
                    "fitness": {"name": fitness} | ({"reference": str(clean)} if fitness == "agreement" else {}),
                    "statistics": {"children_on_test": 0},
                    "compute": {"backend": "local", "workers": 1, "threads_per_worker": 1, "batch_size": 500},
                }
                known[name] = adapted(values, options.work / "run")
                options.file.write_text(json.dumps(known, indent=1) + "\n")
                print(name, _line(known[name]), flush=True)


def _line(told: dict[str, Any]) -> str:
    found = {one["metric"]: one for one in told["comparisons"]}
    cells = [f"parent top-1 {told['parent']['test']['top1']:.3f}"]
    cells += [
        f"{key} {one['difference']:+.4f} ({one['ci95'][0]:+.4f} to {one['ci95'][1]:+.4f})" for key, one in found.items()
    ]
    return "; ".join(cells)


if __name__ == "__main__":
    main()
