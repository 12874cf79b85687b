"""The HTTP of a server: who may ask, what is read, and how it is answered; without Ray, so without a wait in tests."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from evoray.report.look.palette import of_page
from evoray.serving.bodies import JSON, Asked, asked_of, check_head, too_long
from evoray.serving.intake import Intake
from evoray.serving.metrics import Counts, added, exposition
from evoray.serving.plan import Limits, Refused

LOG = logging.getLogger("evoray")
METHODS = {"/": ("GET", "HEAD"), "/health": ("GET", "HEAD"), "/metrics": ("GET", "HEAD"), "/predict": ("POST",)}
OPEN = ("/", "/health")
"""Answered without a token: the page asks for one, and a load balancer has none."""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; img-src blob: data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
BUSY = "Too much is waiting. Try again in a moment."


class Reader(Protocol):
    """What the door asks of a predictor (``evoray.serving.predictor.Predictor``)."""

    @property
    def facts(self) -> dict[str, Any]: ...
    @property
    def intake(self) -> Intake: ...


Predict = Callable[[Any, int], Awaitable[dict[str, Any]]]
"""The answer for one prepared record with so many classes; many at a time may wait for one batch."""
Others = Callable[[Counts], Awaitable[Sequence[Counts]]]
"""Takes this replica's counts, and gives those of all."""


@dataclass
class Door:
    """token: SHA-256 of the bearer's; None lets everybody in."""

    reader: Reader
    predict: Predict
    limits: Limits
    token: bytes | None
    counts: Counts
    others: Others
    _inside: int = 0

    async def __call__(self, request: Request) -> Response:
        """Never raises: what goes wrong here is logged, and answered without a word of it."""
        began, path = time.perf_counter(), request.url.path
        try:
            response = await self._answered(request, path)
        except Refused as refused:
            response = _json(refused.status, {"error": refused.message}, **refused.headers)
        except ClientDisconnect:
            response = _json(400, {"error": "The body ended early."})
        except Exception:
            LOG.exception("a request of %s failed", path[:100])
            response = _json(500, {"error": "The server failed. Its log says why."})
        self.counts.request(path if path in METHODS else "other", response.status_code, time.perf_counter() - began)
        return response

    async def _answered(self, request: Request, path: str) -> Response:
        if path not in METHODS:
            raise Refused(404, f"There is no such page. There are {', '.join(METHODS)}.")
        if request.method not in METHODS[path]:
            allowed = ", ".join(METHODS[path])
            raise Refused(405, f"{path} is asked for with {allowed}.", Allow=allowed)
        if self.token is None:
            _check_host(request.headers.get("host", ""))
        if path not in OPEN:
            self._check_token(request.headers)
        if path == "/":
            return Response(page(), 200, HEADERS, "text/html; charset=utf-8")
        if path == "/health":
            return _json(200, {"status": "ready", "token": self.token is not None, **self.reader.facts})
        if path == "/metrics":
            return await self._metrics()
        return await self._predicted(request)

    def _check_token(self, headers: Mapping[str, str]) -> None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).digest()
        if self.token is not None and not (scheme.lower() == "bearer" and hmac.compare_digest(given, self.token)):
            message = "Send the token that the server printed at its start: Authorization: Bearer TOKEN."
            raise Refused(401, message, **{"WWW-Authenticate": 'Bearer realm="evoray"'})

    async def _metrics(self) -> Response:
        facts = {"member": str(self.reader.facts["member"]), "task": str(self.reader.facts["task"])}
        content = exposition(added(await self.others(self.counts)), facts)
        return Response(content, 200, HEADERS, "text/plain; version=0.0.4; charset=utf-8")

    async def _predicted(self, request: Request) -> Response:
        media = check_head(request.headers, self.limits, self.reader.intake)
        if self._inside >= self.limits.waiting:
            raise Refused(429, BUSY, **{"Retry-After": "1"})
        self._inside += 1
        try:
            asked = await self._asked(media, await self._body(request), request.query_params.multi_items())
            answers = await asyncio.wait_for(self._all(asked), self.limits.seconds)
        except TimeoutError:
            raise Refused(429, BUSY, **{"Retry-After": "1"}) from None
        finally:
            self._inside -= 1
        if asked.alone and "error" in answers[0]:
            raise Refused(422, answers[0]["error"])
        return _json(200, {"member": self.reader.facts["member"], "answers": answers})

    async def _asked(self, media: str, body: bytes, query: Sequence[tuple[str, str]]) -> Asked:
        """A document in a thread: one of some megabytes takes its time, and others ask meanwhile."""
        known = self.limits, self.reader.intake, self.reader.facts["classes"] is not None
        if media != JSON:
            return asked_of(media, body, query, *known)
        return await asyncio.to_thread(asked_of, media, body, query, *known)

    async def _body(self, request: Request) -> bytes:
        parts, size = [], 0
        try:
            async with asyncio.timeout(self.limits.seconds):
                async for part in request.stream():
                    size += len(part)
                    if size > self.limits.body:
                        raise Refused(413, too_long(self.limits))
                    parts.append(part)
        except TimeoutError:
            raise Refused(408, f"The body did not arrive within {self.limits.seconds:g} s.") from None
        return b"".join(parts)

    async def _all(self, asked: Asked) -> list[dict[str, Any]]:
        """Answers in order. One record of several that cannot be read refuses all, and says which it is."""
        intake, prepared = self.reader.intake, []
        for number, given in enumerate(asked.records):
            try:
                prepared.append(await asyncio.to_thread(intake.prepare, given, self.limits))
            except Refused as refused:
                where = f"{intake.key}s[{number}]: " if len(asked.records) > 1 else ""
                raise Refused(refused.status, where + refused.message) from None
        return list(await asyncio.gather(*(self.predict(one, asked.top) for one in prepared)))


def _check_host(host: str) -> None:
    """Without a token only the loopback's own names: another site's name, pointed here, would let its pages ask."""
    if re.sub(r":\d*$", "", host).lower() not in LOOPBACK:
        raise Refused(400, "Ask for 127.0.0.1 or localhost by that name: the server has no token.")


def page() -> bytes:
    """The page to try it on, in the colours of all pages."""
    text = files("evoray.serving").joinpath("page.html").read_text(encoding="utf-8")
    return text.replace("/* palette */", of_page()).encode()


def _json(status: int, document: dict[str, Any], **headers: str) -> Response:
    content = json.dumps(document, allow_nan=False, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(content, status, HEADERS | headers, "application/json")
