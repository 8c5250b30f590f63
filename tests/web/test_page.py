"""The page in a real browser: it dreams, saves what replays, opens links, works offline, refuses what is hostile."""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image

from reverie import files
from reverie.cli import main
from tests.web.conftest import WEB, Site, Visit, launched, watched

pytestmark = pytest.mark.browser

EXAMPLES = WEB.parent / "examples"
SMALL = urlencode(
    {"objective": "0.3*stage3 + owl|rose", "size": "96", "steps": "5", "smallest": "64", "seed": "3"}
)


def pixels(path: Path) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(path).convert("RGB"), np.float64)


def photo(visit: Visit, path: Path) -> None:
    """Choose a photograph as a person does."""
    with visit.page.expect_file_chooser() as chooser:
        visit.page.click("#welcome [data-do=choose]")
    chooser.value.set_files(path)
    visit.page.wait_for_selector("#under:visible")


def saved(visit: Visit, path: Path) -> Path:
    with visit.page.expect_download() as download:
        visit.page.click("#save")
    download.value.save_as(path)
    return path


def test_a_dream_is_saved_with_a_record_that_replays(visit, tmp_path, monkeypatch, capsys):
    visit.open(f"#{SMALL}")
    shutil.copy(EXAMPLES / "cat.jpg", tmp_path / "cat.jpg")
    photo(visit, tmp_path / "cat.jpg")
    visit.dream()
    assert visit.ready() == "wasm"
    path = saved(visit, tmp_path / "cat-dream.png")
    told = json.loads(files.read_text(path))
    assert told["recipe"]["objective"] == "0.3*stage3 + owl|rose"
    assert told["recipe"]["size"] == "96"
    assert told["versions"]["page"].endswith("wasm")

    monkeypatch.chdir(tmp_path)
    assert main(["replay", "cat-dream.png", "--out", "again.png", "--quiet"]) == 0
    page, again = pixels(path), pixels(tmp_path / "again.png")
    source = np.asarray(
        Image.open(tmp_path / "cat.jpg").resize(page.shape[1::-1], Image.Resampling.BICUBIC), np.float64
    )
    assert page.shape == again.shape == (64, 96, 3)
    assert np.abs(page - source).mean() > 3
    assert np.corrcoef((page - source).ravel(), (again - source).ravel())[0, 1] >= 0.9

    # The saved picture brings its settings along.
    fresh = watched(visit.context, visit.site)
    fresh.open()
    fresh.page.evaluate("() => { history.replaceState(null, '', location.pathname); }")
    photo(fresh, path)
    assert fresh.page.input_value("#objective") == "0.3*stage3 + owl|rose"
    assert fresh.page.input_value("#seed") == "3"


def test_a_second_visit_works_without_a_network(visit, site: Site):
    visit.open()
    visit.ready()
    weight = [each for each in visit.asked if each.endswith((".onnx.planes.gz", "wasm.lzma"))]
    assert (
        len(weight) == len(set(weight)) * 2
    )  # what the page asks for, the service worker passes on: one transfer each
    site.server.shutdown()
    site.server.server_close()
    second = watched(visit.context, site)
    second.open(f"#{SMALL}")
    second.page.click("[data-do=sample]")
    second.page.wait_for_selector("#under:visible")
    second.dream()
    assert second.page.input_value("#seed") == "3"


def test_stop_is_heeded_at_once_and_the_page_goes_on(visit):
    visit.open("#size=256&steps=200")
    visit.page.click("[data-do=sample]")
    visit.ready()
    visit.page.click("#dream")
    visit.page.wait_for_selector("#status:has-text('step ')")
    visit.page.click("#stop")
    visit.page.wait_for_selector("#dream:visible", timeout=500)
    assert visit.page.text_content("#status") == "Stopped"
    visit.page.goto(f"{visit.site.address}#{SMALL}")
    visit.dream()


