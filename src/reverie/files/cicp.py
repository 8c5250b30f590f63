"""What a picture without an ICC profile says of its color: H.273's numbers, or gamma and chromaticities of a PNG."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import torch

from reverie.files.decoding import ROWS, Array
from reverie.files.png import SIGNATURE
from reverie.pixels import tone

_HDR = {tone.PQ: "PQ", tone.HLG: "HLG"}
_WIDE = {9: "BT.2020", 12: "Display P3"}
_SRGB_CORNERS = (
    0.3127,
    0.3290,
    0.64,
    0.33,
    0.30,
    0.60,
    0.15,
    0.06,
)  # white, red, green, blue: x and y of each
_SRGB_GAMMA = 1 / 2.2
_LINEAR = 8  # a transfer of H.273


@dataclass(frozen=True)
class Coding:
    """``transfer`` and ``primaries`` as H.273 numbers them; a PNG may give ``gamma`` and ``corners`` instead."""

    transfer: int = 13
    primaries: int = 1
    gamma: float | None = None
    corners: tuple[float, ...] | None = None


def of_png(file: BinaryIO) -> Coding | None:
    """What the chunks cICP, or else gAMA and cHRM, of a PNG say; None for no PNG, and where that is sRGB anyhow.

    A profile or an sRGB chunk outweighs gAMA and cHRM, as the PNG specification (3rd edition) says.
    """
    file.seek(0)
    if file.read(8) != SIGNATURE:
        return None
    found: dict[bytes, bytes] = {}
    while len(head := file.read(8)) == 8 and head[4:] not in (b"IDAT", b"IEND"):
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind in (b"cICP", b"gAMA", b"cHRM", b"sRGB", b"iCCP"):
            found[kind] = file.read(min(length, 64))
            file.seek(length - min(length, 64) + 4, 1)
        else:
            file.seek(length + 4, 1)
    if len(found.get(b"cICP", b"")) == 4:
        return _told(found[b"cICP"][1], found[b"cICP"][0])
    if found.keys() & {b"sRGB", b"iCCP"}:
        return None
    gamma, corners = None, None
    if len(data := found.get(b"gAMA", b"")) == 4:
        (number,) = struct.unpack(">I", data)
        gamma = number / 100_000 if 1_000 <= number <= 1_000_000 else None
        gamma = None if gamma is None or abs(gamma - _SRGB_GAMMA) < 0.01 else gamma
    if len(data := found.get(b"cHRM", b"")) == 32:
        corners = tuple(each / 100_000 for each in struct.unpack(">8I", data))
        near = np.allclose(corners, _SRGB_CORNERS, atol=0.003)
        corners = None if near or not _is_triangle(corners) else corners
    return Coding(gamma=gamma, corners=corners) if gamma or corners else None


def of_isobmff(head: bytes) -> Coding | None:
    """What the ``colr`` box of an AVIF or HEIC says, in the first bytes of the file."""
    at = head.find(b"colrnclx")
    if at < 0 or len(head) < at + 12:
        return None
    primaries, transfer = struct.unpack(">HH", head[at + 8 : at + 12])
    return _told(transfer, primaries)


def _told(transfer: int, primaries: int) -> Coding | None:
    known = transfer in _HDR or transfer == _LINEAR or primaries in _WIDE
    return Coding(transfer, primaries) if known else None


def to_srgb(color: Array, coding: Coding, notes: list[str]) -> Array:
    """``color`` [H, W, 1 or 3] of any depth as float32 [H, W, 3] in 0..1 and sRGB.

    PQ and HLG (BT.2100) are tone mapped as those of clips are (:mod:`reverie.pixels.tone`).
    """
    white = np.float32(1 if color.dtype.kind == "f" else np.iinfo(color.dtype).max)
    made = np.empty((*color.shape[:2], 3), np.float32)
    matrix = _to_srgb_light(coding)
    for at in range(0, len(color), ROWS):
        part = np.broadcast_to(color[at : at + ROWS] / white, made[at : at + ROWS].shape).astype(np.float32)
        if coding.transfer in _HDR:
            image = torch.from_numpy(np.ascontiguousarray(part)).permute(2, 0, 1)[None]
            part = tone.displayed(image, coding.transfer, coding.primaries)[0].permute(1, 2, 0).numpy()
        else:
            part = _curved(np.clip(_light(part, coding) @ matrix.T, 0, 1))
        made[at : at + ROWS] = part
    notes.append(_sentence(coding))
    return made


def _sentence(coding: Coding) -> str:
    if coding.transfer in _HDR:
        return f"is HDR ({_HDR[coding.transfer]}); it was tone mapped."
    if coding.gamma or coding.corners:
        return "has a gamma or primaries of its own; it was converted to sRGB."
    return f"has {_WIDE.get(coding.primaries, 'linear')} color; it was converted to sRGB."


def _light(signal: Array, coding: Coding) -> Array:
    if coding.gamma:
        made: Array = signal ** np.float32(1 / coding.gamma)
        return made
    if coding.transfer == _LINEAR:
        return signal
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def _curved(light: Array) -> Array:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _to_srgb_light(coding: Coding) -> Array:
    if coding.corners:
        made: Array = (
            np.linalg.inv(_to_xyz(_SRGB_CORNERS)) @ _adapted(coding.corners) @ _to_xyz(coding.corners)
        )
        return made
    return np.array(tone.WIDE[coding.primaries]) if coding.primaries in tone.WIDE else np.eye(3)


def _to_xyz(corners: tuple[float, ...]) -> Array:
    """Light of the primaries as XYZ, with white at Y = 1 (Lindbloom)."""
    columns = np.array(
        [[x / y, 1, (1 - x - y) / y] for x, y in zip(corners[2::2], corners[3::2], strict=True)]
    ).T
    made: Array = columns * np.linalg.solve(columns, _xyz(corners[0], corners[1]))
    return made


def _xyz(x: float, y: float) -> Array:
    return np.array([x / y, 1, (1 - x - y) / y])


def _adapted(corners: tuple[float, ...]) -> Array:
    """XYZ under the white of ``corners`` as XYZ under that of sRGB (Bradford)."""
    cone = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    ours, theirs = cone @ _xyz(*_SRGB_CORNERS[:2]), cone @ _xyz(corners[0], corners[1])
    made: Array = np.linalg.inv(cone) @ np.diag(ours / theirs) @ cone
    return made


def _is_triangle(corners: tuple[Any, ...]) -> bool:
    """Whether the chromaticities are those of colors: no zero, and not all on one line."""
    if min(corners[1::2]) <= 0.001:
        return False
    (rx, ry), (gx, gy), (bx, by) = zip(corners[2::2], corners[3::2], strict=True)
    area = abs((gx - rx) * (by - ry) - (bx - rx) * (gy - ry))
    return bool(area > 0.01)
