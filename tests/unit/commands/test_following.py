"""A log that is followed over a websocket: each character once, however often the connection is cut."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from contextlib import contextmanager

import aiohttp.web
import pytest

from evoray.commands.following import Log, follow
from evoray.commands.ray_jobs import JobClient
from evoray.errors import BackendError


@pytest.fixture
def dashboard():
    """A real HTTP server on the loopback that answers from a list."""
    answers, seen = [], []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers["Authorization"]))
            status, body = answers.pop(0)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", answers, seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_log_is_followed_to_its_last_word_through_a_dashboard_that_is_away(dashboard):
    address, answers, seen = dashboard
    running, ended = {"status": "RUNNING"}, {"status": "FAILED", "driver_exit_code": 2, "message": "m"}
    answers += [
        (200, {"status": "PENDING"}),
        (200, "no websocket"),
        (200, running),
        (200, {"logs": ""}),
        (200, running),
        (200, {"logs": "one\ntw"}),
        (503, "away"),
        (200, running),
        (500, "no agent"),
        (200, ended),
        (200, {"logs": "one\ntwo\nthree\n"}),
    ]
    written, pauses = [], []
    state = follow(JobClient(address, "secret"), "job", written.append, pauses.append)
    assert "".join(written) == "one\ntwo\nthree\n"
    assert (state.exit_code, len(pauses)) == (2, 5)
    assert {token for _, token in seen} == {"Bearer secret"}


def test_a_job_that_is_not_there_ends_it(dashboard):
    address, answers, _ = dashboard
    answers.append((404, "Job x does not exist"))
    with pytest.raises(BackendError, match="does not exist"):
        follow(JobClient(address), "x", lambda text: None, lambda seconds: None)


LINES = [f"line {number} größe\n" for number in range(200)]
WHOLE = "".join(LINES)


class Dashboard:
    """Ray's: every tail tells the log from its beginning. cuts: after how many lines each connection is cut off."""

    def __init__(self, cuts, token=None):
        self.cuts, self.token, self.tails, self.fetched, self.sent = list(cuts), token, 0, 0, 0
        self.ended = False

    async def state(self, request):
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return aiohttp.web.Response(status=401)
        code = {"driver_exit_code": 0} if self.ended else {}
        return aiohttp.web.json_response({"status": "SUCCEEDED" if self.ended else "RUNNING", **code})

    async def logs(self, request):
        self.fetched += 1
        return aiohttp.web.json_response({"logs": WHOLE})

    async def tail(self, request):
        assert self.token is None or request.headers["Authorization"] == f"Bearer {self.token}"
        socket = aiohttp.web.WebSocketResponse()
        await socket.prepare(request)
        self.tails += 1
        until = self.cuts.pop(0) if self.cuts else len(LINES)
        for start in range(0, until, 7):
            text = "".join(LINES[start : min(start + 7, until)])
            self.sent += len(text)
            await socket.send_str(text)
        if until < len(LINES):
            request.transport.abort() if self.tails % 2 else await socket.close()
        else:
            self.ended = True
        return socket


@contextmanager
def served(dashboard):
    """Its address, on a loop and a thread of its own."""
    loop, ready, found = asyncio.new_event_loop(), threading.Event(), []

    async def start():
        app = aiohttp.web.Application()
        app.router.add_get("/api/jobs/{job}", dashboard.state)
        app.router.add_get("/api/jobs/{job}/logs", dashboard.logs)
        app.router.add_get("/api/jobs/{job}/logs/tail", dashboard.tail)
        runner = aiohttp.web.AppRunner(app)
        await runner.setup()
        await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
        found.append((runner, runner.addresses[0][1]))
        ready.set()

    def run():
        loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(found[0][0].cleanup())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    yield f"http://127.0.0.1:{found[0][1]}"
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


@pytest.mark.parametrize("cuts", [[], [0], [1, 3], [50, 20, 120], [199, 199]], ids=str)
def test_every_line_once_whatever_is_cut(cuts):
    dashboard, written = Dashboard(cuts, "secret"), []
    with served(dashboard) as address:
        state = follow(JobClient(address, "secret"), "job", written.append, lambda seconds: None)
    assert "".join(written) == WHOLE and state.exit_code == 0
    assert (dashboard.tails, dashboard.fetched) == (len(cuts) + 1, 1)


def test_a_long_log_is_sent_once_while_the_connection_lasts():
    """Fetched whole each second it would be sent a hundred times; here once, and once more when the job has ended."""
    dashboard = Dashboard([])
    with served(dashboard) as address:
        follow(JobClient(address), "job", lambda text: None, lambda seconds: None)
    assert dashboard.sent == len(WHOLE) and dashboard.fetched == 1


def test_a_wrong_token_is_said():
    with served(Dashboard([], "secret")) as address, pytest.raises(BackendError, match="asks for a token"):
        follow(JobClient(address, "wrong"), "job", lambda text: None, lambda seconds: None)


def test_ctrl_c_ends_it_at_once():
    def interrupt(text):
        raise KeyboardInterrupt

    with served(Dashboard([])) as address, pytest.raises(KeyboardInterrupt):
        follow(JobClient(address), "job", interrupt, lambda seconds: None)


@pytest.mark.parametrize("parts", [["abc", "def"], ["", "a"], ["abcdef"], ["a"] * 6])
@pytest.mark.parametrize("had", range(7))
def test_what_was_handed_over_is_passed_over(parts, had):
    written = []
    log = Log(written.append)
    log.take("abcdef"[:had], 0)
    end = 0
    for part in parts:
        end = log.take(part, end)
    assert "".join(written) == "abcdef"[:had] + "".join(parts)[had:]
