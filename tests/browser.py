"""A headless Chromium, driven by its own protocol over two pipes: what a page is like for those who look at it.

It needs Debian's package ``chromium`` and nothing from Python's index. ``Page.faults`` is an audit in the page itself:
names and labels, contrast (WCAG 2.1 AA) in words and figures, letters under 9.5 pixels, words over one another or cut
off, what is wider than the window, scrolled regions out of the keyboard's reach. ``Page.tabbed`` goes round by the
keyboard and holds that where it stands can be seen.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTHS = (1280, 390)
DARK = "rgb(18, 23, 28)"
"""The ground of the dark palette (``evoray.report.look.palette``)."""
AUDIT = r"""
(() => {
  const faults = [];
  const rgb = text => (text.match(/[\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const over = ([r, g, b, a = 1], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
  const root = document.documentElement, schemes = getComputedStyle(root).colorScheme;
  const dark = matchMedia('(prefers-color-scheme: dark)').matches && schemes.includes('dark');
  const behind = node => {
    const layers = [];
    for (let one = node; one; one = one.parentElement) layers.push(rgb(getComputedStyle(one).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), dark ? [18, 18, 18] : [255, 255, 255]);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim(), node = walker.currentNode.parentElement;
    if (!text || node.closest('script, style, noscript') || !node.getClientRects().length) continue;
    const style = getComputedStyle(node), back = behind(node), drawn = node.closest('svg');
    const [a, b] = [light(over(rgb(drawn ? style.fill : style.color), back)), light(back)].sort((x, y) => y - x);
    const zoom = drawn ? drawn.getScreenCTM().a : 1, size = zoom * parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700), ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) faults.push(`contrast ${ratio.toFixed(2)}: ${text.slice(0, 40)}`);
    if (size < 9.5) faults.push(`${size.toFixed(1)} pixels high: ${text.slice(0, 40)}`);
    const clips = ['hidden', 'clip'].includes(style.overflowX) && node.scrollWidth > node.clientWidth + 1;
    if (clips && !drawn) faults.push(`cut off: ${text.slice(0, 40)}`);
  }
  for (const svg of document.querySelectorAll('svg')) {
    const all = svg.getBoundingClientRect(), boxes = [...svg.querySelectorAll('text')]
      .map(one => [one.getBoundingClientRect(), one.textContent.trim().slice(0, 30)]).filter(([, said]) => said);
    boxes.forEach(([one, said], at) => {
      if (one.left < all.left - 1 || one.right > all.right + 1 || one.top < all.top - 1 || one.bottom > all.bottom + 1)
        faults.push(`outside its figure: ${said}`);
      for (const [other, words] of boxes.slice(at + 1)) {
        const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
        const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
        if (wide > 1 && high > 4) faults.push(`over one another: ${said} and ${words}`);
      }
    });
  }
  const name = node => (node.getAttribute('aria-label') || (node.getAttribute('aria-labelledby') || '').split(' ')
    .map(id => document.getElementById(id)?.textContent || '').join(' ') || node.textContent).trim();
  if (!document.documentElement.lang) faults.push('html has no lang');
  if (!document.title.trim()) faults.push('no title');
  if (document.querySelectorAll('main').length !== 1) faults.push('not one main');
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
  let level = 0;
  for (const head of document.querySelectorAll('h1, h2, h3, h4')) {
    if (+head.tagName[1] > level + 1) faults.push(`heading jumps to ${head.tagName}: ${head.textContent}`);
    level = +head.tagName[1];
  }
  const ids = [...document.querySelectorAll('[id]')].map(node => node.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach(id => faults.push(`id twice: ${id}`));
  for (const node of document.querySelectorAll('[role=img], [role=region], img, a, button, input, select, [tabindex]'))
    if (!(node.alt || name(node) || node.labels?.[0]?.textContent.trim()))
      faults.push(`no name: ${node.outerHTML.slice(0, 60)}`);
  for (const table of document.querySelectorAll('table'))
    for (const th of table.querySelectorAll('thead th'))
      if (!th.scope || !th.textContent.trim()) faults.push('a table heading without scope or text');
  for (const node of document.querySelectorAll('*')) {
    const may = ['auto', 'scroll'].includes(getComputedStyle(node).overflowX);
    if (may && node.scrollWidth > node.clientWidth + 1 && node.tabIndex < 0 && !node.querySelector('a, button'))
      faults.push(`scrolls without the keyboard: ${node.className}`);
  }
  if (root.scrollWidth > innerWidth) faults.push(`wider than the window: ${root.scrollWidth}`);
  return faults;
})()
"""

FOCUSED = r"""
(node => {
  if (!node || node === document.body) return ['', true];
  const by = document.getElementById(node.getAttribute('aria-labelledby')) || node.labels?.[0] || node;
  const style = getComputedStyle(node), box = node.getBoundingClientRect();
  const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  return [(node.getAttribute('aria-label') || by.textContent).trim().slice(0, 60), ring && inside];
})(document.activeElement)
"""


class Page:
    """One page in the browser; what its console says of errors and warnings is in ``console``."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session
        self.console: list[str] = []

    def send(self, method: str, **values: Any) -> dict[str, Any]:
        return self._browser.send(method, self._session, **values)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def look(self, width: int, *, dark: bool = False, height: int = 900) -> None:
        """The same page in a window so wide, for a reader who prefers the dark or the light."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))")

    def faults_of_all(self) -> dict[str, list[str]]:
        """Faults at both widths, light and dark; those of the console besides; each only where there are any."""
        found = {}
        for width in WIDTHS:
            for dark in (False, True):
                self.look(width, dark=dark)
                back = self.run("getComputedStyle(document.body).backgroundColor")
                faults = self.faults + ([] if (back == DARK) == dark else [f"background {back}"])
                found[f"{width} pixels, {'dark' if dark else 'light'}"] = faults
        return {name: faults for name, faults in (found | {"console": self.console}).items() if faults}

    @property
    def faults(self) -> list[str]:
        return list(self.run(AUDIT))

    def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def tabbed(self, most: int = 50) -> list[str]:
        """Names of what the Tab key comes to, in order, once round; each is in the window and has a ring around it."""
        found: list[str] = []
        for _ in range(most):
            self.press("Tab", 9)
            name, seen = self.run(FOCUSED)
            if not name or name in found:
                break
            assert seen, f"the keyboard is at {name!r}, and it cannot be seen"
            found.append(name)
        return found

    def screenshot(self, path: Path) -> None:
        import base64

        height = self.run("document.documentElement.scrollHeight")
        width = self.run("innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        found = self.send("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))


class Browser:
    """The running program; messages are JSON that end in a NUL."""

    def __init__(self, out: int, back: int) -> None:
        self._out, self._back = out, back
        self._number, self._read = 0, b""
        self._pages: dict[str, Page] = {}
        self._loaded: set[str] = set()

    def send(self, method: str, session: str | None = None, **values: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": values} | ({"sessionId": session} if session else {})
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (found := self._next()).get("id") != self._number:
            self._event(found)
        assert "error" not in found, (method, found["error"])
        result: dict[str, Any] = found["result"]
        return result

    def open(self, url: str, width: int = 1280, *, dark: bool = False, height: int = 900) -> Page:
        """Loads a page and waits for it."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log"):
            page.send(f"{domain}.enable")
        self._loaded.discard(session)
        page.send("Page.navigate", url=url)
        while session not in self._loaded:
            self._event(self._next())
        page.look(width, dark=dark, height=height)
        return page

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            content = os.read(self._back, 2**16)
            assert content, "the browser ended"
            self._read += content
        message, _, self._read = self._read.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def _event(self, message: dict[str, Any]) -> None:
        session, values = message.get("sessionId", ""), message.get("params", {})
        page = self._pages.get(session)
        match message.get("method"):
            case "Page.loadEventFired":
                self._loaded.add(session)
            case "Runtime.exceptionThrown" if page:
                details = values["exceptionDetails"]
                what = details.get("exception", {}).get("description", "")  # before addresses, which may be long
                page.console.append(f"{details['text']} {what} {json.dumps(details)}"[:500])
            case "Runtime.consoleAPICalled" if page and values["type"] in ("error", "warning", "assert"):
                page.console.append(json.dumps(values["args"])[:500])
            case "Log.entryAdded" if page and values["entry"]["level"] in ("error", "warning"):
                page.console.append(values["entry"]["text"])


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with a profile of its own, gone afterwards."""
    assert CHROMIUM is not None
    to_read, out = os.pipe()
    back, to_write = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:

        def pipes() -> None:
            os.dup2(os.dup(to_read), 3)
            os.dup2(os.dup(to_write), 4)

        options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
        program = subprocess.Popen(
            [CHROMIUM, *options, "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=pipes,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        try:
            yield Browser(out, back)
        finally:
            program.terminate()
            program.wait(20)
            os.close(out)
            os.close(back)
