"""Writing a picture whole or not at all, strip by strip where the format allows."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import math
import os
import secrets
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from PIL import Image
from torch import Tensor

from reverie.errors import OutputError, UsageError
from reverie.files import metadata, png
from reverie.files.decoding import Array
from reverie.pixels.ops import Size, unit

PathLike = str | os.PathLike[str]
Depth = Literal[8, 16]
WRITES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
_DEEP = {"PNG", "TIFF"}
_LONGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383}
_LONGEST_COMMENT = 65_533  # bytes; the segment's length has two
_STRIP = 1 << 19  # samples of a channel that are turned into bytes at a time
_UNWRITABLE = {
    errno.EEXIST: "exists already; choose another name or use [[overwrite=True]]",
    errno.ENOSPC: "cannot be written because the disk is full; free some space",
    errno.EACCES: "may not be written; change the permissions or choose another folder",
}


def to_uint8(pixels: Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Pixels [1, C, H, W] or [C, H, W] in 0..1 as uint8 H x W x C, rounded to nearest, clipped beyond 0..1.

    Raises UsageError for any other shape. Example: ``to_uint8(frame.image)``.
    """
    return _samples(_planes(pixels), 8)


def _planes(pixels: Tensor) -> Tensor:
    if pixels.ndim not in (3, 4) or (pixels.ndim == 4 and len(pixels) != 1):
        raise UsageError(f"Pixels have shape {tuple(pixels.shape)}; give [1, 3, H, W] or [3, H, W].")
    return pixels.detach().reshape(pixels.shape[-3:])


def _samples(planes: Tensor, depth: Depth) -> Array:
    """Planes [C, H, W] as samples [H, W, C] of ``depth`` bits."""
    white = 2**depth - 1
    scaled = (unit(planes.cpu()) * white).nan_to_num_(0.0).round_().clamp_(0, white)
    samples = scaled.permute(1, 2, 0).numpy().astype(np.uint8 if depth == 8 else np.uint16)
    return np.ascontiguousarray(samples)


def save(
    path: PathLike,
    pixels: Tensor,
    *,
    alpha: Tensor | None = None,
    profile: bytes | None = None,
    text: str | None = None,
    overwrite: bool = False,
    quality: int = 95,
    depth: Depth = 8,
) -> Path:
    """Write a picture whole or not at all: PNG, JPEG, WebP or TIFF, by the suffix. Gives the path.

    ``pixels`` is [1, 3, H, W] or [3, H, W], ``alpha`` [1, 1, H, W] or [1, H, W], in 0..1, or integers in the full range
    of their type; JPEG drops alpha. ``read_text`` gives ``text`` back (JPEG holds 65 kB of it). ``quality``, 1..100,
    is for JPEG and WebP; ``depth``, 8 or 16 bits a sample, 16 for PNG and TIFF alone. The same arguments make the
    same bytes. Raises OutputError if it cannot be written and UsageError for a wrong shape. Example:
    ``save("dream.png", photo.pixels, alpha=photo.alpha)``.
    """
    height, width = _checked(pixels, alpha)
    check_writable(path, overwrite, (height, width), depth)
    kind = WRITES[Path(path).suffix.lower()]
    with unfinished(path) as temporary:
        with open(temporary, "xb") as file:
            _encode(path, file, kind, pixels, alpha, profile, text, quality, depth)
            file.flush()
            os.fsync(file.fileno())
        (os.replace if overwrite else claim)(temporary, os.path.realpath(path))
    return Path(path)


