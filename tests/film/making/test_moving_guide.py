"""Guides that are videos: the frame of the film's time guides, round and round; record, replay and resume know them."""

from __future__ import annotations

import gc
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("av")

import reverie
from reverie.cli import main
from reverie.errors import InputError, UsageError
from reverie.files import save
from reverie.film import shooting
from reverie.film.making.moving_guide import Moving, Projector, moving, open_guide
from reverie.film.reading.clip import Clip
from reverie.film.settings import Steps, Video, Zoom
from reverie.network import Network
from tests.oracle import clips
from tests.oracle.motion import texture

FAST = {"steps": 1, "octaves": 1, "jitter": 2, "precision": "fp32", "threads": 1}


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    return clips.write(tmp_path / "guide.mp4", clips.patches(4, seed=5), rate=4)


@pytest.fixture
def source() -> torch.Tensor:
    return texture(0)[0, :, :48, :64]


def zoom(tiny: Network, source: Any, guide: str, duration: str = "2s", **options: Any) -> shooting.Film:
    settings = Zoom.of(duration=duration, fps="4", frame_steps=1)
    return shooting.make_film("zoom", source, settings, network=tiny, guide=guide, **FAST, **options)


def test_the_frame_of_the_time_is_shown_round_and_round(tmp_path: Path) -> None:
    ticks = [0, 100, 150, 400, 500]
    path = clips.write(tmp_path / "guide.mkv", clips.patches(5), ticks=ticks, time_base=Fraction(1, 1000), codec="ffv1")
    clip = Clip(path)
    images, length = [image for _, image in clip.frames()], clip.timing.end
    assert length > Fraction(500, 1000)
    screen = Projector(clip)
    for turn in range(3):
        for millisecond, at in [(0, 0), (99, 0), (100, 1), (151, 2), (399, 2), (499, 3), (510, 4)]:
            time = turn * length + Fraction(millisecond, 1000)
            assert torch.equal(screen.at(time), images[at])
            assert torch.equal(Projector(clip).at(time), images[at])  # as one that goes on after a stop
    assert screen.at(time) is screen.at(time)


def test_where_a_damaged_clip_has_no_frame_the_last_one_stays(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "cut.mkv", clips.patches(40), rate=4)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    *_, (time, last) = Clip(path).frames()
    assert torch.equal(Projector(Clip(path)).at(time + Fraction(1, 100)), last)


def test_what_is_a_moving_guide_is_told_by_content(guide: Path, tmp_path: Path) -> None:
    found = moving(guide)
    assert isinstance(found, Moving) and found.pixels.shape == (1, 3, 48, 64) and found.name == str(guide)
    pictures = [Image.fromarray(each) for each in clips.patches(3)]
    pictures[0].save(tmp_path / "moves.gif", save_all=True, append_images=pictures[1:], duration=100)
    pictures[0].save(tmp_path / "stands.gif")
    pictures[0].save(tmp_path / "photo.png")
    guide.rename(tmp_path / "guide.png")
    assert moving(tmp_path / "moves.gif") and moving(tmp_path / "guide.png")
    assert not any(moving(each) for each in (tmp_path / "stands.gif", tmp_path / "photo.png", tmp_path, "none.mp4", 7))
    assert not isinstance(open_guide(tmp_path / "photo.png"), Moving)


@pytest.mark.parametrize("objective", ["", "direction(relu2, '{}') + 0.5*owl"], ids=["guide", "direction"])
def test_every_frame_is_guided_by_the_frame_of_its_time(
    tiny: Network, source: torch.Tensor, guide: Path, tmp_path: Path, objective: str
) -> None:
    images = [image for _, image in Clip(guide).frames()]
    stills = [save(tmp_path / f"{at}.png", image) for at, image in enumerate(images)]

    def takes(file: Path) -> list[torch.Tensor]:
        how = {"objective": objective.format(file)} if objective else {"guide": f"{file}@relu2*0.5"}
        settings = Video.of(transport="none")
        path = clips.write(tmp_path / "clip.mp4", [np.full((48, 64, 3), 90, np.uint8)] * 5, rate=4)
        made = shooting.make_film("video", path, settings, network=tiny, **FAST, **how)
        return [take.image for take in made.takes()]

    followed = takes(guide)
    for at, still in enumerate([*stills, stills[0]]):  # after its end the guide begins anew
        alone = takes(still)
        assert torch.equal(followed[at], alone[at])
    assert not torch.equal(takes(stills[0])[1], followed[1])


