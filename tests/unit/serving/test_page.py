"""The page to try a server on, as a reader's browser has it from a running server."""

from __future__ import annotations

import asyncio
import threading

import pytest
from sent import encoded

TOKEN = "a-token-of-tests"


@pytest.fixture
def address(client):
    """A server of the door on a port of its own, until the test ends."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(client.app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=asyncio.run, args=(server.serve(),), daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def choose(tmp_path):
    """Chooses a file of this content on a page, and waits for the answer's words."""

    def make(page, content):
        file = tmp_path / "picture.png"
        file.write_bytes(content)
        root = page.send("DOM.getDocument")["root"]["nodeId"]
        node = page.send("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
        page.send("DOM.setFileInputFiles", files=[str(file)], nodeId=node)
        return page.run("""new Promise(done => { const look = () => {
          const said = document.getElementById('answer').textContent;
          if (/None yet|Asking/.test(said)) setTimeout(look, 20); else done(said);
        }; look(); })""")

    return make


def test_a_picture_is_answered(address, browser, choose, predictor, test_pictures):
    page = browser.open(f"{address}#token={TOKEN}")
    assert page.tabbed() == ["Token, as the server printed it", "Drop a picture here, or choose one"]
    assert page.faults_of_all() == {}
    assert page.run("location.href") == address, "the token does not stay in the address"
    said = choose(page, encoded(test_pictures[0]))
    first = predictor.answers([test_pictures[0]], [1])[0]["classes"][0]
    assert said.startswith(f"ClassProbability{first['name']}{100 * first['probability']:.2f} %")
    assert page.faults_of_all() == {}
    shown = "(one => [one.hidden, one.naturalWidth])(document.getElementById('shown'))"
    assert page.run(shown) == [False, 28]


@pytest.mark.parametrize(
    ("token", "content", "words"), [("wrong", None, "Send the token"), (TOKEN, b"words", "This is a text")]
)
def test_a_refusal_is_said_on_the_page(address, browser, choose, test_pictures, token, content, words):
    page = browser.open(f"{address}#token={token}")
    assert words in choose(page, content or encoded(test_pictures[0]))
    assert page.run("document.querySelector('#answer .bad').textContent.length") < 200
    assert set(page.faults_of_all()) <= {"console"}
    assert all("Failed to load resource" in line for line in page.console), "what a browser says of each 4xx"


def test_a_server_that_is_gone_is_said(address, browser, choose, test_pictures):
    page = browser.open(f"{address}#token={TOKEN}")
    page.run("globalThis.fetch = () => Promise.reject(new TypeError('gone'))")
    assert choose(page, encoded(test_pictures[0])) == "The server does not answer."
