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
from reverie.files import to_uint8
from reverie.film.reading.clip import Clip
from reverie.pixels import tone
from tests.oracle import clips
from tests.support.films import off


def shown(clip, *arguments, **options):
    return [(time, to_uint8(image)) for time, image in clip.frames(*arguments, **options)]


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


@pytest.mark.parametrize("flip", [1, -1], ids=["plain", "mirrored"])
@pytest.mark.parametrize("matrix", [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)], ids=str)
def test_a_mirrored_clip_is_shown_as_players_show_it(tmp_path, matrix, flip):
    picture = clips.patches(1, 48, 64)[0]
    a, b, c, d = (value * sign for value, sign in zip(matrix, (flip, 1, flip, 1), strict=True))
    path = clips.write(tmp_path / "mirrored.mp4", [picture] * 2, pix_fmt="yuv444p")
    clips.displayed(path, a, b, c, d)
    # Where each stored pixel goes, taken from the middle so that nothing leaves the picture.
    rows, columns = np.mgrid[0:48, 0:64]
    y, x = 2 * rows - 47, 2 * columns - 63
    across, down = a * x + c * y, b * x + d * y
    expected = np.zeros((48, 64, 3) if a else (64, 48, 3), np.uint8)
    expected[(down - down.min()) // 2, (across - across.min()) // 2] = picture
    clip = Clip(path)
    assert clip.size == expected.shape[:2]
    assert off(shown(clip)[0][1], expected) <= 3


def sweep(count, height=48, width=64):
    """A wave that moves 2 pixels from picture to picture."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [127 + 90 * np.sin((columns - 2 * at) / 6) + 30 * np.sin(rows / 7) for at in range(count)]
    return [np.repeat(wave.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2) for wave in waves]


@pytest.mark.parametrize(("codec", "suffix"), [("libx264", ".mp4"), ("mpeg2video", ".ts"), ("mpeg2video", ".avi")])
def test_interlaced_frames_lose_their_combs_and_none_is_lost(tmp_path, codec, suffix):
    moments = sweep(22)
    options = {"flags": "+ilme+ildct", "b": "9000000", **({"qp": "0"} if codec == "libx264" else {})}
    path = clips.write(tmp_path / f"woven{suffix}", clips.woven(moments), rate=25, codec=codec, options=options)
    clip = Clip(path)
    found = shown(clip)
    assert len(found) == clip.count == 11
    assert [float(time) for time, _ in found] == pytest.approx([at / 25 for at in range(11)], abs=1e-6)
    for (_, image), first, plain in zip(found, moments[::2], clips.woven(moments), strict=True):
        inner = (slice(4, -4), slice(4, -4))
        assert np.abs(image.astype(int) - first)[inner].mean() < 0.35 * np.abs(plain.astype(int) - first)[inner].mean()
    assert clip.notes == []


def test_a_part_of_an_interlaced_clip_is_the_same_as_read_through(tmp_path):
    options = {"flags": "+ilme+ildct", "g": "16"}
    path = clips.write(tmp_path / "long.mp4", clips.woven(sweep(200)), rate=8, options=options)
    clip = Clip(path)
    whole = [image for time, image in shown(clip) if time >= 11.5]
    part = [image for _, image in shown(clip, 11.5)]
    assert len(part) == len(whole) == 8
    assert all((a == b).all() for a, b in zip(part, whole, strict=True))


def test_progressive_frames_are_left_alone(tmp_path):
    pictures = sweep(4)
    path = clips.write(tmp_path / "plain.mkv", pictures, codec="ffv1", pix_fmt="yuv444p")
    for (_, image), rgb in zip(shown(Clip(path)), pictures, strict=True):
        assert np.abs(image.astype(int) - rgb).max() <= 3


@pytest.mark.parametrize(("transfer", "white", "name"), [(tone.PQ, 0.58069, "PQ"), (tone.HLG, 0.75, "HLG")])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_hdr_is_brought_into_what_a_display_shows(tmp_path, transfer, white, name, suffix):
    # Black, gray of 20 and 50 cd/m2, paper white, the brightest.
    levels = {tone.PQ: [0, 0.3559, 0.44028, white, 0.75183], tone.HLG: [0, 0.3389, 0.49708, white, 1]}[transfer]
    picture = np.repeat(np.round(np.repeat(levels, 16)[None, :, None] * 255), 32, 0).repeat(3, 2).astype(np.uint8)
    how = {"codec": "ffv1"} if suffix == ".mkv" else {}
    path = clips.write(tmp_path / f"hdr{suffix}", [picture] * 2, pix_fmt="yuv420p10le", matrix="bt2020",
                       transfer=transfer, primaries=9, **how)  # fmt: skip
    clip = Clip(path)
    image = next(clip.frames())[1][0, :, 16, 8::16]
    assert (image.amax(0) - image.amin(0)).max() < 0.01  # gray stays gray
    # Up to its knee the curve is straight, then it bends: paper lies below white, as HDR shows things above it.
    expected = [0, (20 / 203) ** (1 / 2.4), (50 / 203) ** (1 / 2.4), 0.903, 1]
    assert image[0].tolist() == pytest.approx(expected, abs=0.012)
    assert f"HDR ({name})" in clip.notes[0]


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
