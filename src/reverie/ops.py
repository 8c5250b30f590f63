"""Pure functions on images: resize, pad, pyramid, noise, size arithmetic.

An image is a float tensor [B, C, H, W]. Nothing here knows a network, an objective or a file.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

Size = tuple[int, int]  # (height, width) in pixels

EPSILON = 1e-12


def resize(image: Tensor, size: Size) -> Tensor:
    """``image`` [B, C, H, W] brought to ``size`` by antialiased bicubic interpolation.

    Linear in the image, and exact where the size is already right. Values may overshoot their
    range a little; clip where that matters.
    """
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    if size[1] == 1 < size[0]:
        # torch 2.13's antialiased kernel reads wrong rows where the result is one pixel wide.
        return resize(image.mT, (size[1], size[0])).mT
    return F.interpolate(image, size, mode="bicubic", antialias=True, align_corners=False)


def mean_abs(x: Tensor) -> Tensor:
    """Mean absolute value of each picture of the batch, [B, 1, 1, 1]."""
    return x.abs().mean(dim=(-3, -2, -1), keepdim=True)


def rms(x: Tensor) -> Tensor:
    """Root mean square of each picture of the batch, [B, 1, 1, 1]."""
    return x.square().mean(dim=(-3, -2, -1), keepdim=True).sqrt()


def local_rms(x: Tensor, reach: int) -> Tensor:
    """Root mean square over channels and the square of ``2 * reach + 1`` pixels around, [B, 1, H, W]."""
    energy = x.square().mean(1, keepdim=True)
    for axis, side in ((0, x.shape[-2]), (1, x.shape[-1])):
        r = min(reach, (side - 1) // 2)
        kernel, margin = [1, 1], [0, 0]
        kernel[axis], margin[axis] = 2 * r + 1, r
        energy = F.avg_pool2d(energy, kernel, 1, margin, count_include_pad=False)
    return energy.sqrt()


def mirrored(image: Tensor, top: int, bottom: int, left: int, right: int) -> Tensor:
    """Reflect-pad by any number of pixels, also by more than the picture is large."""
    h, w = image.shape[-2:]
    if max(top, bottom) < h and max(left, right) < w:
        return F.pad(image, (left, right, top, bottom), mode="reflect")
    rows = _reflection(-top, h + bottom, h).to(image.device)
    columns = _reflection(-left, w + right, w).to(image.device)
    return image.index_select(-2, rows).index_select(-1, columns)


def _reflection(start: int, stop: int, length: int) -> Tensor:
    period = max(1, 2 * (length - 1))
    at = torch.arange(start, stop).remainder(period)
    return torch.minimum(at, period - at).clamp(0, length - 1)


@lru_cache(maxsize=16)
def _binomial(channels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], dtype=dtype, device=device) / 16
    return torch.outer(row, row).expand(channels, 1, 5, 5).contiguous()


def _reduced(image: Tensor) -> Tensor:
    kernel = _binomial(image.shape[1], image.dtype, image.device)
    return F.conv2d(mirrored(image, 2, 2, 2, 2), kernel, stride=2, groups=image.shape[1])


def _expanded(image: Tensor, size: Size) -> Tensor:
    kernel = _binomial(image.shape[1], image.dtype, image.device) * 4
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    wide = F.conv_transpose2d(padded, kernel, stride=2, groups=image.shape[1])
    return wide[..., 4 : 4 + size[0], 4 : 4 + size[1]]


def split(image: Tensor, levels: int) -> list[Tensor]:
    """Laplacian pyramid (Burt & Adelson 1983): ``levels`` detail bands, finest first, then the rest.

    As many levels as the picture can hold: the rest keeps a short side of 4 pixels or more.
    """
    bands = []
    for _ in range(levels):
        if min(image.shape[-2:]) < 8:
            break
        low = _reduced(image)
        bands.append(image - _expanded(low, (image.shape[-2], image.shape[-1])))
        image = low
    return [*bands, image]


def merge(bands: list[Tensor]) -> Tensor:
    """The inverse of :func:`split`."""
    image = bands[-1]
    for band in reversed(bands[:-1]):
        image = band + _expanded(image, (band.shape[-2], band.shape[-1]))
    return image


def cloud(size: Size, generator: torch.Generator, detail: int = 192) -> Tensor:
    """Colored, cloudy noise [1, 3, H, W] in 0..1, mean 0.5: what a dream from nothing starts at.

    Drawn on a grid whose short side is ``detail`` px and enlarged, so that a small and a large
    picture of one seed share their forms.
    """
    scale = detail / min(size)
    # Ribbons are capped: 1x5000 must not ask for a grid of a million columns.
    h, w = (min(max(2, math.ceil(side * scale)), 32 * detail) for side in size)
    frequency = torch.hypot(torch.fft.fftfreq(h)[:, None], torch.fft.rfftfreq(w)[None])
    frequency[0, 0] = math.inf
    white = torch.fft.rfft2(torch.randn(1, 3, h, w, generator=generator))
    field = torch.fft.irfft2(white / frequency.clamp_min(1.5 / max(h, w)) ** 1.8, s=(h, w))
    field = field / rms(field).clamp_min(EPSILON)
    # Natural pictures vary in light far more than in hue.
    luma = field.mean(1, keepdim=True)
    return resize((0.5 + 0.16 * luma + 0.10 * field).clamp(0, 1), size).clamp(0, 1)


def fitted(size: Size, long_side: int) -> Size:
    """``size`` scaled so that its long side is ``long_side``; no side below 1."""
    scale = long_side / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def cropped(image: Tensor, shape: Size) -> Tensor:
    """The largest centered part of ``image`` that has the aspect ratio of ``shape``."""
    h, w = image.shape[-2:]
    scale = min(h / shape[0], w / shape[1])
    ch, cw = max(1, min(h, round(shape[0] * scale))), max(1, min(w, round(shape[1] * scale)))
    top, left = (h - ch) // 2, (w - cw) // 2
    return image[..., top : top + ch, left : left + cw]
