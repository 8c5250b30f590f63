"""Numpy twins of spectra and of what is seen through robustness transforms, written as sums and loops."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# lucid's table, as published: square root of the covariance of colors in ImageNet.
TABLE = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])


def colors() -> Array:
    made: Array = TABLE / max(np.sqrt((TABLE[:, column] ** 2).sum()) for column in range(3))
    return made


def dft(side: int) -> NDArray[np.complex128]:
    """The matrix of the discrete Fourier transform."""
    at = np.arange(side)
    made: NDArray[np.complex128] = np.exp(-2j * np.pi * np.outer(at, at) / side)
    return made


def whole(half: NDArray[np.complex128], h: int, w: int) -> NDArray[np.complex128]:
    """The full spectrum of a real picture from its left half [h, w // 2 + 1]."""
    full = np.zeros((h, w), complex)
    full[:, : w // 2 + 1] = half
    for y in range(h):
        for x in range(w // 2 + 1, w):
            full[y, x] = half[-y % h, w - x].conj()
    return full


def inverse(half: NDArray[np.complex128], h: int, w: int) -> Array:
    """The real picture [h, w] of a half spectrum; what cannot belong to a real one is left out."""
    full = dft(h).conj() @ whole(half, h, w) @ dft(w).conj() / (h * w)
    made: Array = full.real
    return made


def strength(h: int, w: int, decay: float) -> Array:
    made = np.zeros((h, w // 2 + 1))
    for y in range(h):
        for x in range(w // 2 + 1):
            f = np.hypot(min(y, h - y) / h, x / w)
            made[y, x] = np.sqrt(h * w) / max(f, 1 / max(h, w)) ** decay
    return made


def sigmoid(x: Array) -> Array:
    made: Array = 1 / (1 + np.exp(-x))
    return made


def fourier(parts: Array, h: int, w: int, decay: float, decorrelate: bool) -> Array:
    """The picture [3, h, w] of a spectrum [3, h, w // 2 + 1, 2]."""
    spectrum = (parts[..., 0] + 1j * parts[..., 1]) * strength(h, w, decay)
    planes = np.stack([inverse(each, h, w) for each in spectrum]) / 4
    return sigmoid(np.einsum("rc,chw->rhw", colors(), planes) if decorrelate else planes)


def phase(angles: Array, magnitude: Array, h: int, w: int) -> Array:
    spectrum = magnitude * (np.cos(angles) + 1j * np.sin(angles))
    planes = np.stack([inverse(each, h, w) for each in spectrum])
    return sigmoid(np.einsum("rc,chw->rhw", colors(), planes))


def turned(image: Array, degrees: float, scale: float) -> Array:
    """A picture [h, w] turned and scaled, gray beyond its edge: every pixel by itself, bilinearly."""
    h, w = image.shape
    out = np.zeros((max(1, round(h * scale)), max(1, round(w * scale))))
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            v = ((y + 0.5) / out.shape[0] - 0.5) * h
            u = ((x + 0.5) / out.shape[1] - 0.5) * w
            row, column = sin * u + cos * v + h / 2 - 0.5, cos * u - sin * v + w / 2 - 0.5
            top, left = int(np.floor(row)), int(np.floor(column))
            total = 0.0
            for dy in (0, 1):
                for dx in (0, 1):
                    if 0 <= top + dy < h and 0 <= left + dx < w:
                        share = (1 - abs(row - top - dy)) * (1 - abs(column - left - dx))
                        total += share * (image[top + dy, left + dx] - 0.5)
            out[y, x] = total + 0.5
    return out
