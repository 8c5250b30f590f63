"""The Python examples of the documentation run as they stand, and import nothing from deep inside the package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

import reverie
from reverie.recipe.functions import FUNCTIONS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DEEP = re.compile(r"^\s*(?:from|import) reverie\.\w+", re.MULTILINE)


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_example_imports_from_deep_inside(page):
    for block in blocks(page):
        assert not DEEP.search(block), block


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_example_can_be_compiled(page):
    for block in blocks(page):
        compile(block, str(page), "exec")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with small pictures; dreams are short, and the words of the language are restored."""
    monkeypatch.chdir(tmp_path)
    for name in ("photo.jpg", "a.jpg", "b.jpg"):
        Image.effect_noise((48, 40), 60).convert("RGB").save(name)
    before = dict(FUNCTIONS)
    dream = reverie.dream
    short = {"steps": 1, "octaves": 1, "precision": "fp32"}
    monkeypatch.setattr(reverie, "dream", lambda *given, **more: dream(*given, **{**short, **more}), raising=False)
    yield tmp_path
    FUNCTIONS.clear()
    FUNCTIONS.update(before)


def test_the_examples_of_objectives_run(here):
    page = ROOT / "docs" / "objectives.md"
    run = "\n".join(block for block in blocks(page) if "dream_guided" not in block)
    exec(compile(run, str(page), "exec"), {})
    assert {each.name for each in here.glob("*.png")} == {"out.png", "values.png", "dark.png"}
    with pytest.raises(reverie.UsageError, match="hand it in again"):
        reverie.replay("dark.png")


def test_the_example_of_the_atlas_runs(here):
    (code,) = blocks(ROOT / "docs" / "atlas.md")
    code = code.replace('size="160x160"', 'size="48x48", steps=1, octaves=1')
    exec(compile(code, "atlas.md", "exec"), {})
    assert Path("owl.png").exists()
