"""Animals: owl, cat, dog, bird, fish, butterfly, beetle, jellyfish, and an octopus arm.

Each is modeled as colored relief on one sheet (`_Clay`) and lit in one pass, so that light, shade and
rim agree over the whole animal; the glossy eyes are painted on last.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.canvas import (Color, Field, Layer, color, dome, ellipse, grid, hsv, inside, layer, mix, noise,
                             polar, smoothstep, stroke, turned)

Tint = NDArray[np.float32]  # one color [3] or a color field [H, W, 3]
Points = Sequence[tuple[float, float]] | NDArray[np.floating]


class _Clay:
    """A relief in the making: base color, height, gloss and coverage of what is put on it."""

    def __init__(self, rng: Generator, size: int) -> None:
        self.rng, self.size = rng, size
        self.x, self.y = (np.ascontiguousarray(v) for v in grid(size))
        self.rgb = np.zeros((size, size, 3), np.float32)
        self.height, self.gloss, self.alpha = (np.zeros((size, size), np.float32) for _ in range(3))

    def part(self, cx: float, cy: float, reach: float) -> _Clay:
        """The square window around a point: what is put on it lands on the whole."""
        half, out = self.size / 2, object.__new__(_Clay)
        cut = tuple(slice(max(0, int((v - reach + 1) * half)), max(1, int((v + reach + 1) * half) + 2))
                    for v in (cy, cx))
        out.rng, out.size = self.rng, self.size
        for name in ("x", "y", "rgb", "height", "gloss", "alpha"):
            setattr(out, name, getattr(self, name)[cut])
        return out

    def put(self, distance: Field, tint: Tint, height: Field, gloss: float = 0.25, crease: float = 0.4) -> None:
        """Lay a shape on top; ``crease`` darkens what lies just outside of it, as contact does."""
        cover = inside(distance, self.size)
        self.rgb *= (1 - crease * np.clip(1 - distance / 0.09, 0, 1) ** 2)[..., None]
        total = cover + self.alpha * (1 - cover)
        t = cover / np.maximum(total, 1e-6)
        self.rgb += (tint - self.rgb) * t[..., None]
        self.height += (height - self.height) * t
        self.gloss += (gloss - self.gloss) * t
        self.alpha[:] = total

    def ball(self, cx: float, cy: float, rx: float, ry: float, tint: Tint, lift: float, gloss: float = 0.3) -> None:
        """Lay an ellipsoid on top."""
        w = self.part(cx, cy, max(rx, ry) + 0.1)
        d = ellipse(w.x, w.y, cx, cy, rx, ry)
        w.put(d, tint, lift + dome(d, min(rx, ry)), gloss)

    def cords(self, lines: Sequence[Points], width: float, tint: Tint, lift: float, gloss: float = 0.5) -> None:
        """Lay rounded cords along polylines on top."""
        cover = np.maximum.reduce([stroke(self.size, np.asarray(points), width) for points in lines])
        relief = cv2.GaussianBlur(cover, (0, 0), max(0.8, width * self.size / 5)) * width
        self.put((0.5 - cover) * np.float32(2 / self.size), tint, lift + relief, gloss, 0.0)

    def feather(self, cx: float, cy: float, long: float, wide: float, angle: float, root: Color, tip: Color,
                lift: float = 0.0, gloss: float = 0.25) -> None:
        """Lay one pointed feather on top: shaft, slanted barbs, its tip in a second color."""
        w = self.part(cx, cy, long + 0.08)
        u, v = turned(w.x - cx, w.y - cy, angle)
        barbs = np.sin((u - np.abs(v) * 1.3) * (9 / wide))
        tint = mix(root, tip, smoothstep(0.0, 1.0, u / long * 0.9 + 0.35 + 0.12 * barbs))
        h = wide * (0.35 - 0.5 * (v / wide) ** 2 + 0.05 * barbs + 0.25 * np.exp(-np.abs(v) / (0.1 * wide)))
        w.put(_leaf(u, v, long, wide), tint * (0.92 + 0.16 * barbs)[..., None], lift + h, gloss)

    def fan(self, cx: float, cy: float, reach: float, span: float, angle: float, root: Color, tip: Color,
            lift: float = 0.0) -> None:
        """Lay a ribbed, scalloped fin on top that opens ``span`` to both sides of ``angle``."""
        w = self.part(cx, cy, reach * 1.1 + 0.05)
        r, a = polar(*turned(w.x - cx, w.y - cy, angle))
        rib = np.cos(a * (9 * np.pi / span))
        d = np.maximum(r - reach * (0.93 - 0.2 * (a / span) ** 2 + 0.06 * rib), r * (np.abs(a) - span))
        tint = mix(root, tip, np.clip(r / reach, 0, 1)) * (0.85 + 0.25 * rib)[..., None]
        w.put(d.astype(np.float32), tint, lift + 0.025 * rib * np.clip(r * 3, 0, 1), 0.4, 0.25)

    def shaded(self, sheen: Color, strength: float = 0.5) -> Layer:
        """The relief under sun, sky and rim light; ``sheen`` tints the slopes that turn from the eye."""
        rng, size = self.rng, self.size
        h = cv2.GaussianBlur(self.height, (0, 0), size / 220)
        gx, gy = (cv2.Sobel(h, cv2.CV_32F, 1 - k, k, scale=size / 16) for k in (0, 1))
        nz = 1 / np.sqrt(gx * gx + gy * gy + 1)
        nx, ny = -gx * nz, -gy * nz
        key = np.float32([rng.uniform(-0.8, 0.8), rng.uniform(-0.95, -0.35), rng.uniform(0.8, 1.2)])
        kx, ky, kz = key / np.linalg.norm(key)
        hx, hy, hz = (kx, ky, kz + 1) / np.sqrt(2 + 2 * kz)
        cavity = np.clip(1.05 + 4.5 * (h - cv2.GaussianBlur(h, (0, 0), size * 0.025)), 0.35, 1.3)
        sun = hsv(rng.uniform(0.05, 0.15), rng.uniform(0, 0.22), rng.uniform(0.95, 1.15))
        sky = hsv(rng.uniform(0.5, 0.8), rng.uniform(0.1, 0.45), rng.uniform(0.3, 0.5))
        edge_light = hsv(rng.random(), rng.uniform(0.1, 0.7), rng.uniform(0.3, 0.8))
        base = mix(self.rgb, sheen, strength * (1 - nz) ** 1.5)
        sun_part = np.clip(nx * kx + ny * ky + nz * kz, 0, 1) * cavity
        rgb = base * (((0.9 - 0.3 * ny) * cavity)[..., None] * sky + sun_part[..., None] * sun)
        broad = np.clip(nx * hx + ny * hy + nz * hz, 0, 1).astype(np.float32) ** 8
        rgb += (self.gloss * (0.3 * broad + 0.9 * broad**8))[..., None] * sun
        rim = np.clip(-(nx * kx + ny * ky) * 1.2 - 0.15, 0, 1) ** 2
        return layer(np.clip(rgb + rim[..., None] * edge_light * (0.35 + base), 0, 1), self.alpha)


def _leaf(u: Field, v: Field, long: float, wide: float) -> Field:
    """Distance to a lens with its points at ``u`` = -long and long."""
    radius = (long * long + wide * wide) / (2 * wide)
    return np.hypot(u, np.abs(v) + (radius - wide)) - radius


def _joined(a: Field, b: Field, k: float) -> Field:
    """Distance to two shapes melted together over a seam ``k`` wide."""
    t = np.clip(0.5 + 0.5 * (b - a) / k, 0, 1)
    return b * (1 - t) + a * t - k * t * (1 - t)


def _scales(u: Field, v: Field, base: Tint, tip: Tint) -> tuple[Tint, Field]:
    """Color and height 0..1 of overlapping scales one unit apart, tips (in their own color) toward +v."""
    row = np.floor(v)
    shift = 0.5 * (row % 2)
    lx, ly = (u + 0.5 - shift) % 1.0 - 0.5, v - row + 1  # the scale hanging over from the row above
    out = (lx * 2) ** 2 + ((ly - 1) / 0.95) ** 2 > 1
    lx, ly = np.where(out, (u + shift) % 1.0 - 0.5, lx), np.where(out, ly - 1, ly)
    edge = smoothstep(0.6, 1.05, np.hypot(lx * 1.9, np.maximum(ly - 0.9, 0) / 1.05))
    number = np.sin(np.floor(u + np.where(out, shift, 0.5 - shift)) * 12.99 + (row - 1 + out) * 78.23) * 437.6 % 1
    height = (ly * 0.5 - lx * lx * 0.9).astype(np.float32)
    return mix(base * (0.75 + 0.4 * number)[..., None], tip, edge * 0.75), height


def _fur(rng: Generator, x: Field, y: Field, strands: int = 120) -> Field:
    """Strands of hair -1..1 that run away from the origin."""
    r, a = polar(x, y)
    hair = rng.random((64, 128), np.float32) * 2 - 1
    hair = (hair + np.roll(hair, 1, 0) + np.roll(hair, (1, 1), (0, 1)) * 0.5) * 0.7
    across, along = (a / (2 * np.pi) + 0.5) * strands, r * 7 + np.sin(a * 9) * 0.7 + 1
    return cv2.remap(hair, across, along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def _eyes(rng: Generator, out: Layer, ex: Sequence[float], ey: float, radius: float, hues: Sequence[float],
          slit: float = 0.0, white: float = 0.0) -> Layer:
    """Paint like eyes at ``ex``: dark lid ring, fibrous iris of two colors, pupil, glow, two highlights."""
    iris = color(rng, hues, saturation=(0.75, 1.0), value=(0.75, 1.0), iconic=0.85)
    inner = color(rng, [h - 0.05 for h in hues], value=(0.9, 1.0))
    lid, ball = hsv(rng.random(), 0.5, rng.uniform(0.02, 0.12)), hsv(0.12, rng.uniform(0, 0.8), 1.0)
    rays, phase, side = int(rng.integers(14, 34)), rng.uniform(0, 6), float(rng.choice([-1.0, 1.0]))
    pupil, narrow = rng.uniform(0.3, 0.52), rng.uniform(0.12, 0.35) if rng.random() < slit else 0.0
    (look, tip), half = rng.normal(0, 0.06, 2), out.shape[0] / 2
    step, y0, n = 1 / (half * radius), (ey + 1) * half - 0.5, int(1.35 * half * radius) + 2
    soft, top = step * 1.2, max(0, int(y0) - n)
    for x0 in ((cx + 1) * half - 0.5 for cx in ex):
        left = max(0, int(x0) - n)
        view = out[top:int(y0) + n + 1, left:int(x0) + n + 1]
        v, u = np.mgrid[:view.shape[0], :view.shape[1]].astype(np.float32)
        u, v = (u + left - x0) * step, (v + top - y0) * step
        r, (q, a) = np.hypot(u, v), polar((u - look) / (1 - white), (v - tip) / (1 - white))
        fibre = 0.5 + 0.5 * np.sin(a * rays + phase + 3 * np.sin(a * 3 + phase))
        rgb = mix(inner, iris, smoothstep(pupil, 0.85, q + 0.2 * fibre))
        rgb *= ((0.72 + 0.4 * fibre) * (1.05 - 0.75 * smoothstep(0.72, 1.0, q)) * (0.9 + 0.45 * v))[..., None]
        if white:
            rgb = mix(rgb, ball * (1.0 + 0.2 * v - 0.3 * r)[..., None], smoothstep(0.97, 1.03 + soft, q))
        hole = (np.abs(u - look) / narrow + (v / 0.85) ** 2) * pupil if narrow else q
        rgb = mix(rgb, lid * 0.4, smoothstep(pupil + soft, pupil - soft, hole))
        rgb *= (1 - 0.55 * smoothstep(-0.2, -1.0, v))[..., None]
        for hu, hv, hr, power in ((-0.34, -0.38, 0.24, 1.0), (0.36, 0.38, 0.13, 0.6)):
            rgb += power * (1 - rgb) * smoothstep(hr + soft, hr - soft, np.hypot(u - hu * side, v - hv))[..., None]
        rgb = mix(rgb, lid, smoothstep(0.93 - soft, 0.97 + soft, r))
        cover = smoothstep(1.14 + soft, 1.14 - soft, r)
        view[..., :3] = mix(view[..., :3], np.clip(rgb, 0, 1), cover)
        view[..., 3] = np.maximum(view[..., 3], cover)
    return out


def _coat(rng: Generator, x: Field, y: Field, main: Color, second: Color, fur: Field) -> Tint:
    """A furry coat in two colors: stripes, patches, dark points, or shaded."""
    kind, cloud = rng.choice([0, 0, 1, 2, 3]), noise(rng, x.shape[0], 1.3)
    wave = np.sin(np.hypot(x, y + 0.9) * rng.uniform(22, 34) + cloud * 0.9 + np.abs(x) * 5)
    shade = (smoothstep(0.1, 0.6, wave) * smoothstep(0.1, 0.35, np.hypot(x * 1.2, y - 0.25)),
             smoothstep(0.2, 0.5, cloud + rng.normal() * x), smoothstep(0.75, 0.2, np.hypot(x, y - 0.2)),
             smoothstep(-0.6, 0.9, y))[kind]
    return np.clip(mix(main, second, shade) * (1 + 0.26 * fur)[..., None], 0, 1)


def owl(rng: Generator, size: int) -> Layer:
    """An owl from the front: feathered breast, folded wings, ear tufts, ringed face, huge eyes."""
    c = _Clay(rng, size)
    main, horn = color(rng, (0.07, 0.09, 0.62), value=(0.4, 0.8)), color(rng, (0.11, 0.08), value=(0.7, 1.0))
    dark, pale = main * 0.35, color(rng, (0.1, 0.13, 0.08), (0.15, 0.75), (0.8, 1.0))
    turn, hw, bw, n = rng.normal(0, 0.05), rng.uniform(0.56, 0.74), rng.uniform(0.52, 0.68), rng.uniform(4, 6.5)
    x, y, hh = c.x - turn * (1 - c.x * c.x), c.y, hw * rng.uniform(0.72, 0.85)
    ax, hy, ex, er = np.abs(x), hh - 0.84, hw * 0.44, hw * rng.uniform(0.29, 0.36)
    ey, tuft = hy + 0.04, rng.uniform(0.18, 0.34)
    d, side = ellipse(ax, y, 0, 0.3, bw, 0.6), smoothstep(bw * 0.3, bw * 0.95, ax) * 0.7
    tint, h = _scales(np.arcsin(np.clip(x / bw, -1, 1)) * n * 0.9, y * n * 1.35, mix(pale, main, side), dark)
    c.put(d, tint, dome(d, bw) * 0.8 + h * 0.16)
    u, v = turned(ax - bw * 0.86, y - 0.3, rng.uniform(0.12, 0.3))
    tint, h = _scales(u * n * 1.2, v * n * 0.75 + 0.4 * u, main, mix(main, pale, np.float32(0.8)))
    d = ellipse(u, v, 0, 0, 0.22, 0.56)
    c.put(d, tint, 0.25 + dome(d, 0.22) + h * 0.16)
    for s in (-1, 1):
        for k in (-1, 0, 1):
            c.ball(s * (0.14 + 0.075 * k), 0.87, 0.045, 0.085, horn, 0.4)
        c.feather(s * hw * 0.72 + turn, hy - hh * 0.72, tuft, 0.13, -np.pi / 2 + s * 0.5, main, dark, 0.3)
    fur = _fur(rng, ax - ex, y - ey, 96)
    d, (tint, h) = ellipse(ax, y, 0, hy, hw, hh) + fur * 0.012, _scales(x * n * 1.7, (hy - y) * n * 1.7, main, dark)
    c.put(d, tint, 0.2 + dome(d, hh) * 0.8 + h * 0.09)
    r = np.hypot(ax - ex, (y - ey) * 0.95)
    d, rings = r - hw * 0.55 + fur * 0.012, 0.5 + 0.5 * np.sin(r * rng.uniform(30, 60))
    face = mix(mix(pale, main, rings * rng.uniform(0.1, 0.6)), dark, smoothstep(-0.07, -0.01, d) * 0.8)
    c.put(d, face * (0.88 + 0.2 * fur)[..., None], 0.52 + 0.3 * r + fur * 0.02, 0.1)
    for s, angle in ((-1, 0.45 + np.pi), (1, -0.45)):
        c.feather(s * hw * 0.4 + turn, ey - er * 1.22, hw * 0.46, 0.09, angle, dark, main, 0.62)
    c.feather(turn, ey + er * 0.75, er * 0.85, 0.1, np.pi / 2, horn, horn * 0.35, 0.75, 0.9)
    return _eyes(rng, c.shaded(main), (turn * 0.9 - ex, turn * 0.9 + ex), ey, er, (0.12, 0.08, 0.15, 0.03))


def cat(rng: Generator, size: int) -> Layer:
    """A cat's face: pointed ears, patterned fur, whiskers, slit or round pupils."""
    c, main = _Clay(rng, size), color(rng, (0.07, 0.09, 0.05), (0.3, 0.95), (0.55, 1.0))
    second = mix(main * 0.25, color(rng, (0.06,)), np.float32(rng.uniform(0, 0.5)))
    pale, pink = hsv(0.1, rng.uniform(0, 0.25), 1.0), color(rng, (0.97,), (0.35, 0.7), (0.9, 1.0), 1.0)
    turn, hw, hh, cy = rng.normal(0, 0.06), rng.uniform(0.74, 0.86), rng.uniform(0.6, 0.68), 0.22
    x, y, wide, tall = c.x - turn * (1 - c.x * c.x), c.y, rng.uniform(0.22, 0.3), rng.uniform(0.42, 0.52)
    ax, fur = np.abs(x), _fur(rng, x, y - cy)
    coat = _coat(rng, x, y - cy, main, second, fur)
    u, v = turned(ax - hw * 0.6, y + 0.36, -np.pi / 2 + rng.uniform(0.3, 0.5))
    d = _leaf(u, v, tall, wide) + fur * 0.01
    c.put(d, coat, 0.2 + 0.25 * np.clip(-d, 0, 0.2) + fur * 0.012, 0.1)
    d = _leaf(u + tall * 0.16, v, tall * 0.68, wide * 0.68) + fur * 0.01
    c.put(d, mix(pink, pink * 0.35, smoothstep(0.2, -0.3, u)), 0.08 - 0.12 * np.clip(-d, 0, 0.2), 0.1)
    d = _joined(ellipse(x, y, 0, 0.18, hw * 0.93, hh), ellipse(ax, y, hw * 0.5, 0.44, hw * 0.5, 0.36), 0.2)
    d = d + fur * 0.025 * smoothstep(0.3, 0.8, ax)
    c.put(d, coat, 0.1 + dome(d, 0.5) + fur * 0.022, 0.15)
    ex, ey, er = hw * rng.uniform(0.42, 0.48), cy - 0.1, rng.uniform(0.2, 0.26)
    ring = mix(main, pale, np.float32(rng.uniform(0.2, 0.9))) * (1 + 0.15 * fur)[..., None]
    c.put(ellipse(ax, y, ex, ey, er * 1.4, er * 1.2, 0.3), ring, 0.5 + fur * 0.01, 0.1, 0.1)
    d = ellipse(x, y, 0, cy + 0.12, 0.13, 0.42) + fur * 0.02
    c.put(d, mix(coat, main, np.float32(0.7)), 0.56 + dome(d, 0.13), 0.2, 0.2)
    c.ball(turn, cy + 0.52, 0.2, 0.14, pale * 0.9, 0.45)
    d, dots = ellipse(ax, y, 0.17, cy + 0.36, 0.2, 0.16, 0.2), np.sin(ax * 55) * np.sin(y * 45)
    muzzle = mix(pale, second, smoothstep(0.86, 0.95, dots) * 0.6) * (0.95 + 0.12 * fur)[..., None]
    c.put(d, muzzle, 0.62 + dome(d, 0.16) + fur * 0.01, 0.2, 0.5)
    d = _joined(ellipse(ax, y, 0.06, 0.41, 0.07, 0.05, 0.3), ellipse(x, y, 0, 0.46, 0.05, 0.06), 0.05)
    c.put(d, pink * rng.uniform(0.3, 1.0), 0.75 + dome(d, 0.08), 0.9)
    t = np.linspace(0, 1, 8)
    hairs = [np.stack([s * (0.2 + 0.72 * t) + turn, 0.56 + k * (0.045 + 0.13 * t) - 0.17 * t - 0.1 * np.sin(t * 3)], 1)
             for k in range(4) for s in (-1, 1)]
    c.cords(hairs, 0.012, pale if rng.random() < 0.8 else second * 0.3, 0.8)
    return _eyes(rng, c.shaded(main), (turn * 0.9 - ex, turn * 0.9 + ex), ey, er, (0.28, 0.16, 0.52, 0.38), 0.65)


