"""A browser for the tests: Debian's Chromium, driven by Playwright. Where it is missing the tests are skipped, or fail
where REVERIE_BROWSER=required says that it must be there, as in CI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
WIDTHS = {1440: 900, 1024: 768, 390: 844}


def executable() -> str | None:
    """The browser of this machine; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """A running browser; skips the test where it, or Playwright, is missing."""
    required = os.environ.get("REVERIE_BROWSER") == "required"
    path = executable()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = None  # type: ignore[assignment]
    if path is None or sync_playwright is None:
        why = "no Chromium is installed (apt-get install chromium), so the studio's page is not tried out"
        if required:
            pytest.fail(why)
        pytest.skip(why)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Tab:
    """A page of the studio, and everything in its console that no good page has there."""

    def __init__(self, browser: Any, address: str, width: int = 1440, **options: Any) -> None:
        size = {"width": width, "height": WIDTHS.get(width, 800)}
        self.context = browser.new_context(viewport=size, accept_downloads=True, **options)
        self.context.grant_permissions(["camera", "clipboard-read", "clipboard-write"], origin=address)
        self.page = self.context.new_page()
        self.page.set_default_timeout(120_000)
        self.address, self.complaints = address, list[str]()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{error.message} {error.stack}"))

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def open(self, place: str = "") -> Any:
        """Go to a place of the studio, and wait until its page is there."""
        self.page.goto(f"{self.address}/{place}")
        self.page.wait_for_selector("#main > *")
        return self.page

    def choose(self, press: str, *files: Path | dict[str, Any]) -> None:
        """Press what asks for a file, and give it these."""
        with self.page.expect_file_chooser() as chooser:
            self.page.click(press)
        chooser.value.set_files(list(files))  # type: ignore[arg-type]

    def close(self) -> None:
        """Close it; complaints of its console fail the test."""
        self.context.close()
        assert not self.complaints, self.complaints
