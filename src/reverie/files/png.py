"""PNG, written strip by strip in 8 or 16 bits (ISO/IEC 15948; Pillow writes color in 8 bits alone)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

Strip = np.ndarray[Any, Any]
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def write_png(
    file: BinaryIO, strips: Iterator[Strip], size: tuple[int, int], profile: bytes | None, text: str | None
) -> None:
    """Write ``strips`` [h, W, 3 or 4] of uint8 or uint16, top to bottom, as a picture of ``size`` (height, width).

    The file needs no seeking. ``profile`` is an ICC profile, ``text`` goes into an iTXt chunk called ``reverie``.
    """
    first = next(strips)
    depth, channels = first.dtype.itemsize, first.shape[2]
    kind = {3: 2, 4: 6}[channels]  # truecolor, with alpha
    file.write(SIGNATURE)
    _chunk(file, b"IHDR", struct.pack(">2I5B", size[1], size[0], 8 * depth, kind, 0, 0, 0))
    if profile is not None:
        _chunk(file, b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))
    if text is not None:
        file.write(text_chunk(text))
    packer = zlib.compressobj(6, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    above = np.zeros((1, size[1] * channels * depth), np.uint8)
    for strip in _chained(first, strips):
        rows = strip.astype(strip.dtype.newbyteorder(">"), order="C").view(np.uint8).reshape(len(strip), -1)
        _chunk(file, b"IDAT", packer.compress(_filtered(rows, above, channels * depth)))
        above = rows[-1:]
    _chunk(file, b"IDAT", packer.flush())
    _chunk(file, b"IEND", b"")


def _chained(first: Strip, rest: Iterator[Strip]) -> Iterator[Strip]:
    yield first
    yield from rest


def text_chunk(text: str) -> bytes:
    """The compressed iTXt chunk, called ``reverie``, that holds ``text``."""
    return _packed(b"iTXt", b"reverie\0\1\0\0\0" + zlib.compress(text.encode()))


def _packed(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _chunk(file: BinaryIO, kind: bytes, data: bytes) -> None:
    if data or kind == b"IEND":
        file.write(_packed(kind, data))


def _filtered(rows: Strip, above: Strip, pixel: int) -> bytes:
    """Each row of bytes behind the number of its filter: the one that leaves the smallest sum, as the standard advises.

    Tried are Sub, Up and Paeth; what is left out (None, Average) hardly ever wins in pictures.
    """
    up = np.concatenate([above, rows[:-1]])
    left, corner = np.zeros_like(rows), np.zeros_like(rows)
    left[:, pixel:], corner[:, pixel:] = rows[:, :-pixel], up[:, :-pixel]
    best, least = np.empty((len(rows), rows.shape[1] + 1), np.uint8), None
    for number, guess in ((1, left), (2, up), (4, _paeth(left, up, corner))):
        residual = rows - guess  # modulo 256
        cost = np.abs(residual.view(np.int8).astype(np.int16)).sum(1, dtype=np.int64)
        better = np.ones(len(rows), bool) if least is None else cost < least
        best[better, 0], best[better, 1:] = number, residual[better]
        least = cost if least is None else np.minimum(cost, least)
    return best.tobytes()


def _paeth(left: Strip, up: Strip, corner: Strip) -> Strip:
    a, b, c = (each.astype(np.int16) for each in (left, up, corner))
    to_left, to_up, to_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    nearest = np.where(to_up <= to_corner, up, corner)
    return np.where((to_left <= to_up) & (to_left <= to_corner), left, nearest)
