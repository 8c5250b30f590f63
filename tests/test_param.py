"""Pixels: moved within 0..1, never in place."""

from __future__ import annotations

import torch

from reverie.param import Pixels
from tests.oracle.networks import noise


def test_pixels_are_their_image() -> None:
    x = noise(1, 3, 5, 6)
    assert Pixels(x).image() is x


def test_a_move_adds_the_change() -> None:
    x, change = noise(2, 3, 5, 6), noise(2, 3, 5, 6, seed=1) - 0.5
    torch.testing.assert_close(Pixels(x).moved(change).image(), x + change)


def test_a_move_ends_at_black_and_white() -> None:
    x, change = noise(1, 3, 5, 6), 8 * (noise(1, 3, 5, 6, seed=1) - 0.5)
    moved = Pixels(x).moved(change).image()
    assert float(moved.min()) == 0
    assert float(moved.max()) == 1
    torch.testing.assert_close(moved, (x + change).clamp(0, 1))


def test_a_move_leaves_the_picture_before_it_as_it_was() -> None:
    x = noise(1, 3, 5, 6)
    before = x.clone()
    Pixels(x).moved(torch.ones_like(x))
    assert torch.equal(x, before)
