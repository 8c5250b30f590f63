"""Files to pixels and back: the only place where still pictures are read and written.

``load`` takes what a camera, a scanner or a browser leaves behind and gives upright sRGB pixels; ``save``
never leaves half a file. Whatever cannot be done is one sentence of ``reverie.errors``.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib
import io
import logging
import math
import os
import re
import secrets
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import torch
from PIL import Image, ImageCms, ImageFile, PngImagePlugin, UnidentifiedImageError
from torch import Tensor

from reverie.errors import InputError, OutputError, UsageError

MAX_PIXELS = 300_000_000
WRITES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
READS = {*WRITES, ".jpe", ".jfif", ".mpo", ".apng", ".bmp", ".dib", ".gif", ".avif", ".heic", ".heif"}
PathLike = str | os.PathLike[str]
Array = np.ndarray[Any, Any]
_Raw = tuple[Image.Image | Array, Array | None, bytes | None, Any]  # color, alpha, ICC profile, orientation
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF")
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_FLIPS = {2: (-1,), 3: (-1, -2), 4: (-2,), 5: (), 6: (-1,), 7: (-1, -2), 8: (-2,)}  # EXIF; 5..8 transpose
_MARK = "reverie: "  # tells our text from a stranger's comment, where a format has no keys
_XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:r="urn:reverie">
<r:text>{}</r:text></rdf:Description></rdf:RDF></x:xmpmeta>"""
_PLAIN = " !\"#$'()*+,-./:;=?@[\\]^_`{|}~"  # ASCII that XML and TIFF carry as it is
_UNREADABLE: dict[type[Exception], str] = {
    FileNotFoundError: "does not exist; check its name and folder",
    PermissionError: "may not be read; change its permissions",
    UnidentifiedImageError: "is no picture that can be read; give a JPEG, PNG, WebP, TIFF, BMP, GIF or AVIF",
    Image.DecompressionBombError: "has more than {:,} pixels; make it smaller first",
    MemoryError: "does not fit into memory; make it smaller first",
    Exception: "is damaged or cut short; copy or download it again",
}
_UNWRITABLE = {
    errno.EEXIST: "exists already; choose another name or use --overwrite",
    errno.ENOSPC: "cannot be written because the disk is full; free some space",
    errno.EACCES: "may not be written; change the permissions or choose another folder",
}
_LOCK = threading.Lock()


@dataclass(frozen=True, eq=False)
class Photo:
    """A still picture: ``pixels`` is float32 [1, 3, H, W], RGB, sRGB, 0..1; ``alpha`` float32 [1, 1, H, W],
    0..1, or None; ``profile`` is an ICC profile that says sRGB, or None; ``sha256`` is that of the file (or
    array) in hex; ``notes`` has one sentence for each harmless oddity; ``name`` is the path as given.
    """

    pixels: Tensor
    alpha: Tensor | None = None
    profile: bytes | None = None
    sha256: str = ""
    notes: tuple[str, ...] = ()
    name: str = ""


