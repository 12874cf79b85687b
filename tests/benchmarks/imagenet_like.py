"""Files like those of ILSVRC2012's validation folder, bad ones among them; the same bytes for the same seed.

Pixels are cut from the 20 ImageNet photographs that foolbox brings (512 x 512), and laid side by side where a picture
is larger, so that a picture has a photograph's detail. Sizes are those of Flickr's downloads: most are 500 x 375 or
375 x 500. Qualities are such that a file has about as many bits a pixel as ImageNet's: 6.3 GB are 50,000 files.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
from pathlib import Path

import numpy as np
from PIL import Image

from evoray.models.classes import synsets

SIZES = (
    (0.45, (500, 500), (375, 375)),
    (0.15, (375, 375), (500, 500)),
    (0.12, (500, 500), (333, 333)),
    (0.05, (333, 333), (500, 500)),
    (0.12, (500, 500), (280, 500)),
    (0.05, (90, 250), (90, 250)),
    (0.05, (640, 1024), (480, 768)),
    (0.01, (1600, 2600), (1200, 1950)),
)
"""Share of the files, width from and to, height from and to."""
KINDS = {"png": 0.005, "cmyk": 0.005, "grey": 0.02, "turned": 0.01, "cut": 0.005, "progressive": 0.05}
"""Share of the files that are no plain JPEG, each at least once; all are called .JPEG. Only ``cut`` is unreadable."""
QUALITY = (94, 98)
FULL_COLOUR = 0.3
"""Share of JPEGs whose colours have every pixel's resolution."""
LISTING = "kinds.json"
TILE = 512


def write_images(folder: Path, count: int, seed: int = 0) -> dict[str, str]:
    """Kind of each file by its name; writes them with their ``synsets.txt``, unless they are there already."""
    listing = folder / LISTING
    if listing.is_file():
        kinds: dict[str, str] = json.loads(listing.read_text())
        if len(kinds) == count:
            return kinds
        raise SystemExit(f"{folder}: holds {len(kinds)} images and {count} are wanted. Name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    photographs = _photographs()
    kinds = {f"ILSVRC2012_val_{number + 1:08d}.JPEG": kind for number, kind in enumerate(_kinds(count, seed))}
    for number, (name, kind) in enumerate(kinds.items()):
        (folder / name).write_bytes(_file(np.random.default_rng([seed, number]), photographs, kind))
    labels = np.random.default_rng([seed, count]).permutation(count) % len(synsets())
    (folder / "synsets.txt").write_text("".join(f"{synsets()[label]}\n" for label in labels))
    part = listing.with_suffix(".part")
    part.write_text(json.dumps(kinds))
    os.replace(part, listing)
    return kinds


def describe(folder: Path, kinds: dict[str, str]) -> dict[str, object]:
    """Counts of each kind, and means over the readable files."""
    pixels, weights = [], []
    for name, kind in kinds.items():
        if kind != "cut":
            with Image.open(folder / name) as picture:
                pixels.append(picture.width * picture.height)
            weights.append((folder / name).stat().st_size)
    return {
        "count": len(kinds),
        "kinds": {kind: list(kinds.values()).count(kind) for kind in ("plain", *KINDS)},
        "mean_pixels": round(float(np.mean(pixels))),
        "mean_bytes": round(float(np.mean(weights))),
        "bits_per_pixel": round(8 * sum(weights) / sum(pixels), 2),
    }


def _photographs() -> list[Image.Image]:
    found = importlib.util.find_spec("foolbox")
    assert found is not None and found.origin is not None
    paths = sorted((Path(found.origin).parent / "data").glob("imagenet_*.jpg"))
    assert len(paths) == 20
    return [Image.open(path).convert("RGB") for path in paths]


def _kinds(count: int, seed: int) -> list[str]:
    """A kind for each file, in a seeded order."""
    kinds = [kind for kind, share in KINDS.items() for _ in range(max(1, round(share * count)))]
    kinds += ["plain"] * (count - len(kinds))
    return [kinds[place] for place in np.random.default_rng(seed).permutation(count)]


def _file(random: np.random.Generator, photographs: list[Image.Image], kind: str) -> bytes:
    picture = _picture(random, photographs)
    quality = int(random.integers(*QUALITY, endpoint=True))
    options = {"quality": quality, "subsampling": 0 if random.random() < FULL_COLOUR else 2}
    if kind == "png":
        return _encoded(picture, "PNG")
    if kind == "cmyk":
        return _encoded(picture.convert("CMYK"), "JPEG", quality=quality)
    if kind == "grey":
        return _encoded(picture.convert("L"), "JPEG", quality=quality)
    if kind == "turned":
        exif = Image.Exif()
        exif[0x0112] = int(random.integers(2, 9))
        return _encoded(picture, "JPEG", exif=exif, **options)
    if kind == "cut":
        content = _encoded(picture, "JPEG", **options)
        return content[: int(random.uniform(0.3, 0.8) * len(content))]
    return _encoded(picture, "JPEG", progressive=kind == "progressive", **options)


def _picture(random: np.random.Generator, photographs: list[Image.Image]) -> Image.Image:
    _, (left, right), (top, bottom) = SIZES[random.choice(len(SIZES), p=[share for share, *_ in SIZES])]
    width, height = (int(random.integers(*span, endpoint=True)) for span in ((left, right), (top, bottom)))
    picture = Image.new("RGB", (width, height))
    for y in range(0, height, TILE):
        for x in range(0, width, TILE):
            wide, high = min(TILE, width - x), min(TILE, height - y)
            photograph = photographs[random.integers(len(photographs))]
            at_x, at_y = (int(random.integers(TILE - side, endpoint=True)) for side in (wide, high))
            tile = photograph.crop((at_x, at_y, at_x + wide, at_y + high))
            picture.paste(tile.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.5 else tile, (x, y))
    return picture


def _encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()
