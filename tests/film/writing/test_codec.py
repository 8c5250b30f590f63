"""Films written: read back by decoders that are not ours, frame for frame, tick for tick, byte for byte."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("av")

import av

from reverie.errors import InputError, MissingError, OutputError
from reverie.film.reading.clip import Clip
from reverie.film.reading.sound import TimeSpan
from reverie.film.writing import metadata
from reverie.film.writing.codec import FORMATS, ticks, write_film
from tests.oracle import clips
from tests.support.films import off

TEXT = '{"recipe": "α <owl> & \\"rose\\"", "long": "' + "x" * 3000 + '"}'


class Footage:
    def __init__(self, pictures, times):
        self.pictures, self.times = pictures, [Fraction(time) for time in times]

    def picture(self, index):
        return self.pictures[index]


def footage(count=7, rate=24, height=48, width=64):
    return Footage(clips.patches(count, height, width), [Fraction(n) / rate for n in range(count)])


def pillow(path):
    with Image.open(path) as film:
        found = []
        for index in range(film.n_frames):
            film.seek(index)
            film.load()
            found.append((film.info["duration"], np.array(film.convert("RGB"))))
        return found


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_every_frame_comes_out_in_its_color_at_its_time(tmp_path, suffix):
    made, path = footage(9), tmp_path / f"film{suffix}"
    assert write_film(path, made, until=Fraction(9, 24), text=TEXT) == []
    found = clips.decoded(path)
    assert [time for time, _ in found] == pytest.approx([n / 24 for n in range(9)], abs=0.0006)
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        context = stream.codec_context
        assert (context.pix_fmt, context.colorspace, context.color_range) == ("yuv420p", 1, 1)
        assert film.duration / 1e6 == pytest.approx(9 / 24, abs=0.002)
        frames = [clips_rgb(frame) for frame in film.decode(video=0)]
    assert max(off(rgb, picture, 6) for rgb, picture in zip(frames, made.pictures, strict=True)) <= 8
    assert metadata.read_film_text(path) == TEXT
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def clips_rgb(frame):
    """A BT.709 limited 4:2:0 frame as RGB by numpy."""
    y, cb, cr = (
        np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width].astype(float)
        for plane in frame.planes
    )
    cb, cr = (np.kron(each, np.ones((2, 2)))[: y.shape[0], : y.shape[1]] - 128 for each in (cb, cr))
    y, kr, kb = (y - 16) / 219, 0.2126, 0.0722
    r, b = y + cr / 112 * (1 - kr), y + cb / 112 * (1 - kb)
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    return np.clip(np.rint(np.dstack([r, g, b]) * 255), 0, 255).astype(np.uint8)


def test_an_mp4_plays_before_it_is_loaded(tmp_path):
    write_film(tmp_path / "film.mp4", footage(), until=Fraction(7, 24))
    data = (tmp_path / "film.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("suffix", [".apng", ".webp", ".gif"])
def test_moving_pictures_are_read_by_pillow(tmp_path, suffix):
    made, path = footage(6, 20), tmp_path / f"film{suffix}"
    assert write_film(path, made, until=Fraction(6, 20), text=TEXT) == []
    found = pillow(path)
    assert [duration for duration, _ in found] == [50] * 6
    worst = {".apng": 0, ".webp": 12, ".gif": 40}[suffix]
    assert max(off(rgb, picture, 6) for (_, rgb), picture in zip(found, made.pictures, strict=True)) <= worst
    assert metadata.read_film_text(path) == TEXT
    with Image.open(path) as film:
        assert film.info["loop"] == 0


def test_a_gif_of_smooth_color_has_a_palette_of_its_own(tmp_path):
    y, x = np.mgrid[0:64, 0:96] / 96
    pictures = [np.dstack([255 * x, 140 * y + 40, 90 + 80 * np.sin(x * 3 + n)]).astype(np.uint8) for n in range(5)]
    write_film(tmp_path / "film.gif", Footage(pictures, [Fraction(n, 10) for n in range(5)]), until=Fraction(1, 2))
    for (_, rgb), picture in zip(pillow(tmp_path / "film.gif"), pictures, strict=True):
        small = [Image.fromarray(each).resize((12, 8), Image.Resampling.BOX) for each in (rgb, picture)]
        blurred = [np.array(each, int) for each in small]
        difference = np.abs(blurred[0] - blurred[1])
        assert difference.mean() <= 4 and difference.max() <= 32


def test_a_folder_holds_every_frame_to_the_bit(tmp_path):
    made, path = footage(5), tmp_path / "frames"
    write_film(path, made, until=Fraction(5, 24), text=TEXT)
    found = sorted(path.glob("*.png"))
    assert len(found) == 5 and metadata.read_film_text(path) == TEXT
    for each, picture in zip(found, made.pictures, strict=True):
        assert np.array_equal(np.array(Image.open(each)), picture)
    with pytest.raises(OutputError, match="not empty"):
        write_film(path, made, until=Fraction(5, 24))
    write_film(path, footage(3), until=Fraction(3, 24), overwrite=True)
    assert len(list(path.glob("*.png"))) == 3
    for name in ("mine.txt", "3.png", "000003.png"):
        (path / name).write_text("keep")
        with pytest.raises(OutputError, match="not empty"):
            write_film(path, made, until=Fraction(5, 24), overwrite=True)
        assert (path / name).read_text() == "keep"
        (path / name).unlink()


def test_a_folder_of_numbered_pictures_without_our_record_is_nobodys_to_replace(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    Image.new("RGB", (4, 4)).save(mine / "001.png")
    for record in (None, "{}", "[]", '{"times": 1}', "nonsense"):
        if record is not None:
            (mine / metadata.FOLDER_RECORD).write_text(record)
        with pytest.raises(OutputError, match="more than a film of Reverie"):
            write_film(mine, footage(2), until=Fraction(2, 24), overwrite=True)
        assert (mine / "001.png").exists()


@pytest.mark.parametrize("suffix", [*FORMATS])
@pytest.mark.parametrize("size", [(47, 63), (17, 16), (1, 1)])
def test_odd_sides_work_everywhere(tmp_path, suffix, size):
    made, path = footage(3, 10, *size), tmp_path / f"film{suffix}"
    write_film(path, made, until=Fraction(3, 10))
    if suffix in (".gif", ".apng", ".webp"):
        assert [rgb.shape[:2] for _, rgb in pillow(path)] == [size] * 3
        return
    even = suffix != ".webm"
    shown = (size[0] + size[0] % 2, size[1] + size[1] % 2) if even else size
    assert [rgb.shape[:2] for _, rgb in clips.decoded(path)] == [shown] * 3


@pytest.mark.parametrize("rate", [1, Fraction(30_000, 1001), 240])
@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".apng"])
def test_any_rate_keeps_its_times_to_the_millisecond(tmp_path, suffix, rate):
    count = 8
    write_film(tmp_path / f"film{suffix}", footage(count, rate), until=Fraction(count) / rate)
    clip = Clip(tmp_path / f"film{suffix}")
    assert [float(time) for time, _ in clip.frames()] == pytest.approx([n / rate for n in range(count)], abs=0.001)
    assert clip.count == count and float(clip.fps) == pytest.approx(float(rate), rel=0.02)


def test_a_variable_rate_is_written_as_it_was_read(tmp_path):
    at = [0, 40, 41, 300, 305, 1000]
    source = clips.write(tmp_path / "in.mp4", clips.patches(6), ticks=at, time_base=Fraction(1, 1000))
    clip = Clip(source)
    for suffix in (".mp4", ".webm", ".mkv", ".apng"):
        made = Footage(clips.patches(6), [time for time, _ in clip.frames()])
        write_film(tmp_path / f"out{suffix}", made, until=clip.timing.end)
        assert [round(time * 1000) for time, _ in Clip(tmp_path / f"out{suffix}").frames()] == at


def test_a_gif_of_too_many_frames_a_second_keeps_them_all_and_says_so(tmp_path):
    [note] = write_film(tmp_path / "film.gif", footage(8, 100), until=Fraction(8, 100))
    assert "2.0 times slower" in note
    assert [duration for duration, _ in pillow(tmp_path / "film.gif")] == [20] * 8


def test_ticks_are_exact_where_they_can_be():
    marks, tick = ticks([Fraction(n * 1001, 30_000) for n in range(4)], Fraction(4 * 1001, 30_000), None)
    assert [mark * tick for mark in marks] == [Fraction(n * 1001, 30_000) for n in range(5)]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_is_passed_through_to_the_bit_and_the_millisecond(tmp_path, suffix):
    source = clips.write(tmp_path / "in.mp4", clips.patches(24), sound="aac", seconds=1)
    clip, made = Clip(source), footage(24)
    assert write_film(tmp_path / f"out{suffix}", made, until=Fraction(1), sound=TimeSpan(clip)) == []
    before, after = clips.packets(source), clips.packets(tmp_path / f"out{suffix}")
    assert [data for data, _ in after] == [data for data, _ in before] and len(before) > 40
    # Matroska has no times below 0: all of the film moves by AAC's first packet, the pictures too.
    shift = clips.decoded(tmp_path / f"out{suffix}")[0][0]
    assert (suffix == ".mkv") == (shift > 0)
    assert [time - shift for _, time in after] == pytest.approx([time for _, time in before], abs=0.00101)


def test_the_sound_of_a_range_begins_where_the_range_does(tmp_path):
    source = clips.write(tmp_path / "in.mp4", clips.patches(48), sound="aac", seconds=2)
    span = TimeSpan(Clip(source), Fraction(1, 2), Fraction(3, 2))
    write_film(tmp_path / "out.mp4", footage(24), until=Fraction(1), sound=span)
    expected = [(data, time - 0.5) for data, time in clips.packets(source) if 0.5 <= time < 1.5]
    found = clips.packets(tmp_path / "out.mp4")
    assert [data for data, _ in found] == [data for data, _ in expected]
    assert [time for _, time in found] == pytest.approx([time for _, time in expected], abs=0.001)


def test_sound_that_does_not_fit_is_encoded_anew_and_that_is_said(tmp_path):
    source = clips.write(tmp_path / "in.mp4", clips.patches(24), sound="aac", seconds=1)
    [note] = write_film(tmp_path / "out.webm", footage(24), until=Fraction(1), sound=TimeSpan(Clip(source)))
    assert "became libopus" in note
    with av.open(str(tmp_path / "out.webm")) as film:
        heard = np.concatenate([each.to_ndarray() for each in film.decode(audio=0)], axis=1)
    strength = np.abs(np.fft.rfft(heard[0][4800:43_200]))
    assert np.argmax(strength) * 48_000 / 38_400 == pytest.approx(440, abs=2)
    assert heard.shape[1] / 48_000 == pytest.approx(1, abs=0.05)


def test_a_format_without_sound_says_so(tmp_path):
    clip = Clip(clips.write(tmp_path / "in.mp4", clips.patches(4), sound="aac", seconds=0.2))
    for name in ("out.gif", "frames"):
        [note] = write_film(tmp_path / name, footage(4), until=Fraction(4, 24), sound=TimeSpan(clip))
        assert "no sound" in note


def test_equal_films_are_equal_bytes(tmp_path):
    for suffix in FORMATS:
        for name in ("a", "b"):
            write_film(tmp_path / f"{name}{suffix}", footage(), until=Fraction(7, 24), text=TEXT)
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("film.xyz", "no suffix of a film"),
        ("no/film.mp4", "folder that does not exist"),
        ("there.mp4", "exists already"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is_left(tmp_path, name, sentence):
    (tmp_path / "there.mp4").write_bytes(b"mine")
    with pytest.raises(OutputError, match=sentence):
        write_film(tmp_path / name, footage(), until=Fraction(7, 24))
    assert [each.name for each in tmp_path.iterdir()] == ["there.mp4"]
    assert (tmp_path / "there.mp4").read_bytes() == b"mine"


def test_a_missing_encoder_names_the_remedy(tmp_path, monkeypatch):
    def none(name, mode):
        raise ValueError(name)

    monkeypatch.setattr(av.codec, "Codec", none)
    with pytest.raises(MissingError, match=r"no encoder libx264 for \.mp4"):
        write_film(tmp_path / "film.mp4", footage(), until=Fraction(7, 24))


@pytest.mark.parametrize("suffix", [".mp4", ""])
def test_a_full_disk_leaves_nothing_behind(tmp_path, suffix):
    script = f"""
