"""Spectra against numpy twins, colors there and back, and the noise that pictures start at."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reverie.pixels import spectrum
from tests.oracle import spectra
from tests.oracle.networks import noise

MEAN = (0.485, 0.456, 0.406)


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_colors_agree_with_the_published_table() -> None:
    x = noise(2, 3, 5, 4, dtype=torch.float64)
    twin = np.einsum("rc,bchw->brhw", spectra.colors(), x.numpy())
    np.testing.assert_allclose(spectrum.correlated(x).numpy(), twin, atol=1e-12)
    torch.testing.assert_close(spectrum.decorrelated(spectrum.correlated(x)), x)


@pytest.mark.parametrize("size", [(8, 8), (7, 10), (9, 5), (1, 6), (6, 1)])
@pytest.mark.parametrize("decay", [0.0, 1.0, 1.7])
def test_the_envelope_agrees_with_its_twin(size: tuple[int, int], decay: float) -> None:
    made = spectrum.envelope(size, decay, torch.zeros((), dtype=torch.float64))
    np.testing.assert_allclose(made.numpy(), spectra.strength(*size, decay), rtol=1e-9)


def test_unsquashed_is_undone_by_a_sigmoid_but_for_less_than_8_bits_show() -> None:
    x = torch.linspace(0, 1, 256).view(1, 1, 1, 256)
    back = spectrum.unsquashed(x).sigmoid()
    assert torch.equal((255 * back).round(), (255 * x).round())


@pytest.mark.parametrize("make", [spectrum.faint, spectrum.natural])
def test_noise_is_drawn_from_its_generator_and_lies_around_the_mean(make) -> None:  # type: ignore[no-untyped-def]
    one, same, other = (make((40, 56), MEAN, drawn(seed)) for seed in (1, 1, 2))
    assert one.shape == (1, 3, 40, 56)
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert one.min() > 0 and one.max() < 1
    many = torch.cat([make((40, 56), MEAN, drawn(seed)) for seed in range(40)])
    # The median: where colors are strong a sigmoid draws the mean to gray.
    np.testing.assert_allclose(many.transpose(0, 1).flatten(1).median(1).values.numpy(), MEAN, atol=0.05)


def test_faint_noise_can_hardly_be_seen() -> None:
    assert float(spectrum.faint((64, 64), MEAN, drawn()).std((2, 3)).max()) < 0.05


def test_natural_noise_has_the_spectrum_of_our_renders() -> None:
    size = (64, 64)
    x = spectrum.natural(size, (0.5, 0.5, 0.5), drawn()).double()
    found = torch.fft.rfft2(spectrum.decorrelated(x.logit()))[0].abs()
    cycles = spectrum.frequencies(size).numpy() * 64
    for color, (strength, decay) in enumerate(spectrum.NATURAL):
        at = (cycles > 2) & (cycles < 30)
        np.testing.assert_allclose(found[color].numpy()[at], 64 * 64 * strength / cycles[at] ** decay, rtol=1e-3)


def test_the_fit_of_our_renders_finds_a_spectrum_that_is_known() -> None:
    pytest.importorskip("cv2")
    from training.spectrum import SIDE, fitted

    known = [(0.1, 1.2), (0.2, 1.0), (0.3, 1.5)]
    cycles = (spectrum.frequencies((SIDE, SIDE)).float() * SIDE).clamp_min(1)
    planes = torch.stack([SIDE**2 * strength / cycles**decay for strength, decay in known])
    white = torch.fft.rfft2(torch.randn(60, 3, SIDE, SIDE, generator=drawn())) / SIDE
    field = torch.fft.irfft2(planes * white, s=(SIDE, SIDE))
    found = fitted(0.5 + spectrum.correlated(field) / 4)
    # The window smears the steep low end, which raises the strengths a little.
    np.testing.assert_allclose(np.array(found), np.array(known), rtol=0.2)


@pytest.mark.slow
def test_natural_is_what_our_renders_give() -> None:
    pytest.importorskip("cv2")
    from training.spectrum import fitted, renders

    np.testing.assert_allclose(np.array(fitted(renders())), np.array(spectrum.NATURAL), rtol=0.01)
