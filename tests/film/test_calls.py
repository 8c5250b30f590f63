"""reverie.film.steps, zoom and video: iterators of images; their memory stays flat."""

from __future__ import annotations

import gc
import inspect
from pathlib import Path

import pytest
import torch

import reverie.film
from reverie.errors import UnknownName, UsageError
from reverie.film.making.zoom import zoom_frames
from reverie.film.settings import Zoom
from reverie.network import Network
from tests.oracle import clips
from tests.oracle.motion import clip, texture
from tests.support.films import job

FAST = {"steps": 1, "smallest": 32, "objective": "owl", "jitter": 2, "threads": 1}


def test_the_calls_are_iterators_of_images(tiny: Network) -> None:
    source = texture(0)[0, :, :48, :64]
    images = reverie.film.zoom(source, network=tiny, duration="0.2s", fps="10", **FAST)
    assert inspect.isgenerator(iter(images))
    assert [image.shape for image in images] == [(1, 3, 48, 64)] * 2
    ascent = list(reverie.film.steps(source, network=tiny, hold=0, **FAST))
    torch.testing.assert_close(ascent[0], source[None])
    assert reverie.film.__all__ == sorted(reverie.film.__all__)


def test_a_strange_option_is_said_before_the_first_image(tiny: Network) -> None:
    with pytest.raises(UnknownName, match="steps"):
        reverie.film.zoom(None, network=tiny, step=3)


def test_a_bad_keyframe_is_said_before_anything_is_written(tiny: Network) -> None:
    with pytest.raises(UsageError, match="seed cannot change"):
        reverie.film.zoom(texture(0)[0, :, :48, :64], network=tiny, at="0s seed=4", **FAST)


def test_a_video_file_is_dreamt(tiny: Network, tmp_path: Path) -> None:
    pytest.importorskip("av")
    pictures = [(each.permute(1, 2, 0) * 255).byte().numpy() for each in clip(4, (48, 64)).frames]
    clips.write(tmp_path / "clip.mp4", pictures)
    images = list(reverie.film.video(tmp_path / "clip.mp4", network=tiny, **FAST))
    assert len(images) == 4
    assert all(image.shape == (1, 3, 48, 64) for image in images)


def alive() -> int:
    gc.collect()
    return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())


def test_a_long_film_keeps_no_more_than_a_short_one(tiny: Network) -> None:
    takes = zoom_frames(job(tiny, steps=1), Zoom(duration="60s", fps="1", frame_steps=1))
    counts = [alive() for at, _ in enumerate(takes) if at in (10, 55)]
    assert counts[0] == counts[1]


@pytest.mark.slow
def test_resident_memory_at_frame_1000_is_that_of_frame_50(tiny: Network) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text("utf-8").split()[1])

    pages = {}
    for at, _ in enumerate(zoom_frames(job(tiny, steps=1), Zoom(duration="1001s", fps="1", frame_steps=1))):
        if at in (50, 1000):
            pages[at] = resident()
    assert pages[1000] < 1.05 * pages[50]
