"""From an open file to samples as they stand in it: decoders by content, depth kept, one copy at a time."""

from __future__ import annotations

import contextlib
import importlib
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import numpy as np
import torch
from PIL import Image, ImageFile
from torch import Tensor

from reverie.errors import InputError

Array = np.ndarray[Any, Any]
EIGHT = np.dtype(np.uint8)
ROWS = 256  # handled at a time
MAX_SIDE = 200_000  # pixels; JPEG ends at 65,535, and the longest scans have some more
DAMAGED = "is damaged or cut short; copy or download it again"
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF")
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_FLIPS = {2: (1,), 3: (0, 1), 4: (0,), 5: (), 6: (1,), 7: (0, 1), 8: (0,)}  # EXIF; 5..8 transpose


@dataclass
class Raw:
    """What a file holds: ``color`` [H, W, 1 or 3] uint8, uint16 or float32 in 0..1, or Pillow's own picture while its
    profile may still have to be applied; ``alpha`` [H, W, 1] likewise, or None; ICC profile; EXIF orientation."""

    color: Image.Image | Array
    alpha: Array | None
    profile: bytes | None
    orientation: Any


def identified(file: BinaryIO, max_pixels: int) -> ImageFile.ImageFile:
    """The picture in a file, its header read and its size allowed, nothing decoded."""
    file.seek(0)
    head, formats = file.read(128), list(_FORMATS)
    if not head:
        raise InputError("is empty; copy or download it again")
    said = brands(head)
    if head[4:8] == b"ftyp" and said & HEIC_BRANDS and not said & {b"avif", b"avis"}:
        try:
            importlib.import_module("pillow_heif").register_heif_opener()
        except ImportError:
            raise InputError("is a HEIC picture; pip install pillow-heif, or convert it to JPEG") from None
        formats = ["HEIF"]
    elif is_video(head):
        raise InputError(
            "is a video; 'reverie film video' dreams it, and as [[guide]] it goes with a zoom or another video"
        )
    picture = Image.open(file, formats=formats)
    require_size(picture.size, max_pixels)
    return picture


def require_size(size: tuple[int, int], max_pixels: int) -> None:
    """Raise unless a picture of ``size`` (width, height) has some pixels, ``max_pixels`` at most, and no endless side.

    A single row of 300 million pixels is a few bytes in a file, and minutes and gigabytes in every step after it.
    """
    if min(size) < 1:
        raise InputError(f"has {size[0]}x{size[1]} pixels; give one that has some")
    if math.prod(size) > max_pixels:
        raise Image.DecompressionBombError
    if max(size) > MAX_SIDE:
        raise InputError(f"has a side of {max(size):,} pixels, and {MAX_SIDE:,} is the most; cut it first")


