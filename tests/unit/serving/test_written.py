"""The served page where texts and numbers are asked about: its fields, in a browser, from the keyboard."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager

import pytest
from browser import CHROMIUM, chromium
from served_app import TOKEN, App
from served_runs import numbers, texts

from evoray.serving.plan import Plan
from evoray.serving.predictor import Predictor

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium")]


@contextmanager
def listening(app):
    """The address of an application, on a port of its own."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/#token={TOKEN}"
    finally:
        server.should_exit = True
        thread.join(30)


def waited(page, script):
    """Its value, once it is something."""
    for _ in range(500):
        if found := page.run(script):
            return found
        time.sleep(0.02)
    raise AssertionError(f"{script}: nothing came of it")


def asked(page, *written):
    """The answer's text once something was typed into each field and Enter pressed on the button."""
    waited(page, "document.querySelectorAll('textarea').length")
    for at, text in enumerate(written):
        page.run(f"document.getElementById('field{at}').focus()")
        page.send("Input.insertText", text=text)
    page.run("document.querySelector('#write button').focus()")
    page.press("Enter", 13)
    page.send("Input.dispatchKeyEvent", type="char", text="\r")
    return waited(page, "/table|bad/.test(by('answer').innerHTML) && by('answer').textContent")


def finished(kind, folder):
    result, rows = numbers(folder) if kind == "numbers" else texts(folder, pair=kind == "two texts")
    return Predictor(Plan(result.directory.location, "soup", str(folder))), rows


CASES = {
    "a text": (["great day"], ["good", "bad"], ["text"]),
    "two texts": (["great day", "a day"], ["good", "bad"], ["text", "beside"]),
    "numbers": (["1, 2.5, -3"], ["y", "z"], ["A record's numbers, with commas between them"]),
}
WRONG = {"a text": ("great " * 60, "more than 40 tokens"), "numbers": ("1, two", "no numbers with commas")}


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("kind", CASES)
def test_a_record_is_written_and_answered(kind, width, tmp_path):
    written, names, labels = CASES[kind]
    predictor, _ = finished(kind, tmp_path)
    with listening(App(predictor)) as address, chromium() as browser:
        page = browser.open(address, width, dark=width == 390)
        answer = asked(page, *written)
        assert all(name in answer for name in names)
        assert page.run("[...document.querySelectorAll('#write label')].map((one) => one.textContent)") == labels
        assert page.run("[...document.querySelectorAll('label')].every((one) => by(one.htmlFor))")
        assert page.run("by('drop').hidden") and not page.console and not page.faults


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_said_on_the_page(kind, tmp_path):
    written, said = WRONG[kind]
    predictor, _ = finished(kind, tmp_path)
    with listening(App(predictor)) as address, chromium() as browser:
        assert said in asked(browser.open(address), written)
