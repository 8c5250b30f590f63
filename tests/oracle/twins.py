"""Numpy twins: the same formulas written another way, as matrices along one axis and plain loops.

An image is a float64 array [3, H, W].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Size = tuple[int, int]

BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


def along(rows: Array, columns: Array, image: Array) -> Array:
    """Apply one matrix to the rows of places and one to the columns."""
    out: Array = rows @ image @ columns.T
    return out


def bounced(at: int, length: int) -> int:
    """Where a ball at ``at`` is that is thrown back by the first and the last pixel."""
    if length == 1:
        return 0
    while not 0 <= at < length:
        at = -at if at < 0 else 2 * (length - 1) - at
    return at


def reflect_matrix(length: int, before: int, after: int) -> Array:
    matrix = np.zeros((before + length + after, length))
    for row in range(len(matrix)):
        matrix[row, bounced(row - before, length)] = 1
    return matrix


def reflect_pad(image: Array, top: int, bottom: int, left: int, right: int) -> Array:
    h, w = image.shape[-2:]
    return along(reflect_matrix(h, top, bottom), reflect_matrix(w, left, right), image)


def smooth_matrix(length: int, taps: dict[int, float]) -> Array:
    """Each row a filter around its place, mirrored at the ends."""
    matrix = np.zeros((length, length))
    for row in range(length):
        for tap, weight in taps.items():
            matrix[row, bounced(row + tap, length)] += weight
    return matrix


def without_alternation(image: Array) -> Array:
    h, w = (smooth_matrix(length, {-1: 0.25, 0: 0.5, 1: 0.25}) for length in image.shape[-2:])
    return along(h, w, image)


def split(image: Array, levels: int) -> list[Array]:
    bands = []
    for level in range(levels):
        if min(image.shape[-2:]) < 8 * 2**level:
            break
        taps = {at * 2**level: weight for at, weight in enumerate(BINOMIAL, -2)}
        h, w = (smooth_matrix(length, taps) for length in image.shape[-2:])
        low = along(h, w, image)
        bands.append(image - low)
        image = low
    return [*bands, image]


def cubic(x: float) -> float:
    """Keys' cubic with a = -1/2."""
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def resize_matrix(length: int, to: int) -> Array:
    """Antialiased bicubic: the filter widens when shrinking, and is cut at the border and renormalized."""
    scale = length / to
    wide = max(scale, 1.0)
    matrix = np.zeros((to, length))
    for row in range(to):
        center = (row + 0.5) * scale
        first, last = max(0, int(center - 2 * wide + 0.5)), min(length, int(center + 2 * wide + 0.5))
        weights = np.array([cubic((at + 0.5 - center) / wide) for at in range(first, last)])
        matrix[row, first:last] = weights / weights.sum()
    return matrix


def resize(image: Array, size: Size) -> Array:
    h, w = image.shape[-2:]
    if (h, w) == size:
        return image
    return along(resize_matrix(h, size[0]), resize_matrix(w, size[1]), image)


def normalized(image: Array) -> Array:
    """Scaled so that the mean absolute value is 1; all zeros stay zeros."""
    strength = float(np.mean(np.abs(image)))
    return image / strength if strength > 1e-12 else np.zeros_like(image)