def dog(rng: Generator, size: int) -> Layer:
    """A dog's face: hanging or pricked ears, a broad muzzle, wet nose, tongue out."""
    c, main = _Clay(rng, size), color(rng, (0.08, 0.06, 0.1), (0.25, 0.85))
    second = mix(main * 0.3, color(rng, (0.06, 0.1)), np.float32(rng.uniform(0, 0.7)))
    pale, turn, hw = hsv(0.1, rng.uniform(0.02, 0.35), 1.0), rng.normal(0, 0.06), rng.uniform(0.56, 0.66)
    x, y, mw, my = c.x - turn * (1 - c.x * c.x), c.y, rng.uniform(0.3, 0.4), rng.uniform(0.26, 0.36)
    ax, fur = np.abs(x), _fur(rng, x, y + 0.1)
    coat, ears = _coat(rng, x, y, main, second, fur), (second, main)[rng.integers(2)] * (1 + 0.3 * fur)[..., None]
    u, v = turned(ax - hw * 0.78, y + 0.55, -np.pi / 2 + rng.uniform(0.1, 0.5))
    hanging, prick = rng.random() < 0.7, _leaf(u, v, 0.42, 0.23) + fur * 0.012
    if not hanging:
        tint = mix(ears, hsv(0.97, 0.45, 0.8), smoothstep(-0.08, -0.15, prick))
        c.put(prick, tint, 0.1 + 0.2 * prick + fur * 0.015)
    d = _joined(ellipse(x, y, 0, -0.22, hw, 0.62), ellipse(x, y, 0, 0.25, hw * 0.85, 0.45), 0.15) + fur * 0.02
    c.put(d, coat, dome(d, 0.5) + fur * 0.025, 0.15)
    if hanging:
        u, v = turned(ax - hw * 1.08, y + 0.12, np.pi / 2 - rng.uniform(-0.1, 0.25))
        d = ellipse(u, v, 0, 0, 0.56, rng.uniform(0.19, 0.25)) + 0.12 * u * np.abs(v) + fur * 0.02
        c.put(d, ears, 0.35 + dome(d, 0.2) + 0.05 * np.sin(v * 18) + fur * 0.03, 0.25, 0.6)
    ex, ey, er = hw * 0.45, -0.2, rng.uniform(0.155, 0.2)
    d = _joined(ellipse(x, y, 0, -0.35, 0.13, 0.5), ellipse(x, y, 0, my, mw, 0.3), 0.2) + fur * 0.02
    c.put(d, pale * (0.95 + 0.15 * fur)[..., None], 0.48 + 0.12 * y + dome(d, 0.2) + fur * 0.02, 0.15, 0.1)
    patch = (pale, second)[rng.integers(2)] * (0.9 + 0.2 * fur)[..., None]
    c.put(ellipse(ax, y, ex, ey, er * 1.45, er * 1.3, -0.4) + fur * 0.02, patch, 0.48 + fur * 0.02, 0.15, 0.2)
    c.ball(turn, my + 0.28, mw * 0.72, 0.2, hsv(0.0, 0.6, 0.12), 0.3)
    long, groove = rng.uniform(0.15, 0.3), np.exp(-((x / 0.02) ** 2))
    d, tint = ellipse(x, y, 0, my + 0.28 + long * 0.6, 0.15, long), hsv(rng.uniform(0.93, 1.0), 0.6, 1.0)
    c.put(d, tint * (1 - 0.35 * groove)[..., None], 0.45 + dome(d, 0.15) - 0.05 * groove, 0.6, 0.5)
    d, dots = ellipse(ax, y, mw * 0.5, my + 0.1, mw * 0.62, 0.22, 0.35), np.sin(ax * 42) * np.sin(y * 42)
    muzzle = mix((pale, main)[rng.integers(2)], second * 0.5, smoothstep(0.8, 0.95, dots) * 0.6)
    c.put(d + fur * 0.012, muzzle * (0.95 + 0.2 * fur)[..., None], 0.62 + dome(d, 0.22) + fur * 0.02, 0.2, 0.6)
    d = _joined(ellipse(ax, y, 0.085, my - 0.1, 0.12, 0.1, 0.2), ellipse(x, y, 0, my - 0.02, 0.07, 0.09), 0.08)
    hole = np.exp(-((ax - 0.1) ** 2 + (y - my + 0.06) ** 2) / 0.0016)
    nose = hsv(rng.random(), 0.3, rng.uniform(0.08, 0.25)) * (1 - hole)[..., None]
    c.put(d, nose, 0.8 + dome(d, 0.13) - 0.05 * hole, 1.0)
    return _eyes(rng, c.shaded(main), (turn * 0.9 - ex, turn * 0.9 + ex), ey, er, (0.07, 0.09, 0.57))


