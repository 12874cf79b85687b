"""Records for worker processes, which import this file and with it nothing that is slow."""

from __future__ import annotations

import os
from dataclasses import dataclass

from PIL import Image

from evoray.data.transform import ImageTransform
from evoray.errors import DataError

GREY = ImageTransform(resize=None, crop=None, channels=1)


@dataclass
class Numbers:
    """Records that are greys of their own number; one of them may be broken, or raise what stops the ingest."""

    count: int
    broken: int = -1
    wrong: int = -1
    classes = ("only",)

    @property
    def names(self):
        return [f"{number:03}" for number in range(self.count)]

    @property
    def labels(self):
        return [0] * self.count

    def prepare(self, directory):
        pass

    def open(self, record):
        if record == self.broken:
            raise ValueError("no image")
        if record == self.wrong:
            raise DataError("records differ")
        return Image.new("L", (2, 2), record)


class Deadly:
    """Kills the process that opens a record; counts how often it travels."""

    classes = ("only",)
    names = ("0", "1", "2")
    labels = (0, 0, 0)
    travelled = 0

    def __getstate__(self):
        Deadly.travelled += 1
        return {}

    def prepare(self, directory):
        pass

    def open(self, record):
        os._exit(1)
