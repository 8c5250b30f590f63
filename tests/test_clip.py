"""Films read: every frame once, at its time, upright, in its colors; and every bad file refused in one sentence."""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pytest
import torch

pytest.importorskip("av")

from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.errors import InputError, MissingError
from reverie.film.clip import Clip
from reverie.image import to_uint8
from tests.oracle import clips


def shown(clip, *arguments, **options):
    return [(time, to_uint8(image)) for time, image in clip.frames(*arguments, **options)]


def off(image, rgb, margin=4):
    """The largest difference in the middle of each flat patch of 16 pixels."""
    difference = np.abs(image.astype(int) - rgb[..., :3])
    middle = np.zeros(difference.shape[:2], bool)
    for y in range(0, rgb.shape[0] - 15, 16):
        for x in range(0, rgb.shape[1] - 15, 16):
            middle[y + margin : y + 16 - margin, x + margin : x + 16 - margin] = True
    return difference[middle].max()


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "yuv420p10le"])
def test_colors_come_back_through_every_matrix_and_range(tmp_path, matrix, full, pix_fmt):
    pictures = clips.patches(3)
    clip = Clip(clips.write(tmp_path / "clip.mkv", pictures, pix_fmt=pix_fmt, matrix=matrix, full=full, codec="ffv1"))
    for (_, image), rgb in zip(shown(clip), pictures, strict=True):
        assert off(image, rgb) <= 3


def test_an_untagged_clip_is_bt601_when_small_and_bt709_when_large(tmp_path):
    for size, matrix in (((48, 64), "bt601"), ((720, 1280), "bt709")):
        pictures = clips.patches(1, *size)
        path = clips.write(tmp_path / f"{matrix}.mkv", pictures, pix_fmt="yuv444p", matrix=matrix, tagged=False)
        assert off(shown(Clip(path))[0][1], pictures[0]) <= 3


def test_more_than_eight_bits_are_kept(tmp_path):
    ramp = np.linspace(0, 65_535, 256).astype(np.uint16)
    picture = np.repeat(np.broadcast_to(ramp, (16, 256))[..., None], 3, axis=2).copy()
    path = clips.write(tmp_path / "deep.mkv", [picture], codec="ffv1", pix_fmt="rgb48le", options={})
    clip = Clip(path)
    [(_, image)] = clip.frames()
    assert (image[0, 0, 0] * 65_535 - torch.from_numpy(ramp.astype(np.float32))).abs().max() < 1


