"""Camera moves against arithmetic by hand, and their independence of the frame rate."""

from __future__ import annotations

import cmath
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reverie.film.making.camera import Move, move, seen
from reverie.film.settings import Zoom
from reverie.pixels.ops import resize

SPEEDS = {
    "zoom": st.floats(0.5, 2.0),
    "rotate": st.floats(-90, 90),
    "pan_x": st.floats(-0.5, 0.5),
    "pan_y": st.floats(-0.5, 0.5),
}


def moved(settings: Zoom, start: float, stop: float) -> Move:
    return move(lambda time: settings, start, stop)


def smooth(height: int, width: int) -> torch.Tensor:
    noise = torch.rand(1, 3, height // 8, width // 8, generator=torch.Generator().manual_seed(0))
    return resize(noise, (height, width))


def close(a: Move, b: Move, within: float) -> bool:
    return abs(a.turn - b.turn) < within and abs(a.shift - b.shift) < within


@given(st.builds(Zoom, **SPEEDS), st.integers(1, 60), st.integers(1, 60))
def test_the_frame_rate_does_not_change_the_motion(settings: Zoom, few: int, many: int) -> None:
    for rate in (few, many):
        whole = Move()
        for at in range(rate):
            whole = whole.then(moved(settings, at / rate, (at + 1) / rate))
        assert close(whole, moved(settings, 0, 1), 1e-6)


def test_a_spiral_does_not_depend_on_the_frame_rate_either() -> None:
    settings = Zoom(zoom=1.4, spiral=0.3, period=3.0, rotate=20)
    ends = []
    for rate in (10, 24, 60):
        whole = Move()
        for at in range(2 * rate):
            whole = whole.then(moved(settings, at / rate, (at + 1) / rate))
        ends.append(whole)
    assert close(ends[0], ends[1], 1e-3) and close(ends[1], ends[2], 1e-3)


def test_speeds_are_per_second() -> None:
    assert moved(Zoom(zoom=2.0), 0, 1).turn == pytest.approx(0.5)
    assert moved(Zoom(zoom=2.0), 0, 3).turn == pytest.approx(0.125)
    assert cmath.phase(moved(Zoom(zoom=1.0, rotate=30), 0, 2).turn) == pytest.approx(math.radians(60))
    assert moved(Zoom(zoom=1.0, pan_x=0.1, pan_y=-0.2), 0, 2).shift == pytest.approx(0.2 - 0.4j)


def test_the_point_dived_into_stays() -> None:
    found = moved(Zoom(zoom=1.5, spiral=0.3, period=1e3), 0, 0.1)
    assert found.turn * 0.3 + found.shift == pytest.approx(0.3, abs=1e-4)


@given(st.builds(Zoom, **SPEEDS))
def test_a_move_and_its_undoing_are_none(settings: Zoom) -> None:
    found = moved(settings, 0, 1)
    assert close(found.then(found.back()), Move(), 1e-9)


def test_zoom_enlarges_and_a_turn_is_counterclockwise() -> None:
    image = torch.zeros(1, 3, 65, 65)
    image[..., 30:35, 40:45] = 1.0  # to the right of the middle
    larger = seen(image, moved(Zoom(zoom=2.0), 0, 1))
    assert larger.mean() / image.mean() == pytest.approx(4, rel=0.1)
    image = smooth(64, 64)
    turned = seen(image, moved(Zoom(zoom=1.0, rotate=90), 0, 1))
    torch.testing.assert_close(turned, image.rot90(1, (-2, -1)), atol=0.02, rtol=0)


def test_pan_to_the_right_moves_the_picture_left_by_whole_pixels() -> None:
    image = smooth(40, 60)
    shifted = seen(image, moved(Zoom(zoom=1.0, pan_x=0.1, pan_y=0.05), 0, 1))
    torch.testing.assert_close(shifted[..., :38, :56], image[..., 2:, 4:], atol=5e-3, rtol=0)


def test_drawing_far_back_does_not_alias() -> None:
    grid = (torch.arange(96) % 2).float().expand(1, 3, 96, -1)
    assert seen(grid, Move(6.0))[..., 40:56, 40:56].std() < 0.1


def test_no_move_changes_nothing() -> None:
    image = torch.rand(1, 3, 33, 57, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(seen(image, Move()), image, atol=1e-5, rtol=0)


def test_pixels_that_do_not_move_blur_like_all_others() -> None:
    noise = torch.rand(1, 1, 129, 129, generator=torch.Generator().manual_seed(0))
    once = noise
    for _ in range(30):
        once = seen(once, Move(1 / 1.01))
    sharp = (once[..., 1:] - once[..., :-1]).abs()
    assert sharp[..., 62:67].mean() < 1.3 * sharp[..., 20:110].mean()
