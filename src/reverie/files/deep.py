"""What Pillow cuts to 8 bits or does not read: AVIF and HEIC of 10 and 12 bits, JPEG of 12, a JPEG without its end."""

from __future__ import annotations

import importlib
import io
from typing import Any, BinaryIO

import numpy as np

from reverie.files.decoding import HEIC_BRANDS, Array, Raw, brands, identified, require_size

_HEAD = 1 << 16  # bytes in which the boxes of a still picture lie
_END = b"\xff\xd9"
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of JPEG's frame headers


def read_deep(file: BinaryIO, max_pixels: int, notes: list[str]) -> Raw | None:
    """A still picture of 10 or 12 bits, as uint16 over its whole range; None for any other file."""
    file.seek(0)
    head = file.read(_HEAD)
    if head[4:8] == b"ftyp":
        if brands(head) & {b"avif", b"avis"}:
            return _avif(file, head, max_pixels)
        return _heic(file, max_pixels) if brands(head) & HEIC_BRANDS else None
    return _jpeg(file, head, max_pixels, notes) if head.startswith(b"\xff\xd8\xff") else None


def _avif(file: BinaryIO, head: bytes, max_pixels: int) -> Raw | None:
    at = head.find(b"av1C")
    flags = head[at + 6] if 0 <= at < len(head) - 6 else 0
    if not flags & 0x40:
        return None
    bits = 12 if flags & 0x20 else 10
    with identified(file, max_pixels) as found:  # of the header alone: profile and orientation
        profile, turn = found.info.get("icc_profile"), found.getexif().get(274, 1)
    file.seek(0)
    values = importlib.import_module("imagecodecs").avif_decode(file.read(), index=0)
    return _raw(np.atleast_3d(values), bits, profile, turn)


def _heic(file: BinaryIO, max_pixels: int) -> Raw | None:
    with identified(file, max_pixels) as found:  # says what to install, too
        profile = found.info.get("icc_profile")
    file.seek(0)
    found = importlib.import_module("pillow_heif").open_heif(file, convert_hdr_to_8bit=False)
    bits = int(found.info.get("bit_depth", 8))
    if bits <= 8 or ";16" not in found.mode:
        return None
    values: Array = np.atleast_3d(np.asarray(found)) >> (16 - bits)
    return _raw(values, bits, profile, 1)  # libheif has turned it


def _raw(values: Array, bits: int, profile: bytes | None, turn: Any) -> Raw:
    """Samples of ``bits`` bits in the whole range of 16, alpha split off."""
    wide = np.rint(values.astype(np.float32) * np.float32(65_535 / (2**bits - 1))).astype(np.uint16)
    count = 1 if wide.shape[2] in (1, 2) else 3
    alpha = np.ascontiguousarray(wide[..., count:]) if wide.shape[2] > count else None
    return Raw(np.ascontiguousarray(wide[..., :count]), alpha, profile, turn)


def _jpeg(file: BinaryIO, head: bytes, max_pixels: int, notes: list[str]) -> Raw | None:
    at = _frame(head)
    if at < 0 or len(head) < at + 10 or head[at + 4] != 12:
        return None
    height, width = (int.from_bytes(head[start : start + 2], "big") for start in (at + 5, at + 7))
    require_size((width, height), max_pixels)
    if head[at + 9] not in (1, 3):
        return None
    file.seek(0)
    whole = file.read()
    # Pillow refuses 12 bits; told that there are 8 it reads the rest of the header all right.
    with identified(io.BytesIO(whole[: at + 4] + b"\x08" + whole[at + 5 :]), max_pixels) as found:
        profile, turn = found.info.get("icc_profile"), found.getexif().get(274, 1)
    values = importlib.import_module("imagecodecs").jpeg8_decode(whole)
    return _raw(np.atleast_3d(values), 12, profile, turn)


def _frame(head: bytes) -> int:
    """Where the frame header of a JPEG begins, or -1."""
    at = 2
    while at + 4 <= len(head) and head[at] == 0xFF:
        if head[at + 1] in _FRAMES:
            return at
        if head[at + 1] == 0xFF:  # a filling byte
            at += 1
            continue
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return -1


def with_end(file: BinaryIO, max_pixels: int) -> BinaryIO | None:
    """A JPEG that lacks nothing but its end marker, with one; None for any other file.

    Bytes behind the last pixel are of no account. So if some before the end marker change the picture, more than
    the marker is missing.
    """
    file.seek(0)
    whole = file.read()
    if not whole.startswith(b"\xff\xd8\xff") or whole.endswith(_END):
        return None
    whole = whole.removesuffix(b"\xff")
    mended, probe = io.BytesIO(whole + _END), io.BytesIO(whole + b"\x5a\xa5" * 64 + _END)
    try:
        with identified(mended, max_pixels) as first, identified(probe, max_pixels) as second:
            same = first.tobytes() == second.tobytes()
    except OSError:
        return None
    return mended if same else None