def bird(rng: Generator, size: int) -> Layer:
    """A bird from the side: scaly down, rows of wing feathers, tail, beak, often a crest."""
    c = _Clay(rng, size)
    main, second, horn = (color(rng, h, (0.6, 1.0)) for h in ((0.58, 0.0, 0.33), (0.12, 0.5, 0.05), (0.1, 0.04)))
    belly, tip = color(rng, (0.1, 0.14, 0.04), (0.2, 0.9), (0.85, 1.0)), main * rng.uniform(0.15, 0.5)
    hx, hy, hr, tilt = -0.36, -0.4, rng.uniform(0.31, 0.39), rng.uniform(0.45, 0.75)
    for k in range(5):
        a = tilt + 0.13 * (k - 2)
        c.feather(0.22 + 0.36 * np.cos(a), 0.2 + 0.36 * np.sin(a), 0.38, 0.09, a, main, tip, 0.05 * k)
    for px in (-0.14, 0.06):
        c.cords([[(px + 0.04, 0.3), (px, 0.8)], *([(px, 0.78), (px + t, 0.89)] for t in (-0.13, -0.02, 0.1))],
                0.06, horn, 0.05)
    for k in range(int(rng.choice([0, 3, 4]))):
        a = 0.42 * k - 2.1
        c.feather(hx + 0.08 + hr * np.cos(a), hy + hr * np.sin(a), 0.2, 0.07, a, main, second)
    u, v = turned(c.x - hx, c.y - hy, tilt)
    d = _joined(ellipse(u, v, 0.56, 0.06, 0.54, 0.42), np.hypot(u, v) - hr, 0.2)
    down = mix(main, belly, smoothstep(0.0, 0.25, v + 0.15 * smoothstep(0.0, 0.4, u)))
    hood = smoothstep(0.05, -0.05, u - hr * rng.uniform(0.2, 0.9)) * rng.integers(2)
    tint, h = _scales(v * 9, u * 9, mix(down, second, hood), down * 0.4)
    c.put(d, tint, 0.2 + dome(d, 0.4) + h * 0.07)
    for row, (long, n, tint, end) in enumerate(((0.36, 7, main, tip), (0.25, 6, second, second * 0.5), (0.17, 5, main, tip))):
        for k in range(n):
            a = tilt - 0.3 + 0.75 * k / n
            px, py = -0.06 - 0.05 * row + 0.02 * k, 0.16 - 0.16 * (1 - k / n)
            c.feather(px + long * np.cos(a), py + long * np.sin(a), long, long * 0.3, a, tint, end,
                      0.62 + 0.06 * row + 0.01 * k, 0.35)
    u, v = turned(c.x - hx + hr * 1.1, c.y - hy - 0.06, rng.uniform(-0.25, 0.1))
    v, long, wide = v + rng.uniform(-0.2, 1.3) * u * u, rng.uniform(0.24, 0.32), rng.uniform(0.1, 0.16)
    d, slot = np.maximum(_leaf(u, v, long, wide), u - long * 0.7), np.exp(-(((v - wide * 0.2) / 0.012) ** 2))
    tint = mix(horn, horn * 0.3, smoothstep(0.0, -long, u)) * (1 - 0.7 * slot)[..., None]
    c.put(d, tint, 0.42 + dome(d, 0.1) - 0.04 * slot, 0.9)
    c.ball(hx - 0.06, hy - 0.03, hr * 0.56, hr * 0.53, (second, belly)[rng.integers(2)], 0.45)
    return _eyes(rng, c.shaded(second), (hx - 0.06,), hy - 0.03, hr * rng.uniform(0.36, 0.46), (0.1, 0.05, 0.6))


