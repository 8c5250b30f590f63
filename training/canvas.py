"""What the motif renderers draw with: grids, noise, color, light, shapes, layers.

Conventions: a *layer* is float32 [size, size, 4], RGB 0..1 with straight alpha 0..1. Normalized
coordinates run from -1 (left, top) to 1 (right, bottom). Angles are radians here, hues 0..1.
Every random choice comes from the ``numpy.random.Generator`` that is passed in.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Field = NDArray[np.float32]  # [H, W], any range
Color = NDArray[np.float32]  # [3], RGB 0..1
Layer = NDArray[np.float32]  # [H, W, 4], RGB + straight alpha, 0..1

cv2.setNumThreads(1)  # the renderer runs in many processes; threads inside would only quarrel


def grid(size: int) -> tuple[Field, Field]:
    """Normalized coordinates ``x, y`` of the pixel centers, each [size, size], -1..1."""
    axis = ((np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size)) - 1.0
    return np.broadcast_to(axis, (size, size)), np.broadcast_to(axis[:, None], (size, size))


def polar(x: Field, y: Field) -> tuple[Field, Field]:
    """Radius and angle (-pi..pi) of normalized coordinates."""
    return np.hypot(x, y), np.arctan2(y, x)


def turned(x: Field, y: Field, angle: float) -> tuple[Field, Field]:
    """Coordinates in a frame turned by ``angle``."""
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return c * x + s * y, c * y - s * x


def smoothstep(low: float, high: float, value: Field) -> Field:
    """0 below ``low``, 1 above ``high``, smooth between (works with low > high too)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def inside(distance: Field, size: int, softness: float = 1.0) -> Field:
    """Antialiased coverage of a signed distance (negative inside, normalized units)."""
    return np.clip(0.5 - distance * (size / 2) / softness, 0, 1)


def mix(a: NDArray[np.float32], b: NDArray[np.float32], amount: Field) -> NDArray[np.float32]:
    """Blend colors or color fields by a scalar field: ``a`` where 0, ``b`` where 1."""
    t = np.asarray(amount, np.float32)[..., None]
    return (a * (1 - t) + b * t).astype(np.float32)


def hsv(hue: float, saturation: float, value: float) -> Color:
    """A color from hue (wraps around), saturation and value 0..1."""
    i = (np.array([5.0, 3.0, 1.0]) + (hue % 1.0) * 6) % 6
    return (value * (1 - saturation * np.clip(np.minimum(i, 4 - i), 0, 1))).astype(np.float32)


def color(
    rng: Generator,
    hues: Sequence[float] = (),
    saturation: tuple[float, float] = (0.5, 1.0),
    value: tuple[float, float] = (0.45, 1.0),
    iconic: float = 0.75,
) -> Color:
    """A random color; with ``hues``, near one of them in the ``iconic`` share of draws."""
    if len(hues) and rng.random() < iconic:
        hue = float(rng.choice(np.asarray(hues))) + rng.normal(0, 0.02)
    else:
        hue = rng.random()
    return hsv(hue, rng.uniform(*saturation), rng.uniform(*value))


def noise(rng: Generator, size: int, power: float = 1.0) -> Field:
    """Fractal (1/f**power) noise [size, size], zero mean, unit deviation, periodic."""
    f = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    f[0, 0] = np.inf
    phase = rng.random(f.shape) * 2 * np.pi
    field = np.fft.irfft2(np.exp(1j * phase) / f ** (power + 0.5), s=(size, size))
    return (field / (field.std() + 1e-9)).astype(np.float32)


