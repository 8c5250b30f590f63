"""Heat maps: how strong something is at every place of a picture, as color over a dimmed copy of it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from reverie.atlas.baseline import fitting
from reverie.network import Network

_LMS = ((4.0767416621, -3.3077115913, 0.2309699292), (-1.2684380046, 2.6097574011, -0.3413193965),
        (-0.0041960863, -0.7034186147, 1.7076147010))  # fmt: skip
_LAB = (
    (1.0, 0.3963377774, 0.2158037573),
    (1.0, -0.1055613458, -0.0638541728),
    (1.0, -0.0894841775, -1.2914855480),
)


def ramp(values: Tensor) -> Tensor:
    """Colors [3, H, W] in 0..1 (sRGB) for ``values`` [H, W] in 0..1: from dark violet over red to light yellow.

    Lightness rises evenly, so that equal steps look equal, in gray and to the color-blind too; drawn in
    OKLCh (Ottosson 2020).
    """
    t = values.clamp(0, 1)
    light = 0.18 + 0.76 * t
    chroma = 0.06 + 0.125 * torch.sin(math.pi * t**0.9)
    hue = torch.deg2rad(295 + 170 * t)
    lab = torch.stack([light, chroma * hue.cos(), chroma * hue.sin()])
    cubes = torch.einsum("ij,jhw->ihw", lab.new_tensor(_LAB), lab) ** 3
    linear = torch.einsum("ij,jhw->ihw", lab.new_tensor(_LMS), cubes).clamp(0, 1)
    return torch.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp_min(1e-9) ** (1 / 2.4) - 0.055
    )


def heated(picture: Tensor, heat: Tensor) -> Tensor:
    """``picture`` [1, 3, H, W] in 0..1 under ``heat`` [H, W] in 0..1: gray and dim where cold, glowing where hot."""
    gray = picture[0].mean(0) * 0.75
    share = 0.35 + 0.5 * heat.clamp(0, 1)
    return torch.lerp(gray[None].expand(3, -1, -1), ramp(heat), share[None])[None].clamp(0, 1)


def layer_energy(network: Network, layer: str, picture: Tensor) -> Tensor | None:
    """Root mean square of a layer at every place of ``picture`` [1, 3, H, W], as heat [H, W] in 0..1 of its largest.

    None where the layer has no places.
    """
    with torch.no_grad():
        a = network.capture(fitting(network, picture), [layer])[layer]
    if a.ndim != 4:
        return None
    strength = a.float().cpu().square().mean(1, keepdim=True).sqrt()
    strength = F.interpolate(strength, picture.shape[-2:], mode="bilinear", align_corners=False)[0, 0]
    return strength / strength.max().clamp_min(1e-12)
