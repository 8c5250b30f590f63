"""The critic: a second network that judges whether a dream shows its motif. ``python -m training.critic``.

It has another architecture, another seed and renders of its own and is never dreamt with; it is not in the wheel.
Half of its training is under a small attack: one that was never attacked, on fewer renders, names 88 % of held-out
renders right, this one 93 %, and it names the motif in more of the dreams.
"""

from __future__ import annotations

import time

from torch import Tensor, nn

from training.train import CACHE, LABELS, Settings, StandardizedConv, evaluate, train

SETTINGS = Settings(
    seed=1, scenes=1, renders=320, held_out=20, phases=((1200, 64, 0.0), (1400, 64, 0.75)), keep_every=200
)


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm around a shortcut (He et al. 2016)."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            StandardizedConv(inputs, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            StandardizedConv(width, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.short = (
            nn.Sequential(nn.AvgPool2d(stride), StandardizedConv(inputs, width, 1, bias=False), nn.BatchNorm2d(width))
            if stride > 1
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = (self.short(x) + self.body(x)).relu()
        return out


class Critic(nn.Sequential):
    """A small residual network: normalized images [B, 3, H, W] to a map of logits [B, K, h, w]."""

    def __init__(self, classes: int) -> None:
        super().__init__(
            StandardizedConv(3, 32, 5, 2, 2, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            Block(32, 64, 2),
            Block(64, 64, 1),
            Block(64, 128, 2),
            Block(128, 128, 1),
            Block(128, 256, 2),
            Block(256, 256, 1),
            nn.Conv2d(256, classes, 1),
        )


def critic() -> nn.Module:
    """The trained critic; trains it first where no checkpoint of a finished run is in the cache."""
    return train(SETTINGS, "critic", Critic)


if __name__ == "__main__":
    started = time.monotonic()
    figures = evaluate(critic(), SETTINGS)
    print(f"{len(LABELS)} classes, {figures}, {(time.monotonic() - started) / 60:.1f} minutes; in {CACHE}")
