"""Put a motif into a picture: scale, turn, perspective, ground, clutter, shadow, lens, noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.canvas import Field, Layer, color, grid, hsv, inside, layer, mix, noise, over, polar, shadow
from training.motifs import MOTIFS, Motif

DRAWN = 160  # pixels a motif is drawn at, before it is placed

NOTHING = "nothing"  # the class of pictures without a motif


def render(name: str, rng: Generator, size: int) -> NDArray[np.uint8]:
    """A picture uint8 [size, size, 3] that shows the motif ``name`` (or ``nothing``)."""
    picture = ground(rng, size)
    if rng.random() < 0.25:
        picture = over(picture, _clutter(rng, size))
    if name != NOTHING:
        picture = over(picture, _placed(MOTIFS[name], rng, size))
    return _lens(picture[..., :3], rng)


def ground(rng: Generator, size: int) -> Layer:
    """A background without meaning: haze, sky, foliage-like noise, blurred stripes, plain color."""
    kind = rng.choice(["haze", "sky", "marble", "plain", "stripes"], p=[0.3, 0.25, 0.2, 0.15, 0.1])
    x, y = grid(size)
    a, b, c = (color(rng, saturation=(0.0, 0.9), value=(0.08, 1.0)) for _ in range(3))
    if kind == "haze":
        t = np.clip(noise(rng, size, rng.uniform(1.0, 2.0)) * 0.35 + 0.5, 0, 1)
        u = np.clip(noise(rng, size, rng.uniform(1.0, 2.0)) * 0.35 + 0.5, 0, 1)
        rgb = mix(mix(a, b, t), c, u * 0.6)
    elif kind == "sky":
        top, low = (
            hsv(rng.uniform(0.53, 0.63), rng.uniform(0.3, 0.9), rng.uniform(0.5, 1)),
            hsv(rng.uniform(0.5, 0.62), rng.uniform(0.05, 0.5), rng.uniform(0.8, 1)),
        )
        cloud = np.clip(noise(rng, size, 1.3) * rng.uniform(0.2, 0.6) + rng.uniform(-0.2, 0.5), 0, 1)
        rgb = mix(mix(top, low, (y + 1) / 2), np.ones(3, np.float32), cloud)
    elif kind == "marble":
        bands = np.sin(noise(rng, size, 1.6) * rng.uniform(2, 5)) * 0.5 + 0.5
        rgb = mix(mix(a, b, bands), c, np.clip(noise(rng, size, 0.8) * 0.2 + 0.2, 0, 1))
    elif kind == "stripes":
        angle, frequency = rng.uniform(0, np.pi), rng.uniform(3, 14)
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * frequency + noise(rng, size, 1.6))
        rgb = cv2.GaussianBlur(mix(a, b, wave * 0.5 + 0.5), (0, 0), rng.uniform(1.0, 4.0))
    else:
        rgb = mix(a, b, np.clip((x * rng.normal() + y * rng.normal()) * 0.4 + 0.5, 0, 1))
    grain = noise(rng, size, rng.uniform(0.3, 1.0)) * rng.uniform(0, 0.06)
    return layer(np.clip(rgb + grain[..., None], 0, 1))


def blob(rng: Generator, size: int) -> Field:
    """A smooth random shape, as coverage: what a surface is cut to."""
    radius, angle = polar(*grid(size))
    edge = rng.uniform(0.6, 0.95) + sum(
        rng.normal(0, 0.16 / k) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in range(2, 6)
    )
    return inside((radius - edge).astype(np.float32), size)


def _clutter(rng: Generator, size: int) -> Layer:
    """Small shapes of plain color: something that is there but is no motif."""
    out = layer(np.zeros((size, size, 3), np.float32), 0.0)
    for _ in range(rng.integers(1, 4)):
        shape = _warped(
            layer(color(rng, saturation=(0.1, 0.9)), blob(rng, 64)),
            rng,
            size,
            rng.uniform(0.15, 0.5),
            rng.uniform(-0.9, 0.9, 2),
        )
        out = over(out, shape)
    return out


def _placed(motif: Motif, rng: Generator, size: int) -> Layer:
    """The motif as a layer [size, size, 4]: one large, several small, or a whole surface."""
    if motif.kind == "surface" and rng.random() < 0.6:
        whole = motif.draw(rng, DRAWN)
        return _warped(
            whole,
            rng,
            size,
            rng.uniform(1.3, 2.2),
            rng.uniform(-0.1, 0.1, 2),
            turn=rng.uniform(-0.6, 0.6),
            border=cv2.BORDER_REFLECT_101,
        )
    out = layer(np.zeros((size, size, 3), np.float32), 0.0)
    several = rng.random() < 0.3
    drawn = _cut(motif, rng)
    for _ in range(rng.integers(3, 7) if several else 1):
        if several and rng.random() < 0.35:
            drawn = _cut(motif, rng)
        scale = rng.uniform(0.3, 0.55) if several else rng.uniform(0.65, 1.4)
        place = rng.uniform(-0.8, 0.8, 2) if several else rng.normal(0, 0.12, 2)
        turn = rng.normal(0, 0.25) if motif.upright else rng.uniform(-np.pi, np.pi)
        part = _warped(drawn, rng, size, scale, place, turn)
        if rng.random() < 0.6:
            out = over(out, shadow(size, part[..., 3], rng, rng.uniform(0.2, 0.7)))
        out = over(out, part)
    return out


def _cut(motif: Motif, rng: Generator) -> Layer:
    drawn = motif.draw(rng, DRAWN)
    if motif.kind == "surface":
        drawn = drawn.copy()
        mask = blob(rng, DRAWN)
        rim = cv2.GaussianBlur(mask, (0, 0), DRAWN * 0.06)
        drawn[..., :3] *= (0.35 + 0.65 * np.clip(rim * 1.3 - 0.2, 0, 1))[..., None]
        drawn[..., 3] *= mask
    return drawn


def _warped(
    source: Layer,
    rng: Generator,
    size: int,
    scale: float,
    place: NDArray[np.floating],
    turn: float = 0.0,
    border: int = cv2.BORDER_CONSTANT,
) -> Layer:
    """``source`` scaled to ``scale`` of the frame, turned, slightly tilted, put at ``place`` (-1..1)."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    if rng.random() < 0.5:
        corners[:, 0] *= -1
    squeeze = (
        np.array([rng.uniform(0.75, 1.0), 1.0])
        if rng.random() < 0.5
        else np.array([1.0, rng.uniform(0.75, 1.0)])
    )
    target = corners * squeeze + rng.normal(0, 0.06, (4, 2))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    target = (target @ rotation.T * scale + place + 1) * (size / 2)
    n = source.shape[0]
    origin = (np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32) + 1) * (n / 2)
    matrix = cv2.getPerspectiveTransform(origin, target.astype(np.float32))
    premultiplied = source.copy()
    premultiplied[..., :3] *= source[..., 3:]
    shrink = n / (size * scale)
    if shrink > 1.5:
        premultiplied = cv2.GaussianBlur(premultiplied, (0, 0), 0.35 * shrink)
    out = cv2.warpPerspective(premultiplied, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border)
    out[..., :3] /= np.maximum(out[..., 3:], 1e-6)
    return np.clip(out, 0, 1)


def _lens(rgb: NDArray[np.float32], rng: Generator) -> NDArray[np.uint8]:
    """What a camera does: exposure, contrast, white balance, blur, grain."""
    rgb = (rgb - 0.5) * rng.uniform(0.75, 1.2) + 0.5 + rng.normal(0, 0.06)
    rgb = rgb * (1 + rng.normal(0, 0.05, 3).astype(np.float32))
    if rng.random() < 0.35:
        rgb = cv2.GaussianBlur(rgb.astype(np.float32), (0, 0), rng.uniform(0.4, 1.3))
    if rng.random() < 0.4:
        rgb = rgb + rng.normal(0, rng.uniform(0.01, 0.05), rgb.shape)
    return (np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8)