def local_rms(image: Array, reach: int) -> Array:
    """Root mean square over channels and the pixels around that are inside the picture."""
    h, w = image.shape[-2:]
    energy = np.mean(image**2, axis=0)
    for length, axis in ((h, 0), (w, 1)):
        r = min(reach, (length - 1) // 2)
        near = np.abs(np.subtract.outer(np.arange(length), np.arange(length))) <= r
        mean = near / near.sum(1, keepdims=True)
        energy = mean @ energy if axis == 0 else energy @ mean.T
    return np.sqrt(energy)


def shaped(g: Array, bands: int, fine: float, spread: float, gray: float, fine_gray: float = 0.0) -> Array:
    """Bands made equally strong, also place by place, the finest turned down, color turned down."""
    if bands:
        parts = []
        for level, part in enumerate(split(without_alternation(g), bands)):
            whole = np.sqrt(np.mean(part**2))
            local = np.maximum(local_rms(part, 8 * 2**level), 0.05 * whole)
            parts.append(part / whole * (whole / local) ** spread)
        if len(parts) > 1:
            parts[0] = fine * parts[0]
            shares = np.linspace(fine_gray, 0, len(parts))
            means = [part.mean(0, keepdims=True) for part in parts]
            parts = [m * a + p * (1 - a) for p, m, a in zip(parts, means, shares, strict=True)]
        g = np.sum(parts, axis=0)
    light = (g[0] + g[1] + g[2]) / 3
    return normalized((1 - gray) * g + gray * np.stack([light] * 3))


def octave_sizes(final: Size, octaves: int | str, scale: float, smallest: int) -> list[Size]:
    short = min(final)
    sides: list[float] = []
    if octaves == "auto":
        while (side := smallest * scale ** len(sides)) < short / scale**0.5:
            sides.append(side)
    else:
        for k in range(int(octaves) - 1, 0, -1):
            if (side := short / scale**k) >= min(24, short):
                sides.append(side)
    found: list[Size] = []
    for side in sides:
        size = (max(1, round(final[0] * side / short)), max(1, round(final[1] * side / short)))
        if size not in (*found, final):
            found.append(size)
    return [*found, final]


@dataclass
class Energy:
    """0.5 * mean(relu(conv(x))^2) of one 3x3 convolution with zero padding, and its gradient by hand."""

    weight: Array  # [K, 3, 3, 3]
    bias: Array
    mean: Array
    std: Array

    def activation(self, image: Array) -> Array:
        x = (image - self.mean[:, None, None]) / self.std[:, None, None]
        h, w = x.shape[-2:]
        x = np.pad(x, ((0, 0), (1, 1), (1, 1)))
        z = np.zeros((len(self.weight), h, w)) + self.bias[:, None, None]
        for dy in range(3):
            for dx in range(3):
                z += np.einsum("kc,chw->khw", self.weight[:, :, dy, dx], x[:, dy : dy + h, dx : dx + w])
        return np.maximum(z, 0)

    def score(self, image: Array) -> float:
        return float(0.5 * np.mean(self.activation(image) ** 2))

    def gradient(self, image: Array) -> Array:
        a = self.activation(image)
        h, w = a.shape[-2:]
        back = np.zeros((3, h + 2, w + 2))
        for dy in range(3):
            for dx in range(3):
                back[:, dy : dy + h, dx : dx + w] += np.einsum("kc,khw->chw", self.weight[:, :, dy, dx], a)
        return back[:, 1:-1, 1:-1] / a.size / self.std[:, None, None]


def margins(side: int, pad: int, least: int, multiple: int) -> tuple[int, int]:
    whole = max(side + 2 * pad, least)
    while whole % multiple:
        whole += 1
    return (whole - side) // 2, whole - side - (whole - side) // 2


def dream(energy: Energy, source: Array, sizes: list[Size], steps: int, step_size: float, pad: int) -> Array:
    """A whole dream in plain steps: reinject, no jitter, no shaping but mean |g| = 1; padded sides are made 16s."""
    added = np.zeros((3, 1, 1))
    image = source
    for size in sizes:
        base = np.clip(resize(source, size), 0, 1)
        image = np.clip(base + (resize(added, size) if added.shape[-1] > 1 else 0), 0, 1)
        multiple = 16 if pad else 1
        rows = reflect_matrix(size[0], *margins(size[0], pad, 16, multiple))
        columns = reflect_matrix(size[1], *margins(size[1], pad, 16, multiple))
        for _ in range(steps):
            g = along(rows.T, columns.T, energy.gradient(along(rows, columns, image)))
            image = np.clip(image + step_size * normalized(g), 0, 1)
        added = image - base
    return image
