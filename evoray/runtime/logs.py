"""Log records that say which run, child and shard they belong to; JSON lines where ``EVORAY_LOG=json`` asks for them.

The fields are those of Ray's own JSON encoding, so that lines of a Ray worker (which also name its node, actor and
task) and lines of this process go into one index.
"""

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

# a library that is not asked for log lines writes none
logging.getLogger("evoray").addHandler(logging.NullHandler())

FIELDS = ("run", "child", "shard")
_fields: ContextVar[Mapping[str, Any]] = ContextVar("evoray_log_fields", default=MappingProxyType({}))
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def wanted() -> bool:
    """Whether the user asked for JSON lines."""
    return os.environ.get("EVORAY_LOG", "").lower() == "json"


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """Records made inside the block carry these fields, whoever makes them; blocks nest."""
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


class AboutFilter(logging.Filter):
    """Adds the fields of the enclosing ``about`` blocks to a handler's records."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in _fields.get().items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "asctime": self.formatTime(record),
            "levelname": record.levelname,
            "message": record.getMessage(),
            "filename": record.filename,
            "lineno": record.lineno,
            "process": record.process,
        }
        if record.exc_info:
            line["exc_text"] = self.formatException(record.exc_info)
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        return json.dumps(line | {"timestamp_ns": time.time_ns()}, default=str)


def set_up(asked: bool | None = None) -> None:
    """Where JSON lines are wanted, gives the root logger's handlers the fields, and a handler when it has none."""
    if not (wanted() if asked is None else asked):
        return
    root = logging.getLogger()
    if not root.handlers:
        lines = logging.StreamHandler()
        lines.setFormatter(JsonFormatter())
        root.addHandler(lines)
        root.setLevel(logging.INFO)
    for handler in root.handlers:
        if not any(isinstance(one, AboutFilter) for one in handler.filters):
            handler.addFilter(AboutFilter())