def fish(rng: Generator, size: int) -> Layer:
    """A fish from the side: rows of scales, ribbed fins, gill, lips, a big round eye."""
    c = _Clay(rng, size)
    main, second = color(rng, (0.06, 0.52, 0.14), (0.6, 1.0), (0.65, 1.0)), color(rng, (0.6, 0.97, 0.12))
    belly, (root, tip) = color(rng, (0.14,), (0.05, 0.5), (0.9, 1.0)), ((main, second), (second, main))[rng.integers(2)]
    x, y, tall = c.x, c.y - rng.normal(0, 0.12) * (c.x * c.x - 0.3), rng.uniform(0.4, 0.62)
    s = np.clip((x + 0.92) / 1.45, 0, 1)
    half = tall * s**0.6 * (1 - s) ** 0.9 * 2.0 + 0.1 * smoothstep(0.0, 0.4, x) + 1e-3
    c.fan(0.38, 0, 0.58, rng.uniform(0.55, 0.9), 0, root, tip)
    c.fan(-0.1, -tall * 0.4, tall * 0.5 + rng.uniform(0.25, 0.42), rng.uniform(0.7, 1.1), -1.1, root, tip)
    c.fan(0.1, tall * 0.4, tall * 0.5 + rng.uniform(0.1, 0.3), 0.6, 1.0, root, tip)
    d = np.maximum(np.abs(y) - half, np.maximum(x - 0.52, -0.93 - x)) * 0.75
    bow, n, kind = np.clip(y / half, -1, 1), rng.uniform(3.5, 6.5), rng.integers(4)
    wave = np.sin((x, y * 1.5, x + y, x)[kind] * rng.uniform(9, 18) + y * y * 4 + n) + (2 * noise(rng, size) if kind == 3 else 0)
    skin = mix(mix(main, second, smoothstep(-0.15, 0.15, wave)), belly, smoothstep(0.2, 1.0, bow) * 0.8)
    skin, h = _scales(np.arcsin(bow) * n, x * n * 1.9, skin, skin * 0.2)
    face = smoothstep(0.02, -0.02, np.hypot(x + 0.92, y * 0.9) - 0.45)
    skin = mix(skin, mix(root, belly, smoothstep(-0.5, 1.0, bow)), face)
    bulge = 0.2 + half * np.sqrt(1 - bow**2) * 0.9
    c.put(d, skin, bulge + (1 - face) * (h * 0.11 - 0.05) + 0.03 * face, 0.7)
    mouth = rng.uniform(0.05, 0.11)
    for s in (1, -1):
        c.ball(-0.87, 0.03 + s * mouth * 0.6, 0.09, mouth * 0.8, second, 0.15, 0.8)
    c.fan(-0.36, tall * 0.25, rng.uniform(0.34, 0.5), 0.5, rng.uniform(0.2, 0.8), tip, root, tall + 0.15)
    eye = tall * rng.uniform(0.3, 0.38)
    return _eyes(rng, c.shaded(tip), (-0.6,), -tall * 0.2, eye, (0.12, 0.5, 0.0), 0.0, 0.3)


