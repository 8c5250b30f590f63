"""The calls for people: what goes in, what comes out, what is replayed."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

import reverie
from reverie import api, files
from reverie.errors import InputError, UnknownName, UsageError
from reverie.jobs import sources

QUICK = {"size": "48x40", "steps": 2, "octaves": 2, "precision": "fp32"}


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    y, x = np.mgrid[0:60, 0:80]
    pixels = np.stack([x * 3 % 256, y * 4 % 256, (x + y) * 2 % 256], -1).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_a_path_becomes_a_picture_of_the_size_asked_for(photo):
    picture = reverie.dream(photo, objective="owl", **QUICK)
    assert picture.pixels.shape == (1, 3, 40, 48)
    assert picture.pixels.min() >= 0 and picture.pixels.max() <= 1
    assert picture.numpy().dtype == np.uint8


def test_arrays_and_tensors_dream_alike():
    array = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    tensor = torch.from_numpy(array.astype(np.float32) / 255).permute(2, 0, 1)
    sources = [array, tensor, tensor[None], array.astype(np.float32) / 255]
    results = [reverie.dream(source, objective="stage2", **QUICK).pixels for source in sources]
    for result in results[1:]:
        assert torch.equal(result, results[0])


@pytest.mark.parametrize("bad", [np.zeros((4, 4)), np.zeros((4, 4, 4)), torch.zeros(2, 1, 4, 4),
                                 torch.full((3, 4, 4), 2.0),
                                 torch.full((3, 4, 4), float("nan")), 17])
def test_what_is_no_picture_is_refused(bad):
    with pytest.raises(InputError):
        reverie.dream(bad, **QUICK)


def test_frames_count_up_and_the_listener_sees_all(photo):
    seen = []
    reverie.dream(photo, on_frame=lambda frame: seen.append((frame.index, frame.last)), **QUICK)
    assert [each[0] for each in seen] == list(range(len(seen)))
    assert [each[1] for each in seen] == [False] * (len(seen) - 1) + [True]


def test_a_picture_shows_itself_in_a_notebook(photo):
    shown = Image.open(io.BytesIO(reverie.dream(photo, **QUICK)._repr_png_()))
    assert shown.size == (48, 40)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_replay_makes_the_same_bytes(photo, tmp_path, suffix):
    first = tmp_path / f"first{suffix}"
    reverie.dream(photo, objective="0.6*owl - 0.4*stage2:3", seed=5, **QUICK).save(first)
    job = reverie.replay(first)
    *_, last = job.frames()
    again = job.picture(last).save(tmp_path / f"again{suffix}")
    assert again.read_bytes() == first.read_bytes()


def test_replay_from_noise_needs_no_source(tmp_path):
    first = tmp_path / "first.png"
    reverie.dream(None, seed=3, **QUICK).save(first)
    job = reverie.replay(first)
    *_, last = job.frames()
    assert job.picture(last).save(tmp_path / "again.png").read_bytes() == first.read_bytes()
    with pytest.raises(UsageError, match="noise"):
        reverie.replay(first, source=first)


def test_replay_finds_a_moved_source_and_refuses_another(photo, tmp_path):
    first = tmp_path / "first.png"
    reverie.dream(photo, **QUICK).save(first)
    moved = tmp_path / "elsewhere" / "renamed.png"
    moved.parent.mkdir()
    photo.rename(moved)
    with pytest.raises(InputError, match="source"):
        reverie.replay(first)
    assert reverie.replay(first, source=moved).record == reverie.replay(first, source=moved).record
    beside = tmp_path / "photo.png"
    Image.new("RGB", (80, 60)).save(beside)
    with pytest.raises(InputError, match="SHA-256 differs"):
        reverie.replay(first)
    with pytest.raises(InputError, match="SHA-256 differs"):
        reverie.replay(first, source=beside)


def test_replay_with_a_change_keeps_the_rest(photo, tmp_path):
    first = tmp_path / "first.png"
    reverie.dream(photo, seed=9, **QUICK).save(first)
    recipe = reverie.replay(first, changes={"steps": 3}).record.recipe
    assert (recipe.steps, recipe.seed) == (3, 9)
    with pytest.raises(UnknownName, match="did you mean 'steps'"):
        reverie.replay(first, changes={"stepz": 3})


def test_a_picture_without_a_record_is_refused(photo, tmp_path):
    with pytest.raises(InputError, match="no record"):
        reverie.replay(photo)
    plain = reverie.dream(photo, **QUICK).save(tmp_path / "plain.png", metadata=False)
    assert files.read_text(plain) is None


def test_a_record_of_the_future_or_a_broken_one_is_refused(tmp_path):
    for name, text in {"new": json.dumps({"reverie": 99}), "broken": "{", "odd": "[]"}.items():
        path = files.save(tmp_path / f"{name}.png", torch.zeros(1, 3, 4, 4), text=text)
        with pytest.raises(InputError):
            reverie.replay(path)


def test_a_large_source_is_dreamt_smaller_with_a_note():
    job = api.job(np.zeros((30, 3000, 3), np.uint8), steps=1)
    assert job.plan.size == (20, 2048)
    assert any(note.endswith("; size asks for more.") for note in job.notes)
    assert api.job(np.zeros((30, 3000, 3), np.uint8), size="3000").plan.size == (30, 3000)


def test_a_shape_crops_and_a_long_side_scales():
    left_half_red = np.zeros((100, 200, 3), np.uint8)
    left_half_red[:, :50] = (255, 0, 0)
    job = api.job(left_half_red, size="100x100")
    assert job.plan.size == (100, 100)
    assert job.source[0, 0].max() < 0.2  # the red margin was cut away, not squeezed in
    assert api.job(left_half_red, size="50").plan.size == (25, 50)


def test_a_preview_is_small_and_records_its_size():
    job = api.job(np.zeros((600, 1200, 3), np.uint8), preview=True)
    assert job.plan.size == (180, 360)
    assert job.record.recipe.size == "360x180"
    assert api.job(np.zeros((60, 120, 3), np.uint8), preview=True).plan.size == (60, 120)
    assert api.job(np.zeros((600, 1200, 3), np.uint8), preview=True, octaves=3).plan.size == (240, 480)


def test_a_preview_is_the_final_picture_at_an_early_octave():
    array = np.random.default_rng(0).integers(0, 256, (360, 640, 3), dtype=np.uint8)
    *_, small = api.job(array, preview=True, steps=1, objective="stage2").frames()
    assert small.image.shape[-2:] == (270, 480)
    large = next(
        frame.image.clone()
        for frame in api.job(array, steps=1, objective="stage2").frames()
        if frame.image.shape == small.image.shape
    )
    assert torch.equal(large, small.image)


def test_dreams_work_inside_a_callers_inference_mode():
    source = torch.rand(3, 40, 48, generator=torch.Generator().manual_seed(0))
    outside = reverie.dream(source, **QUICK).pixels
    with torch.inference_mode():
        inside = reverie.dream(source * 1, **QUICK).pixels
    assert torch.equal(inside, outside)


def test_alpha_survives(tmp_path):
    path = tmp_path / "a.png"
    pixels = np.full((40, 48, 4), 128, np.uint8)
    pixels[:, :24, 3] = 0
    Image.fromarray(pixels).save(path)
    out = reverie.dream(path, **QUICK).save(tmp_path / "out.png")
    kept = np.asarray(Image.open(out))
    assert kept.shape == (40, 48, 4)
    assert (kept[:, :20, 3] == 0).all() and (kept[:, 28:, 3] > 100).all()


def test_extreme_shapes_dream():
    for shape in [(1, 1), (1, 500), (500, 1), (3, 2)]:
        picture = reverie.dream(np.full((*shape, 3), 0.5, np.float32), steps=1, precision="fp32")
        assert picture.pixels.shape[-2:] == shape


def test_names_are_refused_before_the_source_is_read():
    with pytest.raises(UnknownName, match="owl"):
        reverie.dream("missing.jpg", objective="owll")
    with pytest.raises(InputError, match="does not exist"):
        reverie.dream("missing.jpg", objective="owl")


def test_a_pillow_image_means_what_its_file_means(tmp_path):
    turned = Image.effect_noise((64, 48), 80).convert("RGBA")
    turned.putalpha(Image.linear_gradient("L").resize((64, 48)))
    exif = turned.getexif()
    exif[274] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as picture:
        seen = sources.opened(picture)
    expected = files.load(tmp_path / "turned.png")
    assert seen.pixels.shape == (1, 3, 64, 48)
    assert torch.equal(seen.pixels, expected.pixels)
    assert torch.equal(seen.alpha, expected.alpha)


def test_a_frame_on_the_way_can_be_kept_and_claims_no_record(tmp_path):
    path = tmp_path / "a.png"
    Image.effect_noise((96, 80), 80).convert("RGBA").save(path)
    job = reverie.job(path, octaves=2, steps=1, precision="fp32")
    first, last = [job.picture(frame) for frame in job.frames()]
    saved = first.save(tmp_path / "half.png")
    assert files.read_text(saved) is None
    assert first.alpha.shape[-2:] == first.pixels.shape[-2:] != last.pixels.shape[-2:]
    assert last.record is not None


def test_a_recipe_may_be_a_mapping():
    assert api.job(None, recipe={"steps": 3}, size="64").record.recipe.steps == 3


def test_replay_finds_a_source_relative_to_the_output(photo, tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    reverie.dream("../photo.png", **QUICK).save("z.png")
    monkeypatch.chdir(tmp_path)
    assert reverie.replay("sub/z.png").record.asset("source").path == "../photo.png"
