"""Several dreams of one picture: variations, seeds, all looks, and their contact sheets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reverie import atlas
from reverie.cli import main, series
from reverie.files import read_text
from reverie.recipe.presets import all_presets, look_names
from reverie.recipe.record import parse_record

QUICK = ["--network", "motif", "--size", "64x48", "--steps", "2", "--octaves", "1", "--precision", "fp32", "--quiet"]


@pytest.fixture(autouse=True)
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.effect_noise((80, 60), 60).convert("RGB").save("photo.png")
    return tmp_path / "photo.png"


def pixels(path: Path) -> Any:
    with Image.open(path) as picture:
        return np.asarray(picture).astype(float)


def seed_of(path: Path) -> int:
    return parse_record(read_text(path), path).recipe.seed


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    before = set(Path.cwd().rglob("*"))
    assert main(["dream", "photo.png", *QUICK, *arguments]) == 2
    out, err = capsys.readouterr()
    assert not out and err.startswith("reverie: ") and err.count("\n") == 1
    assert set(Path.cwd().rglob("*")) == before
    return err


def test_variations_are_pictures_of_seeds_one_after_the_other_and_a_sheet() -> None:
    assert main(["dream", "photo.png", "--variations", "3", "--seed", "5", "--objective", "owl", *QUICK]) == 0
    made = sorted(Path().glob("photo-motif-owl-seed-*.png"))
    assert [seed_of(path) for path in made] == [5, 6, 7]
    first, second, third = map(pixels, made)
    assert np.abs(first - second).mean() > 1 and np.abs(second - third).mean() > 1
    assert pixels(Path("photo-motif-variations.png")).shape[:2] == atlas.sheet_size(3, (48, 64), 0, "titled")


def test_a_variation_replays_to_the_same_bytes() -> None:
    assert main(["dream", "photo.png", "--variations", "2", *QUICK]) == 0
    made = Path("photo-motif-seed-1.png")
    assert main(["replay", str(made), "--out", "again.png", "--quiet"]) == 0
    assert Path("again.png").read_bytes() == made.read_bytes()


def test_a_span_of_seeds_is_a_series_too() -> None:
    assert main(["dream", "photo.png", "--seed", "1..3", "--objective", "owl", *QUICK]) == 0
    assert [seed_of(path) for path in sorted(Path().glob("*-seed-*.png"))] == [1, 2, 3]


def test_what_cannot_be_a_series_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "from 2 to 1024" in refused(capsys, "--variations", "1")
    assert "must rise" in refused(capsys, "--seed", "3..3")
    assert "leave --variations out" in refused(capsys, "--seed", "1..3", "--variations", "3")
    assert "two series" in refused(capsys, "--variations", "3", "--each-layer", "stage2")
    assert "leave one of them out" in refused(capsys, "--variations", "3", "--count", "2")
    assert "--seed" in refused(capsys, "--seed", "1..x")


def test_preset_all_makes_every_look_whose_network_is_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(series, "look_names", lambda: ("owls", "reef"))
    quick = QUICK[2:]  # the presets bring their networks
    assert main(["dream", "photo.png", "--preset", "all", *quick]) == 0
    assert len(list(Path().glob("photo-motif-*.png"))) == 3
    assert Path("photo-motif-looks.png").exists()
    assert main(["dream", "photo.png", "--preset", "all", "--objective", "owl", *quick]) == 2
    assert "leave --objective out" in capsys.readouterr().err


def test_looks_draws_one_sheet_and_leaves_no_other_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "look_names", lambda: ("owls", "reef"))
    before = set(Path.cwd().iterdir())
    assert main(["looks", "photo.png", "--quiet", "--precision", "fp32"]) == 0
    assert set(Path.cwd().iterdir()) - before == {Path.cwd() / "photo-all-looks.png"}
    assert pixels(Path("photo-all-looks.png")).shape[:2] == atlas.sheet_size(2, (60, 80), 0, "titled")


def test_looks_whose_network_is_absent_are_left_out_and_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("reverie.zoo.fetch.available", lambda name: False)
    left = series.ready_looks(quiet=False)
    assert left and all(all_presets()[name].get("network", "motif") == "motif" for name in left)
    assert set(left) < set(look_names())
    assert "pip install" in capsys.readouterr().err