def butterfly(rng: Generator, size: int) -> Layer:
    """A butterfly from above: four veined wings with dark spotted borders and glossy eyespots."""
    c = _Clay(rng, size)
    main, second = (color(rng, h, (0.75, 1.0), (0.85, 1.0)) for h in ((0.07, 0.6, 0.14), (0.02, 0.52, 0.8)))
    dark, pale = hsv(rng.random(), 0.6, rng.uniform(0.05, 0.2)), color(rng, (0.14, 0.55), (0.0, 0.6), (0.95, 1.0))
    r, a = polar(np.abs(c.x) / rng.uniform(0.85, 1.0) - 0.02, c.y - 0.05)
    veins, border, spots = int(rng.integers(7, 12)), rng.uniform(0.74, 0.88), []
    for mid, half, reach in ((0.72, rng.uniform(0.75, 0.95), rng.uniform(0.75, 0.95)),
                             (-0.72, rng.uniform(0.75, 0.85), rng.uniform(1.1, 1.22))):
        t = (a - mid) / half
        cell, lobe = np.cos(t * veins), np.clip(np.cos(np.clip(t, -1, 1) * np.pi / 2), 0, 1) ** 0.45
        edge = reach * lobe * (0.95 + 0.03 * np.cos(t * veins * 2)) + 1e-3
        q = r / edge
        vein = np.maximum(smoothstep(0.86, 0.98, np.abs(np.sin(t * veins / 2))) * 0.7, smoothstep(0.18, 0.0, q))
        wing = mix(main, second, smoothstep(0.25, 1.0, q + 0.12 * cell))
        wing = mix(wing, dark, np.maximum(vein, smoothstep(0.0, 0.08, q - border)))
        bead = np.hypot((q - (1 + border) / 2) * 8, np.sin(t * veins / 2) * 1.4)
        wing, ridge = mix(wing, pale, smoothstep(0.6, 0.4, bead)), 0.03 * cell + 0.012 * np.cos(q * 45) * (q < border)
        c.put(((r - edge) * 0.7).astype(np.float32), wing, 0.12 + ridge + 0.15 * np.clip(q, 0, 1) ** 2, 0.5, 0.6)
        spots.append((reach * 0.55 * np.cos(mid), reach * 0.55 * np.sin(mid) + 0.05))
    t = np.linspace(0, 1, 9)
    c.cords([np.stack([s * (0.04 + 0.36 * t**1.5), -0.35 - 0.5 * np.sin(t * 1.5)], 1) for s in (-1, 1)], 0.025, dark, 0.3)
    for px, py, rx, ry, tint in ((-0.4, -0.85, 0.045, 0.045, main), (0.4, -0.85, 0.045, 0.045, main),
                                 *((0, 0.62 - 0.12 * k, 0.05 + 0.011 * k, 0.085, (dark, second)[k % 2] + 0.08)
                                   for k in range(6)), (0, -0.13, 0.13, 0.2, main * 0.5), (0, -0.34, 0.1, 0.09, dark)):
        c.ball(px, py, rx, ry, tint, 0.32, 0.6)
    out = _eyes(rng, c.shaded(second, 0.6), (-0.075, 0.075), -0.37, 0.055, (0.0, 0.3))
    for (px, py), radius in zip(spots, rng.permutation([0.15, rng.choice([0.05, 0.11])]), strict=True):
        _eyes(rng, out, (-px, px), py, radius, (0.12, 0.55, 0.0), 0.0, 0.25)
    return out


