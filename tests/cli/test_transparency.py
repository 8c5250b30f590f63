"""Transparency goes into files that hold it; asked for in JPEG it is refused, otherwise the loss is said once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reverie.cli import main
from tests.support.commands import refused

QUICK = ["--size", "48x40", "--steps", "1", "--octaves", "1", "--precision", "fp32", "--threads", "1"]


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(2).integers(0, 256, (40, 48, 4), np.uint8)
    Image.fromarray(pixels).save("clear.png")
    Image.fromarray(pixels[..., :3]).save("photo.png")
    pixels[..., 3] = 255
    Image.fromarray(pixels).save("whole.png")
    return Path("photo.png")


@pytest.mark.parametrize("arguments", [
    ["dream", "photo.png", "--out", "a.jpg"], ["dream", "photo.png", "--format", "jpg"],
    ["dream", "photo.png", "--out", "A.JPEG", "--dry-run"], ["visualize", "owl", "--out", "a.jpg"],
])  # fmt: skip
def test_opacity_that_was_asked_for_is_refused_for_jpeg(photo, capsys, arguments):
    said = refused(capsys, 5, *arguments, "--opacity", "0.3", *QUICK)
    assert "cannot be transparent; for --opacity 0.3 use .png, .webp or .tif." in said
    assert sorted(each.name for each in Path().iterdir()) == ["clear.png", "photo.png", "whole.png"]


def test_a_replay_refuses_it_too(photo, capsys):
    assert main(["dream", "photo.png", "--out", "a.jpg", *QUICK]) == 0
    assert "cannot be transparent" not in capsys.readouterr().err
    assert "cannot be transparent" in refused(capsys, 5, "replay", "a.jpg", "--set", "opacity=0.3")
    assert main(["replay", "a.jpg", "--set", "opacity=0.3", "--out", "a.png"]) == 0
    assert main(["replay", "a.jpg", "--set", "opacity=1"]) == 0
    with Image.open("a.png") as made:
        assert made.mode == "RGBA"


def test_a_transparent_source_in_a_jpeg_is_said_once(photo, capsys):
    for name, times in (("clear", 1), ("whole", 0), ("photo", 0)):
        assert main(["dream", f"{name}.png", "--out", f"{name}.jpg", *QUICK]) == 0
        assert capsys.readouterr().err.count("cannot be transparent") == times
    assert main(["dream", "clear.png", "--out", "clear-2.png", *QUICK]) == 0
    assert "transparent" not in capsys.readouterr().err


def test_the_opacity_of_a_preset_in_a_jpeg_is_said_once(photo, capsys):
    few = ["--views", "1", "--crop-size", "32", "--threads", "1", "--steps", "2"]
    for arguments, times in (([], 1), (["--opacity", "1"], 0), (["--count", "2"], 1)):
        command = ["visualize", "owl", "--preset", "maco", "--size", "48", "--overwrite", "-o", "a.jpg"]
        assert main([*command, *few, *arguments]) == 0
        assert capsys.readouterr().err.count("cannot be transparent") == times
