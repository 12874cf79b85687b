"""Where images come from before they are shards: one file a kind, one line each in the registry."""

from evoray.data.sources.base import Source
from evoray.data.sources.dataset import DatasetSource
from evoray.data.sources.folder import FolderSource
from evoray.data.sources.registry import FORMATS, open_source

__all__ = ["FORMATS", "DatasetSource", "FolderSource", "Source", "open_source"]