def test_a_link_opens_with_the_settings_that_it_was_made_of(visit):
    page = visit.open()
    page.click("#looks button:has-text('garden')")
    page.select_option("#size", "384")
    page.click("#more summary")
    page.fill("#seed", "11")
    page.locator("#seed").blur()
    link = page.url
    assert "objective=" in link
    other = watched(visit.context, visit.site)
    other.page.goto(link)
    other.page.wait_for_selector("#dream:enabled")
    for name in ("objective", "size", "seed", "momentum", "step_size"):
        assert other.page.input_value(f"#{name}") == page.input_value(f"#{name}"), name
    other.page.goto(f"{visit.site.address}#preset=reef&size=256")
    other.page.wait_for_selector("#size:has-text('256')")
    assert "coral" in other.page.input_value("#objective")


HOSTILE = {
    "size=999999": "'size' must be a long side or WIDTHxHEIGHT of 16 to 2048 pixels, not '999999'.",
    "size=1x1000000000000": "'size' must be",
    "objctive=owl": "There is no option 'objctive'; did you mean 'objective'?",
    "__proto__=1": "There is no option '__proto__'",
    "steps=1e9": "'steps' must be a whole number up to 10000",
    "momentum=NaN": "'momentum' must be a number from 0 to below 1",
    "color=<script>alert(1)</script>": "'color' must be dream, source, locked",
    "network=https://example.org/x.pt": "is not on this page",
    "preset=constructor": "There is no look 'constructor'",
    "guide=a.jpg": "This page cannot dream with 'guide'",
    "mask=a.png": "A link cannot bring a mask along",
    "seed=1&seed=2": "gives 'seed' twice",
    "objective=" + "a" * 7000: "longer than 6000",
}

WRONG = {
    "owll": "There is no layer or class 'owll' in motif; did you mean 'owl'",
    "<img src=x onerror=alert(1)>": "cannot be read",
    "0.5*stage3 +": "ends where a name should stand",
    "stage3:999": "has the channels 0 to 159, no 999",
    "group:dogs": "knows no groups",
    "tv": "no penalties",
}


def test_hostile_links_are_refused_in_one_sentence(visit):
    visit.open()
    for fragment, sentence in HOSTILE.items():
        visit.page.evaluate("(text) => { location.hash = text; }", fragment)
        visit.page.wait_for_selector(f"#message:has-text({json.dumps(sentence)})")
        assert "\n" not in visit.message()
    assert visit.page.query_selector("main script") is None


def test_what_cannot_be_dreamt_is_said_in_one_sentence_before_the_work(visit):
    visit.open()
    visit.page.click("[data-do=sample]")
    visit.page.wait_for_selector("#under:visible")
    for objective, sentence in WRONG.items():
        visit.page.fill("#objective", objective)
        visit.page.locator("#objective").blur()
        visit.page.wait_for_selector(f"#message:has-text({json.dumps(sentence)})")
        visit.page.click("#dream")
        visit.page.wait_for_selector(f"#message:has-text({json.dumps(sentence)})")
        assert "\n" not in visit.message()
        visit.page.wait_for_selector("#dream:visible")


def test_a_file_that_is_no_picture_is_refused(visit, tmp_path):
    (tmp_path / "x.png").write_bytes(b"no picture")
    visit.open()
    with visit.page.expect_file_chooser() as chooser:
        visit.page.click("#welcome [data-do=choose]")
    chooser.value.set_files(tmp_path / "x.png")
    visit.page.wait_for_selector("#message:visible")
    assert visit.message() == "x.png cannot be read by this browser; choose a JPEG, PNG or WebP."


def test_a_pasted_picture_and_a_mask(visit, tmp_path):
    picture = io.BytesIO()
    Image.effect_noise((80, 60), 60).convert("RGB").save(picture, "PNG")
    mask = Image.new("L", (80, 60))
    mask.paste(255, (40, 0, 80, 60))
    mask.save(tmp_path / "half.png")
    page = visit.open("#size=80&steps=3&smallest=64&objective=stage2")
    page.evaluate(
        """(text) => {
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], "pasted.png", { type: "image/png" }));
            dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
        }""",
        base64.b64encode(picture.getvalue()).decode(),
    )
    page.wait_for_selector("#under:visible")
    page.click("#more summary")
    with page.expect_file_chooser() as chooser:
        page.click("#mask")
    chooser.value.set_files(tmp_path / "half.png")
    page.wait_for_selector("#masked:has-text('half.png')")
    visit.dream()
    made = pixels(saved(visit, tmp_path / "made.png"))
    source = np.asarray(Image.open(picture).convert("RGB"), np.float64)
    assert np.abs(made - source)[:, :40].max() <= 1
    assert np.abs(made - source)[:, 41:].mean() > 2
    told = json.loads(files.read_text(tmp_path / "made.png"))
    assert [each["role"] for each in told["assets"]] == ["source", "weights", "mask"]
    assert told["recipe"]["mask"] == "half.png"


