"""Shooting: killed anywhere it goes on to the same bytes; sound, record and times arrive; memory stays flat."""

from __future__ import annotations

import json
import os
import resource
import signal
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("av")
pytest.importorskip("cv2")

from reverie.errors import InputError, OutputError, UsageError
from reverie.film import shooting
from reverie.film.frame import Take
from reverie.film.reading.clip import Clip
from reverie.film.settings import Video, Zoom
from reverie.film.writing import metadata
from tests.oracle import clips
from tests.support.films import moving

QUICK = {"steps": 1, "octaves": 1, "objective": "stage1", "precision": "fp32", "threads": 1}


@pytest.fixture
def clip(tmp_path):
    return clips.write(tmp_path / "clip.mp4", moving(6), rate=12, sound="aac", seconds=0.5)


def feedback(job, settings, done=None, index=0):
    """Takes that depend on every one before them: a chaotic map of noise."""
    state = torch.full((1, 3, 24, 32), 0.3) if done is None else done.state["dream"]
    total = round(float(settings.duration.removesuffix("s")) * int(settings.fps))
    for number in range(index, total):
        noise = torch.rand(state.shape, generator=torch.Generator().manual_seed(number))
        state = (3.7 * state * (1 - state) * 0.9 + 0.1 * noise).clamp(0, 1)
        yield Take(state, Fraction(number, int(settings.fps)), {"dream": state})


@pytest.fixture
def zoom(monkeypatch):
    """A zoom of 10 frames whose dreaming costs nothing."""
    monkeypatch.setattr(shooting.Film, "takes", lambda film, *at: feedback(film.job, film.settings, *at))

    def made(frames=10):
        settings = Zoom.of(fps="10", duration=f"{frames / 10}s")
        return shooting.make_film("zoom", np.zeros((24, 32, 3), np.uint8), settings, **QUICK)

    return made


def test_a_video_goes_through_whole(clip, tmp_path):
    made = shooting.make_film("video", clip, Video(), **QUICK)
    seen = []
    out = tmp_path / "out.mp4"
    assert shooting.shoot(made, out, on_shot=seen.append, poster=True, sheet=True) == [
        out,
        tmp_path / "out-poster.png",
        tmp_path / "out-sheet.png",
    ]
    assert [(shot.index, shot.total) for shot in seen] == [(n, 6) for n in range(6)]
    result = Clip(out)
    assert [time for time, _ in result.frames()] == [time for time, _ in Clip(clip).frames()]
    assert result.size == (48, 64) and result.fps == 12
    before, after = clips.packets(clip), clips.packets(out)
    assert [data for data, _ in before] == [data for data, _ in after]
    assert [time for _, time in after] == pytest.approx([time for _, time in before], abs=0.001)
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "clip.mp4", "out-poster.png", "out-sheet.png", "out.mp4"
    ]  # fmt: skip
    with Image.open(tmp_path / "out-sheet.png") as sheet:
        assert sheet.width > 4 * 300
    record = json.loads(metadata.read_film_text(out))
    assert record["film"] == "video" and record["assets"][0]["path"] == str(clip)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".webp", ".apng", ""])
def test_replay_makes_the_same_bytes(clip, tmp_path, suffix):
    out, again = tmp_path / f"out{suffix}", tmp_path / f"again{suffix}"
    settings = Video.of(range="0.1s..0.4s", every=2)
    shooting.shoot(shooting.make_film("video", clip, settings, **QUICK), out)
    assert shooting.is_film(out)
    shooting.shoot(shooting.replay_film(out), again)
    pairs = [(out, again)] if suffix else [(each, again / each.name) for each in out.iterdir()]
    assert all(a.read_bytes() == b.read_bytes() for a, b in pairs) and len(pairs) >= 1
    changed = shooting.replay_film(out, changes={"every": 1, "steps": 2})
    assert changed.settings.every == 1 and changed.job.plan.octaves[0].steps == 2
    clip.write_bytes(clip.read_bytes() + b"\0")
    with pytest.raises(InputError, match="SHA-256"):
        shooting.replay_film(out)


def test_a_film_is_not_replayed_as_a_picture(clip, tmp_path):
    from reverie import api

    out = tmp_path / "out.gif"
    shooting.shoot(shooting.make_film("video", clip, Video.of(range="..0.1s"), **QUICK), out)
    with pytest.raises(InputError, match="is a film"):
        api.replay(out)


def test_a_range_beyond_the_clip_is_refused(clip):
    with pytest.raises(UsageError, match="shows nothing of it"):
        shooting.make_film("video", clip, Video.of(range="9s..10s"), **QUICK)


def test_a_preview_is_small_and_has_few_frames(tmp_path):
    path = clips.write(tmp_path / "large.mp4", moving(12, 432, 768), rate=48)
    made = shooting.make_film("video", path, Video(), preview=True, **QUICK)
    assert max(made.job.plan.size) <= 480 and made.settings.every == 6 and made.total == 2
    shooting.shoot(made, tmp_path / "out.mp4")
    assert [time for time, _ in Clip(tmp_path / "out.mp4").frames()] == [0, Fraction(1, 8)]
    assert float(Clip(tmp_path / "out.mp4").duration) == pytest.approx(0.25, abs=0.003)


