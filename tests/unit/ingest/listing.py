"""A folder of empty images and a list beside it, as lists are tried."""

from __future__ import annotations

from evoray.ingest.labels.columns import Asked
from evoray.ingest.sources.flat import scan_flat

FILES = ("a.jpg", "b.jpg", "c d.png")


def scanned(tmp_path, text, files=FILES, name="list.csv", beside=None, **asked):
    """beside: other files, by name."""
    root = tmp_path / "images"
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    for other, content in (beside or {}).items():
        (tmp_path / other).write_text(content)
    listing = tmp_path / name
    listing.write_bytes(text if isinstance(text, bytes) else text.encode())
    return scan_flat(root, listing, Asked(**asked))


def meant(source):
    return {name: source.classes[label] for name, label in zip(source.names, source.labels, strict=True)}


def numbered(count, digits=6):
    return tuple(f"{number:0{digits}d}.jpg" for number in range(1, count + 1))
