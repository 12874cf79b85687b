"""A job's log as it grows, over a websocket: what was read is not sent again while the connection lasts.

A new connection tells the log from its beginning; what was handed over before is passed over, so no line is repeated
and none is lost. Where no websocket is let through (a proxy), the log is fetched whole, more rarely as it grows.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from evoray.commands.ray_jobs import ENDED, JobClient, JobState, RefusedError
from evoray.errors import BackendError

PATIENCE_S = 300.0
"""How long a job is followed while its dashboard does not answer."""
ALIVE_S = 30.0
"""A connection that says nothing is asked so often whether it is there."""
Write = Callable[[str], Any]


class NoTailError(Exception):
    """The address answers, and not with a websocket."""


class Log:
    """What of a log was handed over; it only ever grows."""

    def __init__(self, write: Write) -> None:
        self._write, self.length = write, 0

    def take(self, text: str, start: int) -> int:
        """The text that stands in the log from character ``start``: what of it is new is handed over. Its end."""
        new = text[max(0, self.length - start) :]
        if new:
            self._write(new)
            self.length += len(new)
        return start + len(text)


def follow(client: JobClient, job: str, write: Write, pause: Callable[[float], Any] = time.sleep) -> JobState:
    """Hands over the job's log as it grows, until the job ends; rides out a dashboard that is away for a while."""
    log, away_since, tailing = Log(write), None, True
    while True:
        try:
            state = client.state(job)  # before the log: what an ended job wrote is then all there
            if tailing and state.status not in ENDED:
                tailing = _tailed(client, job, log)
            else:
                log.take(client.logs(job), 0)
        except BackendError as error:
            away_since = away_since or time.monotonic()
            final = isinstance(error, RefusedError) and error.status < 500
            if final or time.monotonic() - away_since > PATIENCE_S:
                raise
            pause(5.0)
            continue
        away_since = None
        if state.status in ENDED:
            return state
        pause(1.0 if tailing else 1.0 + log.length / 1e6)  # without a tail the whole log comes each time


def _tailed(client: JobClient, job: str, log: Log) -> bool:
    """Reads until the connection ends, as it does with the job. False where there is no such connection to be had."""
    try:
        asyncio.run(_tail(client, job, log))
    except NoTailError:
        return False
    return True


async def _tail(client: JobClient, job: str, log: Log) -> None:
    import aiohttp  # comes with ray[default]; only who follows a job waits for it

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=client.timeout_s)
    tail = f"{client.address}/api/jobs/{job}/logs/tail"
    try:
        async with (
            aiohttp.ClientSession(headers=client.headers, timeout=timeout) as session,
            session.ws_connect(tail, heartbeat=ALIVE_S, max_msg_size=0) as found,
        ):
            end = 0
            async for message in found:
                if message.type == aiohttp.WSMsgType.TEXT:
                    end = log.take(message.data, end)
    except aiohttp.WSServerHandshakeError as error:
        if error.status in (401, 403, 404):
            return  # the next question about the job says it better
        raise NoTailError from None
    except (aiohttp.ClientError, OSError, TimeoutError):
        return  # cut off, or away: whoever asks next finds out