def beetle(rng: Generator, size: int) -> Layer:
    """A shiny beetle from above: split wing cases, jointed legs, feelers, sometimes pincers."""
    c, n = _Clay(rng, size), rng.uniform(24, 40)
    main, sheen = color(rng, (0.38, 0.0, 0.6), (0.75, 1.0)), color(rng, (0.12, 0.5, 0.85), (0.8, 1.0), (0.9, 1.0))
    dark, ax, y, wide = hsv(rng.random(), 0.5, rng.uniform(0.06, 0.25)), np.abs(c.x), c.y, rng.uniform(0.46, 0.6)
    kind, t = rng.integers(4), np.linspace(0, 1, 8)
    for y0, knee, foot, out in ((-0.25, -0.45, -0.85, 0.0), (0.05, 0.05, 0.15, 0.07), (0.3, 0.5, 0.9, 0.0)):
        knee += rng.normal(0, 0.04)
        leg = [(0.3, y0), (0.74 + out, knee), (0.88, (knee + foot) / 2 + 0.03), (0.84 + out, foot)]
        for k, width in enumerate((0.1, 0.07, 0.04)):
            c.cords([[(s * px, py) for px, py in leg[k:k + 2]] for s in (-1, 1)], width, main * 0.4 + dark, 0.0, 0.8)
    c.cords([np.stack([s * (0.1 + 0.4 * t), -0.65 - 0.3 * np.sin(t * 2.4)], 1) for s in (-1, 1)], 0.035, dark, 0.1, 0.8)
    if rng.random() < 0.4:
        d = np.maximum(np.abs(np.hypot(ax - 0.04, y + 0.8) - 0.17) + 0.12 * np.clip(-0.8 - y, 0, 1) - 0.05, 0.05 - ax)
        c.put(d, dark + main * 0.3, 0.1 + dome(d, 0.05), 1.0)
    c.ball(0, -0.66, 0.23, 0.2, dark + main * 0.15, 0.1, 0.9)
    d, grain = ellipse(c.x, y, 0, -0.42, wide * 0.8, 0.26), 0.004 * np.sin(c.x * 60) * np.sin(y * 60)
    c.put(d, mix(main, dark, np.float32(rng.choice([0.1, 0.9]))), 0.1 + dome(d, 0.26) + grain, 1.0)
    d, seam = ellipse(c.x, y, 0, 0.24, wide, 0.62), np.exp(-ax / 0.018)
    ridge = np.cos(np.arcsin(np.clip(c.x / wide, -1, 1)) * n) * 0.012 if kind < 2 else grain
    spot = np.cos(ax * 12 - 2.6) + np.cos(y * 9 + n) if kind < 3 else np.cos(y * 13) + 0.4 * np.cos(ax * 20)
    shell = mix(main, sheen, (0.5 + 0.5 * np.sin(y * rng.uniform(1, 4) + ax * 3 + n)) * (kind < 2))
    shell = mix(shell, dark, smoothstep(0.75, 0.95, spot) * (kind > 0)) * (1 - 0.8 * seam)[..., None]
    c.put(d, shell, 0.15 + dome(d, wide) * 0.85 - 0.06 * seam + ridge, 1.2)
    return _eyes(rng, c.shaded(sheen, 0.9), (-0.17, 0.17), -0.72, 0.075, (0.12, 0.0, 0.3))


