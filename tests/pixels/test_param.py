"""Parameterizations: their image against numpy twins, their gradient against differences, start and move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from reverie.pixels.param import Fourier, Param, Phase, Pixels
from tests.oracle import spectra
from tests.oracle.networks import noise

KINDS: dict[str, Callable[[Tensor], Param]] = {
    "pixels": Pixels,
    "fourier": Fourier.of,
    "fourier-rgb": lambda image: Fourier.of(image, 0.7, False),
    "maco": Phase.of,
}
SIDE = st.integers(1, 24)


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


@given(st.floats(0, 1))
def test_with_headroom_a_change_shrinks_near_black_and_white(headroom: float) -> None:
    x, change = noise(2, 3, 5, 6).double(), 0.1 * (noise(2, 3, 5, 6, seed=1) - 0.5).double()
    values, wanted = x.numpy(), change.numpy()
    room = np.minimum(1, 2 * np.where(wanted > 0, 1 - values, values))
    room = np.average(room, 1, np.abs(wanted))[:, None]
    twin = np.clip(values + wanted * (1 - headroom + headroom * room), 0, 1)
    param = Pixels(x, headroom)
    np.testing.assert_allclose(param.moved(change).image().numpy(), twin, atol=1e-12)
    param.move((slice(1, 3), slice(2, 6)), change[..., 1:3, 2:6])
    np.testing.assert_allclose(x[..., 1:3, 2:6].numpy(), twin[..., 1:3, 2:6], atol=1e-12)


def test_with_full_headroom_nothing_burns_out() -> None:
    param = Pixels(torch.full((1, 3, 4, 4), 0.9), 1.0)
    for _ in range(200):
        param = param.moved(torch.full((1, 3, 4, 4), 0.05))
    assert 0.99 < float(param.image().max()) < 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_move_leaves_the_picture_before_it_as_it_was(kind: str) -> None:
    param = KINDS[kind](noise(1, 3, 6, 8))
    before = param.values.clone()
    moved = param.moved(torch.ones_like(before))
    assert torch.equal(param.values, before)
    assert type(moved) is type(param) and not torch.equal(moved.image(), param.image())


@pytest.mark.parametrize("kind", KINDS)
@given(h=SIDE, w=SIDE, batch=st.integers(1, 2))
def test_every_param_starts_at_the_picture_it_is_given(kind: str, h: int, w: int, batch: int) -> None:
    x = noise(batch, 3, h, w)
    x[..., 0, 0] = torch.tensor([0.0, 1.0, 0.5])
    image = KINDS[kind](x).image()
    assert image.shape == x.shape
    assert float(image.min()) >= 0 and float(image.max()) <= 1
    assert float((image - x).abs().max()) < 0.5 / 255


@given(h=SIDE, w=SIDE, decay=st.floats(0, 2), decorrelate=st.booleans())
def test_fourier_agrees_with_its_twin(h: int, w: int, decay: float, decorrelate: bool) -> None:
    values = 0.05 * (noise(1, 3, h, w // 2 + 1, 2, dtype=torch.float64) - 0.5)
    image = Fourier(values, (h, w), decay, decorrelate).image()
    twin = spectra.fourier(values[0].numpy(), h, w, decay, decorrelate)
    np.testing.assert_allclose(image[0].numpy(), twin, atol=1e-5)


@given(h=SIDE, w=SIDE)
def test_maco_agrees_with_its_twin(h: int, w: int) -> None:
    angles, magnitude = (noise(1, 3, h, w // 2 + 1, seed=at, dtype=torch.float64) for at in (0, 1))
    image = Phase(7 * angles, 4 * magnitude, (h, w)).image()
    twin = spectra.phase(7 * angles[0].numpy(), 4 * magnitude[0].numpy(), h, w)
    np.testing.assert_allclose(image[0].numpy(), twin, atol=1e-5)


@pytest.mark.parametrize("size", [(4, 6), (5, 5)])
@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_finite_differences(kind: str, size: tuple[int, int]) -> None:
    param = KINDS[kind](noise(1, 3, *size, dtype=torch.float64))
    assert param.values.dtype == torch.float64
    leaf = param.values.clone().requires_grad_(True)
    assert torch.autograd.gradcheck(lambda values: replace(param, values=values).image(), leaf)  # type: ignore[type-var]


def test_maco_keeps_every_magnitude_whatever_the_phases() -> None:
    param = Phase.of(noise(1, 3, 12, 16, dtype=torch.float64))
    moved = param.moved(3 * noise(*param.values.shape, seed=2, dtype=torch.float64))
    again = Phase.of(moved.image())
    inner = (..., slice(None), slice(1, -1))  # the edge columns must stay their own mirror images
    torch.testing.assert_close(again.magnitude[inner], param.magnitude[inner], rtol=0.05, atol=0.02)
    assert not torch.allclose(moved.image(), param.image(), atol=0.05)


@given(h=st.integers(4, 24), w=st.integers(4, 24), much=st.floats(0.1, 30), decorrelate=st.booleans())
def test_a_bounded_spectrum_keeps_light_and_contrast_whatever_the_change(
    h: int, w: int, much: float, decorrelate: bool
) -> None:
    start = Fourier.of(0.4 + 0.2 * noise(2, 3, h, w, dtype=torch.float64), 1.0, decorrelate, 0.9)
    change = much * (noise(*start.values.shape, seed=3, dtype=torch.float64) - 0.5)
    before, after = (
        np.log(seen / (1 - seen)) for seen in (param.image().numpy() for param in (start, start.moved(change)))
    )
    np.testing.assert_allclose(after.mean((2, 3)), before.mean((2, 3)), atol=1e-6)
    centered = after - after.mean((2, 3), keepdims=True)
    assert np.all(np.sqrt((centered**2).mean((1, 2, 3))) <= 0.9 + 1e-6)


def test_a_picture_with_more_contrast_than_the_bound_keeps_it() -> None:
    image = (noise(1, 3, 16, 16, dtype=torch.float64) > 0.5).double()
    start = Fourier.of(image, contrast=0.9)
    torch.testing.assert_close(start.moved(torch.zeros_like(start.values)).image(), start.image())
    assert start.contrast is not None and start.contrast > 4


@given(h=st.integers(4, 24), w=st.integers(4, 24))
def test_maco_keeps_the_mean_whatever_the_phases(h: int, w: int) -> None:
    start = Phase.of(0.2 + 0.1 * noise(1, 3, h, w, dtype=torch.float64), held=True)
    change = 9 * noise(*start.values.shape, seed=4, dtype=torch.float64)
    before, after = (param.image().logit().mean((2, 3)) for param in (start, start.moved(change)))
    # The edge columns' sines are dropped by the inverse transform; the mean is no part of them.
    torch.testing.assert_close(after, before, atol=1e-6, rtol=0)


def test_white_noise_in_a_fourier_spectrum_is_as_strong_in_every_octave_of_frequencies() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(8, 3, 128, 65, 2, generator=generator)
    spectrum = torch.fft.rfft2(Fourier(0.01 * values, (128, 128), 1.0, False).image().logit())
    cycles = torch.hypot(torch.fft.fftfreq(128)[:, None], torch.fft.rfftfreq(128)[None]) * 128
    energy = spectrum.abs().square().mean((0, 1))
    rings = [float(energy[(cycles >= low) & (cycles < 2 * low)].sum()) for low in (4, 8, 16, 32)]
    assert max(rings) < 1.25 * min(rings)
