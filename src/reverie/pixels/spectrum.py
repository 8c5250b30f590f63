"""Spectra of pictures, and the colors in which natural ones vary independently.

A spectrum is what :func:`torch.fft.rfft2` gives: complex [B, 3, H, W // 2 + 1].
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from reverie.pixels.ops import Size

_MARGIN = 1 / 512
"""How far from black and white a picture is kept where it must be inverted: below half a step of 8 bits."""

# Square root of the covariance of colors in ImageNet, as rounded in lucid; columns: light, warm to cold, green
# to magenta.
_COLORS = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))


def color_matrix(like: Tensor) -> Tensor:
    """[3, 3], from decorrelated colors to RGB, the longest column of length 1 (lucid, Olah et al. 2017)."""
    matrix = torch.tensor(_COLORS, dtype=torch.float64)
    longest = torch.linalg.vector_norm(matrix, dim=0).max()
    made: Tensor = matrix / longest
    return made.to(like.device, like.dtype)


def correlated(x: Tensor) -> Tensor:
    """RGB [B, 3, H, W] of any range, out of decorrelated colors of that shape."""
    return torch.einsum("rc,bchw->brhw", color_matrix(x), x)


def decorrelated(x: Tensor) -> Tensor:
    """The inverse of :func:`correlated`."""
    inverse = torch.linalg.inv(color_matrix(x.new_zeros((), dtype=torch.float64))).to(x)
    return torch.einsum("cr,brhw->bchw", inverse, x)


def unsquashed(image: Tensor) -> Tensor:
    """What a sigmoid makes ``image`` [B, 3, H, W] in 0..1 of; black and white are moved in by less than 8 bits show."""
    return image.clamp(_MARGIN, 1 - _MARGIN).logit()


def frequencies(size: Size, like: Tensor | None = None) -> Tensor:
    """Cycles per pixel at every place of a spectrum of a picture of ``size``, [H, W // 2 + 1]."""
    h, w = size
    found = torch.hypot(
        torch.fft.fftfreq(h, dtype=torch.float64)[:, None], torch.fft.rfftfreq(w, dtype=torch.float64)[None]
    )
    return found if like is None else found.to(like.device, like.dtype)


def envelope(size: Size, decay: float, like: Tensor) -> Tensor:
    """sqrt(H W) / f^decay, [H, W // 2 + 1]: a spectrum of white noise under it has the strengths of a natural one.

    The mean counts as the lowest frequency, one cycle per longer side (lucid, Olah et al. 2017).
    """
    h, w = size
    slope: Tensor = frequencies(size, like).clamp_min(1 / max(h, w)) ** -decay
    return math.sqrt(h * w) * slope


NATURAL = ((0.372, 1.192), (0.789, 1.293), (1.200, 1.303))
"""Strength and decay of the spectra of our own renders in each decorrelated color: ``training/spectrum.py``."""


def faint(size: Size, mean: tuple[float, float, float], generator: torch.Generator) -> Tensor:
    """Noise [1, 3, H, W] in 0..1 one can hardly see, like natural pictures in its spectrum, around the color ``mean``.

    What lucid starts at, but at the color that the network takes for nothing: from middle gray a network whose
    mean is warmer paints all things blue.
    """
    h, w = size
    parts = 0.01 * torch.randn(1, 3, h, w // 2 + 1, 2, generator=generator)
    field = torch.fft.irfft2(torch.view_as_complex(parts) * envelope(size, 1.0, parts), s=size) / 4
    return _around(mean, field)


def natural(size: Size, mean: tuple[float, float, float], generator: torch.Generator) -> Tensor:
    """Noise [1, 3, H, W] in 0..1 with the magnitudes of our own renders and phases drawn, around the color ``mean``.

    Magnitudes are strength / k^decay at k cycles per picture, flat below two.
    """
    h, w = size
    cycles = (frequencies(size).float() * (h * w) ** 0.5).clamp_min(2)
    magnitude = torch.stack([h * w * strength / cycles**decay for strength, decay in NATURAL])
    # The phases are those of real noise, so that the spectrum is one of a real picture.
    white = torch.fft.rfft2(torch.randn(1, 3, h, w, generator=generator))
    spectrum = magnitude * white / white.abs().clamp_min(1e-12)
    spectrum[..., 0, 0] = 0
    return _around(mean, torch.fft.irfft2(spectrum, s=size))


def _around(mean: tuple[float, float, float], field: Tensor) -> Tensor:
    """``field`` of decorrelated colors [B, 3, H, W], as a picture; where it is 0 it has the color ``mean``."""
    return (correlated(field) + field.new_tensor(mean).logit().view(1, 3, 1, 1)).sigmoid()
