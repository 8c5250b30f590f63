"""No grid: strided convolutions leave no pattern of their own in what the built-in network dreams."""

from __future__ import annotations

import numpy as np
import pytest

from reverie import api
from reverie.pixels.ops import resize

SIDE = 256
STRIDES = (2, 4, 8, 16)


def spectrum(objective: str) -> np.ndarray:
    """Mean energy [SIDE, SIDE] of the added detail over the channels and six seeds, zero frequency first."""
    energy = np.zeros((SIDE, SIDE))
    for seed in range(6):
        options = {"size": f"{SIDE}x{SIDE}", "octaves": 1, "steps": 12, "seed": seed, "precision": "fp32"}
        job = api.job(None, objective=objective, **options)
        *_, last = job.frames()
        added = (last.image - resize(job.source, (SIDE, SIDE)))[0].numpy()
        window = np.hanning(SIDE)[:, None] * np.hanning(SIDE)  # or the borders would draw a cross
        energy += (np.abs(np.fft.fft2(added * window)) ** 2).sum(0)
    return energy


def excess(energy: np.ndarray, stride: int) -> float:
    """Mean energy at the frequencies of a grid of ``stride`` pixels, each against the median of its ring."""
    near = range(-1, 2)
    energy = np.mean([np.roll(energy, (y, x), (0, 1)) for y in near for x in near], axis=0)
    f = np.fft.fftfreq(SIDE) * SIDE
    radius, k = np.hypot(f[:, None], f[None]), SIDE // stride
    found = []
    for y, x in ((0, k), (k, 0), (k, k), (k, -k)):
        ring = energy[np.abs(radius - np.hypot(y, x)) < 2]
        found.append(energy[y, x] / np.median(ring))
    return float(np.mean(found))


@pytest.mark.parametrize("objective", ["", "stage3"])
def test_no_grid_in_the_added_detail(objective):
    energy = spectrum(objective)
    assert energy.sum() > 0
    found = {stride: excess(energy, stride) for stride in STRIDES}
    assert max(found.values()) <= 1.5, found


def test_the_measure_sees_a_grid():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(SIDE, SIDE))
    clean = np.abs(np.fft.fft2(noise)) ** 2
    noise[::8, ::8] += 2
    assert excess(np.abs(np.fft.fft2(noise)) ** 2, 8) > 1.5 > 0.5 * excess(clean, 8)
