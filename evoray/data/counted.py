"""What a run counts, in its sentences: images, or records where the data holds none."""

import re

IMAGES, RECORDS = "images", "records"
_IMAGE = re.compile(r"\b(an |An )?(images?|Images?)\b")


def counted(sentence: str, what: str) -> str:
    """A sentence of EvoRay's own about images, as one about ``what``; names of a user's are put in afterwards."""
    return sentence if what == IMAGES else _IMAGE.sub(_record, sentence)


def _record(found: re.Match[str]) -> str:
    article, word = found.groups()
    record = ("R" if word[0] == "I" else "r") + "ecord" + "s" * word.endswith("s")
    return f"{article[0]} {record}" if article else record
