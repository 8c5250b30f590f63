"""Robustness transforms: against twins, against differences, and how their draws are distributed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reverie.pixels.transform import Transform, compose, crop, cut, grain, gray, turn
from tests.oracle import spectra
from tests.oracle.networks import noise

SEEDS = st.integers(0, 999)


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


ALL: dict[str, Transform] = {
    "gray": gray(2),
    "cut": cut(2),
    "turn": turn(20, 0.3),
    "turn-mirror": turn(170, 0.2, mirror=True),
    "crop": crop(0.6, 5),
    "grain": grain(0.1),
    "all": compose(gray(2), cut(2), turn(10, 0.1), cut(1), grain(0.05)),
}


@pytest.mark.parametrize("name", ALL)
def test_the_gradient_is_that_of_finite_differences(name: str) -> None:
    image = noise(1, 3, 6, 7, dtype=torch.float64).requires_grad_(True)
    for seed in (1, 2):
        assert torch.autograd.gradcheck(lambda x, seed=seed: ALL[name](x, drawn(seed)), image)


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_draws_the_same_for_every_picture_of_a_batch(name: str) -> None:
    image = noise(1, 3, 20, 24)
    one, same = (ALL[name](image.expand(2, -1, -1, -1), drawn(3)) for _ in range(2))
    assert torch.equal(one, same)
    if name not in ("grain", "all"):
        assert torch.equal(one[0], one[1])


def test_gray_lies_around_the_picture() -> None:
    image = noise(1, 3, 5, 6)
    seen = gray(4)(image, drawn())
    assert seen.shape == (1, 3, 13, 14)
    assert torch.equal(seen[..., 4:9, 4:10], image)
    seen[..., 4:9, 4:10] = 0.5
    assert (seen == 0.5).all()


def test_cut_reaches_every_window_equally_often() -> None:
    image, generator = torch.arange(36.0).view(1, 1, 6, 6), drawn()
    corners = [int(cut(2)(image, generator)[0, 0, 0, 0]) for _ in range(1800)]
    counts = np.bincount(corners, minlength=36)[[0, 1, 2, 6, 7, 8, 12, 13, 14]]
    assert counts.sum() == 1800 and (abs(counts - 200) < 5 * math.sqrt(200)).all()


def test_cut_leaves_at_least_a_pixel() -> None:
    assert cut(50)(noise(1, 3, 7, 1), drawn()).shape == (1, 3, 1, 1)


@given(st.integers(2, 12), st.integers(2, 12), st.floats(0, 180), st.floats(0, 0.8), SEEDS)
def test_turn_agrees_with_its_twin(h: int, w: int, degrees: float, zoom: float, seed: int) -> None:
    image = noise(1, 3, h, w, dtype=torch.float64)
    a, b = (2 * torch.rand(2, generator=drawn(seed), dtype=torch.float64) - 1).tolist()
    seen = turn(degrees, zoom)(image, drawn(seed))[0]
    if degrees or zoom:
        twin = np.stack([spectra.turned(each, degrees * a, 1 + zoom * b) for each in image[0].numpy()])
        np.testing.assert_allclose(seen.numpy(), twin, atol=1e-9)
    else:
        assert torch.equal(seen, image[0])


def test_turns_and_scales_are_spread_evenly_over_their_range() -> None:
    # A ramp to the right tells the angle by its slopes, the size of what is seen the scale.
    ramp = torch.linspace(0.3, 0.7, 101, dtype=torch.float64).expand(1, 3, 101, 101)
    generator, angles, scales = drawn(), [], []
    for _ in range(300):
        seen = turn(10, 0.1)(ramp, generator)[0, 0]
        scales.append(seen.shape[0] / 101)
        inner = seen[30:60, 30:60]
        angles.append(math.degrees(math.atan2(float(inner.diff(dim=0).mean()), float(inner.diff(dim=1).mean()))))
    for values, reach, middle in ((angles, 10, 0), (scales, 0.1, 1)):
        assert max(values) <= middle + reach * 1.05 and min(values) >= middle - reach * 1.05
        assert abs(np.mean(values) - middle) < 0.15 * reach
        assert abs(np.std(values) - reach / math.sqrt(3)) < 0.1 * reach


def test_mirror_fills_the_corners_with_the_picture() -> None:
    flat = torch.full((1, 3, 9, 9), 0.8)
    assert (turn(45, 0.5, mirror=True)(flat, drawn(1)) - flat.mean()).abs().max() < 1e-6
    assert float(turn(180, 0.0)(torch.zeros(1, 3, 40, 60), drawn(3)).max()) > 0.4


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.01, 1), SEEDS)
def test_a_crop_is_a_square_of_the_picture(h: int, w: int, share: float, seed: int) -> None:
    seen = crop(share, 8)(torch.full((2, 3, h, w), 0.25), drawn(seed))
    assert seen.shape == (2, 3, 8, 8)
    torch.testing.assert_close(seen, torch.full_like(seen, 0.25))


def test_crops_lie_around_the_middle_and_have_their_share() -> None:
    y, x = torch.meshgrid(torch.arange(100.0), torch.arange(100.0), indexing="ij")
    image, generator = torch.stack([y, x, y])[None], drawn()
    seen = torch.cat([crop(0.2, 10)(image, generator) for _ in range(400)])
    centers = seen[:, :2].mean((2, 3))
    assert (centers.mean(0) - 49.5).abs().max() < 2.5
    assert ((centers.std(0) > 12) & (centers.std(0) < 17)).all()
    sides = 10 * (seen[:, 0, -1, 5] - seen[:, 0, 0, 5]) / 9
    assert abs(float(sides.mean()) - 20) < 1 and float(sides.min()) > 13 and float(sides.max()) < 27


def test_grain_has_its_strength() -> None:
    added = grain(0.08)(torch.zeros(1, 3, 200, 200), drawn())
    assert abs(float(added.mean())) < 0.002
    assert abs(float(added.std()) - 0.08 * math.sqrt(1 + 1 / 12)) < 0.002
    flat = torch.zeros(1, 3, 4, 4)
    assert grain(0)(flat, drawn()) is flat
