"""The spectrum of our renders, the six numbers of ``pixels.spectrum.NATURAL``: ``python -m training.spectrum``.

Root mean square magnitudes of 128 px renders, one in each scene of every motif, under a Hann window, in decorrelated
colors. Before the sigmoid black and white lie at infinity, so the pictures are taken times 4, its slope at
middle gray, instead. Fitted in each color by strength / k^decay between 2 and 45 cycles per picture.
"""

from __future__ import annotations

import numpy as np
import torch

from reverie.pixels.spectrum import decorrelated, frequencies
from training import scene
from training.motifs import MOTIFS

SIDE, EACH = 128, 8


def renders(seed: int = 11) -> torch.Tensor:
    """EACH renders of every motif [N, 3, SIDE, SIDE] in 0..1."""
    drawn = [
        scene.render(name, np.random.default_rng([seed, row, column]), SIDE)
        for row, name in enumerate(MOTIFS)
        for column in range(EACH)
    ]
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).float() / 255


def fitted(pictures: torch.Tensor) -> list[tuple[float, float]]:
    """(strength, decay) of each decorrelated color."""
    x = decorrelated(4 * (pictures - 0.5))
    x = x - x.mean((2, 3), keepdim=True)
    window = torch.hann_window(SIDE)[:, None] * torch.hann_window(SIDE)
    x = x * window / window.square().mean().sqrt()
    magnitude = torch.fft.rfft2(x).abs().square().mean(0).sqrt() / SIDE**2
    cycles = frequencies((SIDE, SIDE)).float() * SIDE
    found = []
    for color in magnitude:
        rings = [(cycles >= low) & (cycles < 1.35 * low) for low in np.geomspace(2, 33, 8)]
        k = [cycles[ring].log().mean().item() for ring in rings]
        m = [color[ring].square().mean().sqrt().log().item() for ring in rings]
        slope, height = np.polyfit(k, m, 1)
        found.append((float(np.exp(height)), float(-slope)))
    return found


if __name__ == "__main__":
    for strength, decay in fitted(renders()):
        print(f"({strength:.3f}, {decay:.3f}),")