@pytest.mark.parametrize("scheme", ["dark", pytest.param("light", marks=pytest.mark.slow)])
def test_axe_finds_nothing_and_nothing_is_cut_off(browser, site, scheme):
    axe = WEB / "node_modules" / "axe-core" / "axe.min.js"
    # axe is put in by hand, which the page's own policy rightly forbids.
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    try:
        page = watched(context, site).open("?engine=wasm")
        page.add_script_tag(path=axe)
        for filled in (False, True):
            if filled:
                page.click("[data-do=sample]")
                page.wait_for_selector("#under:visible")
                page.click("#names summary")
                page.click("#more summary")
                page.wait_for_selector("#found button")
            for width in (1440, 1024, 390):
                page.set_viewport_size({"width": width, "height": 844})
                found = page.evaluate("axe.run()")["violations"]
                assert not [(each["id"], [node["html"] for node in each["nodes"]]) for each in found], width
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    finally:
        context.close()


def test_installable(visit):
    visit.open()
    manifest = visit.page.evaluate(
        "fetch(document.querySelector('link[rel=manifest]').href).then((got) => got.json())"
    )
    for each in manifest["icons"]:
        if each["type"] == "image/png":
            side = int(each["sizes"].partition("x")[0])
            with Image.open(visit.site.folder / each["src"]) as icon:
                assert icon.size == (side, side)
    assert visit.page.evaluate("navigator.serviceWorker.ready.then((found) => found.active !== null)")


def test_a_broken_webgpu_says_so_and_goes_on_with_webassembly(visit):
    """A graphics adapter that exists and fails: the page must dream all the same."""
    worker = (visit.site.folder / "src" / "engine" / "worker.js").read_text()
    broken = "Object.defineProperty(navigator, 'gpu', { value: { requestAdapter: async () => ({}) } });\n"
    visit.context.route(
        "**/src/engine/worker.js",
        lambda route: route.fulfill(body=broken + worker, content_type="text/javascript"),
    )
    visit.page.add_init_script(
        "if (!('gpu' in navigator)) Object.defineProperty(navigator, 'gpu', { value: {} }); "
        "Object.defineProperty(navigator, 'serviceWorker', { value: undefined });"
    )
    visit.open(f"#{SMALL}")
    visit.page.click("[data-do=sample]")
    visit.dream()
    assert visit.ready() == "wasm"
    assert "dreaming goes on with WebAssembly" in visit.page.text_content("#note")
    visit.complaints.clear()  # the runtime itself tells the console what it thinks of such an adapter


@pytest.mark.slow
def test_a_zoom_film(visit, tmp_path):
    av = pytest.importorskip("av")
    visit.open(f"#{SMALL}")
    visit.page.click("[data-do=sample]")
    visit.dream()
    with visit.page.expect_download() as download:
        visit.page.click("#zoom")
    download.value.save_as(tmp_path / "zoom.webm")
    with av.open(tmp_path / "zoom.webm") as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert frames[0].shape == (64, 96, 3)
    assert len(frames) > 40
    assert np.abs(frames[0].astype(float) - frames[-1]).mean() > 10


@pytest.mark.slow
def test_webgpu_by_software(playwright, site, tmp_path):
    flags = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan")
    browser = launched(playwright, *flags, "--use-vulkan=swiftshader")
    try:
        visit = watched(browser.new_context(), site)
        visit.page.set_default_timeout(600_000)
        visit.open("#size=64&steps=2&octaves=1&objective=stage2%20%2B%20owl")
        visit.page.click("[data-do=sample]")
        assert visit.ready() == "webgpu"
        visit.dream()
        path = saved(visit, tmp_path / "cat-dream.png")
        assert json.loads(files.read_text(path))["versions"]["page"].endswith("webgpu")
    finally:
        browser.close()
