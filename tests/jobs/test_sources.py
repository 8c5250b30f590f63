"""Guided and masked dreams from files, folders and arrays; the Record that knows them; their replay."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import reverie
from reverie import api, files
from reverie.cli import main
from reverie.errors import InputError, UnknownName, UsageError
from reverie.jobs import sources
from reverie.jobs.sources import brightness, opened
from reverie.recipe.record import Asset

QUICK = {"steps": 1, "octaves": 1, "threads": 1, "precision": "fp32"}


def picture(path, seed, size=(48, 40)):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def photo(tmp_path):
    return picture(tmp_path / "photo.png", 0)


@pytest.fixture
def flowers(tmp_path):
    return picture(tmp_path / "flowers.png", 1, (30, 36))


@pytest.fixture
def mask(tmp_path):
    half = np.zeros((40, 48), np.uint8)
    half[:, :20] = 255
    Image.fromarray(half).save(tmp_path / "half.png")
    return tmp_path / "half.png"


def same(first, second):
    return first.read_bytes() == second.read_bytes()


def test_a_guided_dream_follows_its_guide_and_remembers_it(photo, flowers, tmp_path):
    made = reverie.dream_guided(photo, flowers, layer="stage2", weight=2.0, **QUICK)
    assert made.record.recipe.guide == (f'"{flowers}"@"stage2"*2.0',)
    assert [each.role for each in made.record.assets] == ["source", "weights", "guide"]
    assert made.record.asset("guide").path == str(flowers)
    assert not torch.equal(made.pixels, reverie.dream(photo, objective="stage2", **QUICK).pixels)
    first = made.save(tmp_path / "first.png")
    again = api.replay(first)
    *_, last = again.frames()
    assert same(first, again.picture(last).save(tmp_path / "again.png"))


def test_text_path_list_array_and_tensor_say_the_same_guide(photo, flowers):
    with Image.open(flowers) as opened:
        pixels, pillow = np.array(opened), opened.copy()
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    expected = reverie.dream(photo, guide=f"{flowers}@stage2", **QUICK).pixels
    for guide in (flowers, str(flowers), [flowers], pixels, pillow, [tensor]):
        assert torch.equal(reverie.dream_guided(photo, guide, layer="stage2", **QUICK).pixels, expected)
    with pytest.raises(UsageError, match="needs a guide"):
        reverie.dream_guided(photo, [])
    with pytest.raises(UsageError, match="needs a guide"):
        reverie.dream_guided(photo, None)


def test_a_guide_that_was_an_array_is_replayed_when_it_is_handed_in_again(photo, flowers, tmp_path):
    with Image.open(flowers) as opened:
        pixels = np.array(opened)
    first = reverie.dream_guided(photo, pixels, layer="stage2", **QUICK).save(tmp_path / "first.png")
    with pytest.raises(InputError, match="assets"):
        api.replay(first)
    again = api.replay(first, assets=[pixels])
    *_, last = again.frames()
    assert same(first, again.picture(last).save(tmp_path / "again.png"))


def test_a_folder_is_one_guide_of_all_its_pictures(photo, tmp_path):
    folder = tmp_path / "garden"
    folder.mkdir()
    names = [picture(folder / f"{name}.png", at, (32, 32)) for at, name in enumerate("ba")]
    made = reverie.dream(photo, guide=f"{folder}@stage2", **QUICK)
    found = [each.path for each in made.record.assets if each.role == "guide"]
    assert sorted(found) == sorted(map(str, names)) and len(made.record.recipe.guide) == 1
    first = made.save(tmp_path / "first.png")
    picture(folder / "c.png", 7, (32, 32))  # what came later took no part
    again = api.replay(first)
    *_, last = again.frames()
    assert same(first, again.picture(last).save(tmp_path / "again.png"))


def test_a_moved_or_changed_guide_is_found_by_its_content_or_refused(photo, flowers, tmp_path):
    first = reverie.dream_guided(photo, flowers, layer="stage2", **QUICK).save(tmp_path / "first.png")
    moved = flowers.rename(tmp_path / "renamed.png")
    with pytest.raises(InputError, match=r"guide .*flowers.png .* not there; say where it lies with assets"):
        api.replay(first)
    assert api.replay(first, assets=[moved]).record == api.replay(first, assets=[photo, moved]).record
    picture(flowers, 5)
    with pytest.raises(InputError, match=r"SHA-256 differs.*assets"):
        api.replay(first)
    assert main(["replay", str(first), "--asset", str(moved), "-o", str(tmp_path / "again.png")]) == 0
    assert same(first, tmp_path / "again.png")


def test_outside_a_mask_the_bytes_are_the_sources(photo, mask, tmp_path):
    for values in ({}, {"octaves": 2, "steps": 2}, {"blend": 0.5}):
        made = reverie.dream(photo, mask=mask, objective="stage2", **{**QUICK, **values})
        path = made.save(tmp_path / "out.png", overwrite=True)
        before, after = (np.asarray(Image.open(each)) for each in (photo, path))
        assert np.array_equal(before[:, 20:], after[:, 20:])
        assert not np.array_equal(before[:, :20], after[:, :20])
        assert made.record.asset("mask").path == str(mask)


def test_a_mask_lies_over_the_source_whatever_its_size_and_is_cropped_with_it(photo, tmp_path):
    small = np.zeros((4, 12), np.uint8)
    small[:, :6] = 255
    Image.fromarray(small).save(tmp_path / "small.png")
    made = reverie.dream(photo, mask=tmp_path / "small.png", objective="stage2", size="24x40", **QUICK)
    source = files.load(photo).pixels[..., 12:36]
    before, after = (api.Picture(each, None).numpy() for each in (source.float() / 255, made.pixels))
    assert np.array_equal(before[:, 16:], after[:, 16:])
    assert not np.array_equal(before[:, :8], after[:, :8])


def test_a_mask_is_as_dark_as_it_is_transparent(tmp_path):
    rgba = np.full((2, 2, 4), 255, np.uint8)
    rgba[0, 0, 3], rgba[1, 1, :3] = 0, 51
    Image.fromarray(rgba).save(tmp_path / "clear.png")
    torch.testing.assert_close(brightness(files.load(tmp_path / "clear.png")), torch.tensor([[[[0.0, 1], [1, 0.2]]]]))


def test_the_command_line_guides_and_masks(photo, flowers, mask, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    odd = flowers.rename(tmp_path / "fl@wers*2.png")
    arguments = ["dream", str(photo), "--steps", "1", "--octaves", "1", "-o", str(out), "--json"]
    guides = ["--guide", f"'{odd}'@stage2|{mask}", "--guide", str(odd), "--match", "cosine", "--mask", str(mask)]
    assert main([*arguments, *guides]) == 0
    (written,) = out.iterdir()
    assert "wers" in written.name
    record = json.loads(files.read_text(written))
    assert record["recipe"]["match"] == "cosine"
    assert [each["role"] for each in record["assets"]] == ["source", "weights", "guide", "mask"]
    capsys.readouterr()


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (["--guide", "nowhere.jpg"], 3, "nowhere.jpg does not exist"),
    (["--mask", "nowhere.png"], 3, "nowhere.png does not exist"),
    (["--guide", "x.jpg@stagge3"], 2, "no layer 'stagge3'; did you mean"),
    (["--guide", "x.jpg*0"], 2, "a number from 1e-12"),
    (["--objective", "stage3|nowhere.png"], 3, "nowhere.png does not exist"),
    (["--match", "cosin"], 2, "cosin"),
])
def test_bad_guides_and_masks_are_one_sentence(arguments, code, said, capsys, tmp_path):
    assert main(["dream", *arguments, "-o", str(tmp_path / "out.png")]) == code
    told = capsys.readouterr().err
    assert said in told and "Traceback" not in told and told.count("\n") == 1


def test_a_misspelt_layer_of_a_guide_costs_no_decoding(photo, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    with pytest.raises(UnknownName):
        reverie.dream_guided(photo, tmp_path / "broken.jpg", layer="stagge3")
    with pytest.raises(InputError, match=r"broken.jpg"):
        reverie.dream_guided(photo, tmp_path / "broken.jpg", layer="stage3")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such names")
def test_a_guide_whose_name_has_both_kinds_of_quotes(photo, flowers, tmp_path):
    strange = flowers.rename(tmp_path / "flo\"w'er.png")
    out = tmp_path / "out.png"
    arguments = ["--size=48x40", "--steps=1", "--octaves=1", "--precision=fp32", "--threads=1"]
    assert main(["dream", str(photo), "--guide", str(strange), "-o", str(out), *arguments]) == 0
    made = reverie.dream_guided(photo, strange, size="48x40", **QUICK)
    assert made.record.asset("guide").path == str(strange)
    assert main(["replay", str(out)]) == 0
    assert same(out, tmp_path / "out-replay.png")


def storied(mode):
    """A picture in that mode, all of its colors told apart."""
    colors = Image.fromarray(np.random.default_rng(5).integers(0, 256, (9, 12, 3), dtype=np.uint8))
    if mode == "La":
        return colors.convert("LA").convert("La")
    if mode == "I;16N":
        return Image.frombytes("I;16N", (12, 9), np.arange(108, dtype=np.uint16).tobytes())
    return colors.convert("RGBA").convert(mode) if mode in ("RGBa", "PA") else colors.convert(mode)


@pytest.mark.parametrize("mode", ["HSV", "La", "LAB", "CMYK", "YCbCr", "RGBa", "P", "1", "LA", "RGBX"])
def test_pillow_images_of_every_mode_are_opened(mode):
    made = storied(mode)
    seen = opened(made).pixels
    gray = mode in ("La", "1", "LA")
    expected = made.convert("LA").convert("RGB") if mode == "La" else storied("L" if gray else "RGB")
    if mode not in ("P", "1"):
        far = np.abs(seen[0].permute(1, 2, 0).numpy().astype(int) - np.asarray(expected.convert("RGB")))
        assert far.mean() < 3  # HSV, LAB and YCbCr round
    assert seen.shape == (1, 3, 9, 12)


def test_pillow_images_of_deep_modes_are_opened():
    sixteen = opened(storied("I;16N")).pixels
    assert sixteen.dtype == torch.uint16 and sixteen[0, 0].flatten().tolist() == list(range(108))
    floats = opened(Image.fromarray(np.linspace(0, 1, 108, dtype=np.float32).reshape(9, 12)))
    assert floats.pixels.dtype == torch.float32 and float(floats.pixels[0, 0, 8, 11]) == 1
    stretched = opened(storied("F"))
    assert stretched.notes[0].startswith("The Pillow image holds numbers")
    assert opened(storied("I")).pixels.shape == (1, 3, 9, 12)


def test_a_path_that_no_file_system_takes_is_not_there():
    for name in ("x" * 300, "x" * 5000, "a\0b"):
        with pytest.raises(InputError, match="is not there; say where it lies with --source"):
            sources.find_asset(Asset(role="source", path=name, sha256="0" * 64), Path("p.png"), None, "--source")


def test_what_is_no_picture_is_an_input_error(tmp_path):
    storied("RGB").resize((300, 300)).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    with Image.open(tmp_path / "cut.jpg") as cut, pytest.raises(InputError, match="cannot be read"):
        opened(cut)
    with pytest.raises(InputError, match="0x0 pixels"):
        opened(Image.new("RGB", (0, 0)))
    with pytest.raises(InputError, match=r"^The Pillow image has more than 10 pixels"):
        opened(storied("RGB"), 10)
    for strange in (np.full((4, 4, 3), "a"), np.zeros((4, 4, 3), complex), np.full((4, 4, 3), None)):
        with pytest.raises(InputError, match="is no picture; give uint8"):
            opened(strange)
    with pytest.raises(InputError, match="is no picture; give uint8"):
        opened(torch.zeros(3, 4, 4, dtype=torch.complex64))
