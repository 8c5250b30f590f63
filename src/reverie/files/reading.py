"""Reading a picture: upright, in sRGB, in its own depth."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile, UnidentifiedImageError
from torch import Tensor

from reverie.errors import InputError
from reverie.files import cicp, color, decoding, deep, metadata, tiff
from reverie.files.writing import WRITES
from reverie.pixels import tone
from reverie.pixels.ops import unit

MAX_PIXELS = 300_000_000
READS = {*WRITES, ".jpe", ".jfif", ".mpo", ".apng", ".bmp", ".dib", ".gif", ".avif", ".heic", ".heif"}
FileSource = str | os.PathLike[str] | bytes  # a file's path, or what stands in it
_UNREADABLE: dict[type[Exception], str] = {
    FileNotFoundError: "does not exist; check its name and folder",
    PermissionError: "may not be read; change its permissions",
    UnidentifiedImageError: "is no picture that can be read; give a JPEG, PNG, WebP, TIFF, BMP, GIF or AVIF",
    Image.DecompressionBombError: "has more than {:,} pixels; make it smaller first",
    MemoryError: "does not fit into memory; make it smaller first",
    Exception: decoding.DAMAGED,
}
_LOCK = threading.Lock()


@dataclass(frozen=True, eq=False)
class Photo:
    """A still picture in sRGB: ``pixels`` [1, 3, H, W] RGB and ``alpha`` [1, 1, H, W] or None, each uint8 or uint16
    in the full range of that type, or float32 in 0..1 (``ops.unit`` makes any of them 0..1); ``profile`` is an ICC
    profile that says sRGB, or None; ``sha256`` is that of the file (or array) in hex; ``notes`` has one sentence
    for each harmless oddity; ``name`` is the path as given, empty where there is none.
    """

    pixels: Tensor
    alpha: Tensor | None = None
    profile: bytes | None = None
    sha256: str = ""
    notes: tuple[str, ...] = ()
    name: str = ""


def load_image(source: FileSource, max_pixels: int = MAX_PIXELS) -> Tensor:
    """The pixels of a picture as :func:`load` reads them, [1, 3, H, W] float32 in 0..1. Raises what that raises.

    >>> load_image("owl.jpg").shape  # doctest: +SKIP
    """
    return unit(load(source, max_pixels).pixels)


def load(source: FileSource, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read a picture: upright, in sRGB, with its alpha, the first frame if it moves; 16 bits stay 16 bits.

    ``source`` is a path, or the bytes of a file. The content chooses the decoder, never the name. Color under full
    transparency, which nobody was meant to see, becomes the mean of what is visible. Raises InputError for whatever
    cannot be read, and for more than ``max_pixels`` pixels before any is decoded. Example: ``load("owl.jpg").pixels``.
    """
    notes: list[str] = []
    with _reading(source, max_pixels) as file:
        raw = _decoded(file, max_pixels, notes)
        if (coding := _coding(file, raw)) is not None:
            raw.color, raw.profile = cicp.to_srgb(color.samples(raw.color), coding, notes), None
        plain, profile = color.srgb(raw.color, raw.profile, notes)
        if raw.alpha is not None:
            color.hide(plain, raw.alpha)
        pixels = decoding.tensor(plain, raw.orientation).expand(-1, 3, -1, -1)
        alpha = None if raw.alpha is None else decoding.tensor(raw.alpha, raw.orientation)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    name = "" if isinstance(source, bytes) else os.fspath(source)
    said = tuple(f"{Path(name).name or 'The picture'} {note}" for note in notes)
    return Photo(pixels, alpha, profile, digest, said, name)


def _decoded(file: BinaryIO, max_pixels: int, notes: list[str]) -> decoding.Raw:
    found = tiff.read_tiff(file, max_pixels, notes) or deep.read_deep(file, max_pixels, notes)
    if found is not None:
        return found
    try:
        return decoding.picture(file, max_pixels, notes)
    except OSError:
        if (mended := deep.with_end(file, max_pixels)) is None:
            raise
        notes.append("lacks its end marker; nothing else of it is missing.")
        return decoding.picture(mended, max_pixels, notes)


def _coding(file: BinaryIO, raw: decoding.Raw) -> cicp.Coding | None:
    """How the color of the picture is coded, where neither sRGB nor a profile says it. HDR outweighs any profile."""
    file.seek(0)
    head = file.read(1 << 16)
    found = cicp.of_isobmff(head) if head[4:8] == b"ftyp" else cicp.of_png(file)
    return found if raw.profile is None or (found and found.transfer in (tone.PQ, tone.HLG)) else None


def listing(folder: str | os.PathLike[str]) -> list[Path]:
    """The pictures lying in a folder, by suffix, in the order people count (2 before 10), none hidden.

    Raises InputError if the folder cannot be read or holds none. Example: ``listing("holiday")``.
    """
    try:
        shown = [each for each in Path(folder).iterdir() if not each.name.startswith(".")]
        found = [each for each in shown if each.suffix.lower() in READS and each.is_file()]
    except OSError as error:
        raise InputError(f"{folder} cannot be listed ({error.strerror}); name another.") from None
    if not found:
        raise InputError(f"{folder} holds no pictures; name a folder with JPEG, PNG or other picture files.")
    return sorted(sorted(found), key=lambda each: re.sub(r"\d+", lambda n: n[0].zfill(20), each.name.lower()))


def read_text(source: FileSource) -> str | None:
    """The text that ``save`` wrote into a picture, or None: ``read_text("dream.png")``.

    Raises InputError for what is no picture.
    """
    with _reading(source, MAX_PIXELS) as file, decoding.identified(file, MAX_PIXELS) as picture:
        return metadata.find_text(picture.info, str(getattr(picture, "tag_v2", {}).get(270, "")))


@contextlib.contextmanager
def _reading(source: FileSource, max_pixels: int) -> Iterator[BinaryIO]:
    """An open picture file, Pillow with our limits, and whatever is thrown as one sentence."""
    name = "The picture" if isinstance(source, bytes) else source
    with _LOCK, warnings.catch_warnings():  # limits and warnings belong to the process: one reader at a time
        limits = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        warnings.simplefilter("ignore")
        try:
            # Pillow warns from its limit on and refuses from twice that; identified refuses to the pixel.
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = (max_pixels + 1) // 2, False
            with _opened(source) as file:
                yield file
        except InputError as error:
            raise InputError(f"{name} {error}.") from None
        except Exception as error:  # decoders raise anything: SyntaxError, struct.error, RuntimeError
            why = next(why.format(max_pixels) for kind, why in _UNREADABLE.items() if isinstance(error, kind))
            if isinstance(error, OSError) and error.errno and type(error) not in _UNREADABLE:
                why = f"cannot be read ({error.strerror}); check its name and its disk"
            elif "allocate memory" in str(error):  # torch's own MemoryError is a RuntimeError
                why = _UNREADABLE[MemoryError]
            raise InputError(f"{name} {why}.") from None
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = limits


def _opened(source: FileSource) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if os.path.exists(source) and not os.path.isfile(source):  # opening a pipe would wait for ever
        raise InputError(f"is {'a folder' if os.path.isdir(source) else 'no file'}; name a picture")
    return open(source, "rb")