def is_video(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a video: QuickTime's family, Matroska, AVI, ASF, FLV, Ogg, MPEG."""
    still = brands(head) & {*HEIC_BRANDS, b"avif", b"avis"}
    boxes = head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide") and not still
    riff = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    return (
        boxes or riff or head.startswith((b"\x1a\x45\xdf\xa3", b"0&\xb2u", b"FLV\1", b"OggS", b"\0\0\1\xba"))
    )


def brands(head: bytes) -> set[bytes]:
    """What an ISO media file says it is compatible with."""
    return {head[at : at + 4] for at in range(8, min(len(head), int.from_bytes(head[:4], "big")), 4)}


def picture(file: BinaryIO, max_pixels: int, notes: list[str]) -> Raw:
    """Whatever Pillow reads."""
    with identified(file, max_pixels) as found:
        lower = _lower(found)
        found.load()
        raw = Raw(found, None, found.info.get("icc_profile"), 1)
        mode, key = found.mode, found.info.get("transparency")
        plain = "L" if mode in ("1", "L", "LA") else "CMYK" if mode == "CMYK" else "RGB"
        if mode.startswith(("I", "F")):
            bits = getattr(found, "tag_v2", {}).get(258, (16,))[0]
            # What is transparent gets another color, for which the samples must be a copy.
            samples = (np.asarray if key is None else np.array)(found)[..., None]
            raw.color, raw.alpha = unit_samples(samples, bits, notes), _keyed(samples, key)
        elif lower:
            raw.color = array(found, np.dtype(np.uint16))
        elif found.has_transparency_data:
            full = found if mode == "RGBA" else found.convert("RGBA")
            if plain == "RGB" and not raw.profile:
                both = array(full)
                raw.color, raw.alpha = both[..., :3], both[..., 3:]
            else:
                raw.color, raw.alpha = full.convert(plain), array(full.getchannel("A"))
        elif mode != plain:
            raw.color = found.convert(plain)
        with contextlib.suppress(Exception):  # broken EXIF is as good as none
            raw.orientation = found.getexif().get(274, 1)  # Pillow turns a TIFF itself, which then says 1
    # Counting frames moves Pillow away from the one it has decoded; a broken later one is as good as none.
    with contextlib.suppress(Exception), identified(file, max_pixels) as again:
        if _moves(again):
            notes.append("has more than one frame; the first is used.")
    if lower:
        del found  # its memory is needed for the second decoding
        _join(file, max_pixels, raw, lower)
        raw.alpha = _keyed(cast(Array, raw.color), key) if raw.alpha is None else raw.alpha
    return raw


def _moves(found: ImageFile.ImageFile) -> bool:
    """Whether there is a second frame. To count those of a GIF or TIFF Pillow goes through all of them."""
    if found.format in ("GIF", "TIFF"):
        found.seek(1)
        return True
    return int(getattr(found, "n_frames", 1)) > 1


def _keyed(samples: Array, key: Any) -> Array | None:
    """Alpha [H, W, 1] uint16 of a PNG of 16 bits in which one color, ``key``, is transparent; None where none is."""
    if not isinstance(key, int | tuple):
        return None
    shown: Array = (samples != np.array(key)).any(2, keepdims=True) * np.uint16(65_535)
    return shown


def _lower(found: ImageFile.ImageFile) -> str:
    """The raw mode that makes Pillow unpack the lower bytes of a picture of 16 bits, which it cuts to 8; or nothing."""
    modes = {tile.args[0] if isinstance(tile.args, tuple) else tile.args for tile in found.tile}
    raw = str(modes.pop()) if len(modes) == 1 else ""
    if raw == "LA;16B":
        return "RGBA"
    # Of each two bytes the unpacker keeps the one that the byte order calls the upper.
    order = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
    return raw[:-1] + order[raw[-1]] if raw[:-1] in ("RGB;16", "RGBA;16", "RGBX;16") else ""


def _join(file: BinaryIO, max_pixels: int, raw: Raw, lower: str) -> None:
    """Make color of the upper bytes whole, from the same file decoded once more for the lower ones; split alpha off."""
    upper = cast(Array, raw.color)
    with identified(file, max_pixels) as found:
        found.tile = [
            tile._replace(args=(lower, *tile.args[1:]) if isinstance(tile.args, tuple) else lower)
            for tile in found.tile
        ]
        for rows, strip in _strips(found):
            if lower == "RGBA":  # of gray with alpha Pillow gives all four bytes at once
                upper[rows] = (strip[..., ::2].astype(np.uint16) << 8 | strip[..., 1::2]).repeat((3, 1), 2)
            else:
                upper[rows] = upper[rows] << 8 | strip
    if upper.shape[2] == 4:
        raw.color, raw.alpha = upper[..., :3], upper[..., 3:]


def unit_samples(values: Array, bits: int, notes: list[str]) -> Array:
    """Samples of any depth as float32 in 0..1, those of 16 bits as they are; what goes beyond any known white is
    stretched to fit."""
    if values.dtype.kind == "u" and values.dtype.itemsize == 2 and bits == 16:
        return values.astype(np.uint16, copy=False)
    return unit_scaled(values, bits, notes)


def unit_scaled(values: Array, bits: int, notes: list[str]) -> Array:
    """Samples [H, W, C] as a new array of float32 in 0..1, some rows at a time: doubles of all would weigh too much."""
    low, scale = 0.0, 2.0**bits - 1
    if values.dtype.kind not in "bu":
        low, scale = _range(values, notes)
    made = np.empty(values.shape, np.float32)
    for at in range(0, len(values), ROWS):
        wide = values[at : at + ROWS].astype(np.float64)
        if values.dtype.kind == "f":
            wide[~np.isfinite(wide)] = 0
        made[at : at + ROWS] = np.clip((wide - low) / scale, 0, 1)
    return made


def _range(values: Array, notes: list[str]) -> tuple[float, float]:
    """What is black, and how far white is above it, in signed or floating samples."""
    low, high, finite = math.inf, -math.inf, True
    for at in range(0, len(values), ROWS):
        part = values[at : at + ROWS]
        if part.dtype.kind == "f" and not (good := np.isfinite(part)).all():
            part, finite = np.where(good, part, 0), False
        low, high = min(low, float(part.min())), max(high, float(part.max()))
    if not finite:
        notes.append("holds numbers that are not finite; they became 0.")
    if values.dtype.kind == "i" and low >= 0 and high <= 65_535:
        return 0.0, 65_535.0
    if low < 0 or high > 1:
        notes.append(f"holds numbers from {low:g} to {high:g}; they were stretched to fit.")
        return low, (high - low) or 1.0
    return 0.0, 1.0


def array(found: Image.Image, kind: np.dtype[Any] = EIGHT) -> Array:
    """The samples [H, W, C] of a picture in 8 bits, copied strip by strip: Pillow's own way holds three copies."""
    samples = np.empty((found.height, found.width, len(found.getbands())), kind)
    for rows, strip in _strips(found):
        samples[rows] = strip
    return samples


def _strips(found: Image.Image) -> Iterator[tuple[slice, Array]]:
    width, height = found.size
    for at in range(0, height, ROWS):
        strip = np.asarray(found.crop((0, at, width, min(at + ROWS, height))))
        yield slice(at, at + ROWS), strip.reshape(len(strip), width, -1)


def tensor(samples: Array, orientation: Any) -> Tensor:
    """Samples [H, W, C] as [1, C, H, W] in the same depth, turned upright."""
    if orientation in _FLIPS:
        samples = np.flip(samples.swapaxes(0, 1) if orientation >= 5 else samples, _FLIPS[orientation])
        samples = np.ascontiguousarray(samples)
    return torch.from_numpy(samples).permute(2, 0, 1)[None]
