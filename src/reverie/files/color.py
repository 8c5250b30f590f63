"""Color as files mean it: profiles applied, and what full transparency hides taken away."""

from __future__ import annotations

import importlib
import io
from typing import Any, cast

import numpy as np
from PIL import Image, ImageCms

from reverie.files.decoding import ROWS, Array, array

_WHITE = {"u1": 255, "u2": 65_535, "f4": 1}  # by numpy's kind and width of a sample


def srgb(color: Image.Image | Array, profile: bytes | None, notes: list[str]) -> tuple[Array, bytes | None]:
    """Color as an sRGB array, and the profile if that says sRGB already (then no value moves)."""
    if profile:
        try:
            if (converted := _converted(color, profile)) is not None:
                notes.append(f"has the color profile {_name(profile)}; it was converted to sRGB.")
                return converted, None
        except (ImageCms.PyCMSError, OSError, KeyError, ValueError, TypeError, RuntimeError):
            notes.append("has a color profile that is broken or not its own; it was ignored.")
            profile = None
    if isinstance(color, Image.Image) and color.mode == "CMYK":
        notes.append("has CMYK color without a profile of use; it was converted to sRGB by a plain rule.")
    return samples(color), profile


def samples(color: Image.Image | Array) -> Array:
    """The samples of ``color``, in RGB or gray."""
    if isinstance(color, Image.Image):
        return array(color.convert("RGB") if color.mode == "CMYK" else color)
    return color


def _name(profile: bytes) -> str:
    """What a profile calls itself."""
    text = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    return " ".join(text.split())[:60] or "of no name"


def _converted_deep(color: Array, profile: bytes, source: ImageCms.ImageCmsProfile) -> Array | None:
    """RGB or gray of more than 8 bits by Little CMS in 16 bits, which Pillow has no modes for; None for sRGB."""
    kind = source.profile.xcolor_space.strip()
    if kind not in ("RGB", "GRAY") or (kind == "GRAY" and color.shape[2] != 1):
        raise ValueError(f"a profile for {kind} on {color.shape[2]} channels")
    codecs: Any = importlib.import_module("imagecodecs")
    target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    said = {"intent": 1, "flags": codecs.CMS.FLAGS.BLACKPOINTCOMPENSATION | codecs.CMS.FLAGS.NOOPTIMIZE}
    said |= {"colorspace": kind.lower(), "outcolorspace": "rgb"}
    if kind == "RGB":
        grid = (np.indices((16, 16, 16)).T * 4369).reshape(64, 64, 3).astype(np.uint16)
        moved = codecs.cms_transform(grid, profile, target, **said).astype(int) - grid
        if abs(moved).max() <= 2 * 257:
            return None
    deep = color if color.dtype == np.uint16 else np.rint(color * np.float32(65_535)).astype(np.uint16)
    made: Array = np.empty((*color.shape[:2], 3), np.uint16)
    for at in range(0, len(deep), ROWS):
        part = (
            np.repeat(deep[at : at + ROWS], 3, 2)
            if kind == "RGB" and deep.shape[2] == 1
            else deep[at : at + ROWS]
        )
        part = part[..., 0] if kind == "GRAY" else part
        made[at : at + ROWS] = codecs.cms_transform(np.ascontiguousarray(part), profile, target, **said)
    return made


def _converted(color: Image.Image | Array, profile: bytes) -> Array | None:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if not isinstance(color, Image.Image):
        if color.dtype != np.uint8:
            return _converted_deep(color, profile, source)
        color = Image.fromarray(color if color.shape[2] == 3 else color[..., 0])
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
        color = color.convert("RGB") if color.mode != "RGB" else color
        ImageCms.applyTransform(color, transform, inPlace=True)
        return array(color)
    return array(cast(Image.Image, ImageCms.applyTransform(color, transform)))


def hide(color: Array, alpha: Array) -> None:
    """Give ``color`` [H, W, C] the mean of what is visible, in place, wherever ``alpha`` [H, W, 1] is 0."""
    if bool((alpha > 0).all()):
        return
    total, weight = np.zeros(color.shape[2]), 0.0
    strips = [slice(at, at + ROWS) for at in range(0, len(color), ROWS)]
    for strip in strips:
        opacity = alpha[strip].astype(np.float64)
        total += (color[strip] * opacity).sum((0, 1))
        weight += float(opacity.sum())
    white = _WHITE[color.dtype.str[1:]]
    mean = total / weight / white if weight else np.full_like(total, 0.5)
    shown = (np.rint(mean * 255) * (white / 255)).astype(color.dtype)  # whole steps, so that 8 bits keep it
    for strip in strips:
        np.copyto(color[strip], shown, where=alpha[strip] == 0)
