"""Where every pixel of a frame was one frame before, whether it was to be seen there, and pictures moved along.

OpenCV is imported here alone, and only when a flow is estimated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from reverie.errors import MissingError
from reverie.pixels.ops import LUMA

LONGEST_SIDE = 800  # pixels: larger frames are shrunk to this long side before their motion is estimated
SHORTEST_SIDE = 16  # pixels: below this side there is nothing for the estimator to hold on to


def opencv() -> Any:
    """The library; :class:`MissingError` where it is absent."""
    try:
        import cv2
    except ImportError:
        raise MissingError(
            "Dreaming a video needs OpenCV; pip install 'reverie[video]' brings it, or use [[transport=blend]]."
        ) from None
    return cv2


def backward(now: Tensor, before: Tensor) -> Tensor:
    """The flow [1, 2, H, W] in pixels (dy, dx) from ``now`` back to ``before``, both [1, 3, H, W] in 0..1.

    ``now`` at p shows what ``before`` showed at p + flow(p). Dense inverse search, Kroeger et al. 2016.
    Raises :class:`MissingError` where OpenCV is absent.
    """
    cv2 = opencv()
    height, width = now.shape[-2:]
    shrink = min(1.0, LONGEST_SIDE / max(height, width))
    size = (max(SHORTEST_SIDE, round(height * shrink)), max(SHORTEST_SIDE, round(width * shrink)))
    first, second = (_gray(each, size) for each in (now, before))
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)  # half the error of the preset's own, and still far cheaper than a dream's step
    found = torch.from_numpy(search.calc(first, second, None)).permute(2, 0, 1).flip(0)[None].contiguous()
    if size == (height, width):
        return found
    scale = torch.tensor([height / size[0], width / size[1]]).view(1, 2, 1, 1)
    return F.interpolate(found, (height, width), mode="bilinear", align_corners=False) * scale


def _gray(image: Tensor, size: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    small = (
        F.interpolate(image.float().cpu(), size, mode="area") if tuple(image.shape[-2:]) != size else image
    )
    luma = torch.einsum("c,chw->hw", torch.tensor(LUMA), small[0].float().cpu())
    return (luma.clamp(0, 1) * 255).round().to(torch.uint8).numpy()


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """``image`` [1, C, H, W] taken, bicubically, from p + flow(p); borders go on outward.

    ``flow`` is [1, 2, H, W] in pixels (dy, dx). Values may overshoot a little.
    """
    height, width = flow.shape[-2:]
    rows = torch.arange(height, device=flow.device, dtype=flow.dtype).view(1, -1, 1)
    columns = torch.arange(width, device=flow.device, dtype=flow.dtype).view(1, 1, -1)
    y = (rows + flow[:, 0] + 0.5) * (2 / height) - 1
    x = (columns + flow[:, 1] + 0.5) * (2 / width) - 1
    grid = torch.stack([x, y], -1)
    return F.grid_sample(image, grid, mode="bicubic", padding_mode="border", align_corners=False)


def visible(now: Tensor, before: Tensor, back: Tensor, forth: Tensor, margin: int = 0) -> Tensor:
    """Where ``now`` was to be seen in ``before`` already, [1, 1, H, W], 0 (hidden) to 1.

    ``back`` is the flow from now to before, ``forth`` that from before to now; both [1, 2, H, W]. Where the way
    back and forth does not close (Sundaram, Brox & Keutzer 2010), where it leaves the picture, or where the
    colors found there are others, nothing was to be seen. ``margin`` pixels beside what was hidden by something
    count as hidden too, though not on the thing itself.
    """
    height, width = back.shape[-2:]
    returned = warp(forth, back)
    gap = (back + returned).square().sum(1, keepdim=True)
    length = back.square().sum(1, keepdim=True) + returned.square().sum(1, keepdim=True)
    rows = torch.arange(height).view(1, 1, -1, 1) + back[:, :1]
    columns = torch.arange(width).view(1, 1, 1, -1) + back[:, 1:]
    inside = (rows > -0.5) & (rows < height - 0.5) & (columns > -0.5) & (columns < width - 0.5)
    other = _mean((now - warp(before, back)).abs().mean(1, keepdim=True), 1) > 0.1
    hidden = ((gap >= 0.01 * length + 0.5) | other) & inside
    # Stray errors of the flow are thin; what was hidden by something is an area.
    area = (_mean(hidden.float(), 2) > 0.4).float()
    unknown = _widened((hidden | ~inside).float(), 1)
    if margin:
        # What stood there in ``before`` moves as ``forth`` does there; what moves alike is that very thing.
        covers = _mean(forth * area, margin + 2) / _mean(area, margin + 2).clamp_min(1e-6)
        apart = (back + covers).square().sum(1, keepdim=True) > 1
        unknown = torch.maximum(unknown, _widened(area, margin) * apart)
    return 1 - _mean(unknown, 1 + margin // 4)


def _mean(image: Tensor, reach: int) -> Tensor:
    wide = F.pad(image, [reach] * 4, mode="replicate")
    return F.avg_pool2d(wide, 2 * reach + 1, 1)


def _widened(mask: Tensor, reach: int) -> Tensor:
    return F.max_pool2d(mask, 2 * reach + 1, 1, reach)


def differ(now: Tensor, before: Tensor) -> float:
    """How different two frames [1, 3, H, W] are at a glance, 0 to 1: what tells a cut where no flow is at hand."""
    small = [F.interpolate(each, (12, 16), mode="area") for each in (now, before)]
    return (small[0] - small[1]).abs().mean().item()