def light(rng: Generator, height: Field, relief: float = 1.0, shine: float = 0.3) -> tuple[Field, Field]:
    """Shade a height field (normalized units) by a random light from above.

    Returns ``(diffuse, specular)``: multiply a color by the first (about 0.4..1.2), add the
    second (0..``shine``).
    """
    size = height.shape[0]
    gy, gx = np.gradient(height * (size / 2) * relief)
    lx, ly = rng.uniform(-0.6, 0.6), rng.uniform(-0.9, -0.3)
    norm = 1 / np.sqrt(gx**2 + gy**2 + 1)
    l_len = np.sqrt(lx * lx + ly * ly + 1)
    dot = (-gx * lx - gy * ly + 1) * norm / l_len
    specular = shine * np.clip(dot, 0, 1) ** 24
    return (0.35 + 0.85 * np.clip(dot, 0, 1)).astype(np.float32), specular.astype(np.float32)


def lit(base: NDArray[np.float32], diffuse: Field, specular: Field | float = 0.0) -> NDArray[np.float32]:
    """Color field [H, W, 3] from a base color (or field), diffuse and specular light."""
    out = base * diffuse[..., None] + np.asarray(specular, np.float32)[..., None]
    return np.clip(out, 0, 1).astype(np.float32)


def layer(rgb: NDArray[np.float32], alpha: Field | float = 1.0) -> Layer:
    """A layer from a color field (or one color, when alpha is a field) and its coverage."""
    a = np.asarray(alpha, np.float32)
    shape = a.shape if a.ndim else rgb.shape[:2]
    out = np.empty((*shape, 4), np.float32)
    out[..., :3] = rgb
    out[..., 3] = a
    return out


def empty(size: int) -> Layer:
    """A fully transparent layer."""
    return np.zeros((size, size, 4), np.float32)


def over(below: Layer, above: Layer) -> Layer:
    """``above`` laid over ``below``; both straight alpha."""
    a, b = above[..., 3:], below[..., 3:]
    alpha = a + b * (1 - a)
    rgb = (above[..., :3] * a + below[..., :3] * b * (1 - a)) / np.maximum(alpha, 1e-6)
    return np.concatenate([rgb, alpha], axis=-1).astype(np.float32)


def polygon(size: int, points: NDArray[np.floating], blur: float = 0.0) -> Field:
    """Antialiased coverage of a polygon [N, 2] of normalized (x, y) points."""
    mask = np.zeros((size, size), np.uint8)
    fixed = np.round((np.asarray(points) + 1) * (size / 2) * 16 - 8).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, 4)
    field = mask.astype(np.float32) / 255
    return cv2.GaussianBlur(field, (0, 0), blur) if blur else field


def stroke(size: int, points: NDArray[np.floating], width: float, closed: bool = False) -> Field:
    """Antialiased coverage of a polyline; ``width`` in normalized units."""
    mask = np.zeros((size, size), np.uint8)
    fixed = np.round((np.asarray(points) + 1) * (size / 2) * 16 - 8).astype(np.int32)
    cv2.polylines(mask, [fixed], closed, 255, max(1, round(width * size / 2)), cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def ellipse(x: Field, y: Field, cx: float, cy: float, rx: float, ry: float, angle: float = 0.0) -> Field:
    """Approximate signed distance to an ellipse (negative inside)."""
    u, v = turned(x - cx, y - cy, angle)
    return (np.hypot(u / rx, v / ry) - 1) * min(rx, ry)


def dome(distance: Field, depth: float) -> Field:
    """A rounded height above a shape given by its signed distance: 0 outside, up to ``depth``."""
    t = np.clip(-distance / depth, 0, 1)
    return depth * np.sqrt(np.clip(1 - (1 - t) ** 2, 0, 1)).astype(np.float32)


def shadow(size: int, alpha: Field, rng: Generator, strength: float = 0.5) -> Layer:
    """A soft drop shadow of a coverage field."""
    dx, dy = rng.uniform(-0.05, 0.05) * size, rng.uniform(0.0, 0.06) * size
    moved = cv2.warpAffine(alpha, np.float32([[1, 0, dx], [0, 1, dy]]), (size, size))
    soft = cv2.GaussianBlur(moved, (0, 0), size * rng.uniform(0.015, 0.05))
    return layer(np.zeros(3, np.float32), soft * strength)
