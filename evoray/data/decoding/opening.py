"""A file's bytes as a decoded picture, or one PictureError that says why not."""

import io
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile, UnidentifiedImageError

from evoray.data.decoding.bounds import PIXELS, check_header, check_scans, check_size
from evoray.data.decoding.formats import FORMATS, claimed, name_of
from evoray.errors import EvorayError, PictureError
from evoray.runtime.reading import SHOWN, shown

_ADDRESS = re.compile(r" (<_io\.BytesIO object )?at 0x[0-9a-fA-F]+>?")

_FETCH = ' Fetch the files themselves: "git lfs pull" in the repository they are from.'


def opened(content: bytes) -> Image.Image:
    """A picture within bounds, by its header; not decoded yet. Of many pictures in one file it is the first.

    Raises:
        PictureError: of no format that is read, or beyond a bound; anything that Pillow raises on damaged headers.
    """
    check_header(content)
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise PictureError(_unidentified(content)) from None
    except Image.DecompressionBombError:  # Pillow's own bound, which is the process's
        raise PictureError(
            f"more pixels than a picture may have ({PIXELS:,}, or twice PIL.Image.MAX_IMAGE_PIXELS where that is "
            "less). Cut it into tiles."
        ) from None
    check_size(image, len(content))
    check_scans(image, content)
    return image


@contextmanager
def one_error() -> Iterator[None]:
    """Whatever a decoder raises becomes a PictureError, of one line that is the same on every machine."""
    try:
        yield
    except EvorayError:
        raise
    except Exception as error:  # struct, zlib, memory, recursion, assertions: a decoder may raise anything
        raise PictureError(one_line(error)) from None


def one_line(error: Exception) -> str:
    """The kind and message of an error, without addresses in memory."""
    text = _ADDRESS.sub("", f"{type(error).__name__}: {error}")
    return shown(text.splitlines()[0], limit=sys.maxsize)[:SHOWN]


def _unidentified(content: bytes) -> str:
    name = claimed(content)
    if name is None:
        what = name_of(content)
        fetch = _FETCH if "Git LFS" in what else ""
        return f"{what}, which is not read. Formats that are: {', '.join(FORMATS)}.{fetch}"
    try:
        Image.OPEN[name][0](io.BytesIO(content), "")
    except Exception as error:
        return f"a {name} that cannot be read ({shown(error)}): damaged, or of a kind that Pillow does not decode."
    return f"a damaged {name}."


class _Strict:
    """While a picture is decoded, cut files raise, even where the user's program has set ``LOAD_TRUNCATED_IMAGES``:
    what is stored must not depend on which process decodes it. Pillow knows no other way than the process's flag."""

    def __init__(self) -> None:
        self._lock, self._inside, self._lenient = threading.Lock(), 0, False

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if ImageFile.LOAD_TRUNCATED_IMAGES:
                ImageFile.LOAD_TRUNCATED_IMAGES, self._lenient = False, True

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._lenient:
                ImageFile.LOAD_TRUNCATED_IMAGES, self._lenient = True, False


strict = _Strict()
