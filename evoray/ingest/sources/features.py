"""What a Parquet schema's metadata says of its columns, as Hugging Face's datasets or their cards write it.

``{"label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}``, or a list of ``{"name": "label", "dtype":
{"class_label": {"names": {"0": "cat", "1": "dog"}}}}``.
"""

import re
from typing import Any

import pyarrow as pa

from evoray.errors import DataError
from evoray.ingest.json_keys import parse_unique
from evoray.ingest.labels.columns import listed
from evoray.runtime.reading import shown

_TYPES = {"image": "Image", "class_label": "ClassLabel", "ClassLabel": "ClassLabel", "Image": "Image"}


def features_of(schema: pa.Schema, origin: str) -> dict[str, Any]:
    """Of each column that the metadata describes; empty where there is none of that kind.

    Raises:
        DataError: a key stands twice in it.
    """
    content = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        described = parse_unique(content, f"{origin}, its metadata")
        found = described["info"]["features"]
    except DataError as error:
        if "twice" in str(error):
            raise
        return {}
    except (ValueError, KeyError, TypeError):
        return {}
    if isinstance(found, list):
        return {one["name"]: _typed(one.get("dtype")) for one in found if isinstance(one, dict) and "name" in one}
    return {name: _typed(feature) for name, feature in found.items()} if isinstance(found, dict) else {}


def _typed(feature: Any) -> Any:
    """``{"class_label": {…}}`` and ``"image"`` as datasets' own metadata has them."""
    if isinstance(feature, str):
        return {"_type": _TYPES.get(feature, "")}
    if isinstance(feature, dict) and "_type" not in feature and len(feature) == 1:
        (kind, of), *_ = feature.items()
        return {**of, "_type": _TYPES.get(kind, "")} if isinstance(of, dict) else feature
    return feature


def kind_of(feature: Any) -> str:
    return str(feature.get("_type", "")) if isinstance(feature, dict) else ""


def class_names(feature: Any, origin: str) -> list[str] | None:
    """Of a ClassLabel, by their numbers; None where it brings none.

    Raises:
        DataError: names that are no list, and no dictionary of 0, 1, 2, … to the largest.
    """
    names = feature.get("names") if isinstance(feature, dict) and kind_of(feature) == "ClassLabel" else None
    if not names:
        return None
    if isinstance(names, list) and all(isinstance(one, dict) and len(one) == 1 for one in names):
        pairs = [pair for one in names for pair in one.items()]  # a list of "0": cat in YAML
        names = dict(pairs) if len(dict(pairs)) == len(pairs) else ""
    if isinstance(names, list):
        return [str(name) for name in names]
    if isinstance(names, dict) and all(re.fullmatch("[0-9]{1,9}", str(key)) for key in names):
        numbered = {int(key): str(name) for key, name in names.items()}
        if sorted(numbered) == list(range(len(names))):
            return [numbered[number] for number in range(len(names))]
    what = listed(list(names)) if isinstance(names, dict) else shown(repr(names), 80)
    raise DataError(
        f"{origin}: its metadata has names of classes for {what}, and not for each number from 0. Write a list of "
        "names, in the order of the numbers."
    )
