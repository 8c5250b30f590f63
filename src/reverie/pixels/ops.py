"""Pure functions on images: resize, pad, pyramid, noise, size arithmetic.

An image is a float tensor [B, C, H, W]; one as it stands in a file may have the integers uint8 or uint16, which mean
0..1 over their whole range (:func:`unit`). Nothing here knows a network, an objective or a file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Size = tuple[int, int]  # (height, width) in pixels
Border = Literal["reflect", "constant", "replicate", "circular"]

EPSILON = 1e-12
LUMA = (0.299, 0.587, 0.114)  # how bright red, green and blue are (Rec. 601)
_BAND = 1 << 20  # pixels of an integer picture that become floats at a time


def size_of(image: Tensor) -> Size:
    """(height, width) of an image [..., H, W]."""
    return image.shape[-2], image.shape[-1]


def unit(image: Tensor) -> Tensor:
    """``image`` as float32: integers over the whole range of their type become 0..1, floats stay what they are."""
    if image.is_floating_point():
        return image.to(torch.float32)
    white = torch.iinfo(image.dtype).max
    return image.to(torch.float32, memory_format=torch.contiguous_format).div_(white)


def resize(image: Tensor, size: Size) -> Tensor:
    """``image`` [B, C, H, W] brought to ``size`` by antialiased bicubic interpolation.

    Linear in the image, and exact where the size is already right. Values may overshoot their
    range a little; clip where that matters. Integers become floats of 0..1, never all at once
    where the result is smaller.
    """
    if not image.is_floating_point():
        return _resize_integers(image, size)
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    if size[1] == 1 < size[0]:
        # torch 2.13's antialiased kernel reads wrong rows where the result is one pixel wide.
        return resize(image.mT, (size[1], size[0])).mT
    return F.interpolate(image, size, mode="bicubic", antialias=True, align_corners=False)


def _resize_integers(image: Tensor, size: Size) -> Tensor:
    """Row by row first, as the interpolation itself goes about it, so that not a bit is different."""
    height, width = image.shape[-2:]
    if (height, width) == tuple(size) or size[1] == 1:  # the latter goes column by column
        return resize(unit(image), size)
    narrow = torch.empty(*image.shape[:2], height, size[1], device=image.device)
    rows = max(1, _BAND // width)
    for top in range(0, height, rows):
        band = unit(image[..., top : top + rows, :])
        narrow[..., top : top + rows, :] = resize(band, (band.shape[-2], size[1]))
    return resize(narrow, size)


def mean_abs(x: Tensor) -> Tensor:
    """Mean absolute value of each picture of the batch, [B, 1, 1, 1]."""
    return x.abs().mean(dim=(-3, -2, -1), keepdim=True)


def rms(x: Tensor) -> Tensor:
    """Root mean square of each picture of the batch, [B, 1, 1, 1]."""
    return x.square().mean(dim=(-3, -2, -1), keepdim=True).sqrt()


def local_rms(x: Tensor, reach: int, size: Size | None = None) -> Tensor:
    """Root mean square over channels and the square of ``2 * reach + 1`` pixels around, [B, 1, H, W].

    ``size`` is that of the picture where ``x`` is a block of it: the square is no larger than the picture.
    """
    energy = x.square().mean(1, keepdim=True)
    for axis, side, whole in zip((-2, -1), x.shape[-2:], size or x.shape[-2:], strict=True):
        r = min(reach, (whole - 1) // 2)
        # Sums of all before each row or column, going on for r at either end: a square's is the difference of two.
        total = energy.cumsum(axis)
        none, all_ = torch.zeros_like(total.narrow(axis, 0, 1)), total.narrow(axis, side - 1, 1)
        shape = [r if each == axis % 4 else -1 for each in range(4)]
        total = torch.cat([none, none.expand(shape), total, all_.expand(shape)], axis)
        at = torch.arange(side, device=x.device, dtype=x.dtype)
        count = (at + r + 1).clamp(max=side) - (at - r).clamp(min=0)
        energy = total.narrow(axis, 2 * r + 1, side) - total.narrow(axis, 0, side)
        energy /= count.view(-1, 1) if axis == -2 else count
    return energy.clamp_min(0).sqrt()


def recolored(image: Tensor, source: Tensor, color: Literal["source", "locked"]) -> Tensor:
    """``image`` [B, 3, H, W] in 0..1 with the chroma of the ``source`` (its own is the luma, Rec. 601), or with the
    source's mean and standard deviation in every channel (``locked``)."""
    if color == "source":
        luma = image.new_tensor(LUMA).view(3, 1, 1)
        return (source + ((image - source) * luma).sum(1, keepdim=True)).clamp(0, 1)
    (mean, other), (deviation, wanted) = (
        [each.mean((-2, -1), keepdim=True) for each in (image, source)],
        [each.std((-2, -1), correction=0, keepdim=True) for each in (image, source)],
    )
    return ((image - mean) * (wanted / deviation.clamp_min(1e-6)) + other).clamp(0, 1)