def write(
    file: BinaryIO,
    pixels: Tensor,
    suffix: str = ".png",
    *,
    alpha: Tensor | None = None,
    profile: bytes | None = None,
    text: str | None = None,
    quality: int = 95,
    depth: Depth = 8,
) -> None:
    """What :func:`save` writes, into an open binary file that can seek (TIFF fills in its header last).

    Raises OutputError for what the format of ``suffix`` cannot hold. Example: ``write(io.BytesIO(), photo.pixels)``.
    """
    size = _checked(pixels, alpha)
    if suffix.lower() not in WRITES:
        raise OutputError(f"{suffix} is no suffix that can be written; use one of {' '.join(WRITES)}.")
    kind = WRITES[suffix.lower()]
    check_depth(f"A {kind}", kind, depth)
    if max(size) > _LONGEST_SIDE.get(kind, math.inf):
        raise OutputError(f"A {kind} cannot have a side above {_LONGEST_SIDE[kind]} pixels; use PNG.")
    _encode(f"The {kind}", file, kind, pixels, alpha, profile, text, quality, depth)


def _checked(pixels: Tensor, alpha: Tensor | None) -> Size:
    """(height, width) of a picture that can be written."""
    planes = [_planes(each).shape for each in (pixels, alpha) if each is not None]
    channels, height, width = planes[0]
    if channels != 3 or 0 in (height, width) or any(each != (1, height, width) for each in planes[1:]):
        raise UsageError(f"Pixels of shape {tuple(pixels.shape)} and their alpha do not make an RGB picture.")
    return height, width


def check_depth(name: PathLike, kind: str, depth: Depth) -> None:
    """Raise OutputError where a format holds no samples of ``depth`` bits, UsageError where none does."""
    if depth not in (8, 16):
        raise UsageError(f"A picture has 8 or 16 bits a sample, not {depth}; leave depth out for 8.")
    if depth == 16 and kind not in _DEEP:
        raise OutputError(f"{name} holds 8 bits a sample; for [[depth=16]] use .png or .tif.")


def check_text(name: PathLike, kind: str, words: str) -> None:
    """Raise OutputError where a format cannot hold so long a text. Example: ``check_text("a.jpg", "JPEG", words)``."""
    if kind == "JPEG":
        longest, there = _LONGEST_COMMENT, len(metadata.comment(words))
    else:
        longest, there = metadata.LONGEST_TEXT, len(words)
    if there > longest:
        other = "use .png, .tif or [[metadata=False]]" if there <= metadata.LONGEST_TEXT else "use [[metadata=False]]"
        raise OutputError(f"{name} cannot hold a Record of {there} bytes, {longest} at most; {other}.")


def check_writable(path: PathLike, overwrite: bool = False, size: Size = (1, 1), depth: Depth = 8) -> None:
    """Raise now the OutputError that ``save`` would raise after the work; leaves nothing behind.

    ``size`` is (height, width) in pixels, if known. Example: ``check_writable("dream.png")``.
    """
    with unfinished(path) as temporary:
        place, kind = Path(path), WRITES.get(Path(path).suffix.lower(), "")
        there, limit = os.path.lexists(place), _LONGEST_SIDE.get(kind, math.inf)
        refusals = {
            "is a folder; add a file name such as dream.png": place.is_dir(),
            f"has no suffix that can be written; use one of {' '.join(WRITES)}": not kind,
            "lies in a folder that does not exist; make the folder first": not place.parent.is_dir(),
            _UNWRITABLE[errno.EEXIST]: there and not overwrite,
            "is not an ordinary file; choose another name": place.exists() and not place.is_file(),
            _UNWRITABLE[errno.EACCES]: place.exists() and not os.access(place, os.W_OK),
            f"has a longer side than the {limit} pixels of a {kind}; use .png": max(size) > limit,
        }
        for why in (why for why, refused in refusals.items() if refused):
            raise OutputError(f"{path} {why}.")
        check_depth(path, kind, depth)
        temporary.touch(exist_ok=False)