import resource, signal
from fractions import Fraction
from pathlib import Path
from tests.film.writing.test_codec import Footage, write_film
import numpy as np
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
pictures = [np.random.default_rng(n).integers(0, 256, (96, 96, 3)).astype(np.uint8) for n in range(6)]
try:
    write_film(Path({str(tmp_path / ("film" + suffix))!r}), Footage(pictures, range(6)), until=Fraction(6))
except BaseException as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("OutputError") and "cannot be written" in done.stdout, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_text_is_looked_for_in_films_only(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"no film at all")
    with pytest.raises(InputError):
        metadata.read_film_text(tmp_path / "film.mp4")
    with pytest.raises(InputError, match="folder"):
        metadata.read_film_text(tmp_path)
    assert metadata.read_film_text(clips.write(tmp_path / "other.mp4", clips.patches(2))) is None


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        ("ac3", ".mp4"),
        ("alac", ".mp4"),
        ("flac", ".mp4"),
        ("libopus", ".mp4"),
        ("libopus", ".webm"),
        ("pcm_s16le", ".mov"),
        ("pcm_s16le", ".mkv"),
        ("flac", ".mkv"),
    ],
)
def test_other_sound_is_passed_through_too(tmp_path, codec, suffix):
    source = clips.write(tmp_path / "in.mkv", clips.patches(12), sound=codec, seconds=0.5)
    assert write_film(tmp_path / f"out{suffix}", footage(12), until=Fraction(1, 2), sound=TimeSpan(Clip(source))) == []
    before, after = clips.packets(source), clips.packets(tmp_path / f"out{suffix}")
    assert b"".join(data for data, _ in before) == b"".join(data for data, _ in after)
    # Matroska's times are whole milliseconds, and Opus may begin before 0 there and not in MP4.
    assert [time - after[0][1] for _, time in after] == pytest.approx(
        [time - before[0][1] for _, time in before], abs=0.0021
    ) or suffix == ".mov"
    assert abs(after[0][1] - before[0][1]) < 0.008


def test_sound_that_an_mp4_does_not_hold_becomes_aac(tmp_path):
    source = clips.write(tmp_path / "in.mkv", clips.patches(12), sound="pcm_s16le", seconds=0.5)
    [note] = write_film(tmp_path / "out.mp4", footage(12), until=Fraction(1, 2), sound=TimeSpan(Clip(source)))
    assert "pcm_s16le" in note and "became aac" in note
    assert Clip(tmp_path / "out.mp4").sound == ("aac",)
