"""WebDataset tars: the members ``key.jpg`` and ``key.cls`` (or ``key.json``) are one record.

A key ends at the first dot of a name. The picture is the member whose suffix is one word: ``1.jpg`` and not
``1.seg.png``. Where a record has several, or several labels that differ, ``--file-column`` and ``--label-column`` name
the suffix.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from evoray.errors import DataError
from evoray.ingest.json_keys import parse_unique
from evoray.ingest.labels.agreement import TEXT, Agreement, Said, Twice, differs
from evoray.ingest.labels.columns import Asked, listed, plain
from evoray.ingest.labels.division import NAMES, of_keys
from evoray.ingest.labels.values import label_text, labelled
from evoray.ingest.names import SUFFIXES, is_aside_folder
from evoray.ingest.sources.base import SlicedSource, check_text, expand, short_names
from evoray.ingest.sources.splits import has_splits, of_split
from evoray.ingest.sources.tars import TarEntry, members, read_member
from evoray.ingest.sources.tree_splits import NONE, records_of
from evoray.runtime.reading import parse_json, shown

LABELS = ("cls", "cls.txt", "json")
KEYS = ("label", "cls", "class")
"""Where a .json has its label; these mean one thing, and where they differ nobody knows which."""
NAME = "class_name"
"""Taken where there is none of KEYS."""
LONGEST = 16 * 2**20
"""Of a label's member, in bytes."""
SPLIT_LENGTH = 40
"""Characters of a split's name, at most."""


@dataclass
class _Record:
    path: Path
    key: str
    parts: dict[str, TarEntry] = field(default_factory=dict)

    @property
    def where(self) -> str:
        return f"{shown(self.path)}: the record {shown(self.key, 80)}"

    def image(self, asked: str | None) -> str | None:
        """The suffix of the picture, without its first dot; None where there is none."""
        if asked is not None:
            wanted = asked.lower().removeprefix(".")
            return wanted if wanted in self.parts else None
        kinds = [kind for kind in self.parts if f".{kind}".endswith(SUFFIXES)]
        found = [kind for kind in kinds if "." not in kind] or kinds
        if len(found) > 1:
            raise DataError(
                f"{self.where} has several pictures, {listed(found)}. Say which with --file-column "
                "(a key ends at the first dot of a name: dots before it make several records one)."
            )
        return found[0] if found else None


@dataclass(frozen=True)
class _Found:
    tar: int
    member: TarEntry
    label: Said
    keys: Mapping[str, str]
    """Of its .json, those that may say a split."""


def open_webdataset(pattern: str, asked: Asked | None = None) -> SlicedSource:
    """One tar, a folder of them, or a pattern; numbers are labels as they are, names are sorted.

    Raises:
        DataError: no tars or no pictures in them, a tar that was cut, a record without a label or with several.
    """
    asked = asked or Asked()
    files = expand(pattern, ".tar")
    if not files:
        raise DataError(f"{shown(pattern)}: no .tar files. Name a WebDataset's tars.")
    files, own_splits = _of_split(pattern, files, asked.split)
    found: list[_Found] = []
    without: Counter[str] = Counter()
    agreement = Agreement()
    for number, path in enumerate(files):
        for record in _records(path):
            kind = record.image(asked.file_column)
            if kind is None:
                without.update([", ".join(sorted(record.parts))])
                continue
            found.append(_found(number, record, kind, asked.label_column, agreement))
    if not found:
        kinds = asked.file_column or ", ".join(SUFFIXES)
        holds = f"its records hold {listed(list(without), 3)}" if without else "they are empty"
        raise DataError(f"{shown(pattern)}: no images in its tars ({shown(kinds)}): {holds}.")
    rows, divided = of_keys(pattern, [one.keys for one in found], asked.split)
    by_name = NONE if rows is not None else None if own_splits else asked.split
    kept, taken = records_of(pattern, [one.member.name for one in found], by_name)
    found = found if kept is None else [found[record] for record in kept]
    known = labelled(
        [one.label.text for one in found],
        lambda row: f"{shown(files[found[row].tar])}: {found[row].member.name}",
        asked.label_column or "",
        asked.as_classes,
        null=all(one.label.of.startswith("json") for one in found),
    )
    agreement.finish(known.classes)
    rows = range(len(found)) if rows is None else rows  # classes are those of all splits
    found, indices = [found[row] for row in rows], [known.indices[row] for row in rows]
    for one in found:
        check_text(files[one.tar], one.member.name)
    short = short_names(files)
    return SlicedSource(
        files=tuple(str(path.absolute()) for path in files),
        which=np.array([one.tar for one in found], np.int32),
        offsets=np.array([one.member.offset for one in found], np.int64),
        sizes=np.array([one.member.size for one in found], np.int64),
        classes=known.classes,
        names=[f"{short[one.tar]}/{one.member.name}" for one in found],
        labels=indices,
        notes=(*_notes(files, found, without), *own_splits, *taken, *divided, *known.notes),
    )


