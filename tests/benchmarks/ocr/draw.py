"""What a user would have: pictures of words and a list of them. Here English words are drawn by Pillow, small, blurred
and noisy, as from a poor scan; the words are those of Python's own documentation, in fonts that matplotlib ships.

``python draw.py FOLDER SEED BLUR NOISE``: FOLDER/{select,test}/*.png, FOLDER/{select,test}.csv; no word is in both.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIZES = {"select": 200, "test": 400}
WIDTH, HEIGHT = 192, 64
FOLDER = Path(str(find_spec("matplotlib").origin)).parent / "mpl-data" / "fonts" / "ttf"
FONTS = ("DejaVuSans", "DejaVuSans-Oblique", "DejaVuSerif", "DejaVuSerif-Italic", "DejaVuSansMono", "STIXGeneral")


def words() -> list[str]:
    return sorted({one for text in topics.values() for one in re.findall(r"\b[a-z]{3,6}\b", text)})


def picture(word: str, random: np.random.Generator, blur: float, noise: float) -> Image.Image:
    """Grey, 192 x 64: cut close around the word, as a detector of text cuts it, and paper to its right."""
    font = ImageFont.truetype(str(FOLDER / f"{FONTS[random.integers(len(FONTS))]}.ttf"), 48)
    paper, ink = int(random.integers(170, 240)), int(random.integers(20, 90))
    left, top, right, bottom = font.getbbox(word)
    margin = random.integers(2, 6, 4)
    size = (right - left + int(margin[:2].sum()), bottom - top + int(margin[2:].sum()))
    cut = Image.new("L", size, paper)
    ImageDraw.Draw(cut).text((int(margin[0]) - left, int(margin[2]) - top), word, fill=ink, font=font)
    cut = cut.rotate(float(random.normal(0, 1.5)), Image.Resampling.BILINEAR, fillcolor=paper)
    width = min(WIDTH, round(size[0] * HEIGHT / size[1]))
    found = Image.new("L", (WIDTH, HEIGHT), paper)
    found.paste(cut.resize((width, HEIGHT), Image.Resampling.BICUBIC))
    values = np.asarray(found.filter(ImageFilter.GaussianBlur(blur)), dtype=np.float64)
    values = values + random.normal(0, noise, values.shape)
    return Image.fromarray(values.clip(0, 255).round().astype(np.uint8))


def draw(folder: Path, seed: int, blur: float, noise: float, sizes: Mapping[str, int] = SIZES) -> None:
    random = np.random.default_rng(seed)
    chosen, begin = random.permutation(words()), 0
    for name, size in sizes.items():
        (folder / name).mkdir(parents=True)
        lines = []
        for row, one in enumerate(chosen[begin : begin + size]):
            picture(str(one), random, blur, noise).save(folder / name / f"{row:04d}.png")
            lines.append(f"{row:04d}.png,{one}")
        (folder / f"{name}.csv").write_text("\n".join(["file,word", *lines]))
        begin += size


if __name__ == "__main__":
    draw(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