def load(path: PathLike, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read a picture: upright, in sRGB, with its alpha, the first frame if it moves.

    The file's content chooses the decoder, never its name. Color under full transparency, which nobody was
    meant to see, becomes the mean of what is visible. Raises InputError for whatever cannot be read, and for
    more than ``max_pixels`` pixels before any is decoded. Example: ``load("owl.jpg").pixels``.
    """
    notes: list[str] = []
    with _reading(path, max_pixels) as file:
        raw = _deep_tiff(file, max_pixels, notes) or _picture(file, max_pixels, notes)
        color, opacity, profile, orientation = raw
        color, profile = _srgb(color, profile, notes)
        pixels = _tensor(color, 3, orientation)
        alpha = None if opacity is None else _tensor(opacity, 1, orientation)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    said = tuple(f"{Path(path).name} {note}" for note in notes)
    return Photo(_hide(pixels, alpha), alpha, profile, digest, said, os.fspath(path))


def listing(folder: PathLike) -> list[Path]:
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


def to_uint8(pixels: Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Pixels [1, C, H, W] or [C, H, W] in 0..1 as uint8 H x W x C, rounded to nearest, clipped beyond 0..1.

    Raises UsageError for any other shape. Example: ``to_uint8(frame.image)``.
    """
    if pixels.ndim not in (3, 4) or (pixels.ndim == 4 and len(pixels) != 1):
        raise UsageError(f"Pixels have shape {tuple(pixels.shape)}; give [1, 3, H, W] or [3, H, W].")
    one = pixels.detach().reshape(pixels.shape[-3:]).to("cpu", torch.float32)
    scaled = (one * 255).nan_to_num_(0.0).round_().clamp_(0, 255)
    return scaled.to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def save(
    path: PathLike,
    pixels: Tensor,
    *,
    alpha: Tensor | None = None,
    profile: bytes | None = None,
    text: str | None = None,
    overwrite: bool = False,
    quality: int = 95,
) -> Path:
    """Write a picture whole or not at all: PNG, JPEG, WebP or TIFF, by the suffix. Gives the path.

    ``pixels`` is [1, 3, H, W] or [3, H, W], ``alpha`` [1, 1, H, W] or [1, H, W], in 0..1; JPEG drops alpha.
    ``read_text`` gives ``text`` back (JPEG holds 65 kB of it). ``quality``, 1..100, is for JPEG and WebP. The
    same arguments make the same bytes. Raises OutputError if it cannot be written and UsageError for a wrong
    shape. Example: ``save("dream.png", photo.pixels, alpha=photo.alpha)``.
    """
    layers = [to_uint8(each) for each in (pixels, alpha) if each is not None]
    height, width, channels = layers[0].shape
    if channels != 3 or 0 in (height, width) or any(each.shape != (height, width, 1) for each in layers[1:]):
        raise UsageError(f"Pixels of shape {tuple(pixels.shape)} and their alpha do not make an RGB picture.")
    check_writable(path, overwrite, (height, width))
    try:
        data = _encoded(layers, WRITES[Path(path).suffix.lower()], profile, text, quality)
    except Exception as error:  # encoders raise anything: OSError, ValueError, MemoryError
        raise OutputError(f"{path} cannot be encoded ({error}); try .png or --no-metadata.") from error
    with _temporary(path) as temporary:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        (os.replace if overwrite else _claim)(temporary, os.path.realpath(path))
    return Path(path)


def check_writable(path: PathLike, overwrite: bool = False, size: tuple[int, int] = (1, 1)) -> None:
    """Raise now the OutputError that ``save`` would raise after the work; leaves nothing behind.

    ``size`` is (height, width) in pixels, if known. Example: ``check_writable("dream.png")``.
    """
    with _temporary(path) as temporary:
        place, kind = Path(path), WRITES.get(Path(path).suffix.lower(), "")
        there, limit = os.path.lexists(place), {"JPEG": 65_500, "WEBP": 16_383}.get(kind, math.inf)
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
        temporary.touch(exist_ok=False)


def read_text(path: PathLike) -> str | None:
    """The text that ``save`` wrote into a picture, or None: ``read_text("dream.png")``.

    Raises InputError for a file that is no picture.
    """
    with _reading(path, MAX_PIXELS) as file, _identified(file, MAX_PIXELS) as picture:
        info = picture.info
        if "reverie" in info:
            return str(info["reverie"])
        xmp = re.search(rb"<r:text>([^<]*)<", info.get("xmp", b""))
        plain = xmp[1].decode() if xmp else str(getattr(picture, "tag_v2", {}).get(270, ""))
        found = unquote(plain) or info.get("comment", b"").decode("utf-8", "replace")
        return found.removeprefix(_MARK) if found.startswith(_MARK) else None


@contextlib.contextmanager
def _reading(path: PathLike, max_pixels: int) -> Iterator[io.BufferedReader]:
    """An open picture file, Pillow with our limits, and whatever is thrown as one sentence."""
    with _LOCK, warnings.catch_warnings():  # limits and warnings belong to the process: one reader at a time
        limits = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        warnings.simplefilter("ignore")
        try:
            # Pillow warns from its limit on and refuses from twice that; _identified refuses to the pixel.
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = (max_pixels + 1) // 2, False
            if os.path.exists(path) and not os.path.isfile(path):  # opening a pipe would wait for ever
                raise InputError(f"is {'a folder' if os.path.isdir(path) else 'no file'}; name a picture")
            with open(path, "rb") as file:
                yield file
        except InputError as error:
            raise InputError(f"{path} {error}.") from None
        except Exception as error:  # decoders raise anything: SyntaxError, struct.error, RuntimeError
            why = next(why.format(max_pixels) for kind, why in _UNREADABLE.items() if isinstance(error, kind))
            if isinstance(error, OSError) and error.errno and type(error) not in _UNREADABLE:
                why = f"cannot be read ({error.strerror}); check its name and its disk"
            elif "allocate memory" in str(error):  # torch's own MemoryError is a RuntimeError
                why = _UNREADABLE[MemoryError]
            raise InputError(f"{path} {why}.") from None
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = limits


def _identified(file: io.BufferedReader, max_pixels: int) -> ImageFile.ImageFile:
    """The picture in a file, its header read and its size allowed, nothing decoded."""
    file.seek(0)
    head, formats = file.read(128), list(_FORMATS)
    if not head:
        raise InputError("is empty; copy or download it again")
    brands = {head[at : at + 4] for at in range(8, min(len(head), int.from_bytes(head[:4], "big")), 4)}
    if head[4:8] == b"ftyp" and brands & _HEIC_BRANDS and not brands & {b"avif", b"avis"}:
        try:
            importlib.import_module("pillow_heif").register_heif_opener()
        except ImportError:
            raise InputError("is a HEIC picture; pip install pillow-heif, or convert it to JPEG") from None
        formats = ["HEIF"]
    picture = Image.open(file, formats=formats)
    if math.prod(picture.size) > max_pixels:
        raise Image.DecompressionBombError
    return picture


def _picture(file: io.BufferedReader, max_pixels: int, notes: list[str]) -> _Raw:
    with _identified(file, max_pixels) as picture:
        picture.load()
        alpha, orientation, mode = None, 1, picture.mode
        plain = "L" if mode in ("1", "L", "LA") else "CMYK" if mode == "CMYK" else "RGB"
        if mode.startswith(("I", "F")):
            bits = getattr(picture, "tag_v2", {}).get(258, (16,))[0]
            color: Image.Image | Array = _unit(np.asarray(picture)[..., None], bits, notes)
        elif picture.has_transparency_data:
            full = picture.convert("RGBA")
            color, alpha = full.convert(plain), np.array(full.getchannel("A"))
        else:
            color = picture.convert(plain)
        with contextlib.suppress(Exception):  # broken EXIF is as good as none, and so is a broken later frame
            orientation = picture.getexif().get(274, 1)  # Pillow turns a TIFF itself, which then says 1
            if getattr(picture, "n_frames", 1) > 1:
                notes.append("has more than one frame; the first is used.")
        return color, alpha, picture.info.get("icc_profile"), orientation


def _deep_tiff(file: io.BufferedReader, max_pixels: int, notes: list[str]) -> _Raw | None:
    """A TIFF of more than 8 bits, which Pillow would cut to 8 or refuse; None for any other file."""
    if file.peek(2)[:2] not in (b"II", b"MM"):
        return None
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it logs each oddity; ours is one sentence
    try:
        tiff = importlib.import_module("tifffile").TiffFile(file)
        page, end = tiff.pages.first, os.fstat(file.fileno()).st_size
        chunks = list(zip(page.dataoffsets, page.databytecounts, strict=True))
        whole = len(chunks) == math.prod(page.chunked) and all(n and at + n <= end for at, n in chunks)
        plain = page.photometric <= 2 and page.axes in ("YX", "YXS", "SYX") and page.extrasamples[:1] != (1,)
        deep = page.dtype.itemsize > 1 and page.dtype.kind in "uif"
        if not (whole and plain and deep) or page.imagewidth * page.imagelength > max_pixels:
            return None  # from a file that is not whole, tifffile would fill the holes with zeros
        values, bits = np.atleast_3d(page.asarray()), page.bitspersample
        values = np.moveaxis(values, 0, 2) if page.axes == "SYX" else values
        color, alpha = _unit(values[..., : 3 if page.photometric == 2 else 1], bits, notes), None
        color = 1 - color if page.photometric == 0 else color
        if page.extrasamples[:1] == (2,):
            alpha = _unit(values[..., color.shape[2]], bits, notes)
        if len(tiff.pages) > 1:
            notes.append("has more than one frame; the first is used.")
        return color, alpha, page.iccprofile, page.tags.valueof(274, 1)
    except Exception:
        return None  # Pillow reads it, or says why not


def _unit(values: Array, bits: int, notes: list[str]) -> Array:
    """Samples of any depth as float32 in 0..1; those that go beyond any known white are stretched to fit."""
    if values.dtype.kind == "u":
        return values.astype(np.float32) / np.float32(2.0**bits - 1)
    wide = values.astype(np.float64)
    if not np.isfinite(wide).all():
        notes.append("holds numbers that are not finite; they became 0.")
        wide = np.nan_to_num(wide, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = wide.min(), wide.max()
    if values.dtype.kind == "i" and low >= 0 and high <= 65_535:
        wide /= 65_535
    elif low < 0 or high > 1:
        notes.append(f"holds numbers from {low:g} to {high:g}; they were stretched to fit.")
        wide = (wide - low) / ((high - low) or 1)
    return wide.astype(np.float32)


def _srgb(color: Image.Image | Array, profile: bytes | None, notes: list[str]) -> tuple[Array, bytes | None]:
    """Color as an sRGB array, and the profile if that says sRGB already (then no value moves)."""
    if profile:
        try:
            if (converted := _converted(color, profile)) is not None:
                return converted, None
        except (ImageCms.PyCMSError, OSError, KeyError, ValueError, TypeError, ImportError):
            notes.append("has a color profile that is broken or not its own; it was ignored.")
            profile = None
    if isinstance(color, Image.Image):
        color = np.array(color.convert("RGB") if color.mode == "CMYK" else color)
    return color, profile


def _converted(color: Image.Image | Array, profile: bytes) -> Array | None:
    if not isinstance(color, Image.Image):  # Pillow manages color in 8 bits only
        eight = np.rint(color * 255).astype(np.uint8)
        color = Image.fromarray(eight if eight.shape[2] == 3 else eight[..., 0])
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[source.profile.xcolor_space.strip()]
    if color.mode not in {"RGB": ("L", "RGB"), "L": ("L",), "CMYK": ("CMYK",)}[mode]:
        raise ValueError(f"a profile for {mode} on {color.mode}")
    how, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", how, flags)
    if mode == "RGB":
        probe = (np.indices((16, 16, 16)).T * 17).reshape(64, 64, 3).astype(np.uint8)
        moved = np.asarray(ImageCms.applyTransform(Image.fromarray(probe), transform)) - probe.astype(int)
        if abs(moved).max() <= 2:
            return None
    return np.array(ImageCms.applyTransform(color.convert(mode), transform))


def _tensor(array: Array, channels: int, orientation: Any) -> Tensor:
    """An array H x W or H x W x C, uint8 or float32, as [1, channels, H, W] in 0..1, turned upright."""
    planes = torch.from_numpy(array if array.ndim == 3 else array[..., None]).permute(2, 0, 1)[None]
    if orientation in _FLIPS:
        planes = (planes.transpose(-2, -1) if orientation >= 5 else planes).flip(_FLIPS[orientation])
    unit = planes.to(torch.float32, memory_format=torch.contiguous_format)
    return (unit.div_(255) if array.dtype == np.uint8 else unit).expand(-1, channels, -1, -1).contiguous()


def _hide(pixels: Tensor, alpha: Tensor | None) -> Tensor:
    if alpha is None or bool((alpha > 0).all()):
        return pixels
    mean = (pixels * alpha).sum((2, 3), keepdim=True, dtype=torch.float64) / alpha.sum(dtype=torch.float64)
    steps = mean.nan_to_num(0.5).to(torch.float32).mul(255).round()  # whole steps, so that a file keeps it
    return torch.where(alpha > 0, pixels, steps / 255)


def _encoded(layers: list[Array], kind: str, profile: bytes | None, text: str | None, quality: int) -> bytes:
    picture = Image.fromarray(np.concatenate(layers[:1] if kind == "JPEG" else layers, axis=2))
    options: dict[str, Any] = {"subsampling": 0, "method": 4, "compression": "tiff_adobe_deflate"}
    options |= {} if kind == "TIFF" else {"quality": quality}
    if text is not None:
        words = text.encode("utf-8", "backslashreplace").decode()  # half a surrogate cannot be written
        if len(words) > 1_000_000:
            raise ValueError("its text is longer than a million characters")  # readers refuse such a PNG
        chunk, plain = PngImagePlugin.PngInfo(), _MARK + quote(words, _PLAIN)
        chunk.add_itxt("reverie", words, zip=True)
        places = {"PNG": ("pnginfo", chunk), "JPEG": ("comment", (_MARK + words).encode())}
        places |= {"WEBP": ("xmp", _XMP.format(plain).encode()), "TIFF": ("tiffinfo", {270: plain})}
        options |= dict([places[kind]])
    picture.save(buffer := io.BytesIO(), kind, icc_profile=profile, **options)
    return buffer.getvalue()


@contextlib.contextmanager
def _temporary(path: PathLike) -> Iterator[Path]:
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


def _claim(temporary: Path, target: str) -> None:
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
