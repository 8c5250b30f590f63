"""Take the pictures of docs/studio.md: every screen of the studio at three widths, in Chromium.

python examples/studio.py            needs Chromium, and what the tests use
"""

from __future__ import annotations

import io
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "img"
SIZES = {1440: 900, 1024: 768, 390: 844}
SHOWN = {1440: 960, 1024: 683, 390: 312}
"""How wide each is shown in the docs, in pixels."""


def main() -> None:
    """Walk through the studio at each width."""
    browser_path = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if browser_path is None:
        sys.exit("Chromium is not installed; try: apt-get install chromium")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    folder = tempfile.mkdtemp()
    command = [sys.executable, "-m", "reverie", "studio", folder, "--port", str(port), "--no-open"]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        time.sleep(4)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
            for width in SIZES:
                walk(browser, f"http://127.0.0.1:{port}/", width)
            browser.close()
    finally:
        server.send_signal(2)
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def walk(browser: Any, address: str, width: int) -> None:
    """Every screen at one width."""
    size = {"width": width, "height": SIZES[width]}
    page = browser.new_context(viewport=size, color_scheme="dark").new_page()
    page.set_default_timeout(300_000)

    def shot(name: str) -> None:
        time.sleep(0.8)
        picture = Image.open(io.BytesIO(page.screenshot()))
        small = picture.convert("RGB").resize(
            (SHOWN[width], round(SHOWN[width] * size["height"] / width)), Image.LANCZOS
        )
        small.save(OUT / f"studio-{name}-{width}.webp", quality=72, method=6)

    page.goto(address)
    page.wait_for_selector(".stage .drop")
    shot("first")
    with page.expect_file_chooser() as chooser:
        page.click(".stage .drop button")
    chooser.value.set_files(str(ROOT / "examples" / "cat.jpg"))
    page.wait_for_selector(".source .title:has-text('cat.jpg')")
    filled = (
        "[...document.querySelectorAll('.card .shot')].every((each) => !each.classList.contains('waiting'))"
    )
    for _ in range(200):
        if page.evaluate(filled):
            break
        time.sleep(0.3)
    shot("dream")
    page.locator(".card").nth(1).click()
    page.click("[data-act=dream]")
    page.wait_for_url("**/#/job/*")
    for _ in range(400):
        if page.evaluate(
            "Number(document.querySelector('.stage .board img:nth-of-type(2)')?.dataset.number ?? 0) > 4"
        ):
            break
        time.sleep(0.05)
    shot("watch")
    page.wait_for_selector("[data-act=further]")
    page.click("button:has-text('Before / after')")
    shot("result")
    collected(page, address, shot)
    page.context.close()


def collected(page: Any, address: str, shot: Callable[[str], None]) -> None:
    """The screens that show what was dreamt, and the other pages."""
    page.goto(f"{address}#/dream")
    page.click("text=More ways")
    page.select_option("[data-axis=Y]", "seed")
    page.fill("[data-values=Y]", "0, 1")
    page.click("[data-act=grid]")
    page.wait_for_selector(".matrix")
    done = "[...document.querySelectorAll('.matrix a')].every((each) => each.dataset.state === 'done')"
    for _ in range(600):
        if page.evaluate(done):
            break
        time.sleep(0.2)
    shot("grid")
    page.goto(f"{address}#/gallery")
    page.wait_for_selector(".wall a")
    shot("gallery")
    ids = page.evaluate(
        "[...document.querySelectorAll('.wall a')].slice(0, 2).map((each) => each.dataset.id)"
    )
    page.locator(".wall a").first.click()
    page.wait_for_selector(".settings")
    shot("picture")
    page.goto(f"{address}#/compare/{'/'.join(ids)}")
    page.wait_for_selector(".differences")
    shot("compare")
    for name in ("film", "visualize", "networks"):
        page.goto(f"{address}#/{name}")
        page.wait_for_selector("#main h1")
        time.sleep(6 if name == "visualize" else 0)
        shot(name)


if __name__ == "__main__":
    main()
