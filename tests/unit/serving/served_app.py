"""The door as an application of its own."""

from __future__ import annotations

import hashlib
import re

from starlette.responses import Response

from evoray.serving.door import Door
from evoray.serving.metrics import Counts
from evoray.serving.plan import Limits

TOKEN = "a-token-of-tests"


class App:
    """The door as an application of its own, as a replica calls it."""

    def __init__(self, reader, limits=None, token=TOKEN, predict=None):
        async def others(counts):
            return [counts]

        async def alone(record, top):
            return reader.answers([record], [top])[0]

        digest = hashlib.sha256(token.encode()).digest() if token else None
        limits = limits or Limits(body=2**20, pixels=10**6, characters=5000, records=4, seconds=5)
        self.door = Door(reader, predict or alone, limits, digest, Counts(), others)

    async def __call__(self, scope, receive, send):
        from starlette.requests import Request

        response: Response = await self.door(Request(scope, receive))
        await response(scope, receive, send)


def check_refusal(response, statuses, caplog):
    """One of the statuses that a hostile body may get, and unless it is 200 a short sentence that shows no inside."""
    assert response.status_code in (statuses if isinstance(statuses, tuple) else (statuses,)), response.text
    if response.status_code != 200:
        message = response.json()["error"]
        assert len(message) < 600 and message.isprintable()
        assert not re.search(r"Traceback|File \"|\.py\b|0x[0-9a-f]{6}|/tmp|/home|site-packages", message), message
    assert not caplog.records
