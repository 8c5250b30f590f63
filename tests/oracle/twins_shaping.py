"""Numpy twins of blurs, of TensorFlow's pyramid, of the ways to normalize, and of kept colors: plain loops."""

from __future__ import annotations

import math

import numpy as np

from tests.oracle.twins import Array, bounced

CONTINUED = {
    "reflect": bounced,
    "replicate": lambda at, length: min(max(at, 0), length - 1),
    "circular": lambda at, length: at % length,
    "constant": lambda at, length: at if 0 <= at < length else -1,
}


def filtered(image: Array, kernel: Array, border: str) -> Array:
    """Correlate every channel with one square kernel."""
    radius, (h, w) = len(kernel) // 2, image.shape[-2:]
    out = np.zeros_like(image)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            ys = [CONTINUED[border](y + dy, h) for y in range(h)]
            xs = [CONTINUED[border](x + dx, w) for x in range(w)]
            seen = image[:, ys][:, :, xs].copy()
            seen[:, [y == -1 for y in ys]] = 0
            seen[:, :, [x == -1 for x in xs]] = 0
            out += kernel[dy + radius, dx + radius] * seen
    return out


def gaussian(sigma: float, width: int) -> Array:
    """A square kernel of ``width``, odd, or as wide as four sigmas each way."""
    radius = width // 2 if width else max(1, math.ceil(4 * sigma))
    at = range(-radius, radius + 1)
    kernel = np.array([[math.exp(-(y * y + x * x) / (2 * sigma * sigma)) for x in at] for y in at])
    return kernel / kernel.sum()


def smoothed(image: Array, blur: str, sigmas: list[float], weights: list[float], width: int, border: str,
             step: int, steps: int) -> Array:
    """Step ``step`` of ``steps``, counted from 1."""
    if blur == "box":
        side = width or 3
        return filtered(image, np.full((side, side), 1 / side**2), border)
    if blur == "growing":
        sigmas, weights = [4 * step / steps + sigmas[0]], []
    if blur == "cascade":
        sigma = step / steps * 2 + sigmas[0]
        sigmas, weights = [0.5 * sigma, sigma, 2 * sigma], []
    share = np.array(weights or [1.0] * len(sigmas))
    share = share / share.sum()
    return sum(s * filtered(image, gaussian(each, width), border) for s, each in zip(share, sigmas, strict=True))


KERNEL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


def corner(side: int) -> int:
    """How far outside a "SAME" convolution of width 5 and stride 2 begins."""
    return max((math.ceil(side / 2) - 1) * 2 + 5 - side, 0) // 2


def shrunk(image: Array) -> Array:
    """conv2d(image, KERNEL, strides 2, "SAME") of TensorFlow."""
    c, h, w = image.shape
    out = np.zeros((c, math.ceil(h / 2), math.ceil(w / 2)))
    for y in range(out.shape[1]):
        for x in range(out.shape[2]):
            for dy in range(5):
                for dx in range(5):
                    sy, sx = 2 * y - corner(h) + dy, 2 * x - corner(w) + dx
                    if 0 <= sy < h and 0 <= sx < w:
                        out[:, y, x] += KERNEL[dy, dx] * image[:, sy, sx]
    return out


def grown(low: Array, h: int, w: int) -> Array:
    """conv2d_transpose(low, 4 * KERNEL, strides 2), back to (h, w)."""
    out = np.zeros((len(low), h, w))
    for y in range(low.shape[1]):
        for x in range(low.shape[2]):
            for dy in range(5):
                for dx in range(5):
                    ty, tx = 2 * y - corner(h) + dy, 2 * x - corner(w) + dx
                    if 0 <= ty < h and 0 <= tx < w:
                        out[:, ty, tx] += 4 * KERNEL[dy, dx] * low[:, y, x]
    return out


def lap_normalized(g: Array, levels: int) -> Array:
    """TensorFlow's Laplacian gradient normalization: split, every band over its RMS, merged."""
    bands = []
    for _ in range(levels):
        low = shrunk(g)
        bands.append(g - grown(low, *g.shape[1:]))
        g = low
    even = [band / max(float(np.sqrt(np.mean(band**2))), 1e-10) for band in (g, *bands[::-1])]
    image = even[0]
    for band in even[1:]:
        image = grown(image, *band.shape[1:]) + band
    return image


def normalized(g: Array, norm: str) -> Array:
    """One of the seven ways."""
    return {
        "mean": lambda: g / np.mean(np.abs(g)),
        "std": lambda: g / np.std(g),
        "standard": lambda: (g - np.mean(g)) / np.std(g),
        "l2": lambda: g / np.linalg.norm(g.ravel()),
        "max": lambda: g / np.max(np.abs(g)),
        "sign": lambda: np.sign(g),
        "none": lambda: g,
    }[norm]()


def chroma(image: Array) -> Array:
    """Cb and Cr."""
    y = luma(image)
    return np.stack([(image[2] - y) / 1.772, (image[0] - y) / 1.402])


def luma(image: Array) -> Array:
    """Y of Rec. 601."""
    return 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]
