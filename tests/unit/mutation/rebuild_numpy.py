"""Formats 1, 2 and 4 in NumPy alone: python rebuild_numpy.py lineage.json space.json parent.safetensors out.npz"""

import json
import sys
from pathlib import Path
from statistics import NormalDist

import numpy as np

lineage, space = (json.loads(Path(path).read_bytes()) for path in sys.argv[1:3])
raw = Path(sys.argv[3]).read_bytes()
body = 8 + int.from_bytes(raw[:8], "little")
header = json.loads(raw[8:body])
table = np.array([NormalDist().inv_cdf((c + 0.5) / 65536) for c in range(65536)], np.float32)
types = {"float32": "<f4", "float16": "<f2", "int8": "i1", "uint8": "u1"}
types["bfloat16"] = "<u2"  # as its bits: NumPy has none


def load(t):
    start, stop = header[t["name"]]["data_offsets"]
    values = np.frombuffer(raw[body + start : body + stop], types[t["dtype"]])
    bits = t["dtype"] == "bfloat16"
    return (values.astype("<u4") << 16).view("<f4") if bits else values.astype("<f4")


def save(t, x, start):
    if t["dtype"] in ("int8", "uint8"):
        x = np.clip(x, *((-128, 127) if t["dtype"] == "int8" else (0, 255))).astype("<f4")
        x = np.floor(x + fractions(words(0, 3, "<u2", start + len(x))[start:]))
    bits = x.view("<u4")
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 if t["dtype"] == "bfloat16" else x
    return rounded.astype(types[t["dtype"]]).reshape(t["shape"])


def words(seed, stream, kind, count):
    key = np.array([seed, stream], np.uint64)
    return np.random.Philox(key=key).random_raw(count).astype("<u8").view(kind)[:count]


def fractions(word):
    return word.astype("<f4") / np.float32(65536)


parts = [load(t) for t in space["tensors"]]
scale = np.repeat(np.float32([t["scale"] for t in space["tensors"]]), [len(part) for part in parts])
flat = np.concatenate(parts)
n, sizes = len(flat), [len(part) for part in parts]
starts = np.cumsum([0, *sizes])
by_name = np.split(np.arange(n), starts[1:-1])
whole = np.repeat([t["dtype"] in ("int8", "uint8") for t in space["tensors"]], sizes)
deep = np.concatenate([by_name[t] for t in space.get("depth", range(len(parts)))])
for entry in lineage["entries"]:
    m = entry["mutation"]
    at, total = (deep, m["blocks"]) if m["kind"] == "layered" else (np.arange(n), 1)
    at = at[m.get("block", 0) * n // total : (m.get("block", 0) + 1) * n // total]
    strata, k = -(-len(at) // m["parts"]), np.uint64(m["parts"])
    u = words(m["mask_seed"], 1, "<u4", strata).astype(np.uint64)
    j = np.arange(strata, dtype=np.uint64) * k + ((u * k >> np.uint64(32)) + np.uint64(m["part"])) % k
    z = table[words(m["noise_seed"], 2, "<u2", strata)][j < len(at)]
    u = fractions(words(m["noise_seed"], 3, "<u2", strata))[j < len(at)]
    j = at[j[j < len(at)]]
    a = np.float32(m["sign"]) * (np.float32(m["sigma"]) * scale[j])
    delta = z * a
    steps = np.copysign(np.floor(np.minimum(np.abs(delta), np.float32(255)) + u), delta)
    flat[j] = flat[j] + np.float32(entry["weight"]) * np.where(whole[j], steps, delta)
children = zip(space["tensors"], np.split(flat, starts[1:-1]), starts[:-1], strict=True)
np.savez(sys.argv[4], **{t["name"]: save(t, x, start) for t, x, start in children})
