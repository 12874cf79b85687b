"""What a file really is that is not what its name, or the user, says: one message, with how to make it what is read."""

import os
from difflib import get_close_matches
from pathlib import Path

from evoray.data.decoding.formats import claimed, name_of
from evoray.errors import DataError
from evoray.ingest.labels.columns import listed
from evoray.runtime.reading import open_regular, shown

FIRST = 4096
"""Bytes of a file that are looked at."""
_AGAIN = "Download it again"
_PICTURES = "Save its images as picture files in a folder for each class, or return a Dataset: package.module:function"
_PACKED = "Unpack it first: what is compressed cannot be read at random"
_REMEDIES = (
    ("Git LFS", 'Fetch the files themselves: "git lfs pull" in the repository they are from'),
    ("web page", f"An error or a login was saved in its place. {_AGAIN}"),
    ("server", f"An error was saved in its place. {_AGAIN}"),
    ("an empty file", f"{_AGAIN}, or leave it out"),
    ("zeros", f"{_AGAIN}, or copy it again"),
    ("gzip", _PACKED),
    ("bzip2", _PACKED),
    ("xz file", _PACKED),
    ("zstd", _PACKED),
    ("archive", "Unpack it first, and name the folder"),
    ("encrypted Parquet", "Decrypt it first"),
    ("Parquet", "Say --format parquet, or let its name end in .parquet"),
    ("an Arrow", "Make it a Parquet file: {convert}"),
    ("NumPy", _PICTURES),
    ("HDF5", _PICTURES),
    ("MATLAB", _PICTURES),
    ("pickle", "Pickles run code and are not opened. Return a torch Dataset of it: package.module:function"),
    ("SQLite", _PICTURES),
    ("a text", "Where it is a list of labels: name the folder of its images, and this list with --labels"),
    ("JSON", "Where it is a list of labels: write it as a CSV, name the folder of its images, and --labels that list"),
    ("picture", "Name the folder that holds the class folders"),
)
"""Words in what a file is -> what to do."""
_STREAM = (
    'python -c "import pyarrow as pa, pyarrow.parquet as pq; '
    "pq.write_table(pa.ipc.open_{kind}(pa.memory_map('{path}')).read_all(), '{to}')\""
)
_SAVED = "python -c \"from datasets import load_from_disk; load_from_disk('{path}').to_parquet('{to}')\""


def what_is(content: bytes) -> str:
    """What a file seems to be, by its first bytes."""
    picture = claimed(content) if content else None
    return f"a picture ({picture})" if picture else name_of(content)


def mistaken(path: str | Path, wanted: str, own: str) -> DataError | None:
    """Why a file is no tar, Parquet file or the like though it was named as one; None where that is not known.

    wanted: what it should be; own: what ``what_is`` calls that.
    """
    content = _first(path)
    what = what_is(content)
    if what == "no picture that is known" or what == own:
        return None
    is_text = what.startswith(("a text", "JSON"))
    remedy = f"Look what it says. {_AGAIN}" if is_text else _remedy(what, str(path))
    return DataError(f"{shown(path)}: no {wanted}, but {what}. {remedy}.")


def unknown(path: str | Path) -> DataError:
    """A single file of no kind that is read."""
    what = what_is(_first(path)).replace("no picture", "nothing")
    if what.startswith("a tar"):
        return DataError(f"{shown(path)}: a tar archive. Say --format webdataset where it is one, else unpack it.")
    return DataError(f"{shown(path)}: {what}, and no source by itself. {_remedy(what, str(path))}.")


def absent(name: str) -> DataError:
    """A path that does not exist: the part of it that does, and what was perhaps meant."""
    if os.path.islink(name):
        return DataError(
            f"{shown(name)}: a link that leads nowhere ({shown(os.readlink(name))}). Mend or name another."
        )
    if any(sign in name for sign in "*?{"):
        return DataError(
            f"{shown(name)}: no file has such a name. Patterns have * and ?, or numbers as in a-{{000..146}}.tar."
        )
    path = Path(name).absolute()
    there = next(parent for parent in path.parents if parent.is_dir())
    missing = path.relative_to(there).parts[0]
    try:
        close = get_close_matches(missing, os.listdir(there), 3, 0.6)
    except OSError:
        close = []
    perhaps = f" Perhaps {listed(close)}?" if close else ""
    return DataError(f"{shown(name)}: no such file or folder: {shown(there)} holds no {shown(missing, 80)}.{perhaps}")


def saved_dataset(folder: Path) -> DataError | None:
    """What Hugging Face's ``save_to_disk`` or its cache leaves, and how to make Parquet of it; None for others."""
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    if "dataset_dict.json" in names:
        splits = sorted(name for name in names if (folder / name).is_dir()) or ["train"]
        return DataError(
            f"{shown(folder)}: a DatasetDict as save_to_disk leaves it, of {listed(splits)}. Make one split a Parquet "
            f"file: {_SAVED.format(path=shown(folder / splits[0]), to=shown(f'{splits[0]}.parquet'))}"
        )
    arrows = sorted(name for name in names if name.endswith(".arrow"))
    if "state.json" in names and arrows:
        return DataError(
            f"{shown(folder)}: a Dataset as save_to_disk leaves it. Make it a Parquet file: "
            f"{_SAVED.format(path=shown(folder), to=shown(f'{folder.name}.parquet'))}"
        )
    if arrows:
        return DataError(
            f"{shown(folder)}: Arrow files ({listed(arrows, 3)}), as a cache of Hugging Face's datasets has them. Make "
            f"those of one split Parquet files: {_converted(str(folder / arrows[0]), 'stream')}"
        )
    return None


def _first(path: str | Path) -> bytes:
    with open_regular(path) as file:
        return file.read(FIRST)


def _remedy(what: str, path: str) -> str:
    remedy = next((then for words, then in _REMEDIES if words in what), "Copy it again, or name another")
    return remedy.replace("{convert}", _converted(path, "stream" if "stream" in what else "file"))


def _converted(path: str, kind: str) -> str:
    to = Path(path).with_suffix(".parquet").name
    return _STREAM.format(kind=kind, path=shown(path), to=shown(to))