def _of_split(pattern: str, files: list[Path], asked: str | None) -> tuple[list[Path], tuple[str, ...]]:
    """The tars of a split where their names say so; else all, for the folders in them may."""
    if asked is not None and not has_splits(pattern, files):
        return files, ()
    return of_split(pattern, files, asked)


def _notes(files: list[Path], found: list[_Found], without: Counter[str]) -> tuple[str, ...]:
    pictures = Counter(one.member.name.rpartition("/")[2].partition(".")[2].lower() for one in found)
    of = Counter(one.label.of for one in found)
    said = [
        f"WebDataset of {len(files)} tars: pictures from {listed(list(pictures), 4)}, labels from {listed(list(of), 4)}"
    ]
    if without:
        said.append(
            f"{sum(without.values())} records without a picture are left out: they hold {listed(list(without), 3)}"
        )
    return tuple(said)


def _records(path: Path) -> Iterator[_Record]:
    """Neighbours of one key, which is the name up to the first dot after the last slash."""
    seen: set[str] = set()
    current: _Record | None = None
    for member in members(path):
        folder, slash, base = member.name.rpartition("/")
        if not base or base.startswith(".") or any(map(is_aside_folder, _folders(folder))):
            continue
        stem, _, kind = base.partition(".")
        key = f"{folder}{slash}{stem}"
        if current is None or current.key != key:
            if current is not None:
                yield current
            if key in seen:
                raise DataError(
                    f"{shown(path)}: the key {shown(key, 80)} stands in two places. The members of a record are "
                    "neighbours in a WebDataset: pack them sorted by name (tar --sort=name)."
                )
            seen.add(key)
            current = _Record(path, key)
        if kind.lower() in current.parts:
            raise DataError(f"{current.where} has {shown(base, 80)} twice. Leave one out.")
        current.parts[kind.lower()] = member
    if current is not None:
        yield current


def _folders(folder: str) -> list[str]:
    return [part for part in folder.split("/") if part not in ("", ".", "..")]


def _found(tar: int, record: _Record, kind: str, asked: str | None, agreement: Agreement) -> _Found:
    image = record.parts[kind]
    if asked is not None:
        suffix = _asked_for(record, image, asked)
        return _Found(tar, image, _read(record, suffix, asked), _keys(record, kind, asked))
    own, *others = _kinds(record, kind) or [""]
    if not own:
        raise _unlabelled(record, image, ", ".join(LABELS))
    label = _read(record, own, None)
    for other in others:
        if (pair := _beside(record, label, other)) is not None:
            agreement.add(pair)
    return _Found(tar, image, label, _keys(record, kind, None))


def _keys(record: _Record, image: str, label: str | None) -> dict[str, str]:
    """What the .json of a record says under names that splits have, but for the key of the label; nothing where it
    cannot be read."""
    member = record.parts.get("json") or record.parts.get(f"{image.rpartition('.')[0]}.json")
    if member is None or member.size > LONGEST:
        return {}
    try:
        described = parse_json(read_member(record.path, member), record.where)
    except DataError:
        return {}
    known = described.items() if isinstance(described, dict) else ()
    return {
        key: str(value)
        for key, value in known
        if key != label and isinstance(value, str | int) and plain(key) in NAMES and len(str(value)) < SPLIT_LENGTH
    }


