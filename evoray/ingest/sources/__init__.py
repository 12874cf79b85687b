"""Where images come from before they are shards: one file a kind, one line each in the registry."""

from evoray.ingest.sources.base import Source
from evoray.ingest.sources.dataset import DatasetSource
from evoray.ingest.sources.folder import FolderSource
from evoray.ingest.sources.registry import FORMATS, open_source

__all__ = ["FORMATS", "DatasetSource", "FolderSource", "Source", "open_source"]