def test_a_zoom_goes_on_to_the_same_bytes_and_knows_its_guide(
    tiny: Network, source: torch.Tensor, guide: Path, tmp_path: Path
) -> None:
    text, out = f"{guide}@relu2", tmp_path / "out.gif"
    shooting.shoot(zoom(tiny, source, text), tmp_path / "whole.gif")

    def stop(shot: shooting.Shot) -> None:
        if shot.index == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shooting.shoot(zoom(tiny, source, text), out, on_shot=stop)
    shooting.shoot(zoom(tiny, source, text), out)
    assert out.read_bytes() == (tmp_path / "whole.gif").read_bytes()

    made = zoom(tiny, source, text)
    asset = made.record.asset("guide")
    assert asset and (asset.path, asset.sha256) == (str(guide), Clip(guide).digest())
    clips.write(guide, clips.patches(4, seed=6), rate=4)
    assert zoom(tiny, source, text).fingerprint != made.fingerprint


def test_a_film_with_a_moving_guide_is_replayed_wherever_the_guide_lies(
    guide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.effect_noise((64, 48), 80).convert("RGB").save("photo.png")
    quick = ["--steps", "1", "--octaves", "1", "--duration", "0.75s", "--fps", "4", "--precision", "fp32"]
    assert main(["film", "zoom", "photo.png", "--guide", "guide.mp4@stage1*0.5", "--out", "out.gif", *quick]) == 0
    for place in ("guide.mp4", "elsewhere/guide.mp4"):
        Path(place).parent.mkdir(exist_ok=True)
        guide = guide.rename(tmp_path / place)
        found = [] if place == "guide.mp4" else ["--asset", place]
        assert main(["replay", "out.gif", "--out", "again.gif", "--overwrite", "--quiet", *found]) == 0
        assert Path("again.gif").read_bytes() == Path("out.gif").read_bytes()
    clips.write(Path("guide.mp4"), clips.patches(4, seed=9))
    assert main(["replay", "out.gif", "--out", "other.gif"]) == 3
    assert "SHA-256" in capsys.readouterr().err and not Path("other.gif").exists()


def test_a_still_refuses_it_in_one_sentence(tiny: Network, source: torch.Tensor, guide: Path) -> None:
    for suffix, codec in ((".mp4", "libx264"), (".mkv", "mpeg4"), (".avi", "mpeg4"), (".webm", "libvpx")):
        path = clips.write(guide.with_suffix(suffix), clips.patches(2), codec=codec)
        with pytest.raises(InputError, match=r"is a video; .*film") as caught:
            reverie.dream(source, network=tiny, guide=str(path), **FAST)
        assert str(caught.value).startswith(str(path)) and str(caught.value).count(". ") == 0
    with pytest.raises(InputError, match="is a video"):
        shooting.make_film("steps", source, Steps(), network=tiny, guide=str(guide), **FAST)
    with pytest.raises(InputError, match="is a video"):
        reverie.dream(str(guide), network=tiny, **FAST)


def test_a_guide_that_cannot_be_read_says_what_is_wrong(tiny: Network, source: torch.Tensor, tmp_path: Path) -> None:
    song = clips.only_sound(tmp_path / "song.mp4")
    (tmp_path / "text.mp4").write_text("I am no film. " * 99)
    text = tmp_path / "text.mp4"
    for file, sentence in ((song, "holds sound only"), (text, "no picture"), ("none.mp4", "not exist"),
                           ("x" * 300, "cannot be read")):
        with pytest.raises(InputError, match=sentence):
            zoom(tiny, source, f"{file}@relu2")
    for leg in (f"direction(relu2, '{song}') for 2s", "relu2|mask.png for 2s"):
        with pytest.raises(UsageError, match="through names the file"):
            shooting.make_film("zoom", source, Zoom.of(through=(leg,)), network=tiny, **FAST)


def test_a_long_film_keeps_no_more_of_its_guide(tiny: Network, source: torch.Tensor, guide: Path) -> None:
    def alive() -> int:
        gc.collect()
        return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())

    takes = zoom(tiny, source, f"{guide}@relu2", duration="12s").takes()
    counts = [alive() for at, _ in enumerate(takes) if at in (9, 41)]
    assert counts[0] == counts[1]
