"""A synthetic clip whose every motion is known: textures that move, an occluder in front of them, a hard cut."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SHIFT, TURN, GROWTH = 3.0, 1.0, 1.02  # pixels, degrees and factor from each frame to the next


@dataclass(frozen=True)
class Moving:
    """``frames`` [N, 3, H, W]; for each frame where its pixels were one frame before (``flow`` [N, 2, H, W],
    dy dx) and whether they were to be seen there (``seen`` [N, 1, H, W]); where the ``occluder`` is."""

    frames: Tensor
    flow: Tensor
    seen: Tensor
    occluder: Tensor
    cut: int


@cache
def texture(seed: int, side: int = 400) -> Tensor:
    """A large picture [1, 3, side, side] with forms of all sizes and some sharp edges."""
    random = np.random.default_rng(seed)
    y, x = np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij")
    radius = np.hypot(y, x)
    radius[0, 0] = np.inf
    fall = radius**-1.3 * np.exp(-((radius / 0.22) ** 2))
    field = np.fft.ifft2(np.fft.fft2(random.standard_normal((3, side, side))) * fall).real
    field = field + 1.2 * field.mean(0, keepdims=True)
    picture = 0.5 + 0.16 * field / field.std()
    rows, columns = np.mgrid[0:side, 0:side]
    for _ in range(24):
        cy, cx, radius_ = random.uniform(0, side), random.uniform(0, side), random.uniform(8, 40)
        inside = 1 / (1 + np.exp(((np.hypot(rows - cy, columns - cx) - radius_) / 0.7).clip(-30, 30)))
        picture += inside * random.uniform(-0.25, 0.25, (3, 1, 1))
    return torch.from_numpy(picture.clip(0, 1)).float()[None]


def _sampled(picture: Tensor, places: Tensor) -> Tensor:
    """``picture`` at ``places`` [H, W, 2] (y, x, in its pixels)."""
    height, width = picture.shape[-2:]
    grid = torch.stack([(places[..., 1] + 0.5) * 2 / width - 1, (places[..., 0] + 0.5) * 2 / height - 1], -1)
    return F.grid_sample(picture, grid[None].float(), mode="bicubic", padding_mode="reflection", align_corners=False)


def clip(
    count: int = 16, size: tuple[int, int] = (144, 192), cut: int | None = None, occluder: bool = True, seed: int = 0
) -> Moving:
    """``count`` frames of ``size`` (height, width); at ``cut`` another scene begins."""
    height, width = size
    rows, columns = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    here = torch.stack([rows, columns], -1)
    middle = torch.tensor([(height - 1) / 2, (width - 1) / 2]).double()
    angle = math.radians(TURN)
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]).double()
    back = turn / GROWTH  # one frame earlier a pixel was nearer to the middle, turned, and to the left

    def before(places: Tensor) -> Tensor:
        return (places - middle) @ back.T + middle - torch.tensor([0.0, SHIFT]).double()

    scenes = [texture(seed), texture(seed + 1)]
    cover = texture(seed + 2)
    frames, flows, seens, covers = [], [], [], []
    places, center, were = here, torch.tensor([0.35 * height, 0.85 * width]).double(), None
    step = torch.tensor([1.0, -4.0]).double()
    for at in range(count):
        scene = scenes[cut is not None and at >= cut]
        offset = torch.tensor([200.0, 200.0]).double() - middle
        frame = _sampled(scene, places + offset)
        hidden = (here - center).norm(dim=-1) < 0.19 * height if occluder else torch.zeros(size, dtype=torch.bool)
        frame = torch.where(hidden, _sampled(cover, here - center + 200), frame).clamp(0, 1)
        origin = torch.where(hidden[..., None], here - step, before(here))
        flow = (origin - here).permute(2, 0, 1).float()
        inside = (origin >= 0).all(-1) & (origin <= torch.tensor([height - 1, width - 1])).all(-1)
        seen = torch.zeros(size, dtype=torch.bool)
        if were is not None and at != cut:
            covered = F.grid_sample(
                were[None, None].float(),
                torch.stack([(origin[..., 1] + 0.5) * 2 / width - 1, (origin[..., 0] + 0.5) * 2 / height - 1], -1)[
                    None
                ].float(),
                align_corners=False,
            )[0, 0]
            seen = inside & ((covered > 0.99) == hidden) & ((covered < 0.01) == ~hidden)
        frames.append(frame[0])
        flows.append(flow)
        seens.append(seen[None])
        covers.append(hidden[None])
        were = hidden
        places = before(places)
        center = center + step
    return Moving(torch.stack(frames), torch.stack(flows), torch.stack(seens), torch.stack(covers), cut or count)