def killed(made, out, at):
    """Shoot in a child process that kills itself, as kill -9 does, at its ``at``-th write to the disk."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside torch's sleeping threads
        child = os.fork()
    if child == 0:
        count, fsync = 0, os.fsync

        def counted(descriptor):
            nonlocal count
            count += 1
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)
            fsync(descriptor)

        os.fsync = counted
        try:
            shooting.shoot(made, out)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def tree(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in ("lock", "reel.json")}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
@pytest.mark.parametrize(("frames", "points"), [(5, 4), pytest.param(60, 20, marks=pytest.mark.slow)])
def test_killed_at_any_write_it_goes_on_to_the_same_bytes(zoom, tmp_path, frames, points):
    whole = tmp_path / "whole.mp4"
    shooting.shoot(zoom(frames), whole, keep_reel=True)
    expected = tree(shooting.reel_of(whole))
    rng = np.random.default_rng(0)
    for number, at in enumerate(sorted(rng.choice(np.arange(1, frames * 5 + 3), points, replace=False).tolist())):
        out = tmp_path / f"killed{number}.mp4"
        assert killed(zoom(frames), out, at)
        kept = len(list(shooting.reel_of(out).glob("*.png")))
        made = []
        shooting.shoot(zoom(frames), out, keep_reel=True, on_shot=lambda shot, made=made: made.append(shot.index))
        assert len(made) <= frames - kept + 1  # at most one redone
        assert tree(shooting.reel_of(out)) == expected
        assert out.read_bytes() == whole.read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
def test_a_real_video_of_60_frames_killed_at_20_points(tmp_path):
    path = clips.write(tmp_path / "clip.mp4", moving(60), rate=12)
    whole = tmp_path / "whole.mp4"
    shooting.shoot(shooting.make_film("video", path, Video(), **QUICK), whole, keep_reel=True)
    expected, out = tree(shooting.reel_of(whole)), tmp_path / "out.mp4"
    for at in [1, 3, 4, 6, 11, *range(13, 28)]:
        killed(shooting.make_film("video", path, Video(), **QUICK), out, at)
    shooting.shoot(shooting.make_film("video", path, Video(), **QUICK), out, keep_reel=True)
    assert tree(shooting.reel_of(out)) == expected
    assert out.read_bytes() == whole.read_bytes()


def test_an_interrupted_video_goes_on_to_the_same_bytes(clip, tmp_path):
    def stop(shot):
        if shot.index == 2:
            raise KeyboardInterrupt

    shooting.shoot(shooting.make_film("video", clip, Video(), **QUICK), tmp_path / "whole.mp4")
    out, said = tmp_path / "out.mp4", []
    with pytest.raises(KeyboardInterrupt):
        shooting.shoot(shooting.make_film("video", clip, Video(), **QUICK), out, on_shot=stop)
    shooting.shoot(shooting.make_film("video", clip, Video(), **QUICK), out, on_note=said.append)
    assert out.read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert any("goes on behind frame 3" in each for each in said)
    assert not shooting.reel_of(out).exists()


@pytest.mark.parametrize("at", [0, 2])
def test_an_interrupted_loop_goes_on_to_the_same_bytes(tmp_path, at):
    picture, settings = clips.patches(1)[0], Zoom.of(loop=True, duration="0.5s", fps="8", zoom=2, spiral=0.2)

    def made():
        return shooting.make_film("zoom", picture, settings, **QUICK)

    def stop(shot):
        if shot.index == at:
            raise KeyboardInterrupt

    whole, out = tmp_path / "whole.mp4", tmp_path / "out.mp4"
    shooting.shoot(made(), whole)
    with pytest.raises(KeyboardInterrupt):
        shooting.shoot(made(), out, on_shot=stop)
    shooting.shoot(made(), out)
    assert Clip(out).count == 4 and out.read_bytes() == whole.read_bytes()


def test_other_settings_do_not_touch_a_reel_that_lies_there(zoom, tmp_path):
    out = tmp_path / "out.mp4"

    def stop(shot):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shooting.shoot(zoom(10), out, on_shot=stop)
    with pytest.raises(OutputError, match="another film"):
        shooting.shoot(zoom(11), out)
    assert len(list(shooting.reel_of(out).glob("*.png"))) == 1
    with pytest.raises(KeyboardInterrupt):
        shooting.shoot(zoom(10), out, on_shot=stop, overwrite=True)
    assert len(list(shooting.reel_of(out).glob("*.png"))) == 2  # --overwrite in the same command goes on too
    shooting.shoot(zoom(11), out, overwrite=True)
    assert Clip(out).count == 11


def test_another_machine_is_told(zoom, tmp_path):
    out, said = tmp_path / "out.mp4", []

    def stop(shot):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shooting.shoot(zoom(4), out, on_shot=stop)
    about = shooting.reel_of(out) / "reel.json"
    values = json.loads(about.read_text())
    values["about"] = values["about"].replace(torch.__version__, "2.0.0")
    about.write_text(json.dumps(values))
    shooting.shoot(zoom(4), out, on_note=said.append)
    assert any("begun with another torch" in each for each in said)


@pytest.mark.parametrize("frames", [150, pytest.param(1000, marks=pytest.mark.slow)])
def test_memory_stays_flat(zoom, tmp_path, frames):
    held = {}

    def look(shot):
        if shot.index in (50, frames - 1):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            held[shot.index] = pages * resource.getpagesize()

    if not Path("/proc/self/statm").exists():
        pytest.skip("no /proc here")
    shooting.shoot(zoom(frames), tmp_path / "out.mp4", on_shot=look)
    assert held[frames - 1] <= held[50] * 1.05
    assert Clip(tmp_path / "out.mp4").count == frames


def test_the_real_clip(shared, tmp_path):
    source = shared / "images" / "clip.mp4"
    made = shooting.make_film("video", source, Video.of(range="0s..0.2s"), size="96", **QUICK)
    shooting.shoot(made, tmp_path / "out.mp4")
    assert Clip(tmp_path / "out.mp4").count == 5
