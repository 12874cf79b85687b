"""The audit finds what it is for."""

from __future__ import annotations

import pytest

GOOD = """<!DOCTYPE html><html lang="en"><title>A page</title><style>body { background: #fff; color: #111 }
:focus-visible { outline: 3px solid #1f5fa8 }</style><body><main><h1>A page</h1>%s</main></body></html>"""
FAULTS = {
    "<p style='color: #999'>pale</p>": "contrast 2.85: pale",
    "<img src='data:,'>": "no name: <img",
    "<input>": "no name: <input",
    "<button></button>": "no name: <button",
    "<div style='width: 5000px'>wide</div>": "wider than the window: 50",
    "<h3>deep</h3>": "heading jumps to H3: deep",
    "<h1>Another</h1>": "not one h1",
    "<p id=one>a</p><p id=one>b</p>": "id twice: one",
    "<p style='font-size: 8px'>tiny</p>": "8.0 pixels high: tiny",
    "<p style='width: 40px; overflow: hidden; white-space: nowrap'>many words</p>": "cut off: many words",
    "<div style='width: 40px; overflow: auto'><p style='width: 99px'>far</p></div>": "scrolls without the keyboard",
    "<table><thead><tr><th>Head</th></tr></thead></table>": "a table heading without scope",
    "<svg viewBox='0 0 99 30'><text y=20 fill='#bbbbbb'>pale</text></svg>": "contrast 1.92: pale",
    "<svg width=100 viewBox='0 0 400 30'><text y=20>tiny</text></svg>": "4.0 pixels high: tiny",
    "<svg width=99 viewBox='0 0 99 30'><text x=80 y=20>far out</text></svg>": "outside its figure: far out",
    "<svg width=99 viewBox='0 0 99 30'><text y=20>one</text><text x=5 y=22>two</text></svg>": "over one another: one",
}


@pytest.fixture
def opened(browser, tmp_path):
    def make(inside):
        file = tmp_path / "page.html"
        file.write_text(GOOD % inside)
        return browser.open(file.as_uri())

    return make


def test_a_page_without_faults_has_none(opened):
    page = opened("<button>One</button><label for=two>Two</label><input id=two>")
    assert page.faults == [] and page.console == [] and page.tabbed() == ["One", "Two"]


def test_each_fault_is_found(opened):
    page = opened("")
    for inside, fault in FAULTS.items():
        page.run(f"document.querySelector('main').innerHTML = `<h1>A page</h1>{inside}`")
        faults = page.faults
        assert any(fault in one for one in faults), (inside, faults)


def test_a_page_of_nothing_lacks_what_every_page_has(browser, tmp_path):
    file = tmp_path / "page.html"
    file.write_text("<p>words</p><script>throw new Error('gone')</script>")
    page = browser.open(file.as_uri())
    assert page.faults == ["html has no lang", "no title", "not one main", "not one h1"]
    for _ in range(200):  # what the console says comes by itself
        if page.console:
            break
        page.run("new Promise(done => setTimeout(done, 20))")
    assert any("gone" in line for line in page.console)
    assert page.faults_of_all()["1280 pixels, dark"][-1].startswith("background")


def test_a_keyboard_that_cannot_be_seen_is_found(opened):
    with pytest.raises(AssertionError, match="cannot be seen"):
        opened("<button style='outline: none'>Here</button>").tabbed()