def jellyfish(rng: Generator, size: int) -> Layer:
    """A jellyfish: translucent ribbed bell with a frilled rim, ruffled arms, trailing tentacles."""
    c, glow, rim = _Clay(rng, size), hsv(rng.random(), rng.uniform(0.2, 0.5), 1.0), -0.12
    main, second = (color(rng, h, value=(0.75, 1.0)) for h in ((0.85, 0.58, 0.5), (0.93, 0.7, 0.12)))
    wide, tall, ribs = rng.uniform(0.68, 0.88), rng.uniform(0.6, 0.78), int(rng.integers(6, 12)) * 2
    t, drift = np.linspace(0, 1, 24), rng.normal(0, 0.2)
    for tint, count in ((main * 0.75, 7), (mix(second, glow, np.float32(0.4)), 6)):
        waves = zip(np.linspace(-0.9, 0.9, count) * wide, rng.uniform(6, 13, count), rng.uniform(0.8, 1.0, count), strict=True)
        c.cords([np.stack([px * (1 - 0.25 * t) + drift * t * t + (0.02 + 0.09 * t) * np.sin(t * k + px * 9),
                           rim + 1.05 * long * t], 1) for px, k, long in waves], 0.035, tint, 0.05)
    for k in range(4):
        phase, long = rng.uniform(0, 6), rng.uniform(0.6, 0.95)
        s = np.clip((c.y - rim) / long, 0, 1)
        u = c.x - (k - 1.5) * 0.22 * wide - drift * s * s * 0.8 - 0.05 * np.sin(s * 9 + phase)
        frill = np.sin(c.y * 42 + phase + 40 * np.abs(u))
        d = np.maximum(np.abs(u) - (0.14 * (1 - s) ** 0.7 + 0.005) * (1 + 0.3 * frill), np.abs(c.y - rim - long / 2) - long / 2)
        c.put(d * 0.7, mix(glow, second, np.clip(np.abs(u) * 14, 0, 1)), 0.15 + dome(d, 0.09) + 0.03 * frill, 0.6)
    depth, ax = np.clip((c.y - rim) / tall + 1, 0, 1), np.abs(c.x) / wide
    m = np.arcsin(np.clip(c.x / (wide * np.sqrt(np.clip(1 - (1 - depth) ** 2, 0.02, 1))), -1, 1))
    rib, low = np.cos(m * ribs), rim + 0.1 * np.cos(ax * 1.5) + 0.045 * np.abs(np.sin(m * ribs / 2))
    d = np.maximum(ellipse(c.x, c.y, 0, rim, wide, tall), c.y - low)
    organ = np.exp(-18 * np.abs(np.hypot(np.abs(ax - 0.26) - 0.02, (depth - 0.62) * 0.7) - 0.12))
    bell = mix(mix(main, second, smoothstep(0.2, 1.0, depth) * (0.6 + 0.4 * rib)), glow, organ * 0.7)
    bell = mix(bell, glow, np.maximum(smoothstep(0.7, 1.0, np.sin(depth * 30) * rib), smoothstep(-0.1, 0.0, d)) * 0.6)
    c.put(d, bell, 0.3 + dome(d, 0.5) + 0.03 * rib * depth + 0.03 * organ, 0.8)
    out = c.shaded(glow, 0.6)
    out[..., :3] = np.clip(out[..., :3] * 1.1 + 0.1 * main, 0, 1)
    out[..., 3] *= np.where(d < 0, 0.72 + 0.28 * smoothstep(-0.2, 0.0, d), 0.95)
    return out