def test_transparency_lies_over_black_and_that_is_said(tmp_path):
    picture = clips.patches(1)[0]
    alpha = np.full((48, 64, 1), 255, np.uint8)
    alpha[:16] = 0
    path = clips.write(tmp_path / "clear.mkv", [np.dstack([picture, alpha])], codec="ffv1", pix_fmt="yuva420p")
    clip = Clip(path)
    [(_, image)] = shown(clip)
    assert image[:12].max() <= 2 and off(image[16:], picture[16:]) <= 3
    assert "over black" in clip.notes[0]


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_turned_phone_stands_upright(tmp_path, angle):
    picture = clips.patches(1, 48, 64)[0]
    stored = np.rot90(picture, -angle // 90).copy()  # FFmpeg's angle is the counterclockwise turn that sets it right
    path = clips.write(tmp_path / "turned.mp4", [stored] * 2, pix_fmt="yuv444p", rotation=angle)
    clip = Clip(path)
    images = shown(clip)
    assert clip.size == picture.shape[:2]
    assert off(images[0][1], picture) <= 3


@pytest.mark.parametrize(("aspect", "size"), [(Fraction(4, 3), (48, 85)), (Fraction(1, 2), (96, 64))])
def test_pixels_become_square(tmp_path, aspect, size):
    clip = Clip(clips.write(tmp_path / "wide.mp4", clips.patches(2), aspect=aspect))
    assert clip.size == size
    assert all(image.shape[:2] == size for _, image in shown(clip))


@pytest.mark.parametrize("rate", [1, 24, Fraction(30_000, 1001), 240])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_frames_come_once_at_their_times(tmp_path, rate, suffix):
    pictures = clips.patches(11)
    clip = Clip(clips.write(tmp_path / f"clip{suffix}", pictures, rate=rate, options={"bf": "3", "crf": "10"}))
    found = shown(clip)
    assert clip.count == len(found) == 11 and not clip.variable
    assert clip.fps == pytest.approx(rate)
    assert [float(time) for time, _ in found] == pytest.approx([i / rate for i in range(11)], abs=0.00101)
    assert float(clip.duration) == pytest.approx(11 / rate, abs=0.005)
    for (_, image), rgb in zip(found, pictures, strict=True):
        assert off(image, rgb, 6) <= 24  # the right picture; x264 was lossy, and the first of each pair is another


@settings(max_examples=8)
@given(gaps=st.lists(st.integers(1, 400), min_size=2, max_size=12))
def test_a_variable_rate_keeps_every_time(tmp_path_factory, gaps):
    ticks = [0, *np.cumsum(gaps).tolist()]
    path = tmp_path_factory.mktemp("vfr") / "clip.mp4"
    clips.write(path, clips.patches(len(ticks)), ticks=ticks, time_base=Fraction(1, 1000))
    clip = Clip(path)
    assert [round(time * 1000) for time, _ in clip.frames()] == ticks
    assert clip.count == len(ticks)
    if max(gaps) - min(gaps) > 2:
        assert clip.variable


def test_a_range_is_cut_by_time_and_skips_what_is_done(tmp_path):
    pictures = clips.patches(48)
    clip = Clip(clips.write(tmp_path / "clip.mp4", pictures, rate=12, options={"g": "8", "bf": "2"}))
    whole = shown(clip)
    part = shown(clip, Fraction(1), Fraction(3, 2))
    assert [time for time, _ in part] == [Fraction(n, 12) for n in range(6)]
    assert all((a == b).all() for (_, a), (_, b) in zip(part, whole[12:18], strict=True))
    assert clip.expected(1, 1.5) == 6 and clip.expected() == 48
    again = shown(clip, Fraction(1), Fraction(3, 2), skip=4)
    assert [time for time, _ in again] == [Fraction(4, 12), Fraction(5, 12)]
    assert (again[0][1] == part[4][1]).all()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_late_range_is_sought_and_is_the_same_as_read_through(tmp_path, suffix):
    path = clips.write(tmp_path / f"long{suffix}", clips.patches(160), rate=8, options={"g": "16", "bf": "2"})
    clip = Clip(path)
    whole = [(time - 13, image) for time, image in shown(clip) if 13 <= time < 15]
    part = shown(clip, 13, 15)
    assert [time for time, _ in part] == [time for time, _ in whole] and len(part) == 16
    assert all((a == b).all() for (_, a), (_, b) in zip(part, whole, strict=True))


def test_sound_is_named_and_odd_sizes_are_kept(tmp_path):
    path = clips.write(tmp_path / "odd.mkv", clips.patches(3, 47, 63), codec="ffv1", sound="aac", seconds=0.2)
    clip = Clip(path)
    assert clip.sound == ("aac",) and clip.size == (47, 63)
    assert all(image.shape == (47, 63, 3) for _, image in shown(clip))


def test_a_cut_clip_gives_what_is_there_and_says_so(tmp_path):
    path = clips.write(tmp_path / "clip.mp4", clips.patches(40), options={"movflags": "faststart", "qp": "0"})
    whole = path.read_bytes()
    moov_first = tmp_path / "cut.mkv"
    clips.write(moov_first, clips.patches(40))
    data = moov_first.read_bytes()
    moov_first.write_bytes(data[: len(data) * 2 // 3])
    clip = Clip(moov_first)
    assert 10 < len(shown(clip)) < 40
    path.write_bytes(whole[: len(whole) // 2])  # without faststart the index was at the end
    with pytest.raises(InputError, match="cut short"):
        Clip(path)


def test_a_damaged_middle_costs_only_itself_and_is_said(tmp_path):
    path = clips.write(tmp_path / "clip.mp4", clips.patches(30), options={"g": "5", "crf": "20"})
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") + 4
    at += int.from_bytes(data[at - 8 : at - 4], "big") // 2
    data[at : at + 150] = bytes(150)
    path.write_bytes(bytes(data))
    clip = Clip(path)
    found = shown(clip)
    assert 20 <= len(found) <= 30
    if len(found) < 30:
        assert "damaged" in clip.notes[-1]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none.mp4", None, "does not exist"),
        ("empty.mp4", b"", "is empty"),
        ("text.mp4", b"I am no film. " * 400, "no video"),
        ("text.txt", b"I am no film. " * 400, "no video"),
        ("noise.mp4", np.random.default_rng(1).bytes(9000), "no video"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nother.ts\n", "no video"),
    ],
)
def test_what_is_no_film_is_refused(tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence) as caught:
        Clip(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name)) and "\n" not in str(caught.value)


def test_sound_alone_a_picture_a_folder_and_zero_frames_are_refused(tmp_path):
    from PIL import Image

    for suffix in (".mp4", ".ogg"):
        with pytest.raises(InputError, match="holds sound only"):
            Clip(clips.only_sound(tmp_path / f"song{suffix}", {".ogg": "libopus"}.get(suffix, "aac")))
    for suffix in (".png", ".jpg"):
        Image.new("RGB", (32, 32)).save(tmp_path / f"still{suffix}")
        with pytest.raises(InputError, match="reverie dream"):
            Clip(tmp_path / f"still{suffix}")
    with pytest.raises(InputError, match="a folder"):
        Clip(tmp_path)
    with pytest.raises(InputError, match=r"no frames|no video"):
        Clip(clips.write(tmp_path / "zero.mkv", []))


def test_names_that_ffmpeg_would_take_for_protocols_are_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clips.write(tmp_path / "plain.mp4", clips.patches(2))
    (tmp_path / "plain.mp4").rename("concat:a|b.mp4")
    assert Clip("concat:a|b.mp4").count == 2


def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingError, match=r"reverie\[video\]"):
        Clip(tmp_path / "clip.mp4")


def test_the_real_clip_is_read_whole(shared):
    clip = Clip(shared / "images" / "clip.mp4")
    assert (clip.size, clip.fps, clip.count) == ((720, 1280), 24, 100)
    times = [time for time, _ in clip.frames(3.5)]
    assert len(times) == 16