def _kinds(record: _Record, image: str) -> list[str]:
    """The suffixes of all that may be labels, the one that counts first; a text alone is a caption."""
    before = image.rpartition(".")[0]
    names = [name for one in LABELS for name in (one, f"{before}.{one}")]  # of 1.left.jpg perhaps 1.left.cls
    found = list(dict.fromkeys(name for name in names if name in record.parts))
    return [*found, TEXT] if found and TEXT in record.parts else found


def _asked_for(record: _Record, image: TarEntry, asked: str) -> str:
    """The suffix that ``--label-column`` names, or that of the .json with a key of that name."""
    suffix = asked.lower().removeprefix(".")
    found = next((name for name in (suffix, "json") if name in record.parts), None)
    if found is None:
        raise _unlabelled(record, image, asked)
    return found


def _unlabelled(record: _Record, image: TarEntry, wanted: str) -> DataError:
    beside = listed(sorted(kind for kind, part in record.parts.items() if part is not image), 6)
    but = f", but {beside}" if beside else ""
    return DataError(
        f"{shown(record.path)}: {shown(image.name)} has no label beside it ({shown(wanted)}){but}. "
        "Name another suffix with --label-column; a record's members stand one after the other in the tar. "
        "A tar of class folders is to be unpacked."
    )


def _read(record: _Record, kind: str, asked: str | None) -> Said:
    """The label in a record's member. asked: what the user calls it, perhaps a key of the .json."""
    label = record.parts[kind]
    where = f"{shown(record.path)}: {shown(label.name)}"
    if label.size > LONGEST:
        raise DataError(f"{where} has {label.size:,} bytes, more than a label's {LONGEST:,}.")
    content = read_member(record.path, label)
    if kind.rpartition(".")[2] == "json":
        own = asked is None or asked.lower().removeprefix(".") == kind
        return Said(*_of_json(content, where, None if own else asked))
    return Said(_of_text(content, where), kind)


def _beside(record: _Record, label: Said, kind: str) -> Twice | None:
    """Another label of a record that is not the same text as the one that was taken; what holds none says nothing."""
    member = record.parts[kind]
    where = record.where
    if member.size > LONGEST:
        return None
    content = read_member(record.path, member)
    try:
        other = _json_beside(content, where) if kind.endswith("json") else Said(_of_text(content, where), kind)
    except DataError:  # no text, no JSON: nothing of a label's
        return None
    return Twice(label, other, where) if other is not None and differs(label.text, other.text) else None


def _json_beside(content: bytes, where: str) -> Said | None:
    described = parse_unique(content, where)
    keys = [key for key in (*KEYS, NAME) if isinstance(described, dict) and described.get(key) is not None]
    if not keys:
        return None
    value = described[keys[0]]
    return Said(
        shown(json.dumps(value), 80) if isinstance(value, list | dict) else label_text(value, where), f"json {keys[0]}"
    )


def _of_text(content: bytes, where: str) -> str:
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise DataError(f"{where} holds no label ({content[:40]!r}). Records without one cannot be judged.")
    return label_text(text, where)


def _of_json(content: bytes, where: str, asked: str | None) -> tuple[str, str]:
    described = parse_unique(content, where)
    if not isinstance(described, dict):
        raise DataError(f"{where} holds no label: it is no object with keys, but {shown(content[:40])}.")
    key = _key(described, where) if asked is None else asked
    if key not in described:
        raise DataError(f"{where} holds no label under {shown(key, 80)}; its keys are {listed(list(described))}.")
    return label_text(described[key], where), f"json {key}"


def _key(described: dict[str, Any], where: str) -> str:
    found = [key for key in KEYS if key in described]
    if len({str(described[key]) for key in found}) > 1:
        values = ", ".join(f"{key} {shown(repr(described[key]), 40)}" for key in found)
        raise DataError(f"{where} has several labels that differ: {values}. Say which key counts with --label-column.")
    if not found and NAME not in described:
        raise DataError(
            f"{where} holds no label under {', '.join(KEYS)} or {NAME}; its keys are {listed(list(described))}. "
            "Name one with --label-column."
        )
    return found[0] if found else NAME
