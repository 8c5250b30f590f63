"""High dynamic range and wide gamuts brought into BT.709, which is what a network and a browser expect."""

from __future__ import annotations

import torch
from torch import Tensor

PQ, HLG = 16, 18  # transfers, as H.273 numbers them
PEAK = 1000.0  # cd/m2: what HLG is meant for and most HDR10 is graded at; brighter things are clipped
WHITE = 203.0  # cd/m2 of a white sheet of paper in HDR (BT.2408); it is the white of BT.709 here
DISPLAY = 2.4  # what a display makes of BT.709 (BT.1886)

_M1, _M2 = 2610 / 16384, 2523 / 32
_C1, _C2, _C3 = 3424 / 4096, 2413 / 128, 2392 / 128
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
# Rows of linear light into BT.709's primaries.
_BT2020 = (
    (1.660491, -0.587641, -0.072850),
    (-0.124550, 1.132900, -0.008349),
    (-0.018151, -0.100579, 1.118730),
)
_P3 = ((1.224940, -0.224940, 0.0), (-0.042057, 1.042057, 0.0), (-0.019638, -0.078636, 1.098274))
WIDE = {9: _BT2020, 12: _P3}  # primaries, as H.273 numbers them


def displayed(image: Tensor, transfer: int, primaries: int) -> Tensor:
    """``image`` [1, 3, H, W] in 0..1 as its film holds it, as BT.709 shows it, 0..1.

    ``transfer`` and ``primaries`` are H.273's numbers. PQ (SMPTE ST 2084) and HLG (ARIB STD-B67, BT.2100) are tone
    mapped on their largest channel, so that hues stay, by the curve of BT.2390.
    """
    if transfer not in (PQ, HLG) and primaries not in WIDE:
        return image
    if transfer == PQ:
        light = _from_pq(image)
    elif transfer == HLG:
        light = _from_hlg(image)
    else:
        light = image**DISPLAY
    if transfer in (PQ, HLG):
        light = _compressed(light) / WHITE
    if primaries in WIDE:
        light = torch.einsum("ij,bjhw->bihw", torch.tensor(WIDE[primaries], dtype=light.dtype), light)
    return light.clamp(0, 1) ** (1 / DISPLAY)


def _from_pq(signal: Tensor) -> Tensor:
    """cd/m2 of a PQ signal in 0..1."""
    root = signal.clamp(0, 1) ** (1 / _M2)
    made: Tensor = 10_000 * ((root - _C1).clamp_min(0) / (_C2 - _C3 * root)) ** (1 / _M1)
    return made


def _to_pq(light: Tensor) -> Tensor:
    power = (light.clamp_min(0) / 10_000) ** _M1
    made: Tensor = ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2
    return made


def _from_hlg(signal: Tensor) -> Tensor:
    """cd/m2 of an HLG signal [1, 3, H, W] in 0..1 on a display of PEAK."""
    scene = torch.where(signal <= 0.5, signal**2 / 3, (((signal - _C) / _A).exp() + _B) / 12)
    weights = torch.tensor([0.2627, 0.6780, 0.0593], dtype=scene.dtype).view(1, 3, 1, 1)
    luminance = (weights * scene).sum(1, keepdim=True)
    return PEAK * luminance.clamp_min(1e-9) ** 0.2 * scene


def _compressed(light: Tensor) -> Tensor:
    """``light`` in cd/m2 with its PEAK at WHITE: BT.2390's curve, straight below its knee."""
    strongest = light.amax(1, keepdim=True).clamp(1e-6, PEAK)
    top = _to_pq(torch.tensor(PEAK, dtype=light.dtype))
    most = _to_pq(torch.tensor(WHITE, dtype=light.dtype)) / top
    knee = 1.5 * most - 0.5
    signal = _to_pq(strongest) / top
    t = ((signal - knee) / (1 - knee)).clamp(0, 1)
    bent = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    )
    mapped = _from_pq(torch.where(signal < knee, signal, bent) * top)
    return light.clamp_max(PEAK) * (mapped / strongest)
