"""The built page behind a server on this machine, and Debian's Chromium to open it with."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

WEB = Path(__file__).parents[2] / "web"
NAMES = ("chromium", "chromium-browser", "google-chrome")


def absent(why: str) -> Any:
    """Skip, or fail where REVERIE_BROWSER=required says that all must be there, as in CI."""
    if os.environ.get("REVERIE_BROWSER") == "required":
        pytest.fail(why)
    pytest.skip(why)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the browser was closed
            super().do_GET()


@dataclass
class Site:
    """A running server for a folder."""

    folder: Path
    address: str
    server: http.server.ThreadingHTTPServer


@pytest.fixture(scope="session")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page with the built-in network alone, packed quickly."""
    pytest.importorskip("onnx")
    if not (WEB / "node_modules" / "onnxruntime-web").is_dir():
        absent("onnxruntime-web is not installed (npm ci --prefix web), so the page is not tried out")
    sys.path.insert(0, str(WEB))
    try:
        import build
    finally:
        sys.path.remove(str(WEB))
    folder = tmp_path_factory.mktemp("page") / "page"
    build.build(folder, ["motif"], effort=0)
    return folder


@pytest.fixture
def site(page_folder: Path) -> Iterator[Site]:
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Quiet, directory=page_folder)
    )
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Site(page_folder, f"http://127.0.0.1:{server.server_port}/", server)
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        absent("Playwright is not installed, so the page is not tried out")
    with sync_playwright() as running:
        yield running


def launched(playwright: Any, *flags: str) -> Any:
    """A browser with further command line flags."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        absent("no Chromium is installed (apt-get install chromium), so the page is not tried out")
    return playwright.chromium.launch(executable_path=path, args=["--no-sandbox", *flags])


@pytest.fixture(scope="session")
def browser(playwright: Any) -> Iterator[Any]:
    found = launched(playwright)
    yield found
    found.close()


@dataclass
class Visit:
    """An open page, and what it asked for and complained about."""

    page: Any
    context: Any
    site: Site
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, after: str = "") -> Any:
        """Go to the page; returns when it can be used."""
        self.page.goto(self.site.address + after)
        self.page.wait_for_selector("#dream:enabled")
        return self.page

    def ready(self) -> str:
        """Wait for the network; which engine runs it."""
        self.page.wait_for_selector("body[data-engine]", state="attached")
        return str(self.page.get_attribute("body", "data-engine"))

    def dream(self) -> None:
        """Press Dream and wait until it is done."""
        self.page.click("#dream")
        self.page.wait_for_selector("#save:visible, #message:visible")
        assert not self.message()

    def message(self) -> str:
        """The sentence that refuses something, if one is shown."""
        shown = self.page.query_selector("#message:visible")
        return str(shown.text_content()) if shown else ""


@pytest.fixture
def visit(browser: Any, site: Site) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="dark")
    made = watched(context, site)
    yield made
    context.close()
    assert not made.complaints, made.complaints
    strangers = [each for each in made.asked if not each.startswith((site.address, "blob:", "data:"))]
    assert not strangers, strangers


def watched(context: Any, site: Site) -> Visit:
    """A new page whose requests and complaints are written down."""
    made = Visit(context.new_page(), context, site)
    made.page.set_default_timeout(60_000)
    context.on("request", lambda request: made.asked.append(request.url))
    made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
    made.page.on(
        "console",
        lambda line: made.complaints.append(line.text) if line.type in ("error", "warning") else None,
    )
    return made
