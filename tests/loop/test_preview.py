"""Preview predicts final, on real runs: slow, ``make test-slow`` prints the figures."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import numpy as np
import pytest
import torch
from PIL import Image

import reverie
from reverie.pixels.ops import cloud, resize

SKY = Path(__file__).parents[2] / "examples" / "sky.jpg"


def sources() -> dict[str, torch.Tensor]:
    """Three pictures [1, 3, 810, 1440]: the sample sky, 1/f noise, and rounded shapes on a gradient."""
    sky = torch.from_numpy(np.asarray(Image.open(SKY).convert("RGB"), np.float32) / 255).permute(2, 0, 1)[None]
    y, x = torch.meshgrid(torch.linspace(-1, 1, 810), torch.linspace(-16 / 9, 16 / 9, 1440), indexing="ij")
    shapes = torch.stack([0.5 + 0.25 * (3 * x).sin() * (4 * y).cos(), 0.55 - 0.3 * y, 0.5 + 0.2 * (x * y * 5).sin()])
    found = {"sky": sky, "noise": cloud((810, 1440), torch.Generator().manual_seed(5)), "shapes": shapes[None]}
    return {name: resize(each, (810, 1440)).clamp(0, 1) for name, each in found.items()}


def coarse(x: torch.Tensor) -> np.ndarray:
    """Area average to 48 px on the long side, flat."""
    return torch.nn.functional.adaptive_avg_pool2d(x, (27, 48)).flatten().numpy()


def added(source: torch.Tensor, size: int, seed: int) -> torch.Tensor:
    """The dream of a file of that size: shrunk before, so that nothing is shared but what the eye shares."""
    job = reverie.job(resize(source, (size * 9 // 16, size)).clamp(0, 1), seed=seed)
    *_, last = job.frames()
    return last.image - job.source


@pytest.mark.slow
def test_the_preview_predicts_the_final_picture(capsys):
    same, other, strength = [], [], []
    for source in sources().values():
        small = {seed: added(source, 480, seed) for seed in (0, 1, 2)}
        for seed in (0, 1, 2):
            large = coarse(added(source, 1440, seed))
            same.append(np.corrcoef(coarse(small[seed]), large)[0, 1])
            other.append(np.corrcoef(coarse(small[(seed + 1) % 3]), large)[0, 1])
            strength.append(small[seed].abs().mean().item())
    with capsys.disabled():
        print(f"\npreview/final correlation: {median(same):.3f} same seed, {median(other):.3f} another seed; "
              f"mean |added| {median(strength):.3f}")
    assert median(same) >= 0.6
    assert median(strength) >= 0.03