def mirrored(image: Tensor, top: int, bottom: int, left: int, right: int) -> Tensor:
    """Reflect-pad by any number of pixels, also by more than the picture is large."""
    h, w = image.shape[-2:]
    if max(top, bottom) < h and max(left, right) < w:
        return F.pad(image, (left, right, top, bottom), mode="reflect")
    rows = _reflection(-top, h + bottom, h).to(image.device)
    columns = _reflection(-left, w + right, w).to(image.device)
    return image.index_select(-2, rows).index_select(-1, columns)


def bordered(image: Tensor, top: int, bottom: int, left: int, right: int, border: Border) -> Tensor:
    """``image`` continued by any number of pixels: mirrored, with zeros, with its last pixel, or wrapped around."""
    if border == "reflect":
        return mirrored(image, top, bottom, left, right)
    if border != "circular":
        return F.pad(image, (left, right, top, bottom), mode=border)
    h, w = image.shape[-2:]
    rows, columns = torch.arange(-top, h + bottom) % h, torch.arange(-left, w + right) % w
    return image.index_select(-2, rows.to(image.device)).index_select(-1, columns.to(image.device))


def _reflection(start: int, stop: int, length: int) -> Tensor:
    period = max(1, 2 * (length - 1))
    at = torch.arange(start, stop).remainder(period)
    return torch.minimum(at, period - at).clamp(0, length - 1)


def _smoothed(image: Tensor, gap: int) -> Tensor:
    """``image`` under the binomial filter 1 4 6 4 1 with its taps ``gap`` pixels apart, mirrored at the borders."""
    wide = mirrored(image, *[2 * gap] * 4)
    for axis, side in ((-2, image.shape[-2]), (-1, image.shape[-1])):
        a, b, c, d, e = (wide.narrow(axis, tap * gap, side) for tap in range(5))
        wide = c.mul(6 / 16).add_(b + d, alpha=4 / 16).add_(a + e, alpha=1 / 16)
    return wide


def without_alternation(image: Tensor) -> Tensor:
    """``image`` under the filter 1 2 1, which lets nothing pass that alternates from pixel to pixel."""
    for axis, side in ((-2, image.shape[-2]), (-1, image.shape[-1])):
        wide = mirrored(image, *((1, 1, 0, 0) if axis == -2 else (0, 0, 1, 1)))
        a, b, c = (wide.narrow(axis, tap, side) for tap in range(3))
        image = b.mul(0.5).add_(a + c, alpha=0.25)
    return image


def levels_in(size: Size, levels: int) -> int:
    """How many of ``levels`` bands a picture can hold: no filter reaches further than its short side."""
    return sum(min(size) >= 8 << level for level in range(levels))


def bands(image: Tensor, levels: int) -> Iterator[Tensor]:
    """``levels`` frequency bands, each about an octave, finest first, then the rest; their sum is ``image``.

    A Laplacian pyramid (Burt & Adelson 1983) that is never decimated, so that no band has a grid of its own
    (the "a trous" transform of Holschneider et al. 1989).
    """
    for level in range(levels):
        low = _smoothed(image, 1 << level)
        yield image - low
        image = low
    yield image