def tentacle(rng: Generator, size: int) -> Layer:
    """A curling octopus arm: mottled skin, two rows of ringed suckers that shrink toward the tip."""
    c, n = _Clay(rng, size), 220
    main, second = color(rng, (0.0, 0.8, 0.48), (0.6, 1.0)), color(rng, (0.06, 0.9, 0.6))
    pale, t = color(rng, (0.05, 0.95, 0.12), (0.1, 0.55), (0.9, 1.0)), np.linspace(0, 1, n)
    turn = rng.uniform(0, 6.3) - rng.uniform(2.2, 3.3) * np.log(1.06 - t) + rng.uniform(-0.8, 0.8) * np.sin(t * 5)
    girth = rng.uniform(0.22, 0.31) * (1.02 - t) ** 0.8
    normal = np.stack([-np.sin(turn), np.cos(turn)], 1)
    path = np.cumsum(np.stack([np.cos(turn), np.sin(turn)], 1), 0)
    path = (path - (path.max(0) + path.min(0)) / 2) / (np.ptp(path, 0).max() / 2) * 0.76
    index = np.full((size, size), -1, np.int32)
    left, right = (((path + s * normal * girth[:, None] + 1) * size * 8 - 8).astype(np.int32) for s in (-1.1, 1.1))
    for k in range(n - 1):
        cv2.fillConvexPoly(index, np.array([left[k], left[k + 1], right[k + 1], right[k]]), k, cv2.LINE_8, 4)
    along = np.cumsum(np.hypot(*np.diff(path, axis=0, prepend=0).T)[1:].mean() / girth)
    px, py, nx, ny, g, s = (v.astype(np.float32)[index] for v in (*path.T, *normal.T, girth, along))
    v, s = ((c.x - px) * nx + (c.y - py) * ny) / g, s + ((c.x - px) * ny - (c.y - py) * nx) / g
    d = np.where(index < 0, 0.2, (np.abs(v) - 1) * g).astype(np.float32)
    blot, warts = noise(rng, size, 0.9) + 0.5 * np.sin(s * 9), noise(rng, size, 0.5) * smoothstep(0.1, -0.2, v)
    skin = mix(mix(main, second, smoothstep(-0.2, 0.8, blot)), pale, smoothstep(0.05, 0.35, v) * 0.75)
    ring = np.minimum(*(np.hypot((s * 1.5 + k / 2) % 1.0 / 1.5 - 0.333, (v - 0.2 - 0.42 * k) * (1 + 0.4 * k)) for k in (0, 1)))
    cup, hole = smoothstep(0.33, 0.28, ring), smoothstep(0.2, 0.1, ring)
    skin = mix(skin, mix(pale, (main + second) * 0.25, hole), cup) * (1 + 0.08 * warts)[..., None]
    relief = g * (np.sqrt(np.clip(1 - v * v, 0, 1)) + 0.05 * warts + cup * (0.16 - 0.3 * hole)) + index * (0.5 / n)
    c.put(d, skin, relief.astype(np.float32), 0.8)
    return c.shaded(second, 0.4)
