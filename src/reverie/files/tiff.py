"""TIFF, read by its tags: every depth, sample format, compression and predictor that tifffile and imagecodecs know."""

from __future__ import annotations

import io
import logging
import math
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from reverie.errors import InputError
from reverie.files.decoding import DAMAGED, Array, Raw, require_size, unit_samples, unit_scaled

MOST_SAMPLES = (
    16  # of a pixel: what multispectral cameras write; a picture has at most four and a mask or two
)
_WHITE_IS_ZERO, _GRAY, _RGB, _PALETTE, _CMYK, _YCBCR, _LAB = 0, 1, 2, 3, 5, 6, 8
_COLORS = {
    _WHITE_IS_ZERO: 1,
    _GRAY: 1,
    _RGB: 3,
    _PALETTE: 1,
    _CMYK: 4,
    _YCBCR: 3,
    _LAB: 3,
}  # samples of a pixel
_FAX, _OLD_JPEG, _JPEG = (2, 3, 4), 6, 7
_PREMULTIPLIED, _STRAIGHT = 1, 2  # what an extra sample can be


def read_tiff(file: BinaryIO, max_pixels: int, notes: list[str]) -> Raw | None:
    """The first picture of a TIFF in its own depth; None for any other file, and for what only Pillow decodes.

    Raises InputError for a file that is damaged, or that needs more memory than a picture of ``max_pixels``.
    """
    file.seek(0)
    if file.read(4) not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return None
    import tifffile  # a tenth of a second that only TIFFs cost

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it logs each oddity; ours is one sentence
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    try:
        tiff = tifffile.TiffFile(file)
        page: Any = tiff.pages.first
        size, samples = (page.imagelength, page.imagewidth), page.samplesperpixel
    except MemoryError:
        raise
    except Exception:
        raise InputError(DAMAGED) from None
    require_size((size[1], size[0]), max_pixels)
    if samples > MOST_SAMPLES:
        raise InputError(f"has {samples} samples a pixel; a picture has 1 to 4: take three of them out first")
    if not _is_known(page):
        return None
    if math.prod(page.chunks) > max_pixels * MOST_SAMPLES:
        raise InputError(DAMAGED)
    try:
        values = _samples(page, end)
        made = _pictured(page, values, notes)
    except (InputError, MemoryError):
        raise
    except Exception:
        if page.compression in _FAX:
            return None  # of facsimiles libtiff knows more kinds
        raise InputError(DAMAGED) from None
    if _has_second(tiff):
        notes.append("has more than one frame; the first is used.")
    return made


def _is_known(page: Any) -> bool:
    subsampled = page.photometric == _YCBCR and page.compression != _JPEG
    flat = page.axes in ("YX", "YXS", "SYX") and page.imagedepth == 1
    return page.photometric in _COLORS and page.compression != _OLD_JPEG and flat and not subsampled


def _samples(page: Any, end: int) -> Array:
    """The samples [H, W, S] of ``page`` in a file of ``end`` bytes."""
    chunks = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    # Of a file that is not whole, tifffile would fill the holes with zeros.
    if len(chunks) < math.prod(page.chunked) or not all(n and at + n <= end for at, n in chunks):
        raise InputError(DAMAGED)
    values: Array = np.atleast_3d(page.asarray(maxworkers=1))
    return np.moveaxis(values, 0, 2) if page.axes == "SYX" else values


def _pictured(page: Any, values: Array, notes: list[str]) -> Raw:
    kind, count, bits = page.photometric, _COLORS[page.photometric], page.bitspersample
    if not isinstance(bits, int) or values.shape[2] < count or values.dtype.kind not in "buif":
        raise InputError("has samples that are no numbers of one kind; convert it to 8 or 16 bits first")
    profile, turn = page.iccprofile, page.tags.valueof(274, 1)
    extra = [int(each) for each in page.extrasamples]
    if kind == _RGB and values.shape[2] == 4 and not extra:
        extra = [_STRAIGHT]  # nobody says what the fourth is; everybody means opacity
    if kind == _PALETTE:
        table = np.moveaxis(np.asarray(page.colormap), 0, -1).astype(np.uint32)
        table = ((table + 128) // 257 if table.max() > 255 else table).astype(np.uint8)
        return Raw(table[values[..., 0]], None, None, turn)
    if kind == _CMYK:
        return Raw(_inks(values[..., :count], bits, notes), None, profile, turn)
    if kind == _LAB:
        return Raw(_from_lab(values[..., :count], bits, notes), None, None, turn)
    color = _plain(values[..., :count], bits, notes)
    if kind == _WHITE_IS_ZERO:
        np.subtract(_white(color), color, out=color)
    alpha = None
    for at, meaning in enumerate(extra[: values.shape[2] - count]):
        if meaning in (_PREMULTIPLIED, _STRAIGHT):
            alpha = _plain(values[..., count + at][..., None], bits, [])
            if meaning == _PREMULTIPLIED:
                unmultiply(color, alpha)
            break
    return Raw(color, alpha, profile, turn)


def _plain(values: Array, bits: int, notes: list[str]) -> Array:
    """Samples in a depth that the rest of Reverie knows, as a copy."""
    if values.dtype.kind in "bu" and bits in (1, 2, 4, 8):
        return values.astype(np.uint8) * np.uint8(255 // (2**bits - 1))
    return np.ascontiguousarray(unit_samples(values, bits, notes))


def _inks(values: Array, bits: int, notes: list[str]) -> Image.Image:
    """CMYK as a picture of Pillow's, in 8 bits, in which its profile is applied."""
    if values.dtype != np.uint8 or bits != 8:
        notes.append("has CMYK color, which is read in 8 bits a sample.")
        values = np.rint(unit_scaled(values, bits, []) * 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(values), "CMYK")


def _from_lab(values: Array, bits: int, notes: list[str]) -> Image.Image:
    """CIE Lab as RGB, in 8 bits."""
    if values.dtype.kind not in "ui" or bits != 8:
        raise InputError(f"has Lab color of {bits} bits a sample; convert it to RGB first")
    notes.append("has Lab color, which was converted to sRGB.")
    size = (values.shape[1], values.shape[0])
    return Image.frombytes("LAB", size, values.astype(np.uint8).tobytes()).convert("RGB")


def _white(color: Array) -> Any:
    return color.dtype.type(1 if color.dtype.kind == "f" else np.iinfo(color.dtype).max)


def unmultiply(color: Array, alpha: Array) -> None:
    """Divide ``color`` [H, W, C], which was multiplied by ``alpha`` [H, W, 1], by it again, in place."""
    white = float(_white(color))
    for row in range(0, len(color), 256):
        part, opacity = color[row : row + 256], alpha[row : row + 256].astype(np.float64)
        shown = part * (white / np.where(opacity > 0, opacity, np.inf)) * (float(_white(alpha)) / white)
        shown = np.minimum(shown, white)
        part[:] = np.rint(shown) if part.dtype.kind == "u" else shown


def _has_second(tiff: Any) -> bool:
    """Whether there is a second page; counting all of a hundred thousand would take minutes."""
    try:
        return tiff.pages[1] is not None
    except Exception:  # a broken later one is as good as none
        return False
