"""A decoded frame as it is meant to be seen: RGB by its own matrix and range, upright, in square pixels."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reverie.pixels import tone
from reverie.pixels.ops import Size, resize

_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}  # H.273 matrix -> what swscale calls it
_BT601, _BT709, _LIMITED, _FULL = 5, 1, 1, 2
_FILTERS = (
    4 | 8192 | 16384 | 262144 | 524288
)  # bicubic, chroma in full, rounded accurately, same bits everywhere


def developed(frame: Any, size: Size) -> Tensor:
    """The image [1, 3, H, W] in 0..1 of a frame of PyAV at ``size`` (height, width); transparency over black."""
    parts = frame.format.components
    deep, alpha = any(part.bits > 8 for part in parts), has_alpha(frame)
    kind = ("rgba" if alpha else "rgb") + (("64le" if alpha else "48le") if deep else ("" if alpha else "24"))
    moved: dict[str, Any] = {
        "format": kind,
        "interpolation": _FILTERS,
        "threads": 1,
        "dst_color_range": _FULL,
    }
    if _is_yuv(frame):
        moved |= {
            "src_colorspace": _matrix(frame),
            "src_color_range": _FULL if _full(frame) else _LIMITED,
        }
    array = frame.reformat(**moved).to_ndarray()
    unit = torch.from_numpy(array.astype(np.float32)).div_(65_535 if deep else 255).permute(2, 0, 1)[None]
    if alpha:
        unit = unit[:, :3] * unit[:, 3:]
    unit = tone.displayed(unit, frame.color_trc, frame.color_primaries)
    turned, flips = orientation(frame)
    upright = (unit.transpose(-2, -1) if turned else unit).flip(flips)
    return resize(upright.contiguous(), size).clamp(0, 1)


def has_alpha(frame: Any) -> bool:
    return frame.format.name == "pal8" or any(part.is_alpha for part in frame.format.components)


def _is_yuv(frame: Any) -> bool:
    name = frame.format.name
    return not (frame.format.is_rgb or name == "pal8" or name.startswith(("gray", "ya", "mono")))


def _full(frame: Any) -> bool:
    return bool(frame.format.name.startswith("yuvj") or frame.color_range == _FULL)


def _matrix(frame: Any) -> int:
    """The matrix a frame says, or the one that everybody takes where it says none: BT.709 from 720p on."""
    large = frame.width >= 1280 or frame.height > 576
    return _MATRICES.get(int(frame.colorspace), _BT709 if large else _BT601)


def orientation(frame: Any) -> tuple[bool, tuple[int, ...]]:
    """Whether rows and columns trade places, and which axes are then flipped, from the display matrix."""
    found = frame.side_data.get("DISPLAYMATRIX")
    if found is None:
        return False, ()
    a, b, _, c, d, *_ = struct.unpack("<9i", bytes(found))
    turned = abs(b) + abs(c) > abs(a) + abs(d)
    across, down = (c, b) if turned else (a, d)
    return turned, tuple(axis for axis, sign in ((-1, across), (-2, down)) if sign < 0)
