"""Flowers and plants."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from training.canvas import Layer, color, dome, empty, grid, inside, layer, light, lit, over, polar, turned


def daisy(rng: Generator, size: int) -> Layer:
    """A ring or two of petals around a domed disk."""
    x, y = grid(size)
    out = empty(size)
    petals = int(rng.integers(9, 22))
    tint = color(rng, hues=(0.0, 0.93, 0.12, 0.78), saturation=(0.0, 0.9), value=(0.75, 1.0))
    for ring in range(int(rng.integers(1, 3))):
        r, a = polar(*turned(x, y, ring * np.pi / petals + rng.uniform(0, 0.2)))
        wedge = np.abs(((a * petals / (2 * np.pi)) % 1.0) - 0.5) * 2  # 0 in the middle of a petal
        reach = 0.95 - 0.12 * ring
        shape = (r - reach * (1 - wedge**3 * 0.55)).astype(np.float32)
        diffuse, shine = light(rng, (0.10 * (1 - wedge**2) * np.clip(r, 0, 1)).astype(np.float32), 1.0, 0.1)
        rgb = lit(tint * (0.75 + 0.25 * ring), diffuse * (0.55 + 0.45 * np.clip(r * 1.3, 0, 1)) * (1 - 0.35 * wedge**4), shine)
        out = over(out, layer(rgb, inside(shape, size)))
    disk = np.hypot(x, y) - rng.uniform(0.2, 0.32)
    diffuse, shine = light(rng, dome(disk.astype(np.float32), 0.25), 1.0, 0.2)
    seeds = 0.8 + 0.2 * np.sin(40 * x) * np.sin(40 * y)
    return over(out, layer(lit(color(rng, hues=(0.13, 0.08), value=(0.6, 1.0)), diffuse * seeds, shine), inside(disk.astype(np.float32), size)))
