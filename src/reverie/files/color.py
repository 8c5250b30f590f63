"""Color as files mean it: profiles applied, and what full transparency hides taken away."""

from __future__ import annotations

import io
from typing import cast

import numpy as np
from PIL import Image, ImageCms

from reverie.files.decoding import ROWS, Array, array

_WHITE = {"u1": 255, "u2": 65_535, "f4": 1}  # by numpy's kind and width of a sample


def srgb(color: Image.Image | Array, profile: bytes | None, notes: list[str]) -> tuple[Array, bytes | None]:
    """Color as an sRGB array, and the profile if that says sRGB already (then no value moves)."""
    if profile:
        try:
            if (converted := _converted(color, profile)) is not None:
                return converted, None
        except (ImageCms.PyCMSError, OSError, KeyError, ValueError, TypeError, ImportError):
            notes.append("has a color profile that is broken or not its own; it was ignored.")
            profile = None
    if isinstance(color, Image.Image):
        color = array(color.convert("RGB") if color.mode == "CMYK" else color)
    return color, profile


def _converted(color: Image.Image | Array, profile: bytes) -> Array | None:
    if not isinstance(color, Image.Image):  # Pillow manages color in 8 bits only
        white = _WHITE[color.dtype.str[1:]]
        eight: Array = np.empty(color.shape, np.uint8)
        for at in range(0, len(color), ROWS):
            np.rint(
                color[at : at + ROWS] * np.float32(255 / white), out=eight[at : at + ROWS], casting="unsafe"
            )
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