def _encode(
    name: PathLike,
    file: BinaryIO,
    kind: str,
    pixels: Tensor,
    alpha: Tensor | None,
    profile: bytes | None,
    words: str | None,
    quality: int,
    depth: Depth,
) -> None:
    layers = [_planes(each) for each in (pixels, alpha) if each is not None]
    strips = _strips(layers[:1] if kind == "JPEG" else layers, depth)
    size = (layers[0].shape[-2], layers[0].shape[-1])
    try:
        if kind == "PNG":
            png.write_png(
                file, strips, size, profile, None if words is None else metadata.writable_text(words)
            )
        elif kind == "TIFF":
            _write_tiff(file, strips, size, profile, words)
        else:
            _write_lossy(file, kind, strips, size, profile, words, quality)
    except Exception as error:  # encoders raise anything: ValueError, MemoryError, struct.error
        if isinstance(error, OSError) and error.errno:
            raise
        raise OutputError(f"{name} cannot be encoded ({error}); try .png or [[metadata=False]].") from error


def _strips(layers: list[Tensor], depth: Depth) -> Iterator[Array]:
    """Samples [h, W, C] of all layers [C, H, W] side by side, some rows at a time."""
    height, width = layers[0].shape[-2:]
    rows = max(1, _STRIP // width)
    for at in range(0, height, rows):
        yield np.concatenate([_samples(each[:, at : at + rows], depth) for each in layers], axis=2)


def _write_tiff(
    file: BinaryIO, strips: Iterator[Array], size: Size, profile: bytes | None, words: str | None
) -> None:
    first = next(strips)
    rows, channels = len(first), first.shape[2]

    def packed() -> Iterator[bytes]:
        for strip in itertools.chain([first], strips):
            # Differences along the rows: what TIFF calls the horizontal predictor.
            difference = np.diff(strip, axis=1, prepend=strip.dtype.type(0))
            yield zlib.compress(difference.tobytes())

    import tifffile  # a tenth of a second that only TIFFs cost

    big = first.nbytes // rows * size[0] > 2**32 - 2**25  # what does not compress must fit as well
    with tifffile.TiffWriter(file, byteorder="<", bigtiff=big) as tiff:
        tiff.write(
            packed(),
            shape=(*size, channels),
            dtype=first.dtype,
            photometric="rgb",
            rowsperstrip=rows,
            compression="adobe_deflate",
            predictor=True,
            extrasamples=["unassalpha"] * (channels - 3),
            iccprofile=profile,
            description=None if words is None else metadata.description(words),
            metadata=None,
            software=False,
        )


def _write_lossy(
    file: BinaryIO,
    kind: str,
    strips: Iterator[Array],
    size: Size,
    profile: bytes | None,
    words: str | None,
    quality: int,
) -> None:
    first = next(strips)
    picture, top = Image.new("RGB" if first.shape[2] == 3 else "RGBA", (size[1], size[0])), 0
    for strip in itertools.chain([first], strips):
        picture.paste(Image.fromarray(strip), (0, top))
        top += len(strip)
    options: dict[str, Any] = {"subsampling": 0} if kind == "JPEG" else {"method": 4}
    if words is not None:
        options |= {"comment": metadata.comment(words)} if kind == "JPEG" else {"xmp": metadata.xmp(words)}
    # Through memory, because writing into a file itself Pillow forgets why it failed.
    picture.save(buffer := io.BytesIO(), kind, icc_profile=profile, quality=quality, **options)
    file.write(buffer.getbuffer())


@contextlib.contextmanager
def unfinished(path: PathLike) -> Iterator[Path]:
    """A free name beside the file, gone afterwards whatever happens; any OSError becomes an OutputError."""
    temporary = Path(os.path.realpath(path)).parent / f".reverie-{secrets.token_hex(8)}.part"
    try:
        yield temporary
    except (OSError, ValueError) as error:
        why = f"cannot be written ({getattr(error, 'strerror', error)}); choose another place"
        why = _UNWRITABLE.get(getattr(error, "errno", 0), why)
        raise OutputError(f"{path} {why}.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def claim(temporary: Path, target: str) -> None:
    """Give a file its name only if nobody has it: two processes never overwrite each other."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links, such as exFAT: take the name, then fill it
        Path(target).touch(exist_ok=False)
        try:
            os.replace(temporary, target)
        except BaseException:
            os.unlink(target)
            raise
