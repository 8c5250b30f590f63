"""How sun and sky light a drawn surface, and how lit parts are laid over each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.canvas import (
    Color,
    Field,
    Layer,
    color,
    inside,
    smoothstep,
)

Colors = NDArray[np.float32]  # [H, W, 3], or what broadcasts to it
Sun = tuple[float, float]  # where the light stands in the picture plane; y is down

SKYLIGHT = np.array([0.20, 0.24, 0.36], np.float32)  # cool fill, so that shadows keep a hue of their own
SUNLIGHT = np.array([1.05, 0.96, 0.80], np.float32)
INK, WHITE = np.array([0.05, 0.04, 0.07], np.float32), np.ones(3, np.float32)


def draw_sun(rng: Generator) -> Sun:
    """A light direction from above, left or right."""
    return float(rng.choice([-1, 1]) * rng.uniform(0.35, 0.8)), float(rng.uniform(-0.85, -0.4))


def draw_tints(rng: Generator, *specs: tuple[Sequence[float], float, float]) -> list[Color]:
    """Colors given each by its iconic hues, least saturation and least value."""
    return [color(rng, h, (s, min(1, s + 0.45)), (v, min(1, v + 0.4))) for h, s, v in specs]


def window(size: int, x0: float = -1, y0: float = -1, x1: float = 1,
            y1: float = 1) -> tuple[tuple[slice, slice], Field, Field]:
    """The pixels of a normalized box, its ``x`` as one row and its ``y`` as one column (they broadcast)."""
    a = [int(np.clip((v + 1) * size / 2 + e, 0, size)) for v, e in ((y0, -1), (y1, 2), (x0, -1), (x1, 2))]
    box, axis = (slice(a[0], a[1]), slice(a[2], a[3])), (np.arange(size, dtype=np.float32) * 2 + 1) / size - 1
    return box, axis[None, box[1]], axis[box[0], None]


def relief(base: Colors, height: Field, sun: Sun, gloss: float | Field = 0.4, rim: float = 0.25,
            size: int = 0) -> Colors:
    """A color on a height field: warm sun, cool fill, highlight and a cool rim opposite the sun."""
    h, step = np.ascontiguousarray(height, np.float32), (size or height.shape[0]) / 16
    gx, gy = cv2.Sobel(h, cv2.CV_32F, 1, 0, scale=step), cv2.Sobel(h, cv2.CV_32F, 0, 1, scale=step)
    flat = 1 / np.sqrt(gx * gx + gy * gy + 1)
    tilt, far = -(gx * sun[0] + gy * sun[1]) * flat, sun[0] ** 2 + sun[1] ** 2
    dot = np.clip((tilt + 0.7 * flat) / np.sqrt(far + 0.49), 0, 1)
    shine = gloss * cv2.pow(np.clip((tilt + 1.7 * flat) / np.sqrt(far + 2.89), 0, 1), 40)
    out = base * (SKYLIGHT + SUNLIGHT * dot[..., None]) + shine[..., None]
    return np.clip(out + (rim * np.clip(-tilt, 0, 1) ** 2)[..., None] * (SKYLIGHT * 2), 0, 1)


def lay(out: Layer, cover: Field, rgb: Colors) -> None:
    """Paint on a *premultiplied* layer, in place."""
    out *= 1 - cover[..., None]
    out[..., :3] += rgb * cover[..., None]
    out[..., 3] += cover


def put(out: Layer, size: int, rgb: Colors, *distances: Field) -> None:
    """Paint where all the signed distances are negative."""
    lay(out, inside(reduce(np.maximum, distances), size), rgb)


def finished(out: Layer) -> Layer:
    """A premultiplied layer as a straight one."""
    out[..., :3] /= np.maximum(out[..., 3:], 1e-6)
    return np.clip(out, 0, 1)


def ramp(value: Field, colors: Sequence[Color]) -> Colors:
    """Colors evenly spaced over 0..1, looked up by a field."""
    at, knots = np.linspace(0, 1, 256), np.linspace(0, 1, len(colors))
    table = np.stack([np.interp(at, knots, channel) for channel in np.transpose(colors)], 1)
    return table.astype(np.float32)[np.clip(value * 255, 0, 255).astype(np.uint8)]


def rounded(base: Colors, u: Field, side: float) -> Colors:
    """A color on an upright round body, ``u`` -1..1 across it, lit from one side."""
    c = np.clip(u, -1, 1)[..., None]
    sun = np.clip(0.72 * side * c + 0.62 * np.sqrt(1 - c * c), 0, 1)
    rim = np.clip(-side * c, 0, 1) ** 8 * 0.35 + 0.3 * np.clip(sun - 0.75, 0, 1)
    return np.clip(base * (SKYLIGHT * 1.2 + SUNLIGHT * 1.1 * sun) + rim * SKYLIGHT * 1.2, 0, 1)


def bricks(u: Field, v: Field, seed: float = 0.3) -> Colors:
    """Courses of stones over unit cells: brightness 0.4..1.1 with dark joints."""
    row = np.floor(v)
    w = u + 0.5 * (row % 2)
    tone = np.sin((row * 12.99 + np.floor(w) * 78.23 + seed) * 43.7)
    joint = np.minimum(0.5 - np.abs(w % 1 - 0.5), (0.5 - np.abs(v % 1 - 0.5)) * 0.8)
    return ((0.9 + 0.18 * tone) * (0.55 + 0.45 * smoothstep(0.02, 0.14, joint)))[..., None]