def split(image: Tensor, levels: int) -> list[Tensor]:
    """All :func:`bands` at once."""
    return list(bands(image, levels))


def pyramid(image: Tensor, levels: int, size: Size) -> list[Tensor]:
    """``levels`` bands, finest first, each at half the size of the one before, then the rest at half of the last.

    The Laplacian pyramid of TensorFlow's DeepDream (Mordvintsev 2016; Burt & Adelson 1983): filter 1 4 6 4 1 each
    way, every second pixel kept, zeros beyond the border. ``size`` is the whole picture's where ``image`` is a
    block of it that begins at multiples of 2^levels pixels: which ones are kept depends on its parity.
    """
    bands = []
    for _ in range(levels):
        low = _halved(image, size)
        bands.append(image - _doubled(low, image, size))
        image, size = low, (-(-size[0] // 2), -(-size[1] // 2))
    return [*bands, image]


def collapsed(bands: list[Tensor], size: Size) -> Tensor:
    """The image [B, C, H, W] whose :func:`pyramid` the ``bands`` are."""
    *fine, image = bands
    sizes = [(-(-size[0] >> level), -(-size[1] >> level)) for level in range(len(fine))]
    for band, whole in zip(fine[::-1], sizes[::-1], strict=True):
        image = band + _doubled(image, band, whole)
    return image


def _taps(like: Tensor, total: float) -> tuple[Tensor, Tensor]:
    taps = like.new_tensor([1, 4, 6, 4, 1]) * (total / 16)
    return taps.view(1, 1, 5, 1), taps.view(1, 1, 1, 5)


def _halved(image: Tensor, size: Size) -> Tensor:
    # A convolution "SAME" begins one pixel outside an even side and two outside an odd one.
    (down, across), (h, w) = _taps(image, 1.0), image.shape[-2:]
    top, left = (1 + side % 2 for side in size)
    wide = F.pad(image, (left, 3 + w % 2 - left, top, 3 + h % 2 - top))
    rows = F.conv2d(wide.flatten(0, 1)[:, None], down, stride=(2, 1))
    return F.conv2d(rows, across, stride=(1, 2)).view(*image.shape[:2], -(-h // 2), -(-w // 2))


def _doubled(low: Tensor, like: Tensor, size: Size) -> Tensor:
    (down, across), (h, w) = _taps(low, 2.0), like.shape[-2:]
    top, left = (1 + side % 2 for side in size)
    rows = F.conv_transpose2d(low.flatten(0, 1)[:, None], down, stride=(2, 1))
    wide = F.conv_transpose2d(rows, across, stride=(1, 2))
    return wide[..., top : top + h, left : left + w].reshape(like.shape)


def patches(batch: int, size: Size, generator: torch.Generator, share: float = 0.15) -> Tensor:
    """Smooth colored noise [B, 3, H, W] of mean 0 and deviation about 0.7, its patches a ``share`` of the short side.

    Drawn on a grid that depends on the shape alone, so that a small and a large picture of one seed are alike.
    """
    short = min(size)
    h, w = (min(max(2, round(side / (share * short))), 4096) for side in size)
    return resize(torch.randn(batch, 3, h, w, generator=generator), size)


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


def fitted_size(size: Size, long_side: int) -> Size:
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


def mean_of_squares(x: Tensor) -> Tensor:
    """``x`` [B, C, ...] to the mean square over its channels, [B, ...].

    Its gradient is laid out in memory as ``x`` is, where autograd's own is not: a channels-last network would
    have to turn it around again and again.
    """
    found: Tensor = _MeanOfSquares.apply(x)  # type: ignore[no-untyped-call]
    return found


class _MeanOfSquares(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.square().mean(1)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        found: Tensor = x * (g * (2 / x.shape[1])).unsqueeze(1)
        return found
