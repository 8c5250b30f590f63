"""Animals, each modeled as colored relief on one sheet (`_Clay`) and lit in one pass; the eyes come last."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from training import canvas
from training.canvas import Color, Field, Layer, color, dome, ellipse, hsv, mix, polar, turned
from training.canvas import smoothstep as ramp


class _Clay:
    """A relief in the making: base color, height, gloss and coverage of what is put on it."""

    def __init__(self, rng: Generator, size: int, turn: float = 0.0) -> None:
        self.rng, self.size, self.turn = rng, size, turn
        x, self.y = canvas.grid(size)
        self.x = x - turn * (1 - x * x)  # the middle shifts and the outline stays, as when a head turns
        self.rgb = np.zeros((size, size, 3), np.float32)
        self.height, self.gloss, self.alpha = (np.zeros((size, size), np.float32) for _ in range(3))

    def part(self, cx: float, cy: float, reach: float) -> _Clay:
        """The square window around a point: what is put on it lands on the whole."""
        k, edge, out = self.size / 2, reach + 0.1 + abs(self.turn), object.__new__(_Clay)
        cut = tuple(slice(max(0, int((v - edge) * k)), int((v + edge) * k) + 2) for v in (cy + 1, cx + 1))
        out.__dict__ = {k: v[cut] if isinstance(v, np.ndarray) else v for k, v in vars(self).items()}
        return out

    def put(self, d: Field, tint: Color, lift: Field | float, depth: float = 0.0, gloss: float = 0.25, *,
            crease: float = 0.4, fur: Field | float = 0.0) -> None:
        """Lay a shape on top, domed to ``depth``, perhaps furry; ``crease`` darkens what is just outside."""
        d = d + 0.015 * fur
        cover = canvas.inside(d, self.size)
        total = cover + self.alpha * (1 - cover)
        t = cover / np.maximum(total, 1e-6)
        self.rgb *= (1 - crease * np.clip(1 - d / 0.09, 0, 1) ** 2)[..., None]
        self.rgb += (np.clip(tint * np.asarray(1 + 0.2 * fur)[..., None], 0, 1) - self.rgb) * t[..., None]
        self.height += (lift + 0.022 * fur + (dome(d, depth) if depth else 0) - self.height) * t
        self.gloss += (gloss - self.gloss) * t
        self.alpha[:] = total

    def ball(self, at: tuple[float, float], radii: tuple[float, float], tint: Color, lift: float) -> None:
        """Lay an ellipsoid on top."""
        w = self.part(*at, max(radii))
        w.put(ellipse(w.x, w.y, *at, *radii), tint, lift, min(radii), 0.6)

    def cords(self, lines: list[tuple[object, object]], width: float, tint: Color, lift: float) -> None:
        """Lay rounded cords along polylines, each given as its x and its y, on top."""
        cover = np.maximum.reduce([canvas.stroke(self.size, np.stack(np.broadcast_arrays(*line), 1), width)
                                   for line in lines])
        relief = cv2.GaussianBlur(cover, (0, 0), max(0.8, width * self.size / 5)) * width
        self.put((0.5 - cover) * np.float32(2 / self.size), tint, lift + relief, 0.0, 0.5, crease=0.0)

    def feather(self, at: tuple[float, float], shape: tuple[float, float], angle: float,
                colors: tuple[Color, Color], lift: float = 0.0) -> None:
        """Lay a pointed feather on top that grows from a point: shaft, slanted barbs, two colors."""
        long, wide = shape[0] / 2, shape[1]
        cx, cy = at[0] + long * np.cos(angle), at[1] + long * np.sin(angle)
        w = self.part(cx, cy, long)
        u, v = turned(w.x - cx, w.y - cy, angle)
        barbs, shaft = np.sin((u - np.abs(v) * 1.3) * (9 / wide)), np.exp(-np.abs(v) / (0.1 * wide))
        tint = mix(*colors, ramp(0.0, 1.0, u / long * 0.9 + 0.35)) * (0.92 + 0.16 * barbs)[..., None]
        relief = wide * (0.35 - 0.5 * (v / wide) ** 2 + 0.05 * barbs + 0.25 * shaft)
        w.put(_leaf(u, v, long, wide), tint, lift + relief)

    def shaded(self, sheen: Color, strength: float = 0.5) -> Layer:
        """The relief under sun, sky and rim light; ``sheen`` tints the slopes that turn from the eye."""
        rng, h = self.rng, cv2.GaussianBlur(self.height, (0, 0), self.size / 220)
        gx, gy = (cv2.Sobel(h, cv2.CV_32F, 1 - k, k, scale=self.size / 16) for k in (0, 1))
        nz = 1 / np.sqrt(gx * gx + gy * gy + 1)
        key = rng.uniform((-0.8, -0.95, 0.8), (0.8, -0.35, 1.2))
        kx, ky, kz = (key / np.linalg.norm(key)).astype(np.float32)
        facing = -nz * (gx * kx + gy * ky)
        cavity = np.clip(1.05 + 4.5 * (h - cv2.GaussianBlur(h, (0, 0), self.size * 0.025)), 0.35, 1.3)
        sun, sky, edge = (hsv(*rng.uniform(*ends)) for ends in (((0.05, 0.0, 0.95), (0.15, 0.22, 1.15)), (
            (0.5, 0.1, 0.3), (0.8, 0.45, 0.5)), ((0.0, 0.1, 0.3), (1.0, 0.7, 0.8))))
        base = mix(self.rgb, sheen, strength * (1 - nz) ** 1.5)
        sun_part, sky_part = np.clip(facing + nz * kz, 0, 1) * cavity, (0.9 + 0.3 * gy * nz) * cavity
        broad = np.clip((facing + nz * (kz + 1)) / np.sqrt(2 + 2 * kz), 0, 1) ** 8  # halfway to the eye
        shine, rim = self.gloss * (0.3 * broad + 0.9 * broad**8), np.clip(-1.2 * facing - 0.15, 0, 1) ** 2
        rgb = base * (sky_part[..., None] * sky + sun_part[..., None] * sun) + shine[..., None] * sun
        return canvas.layer(np.clip(rgb + rim[..., None] * edge * (0.35 + base), 0, 1), self.alpha)


def _leaf(u: Field, v: Field, long: float, wide: float) -> Field:
    """Distance to a lens with its points at ``u`` = -long and long."""
    radius = (long * long + wide * wide) / (2 * wide)
    return np.hypot(u, np.abs(v) + (radius - wide)) - radius


def _joined(a: Field, b: Field, k: float) -> Field:
    """Distance to two shapes melted together over a seam ``k`` wide."""
    t = np.clip(0.5 + 0.5 * (b - a) / k, 0, 1)
    return b * (1 - t) + a * t - k * t * (1 - t)


def _scales(u: Field, v: Field, base: Color, tip: Color) -> tuple[Color, Field]:
    """Color and height 0..1 of overlapping scales one unit apart, tips (in their own color) toward +v."""
    row = np.floor(v)
    shift = 0.5 * (row % 2)
    lx, ly = (u + 0.5 - shift) % 1.0 - 0.5, v - row + 1  # the scale hanging over from the row above
    out = (lx * 2) ** 2 + ((ly - 1) / 0.95) ** 2 > 1
    lx, ly = np.where(out, (u + shift) % 1.0 - 0.5, lx), np.where(out, ly - 1, ly)
    edge = ramp(0.6, 1.05, np.hypot(lx * 1.9, np.maximum(ly - 0.9, 0)))
    number = np.sin(np.floor(u + np.where(out, shift, 0.5 - shift)) * 12.99 + (row + out) * 78.23) * 437.6 % 1
    return mix(base * (0.75 + 0.4 * number)[..., None], tip, edge * 0.75), ly * 0.5 - lx * lx * 0.9


def _fur(rng: Generator, x: Field, y: Field) -> Field:
    """Strands of hair -1..1 that run away from the origin."""
    (r, a), hair = polar(x, y), rng.random((64, 128), np.float32) * 2 - 1
    hair = (hair + np.roll(hair, 1, 0) + np.roll(hair, (1, 1), (0, 1)) * 0.5) * 0.7
    across, along = np.float32([(a / (2 * np.pi) + 0.5) * 112, r * 7 + np.sin(a * 9) * 0.7 + 1])
    return cv2.remap(hair, across, along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def _eyes(rng: Generator, out: Layer, at: tuple[float, ...], radius: float, hues: tuple[float, ...], *,
          slit: float = 0.0, white: float = 0.0) -> Layer:
    """Paint like eyes at (x, ..., y): dark lid ring, fibrous two-color iris, pupil, glow, two highlights."""
    iris, inner = (color(rng, [h - d for h in hues], (0.65, 1.0), (0.8, 1.0)) for d in (0.0, 0.06))
    lid, ball = hsv(rng.random(), 0.5, rng.uniform(0.02, 0.12)), hsv(0.12, rng.uniform(0, 0.8), 1.0)
    rays, phase, side = int(rng.integers(14, 34)), rng.uniform(0, 6), float(rng.choice([-1.0, 1.0]))
    pupil, narrow = rng.uniform(0.3, 0.52), rng.uniform(0.12, 0.35) if rng.random() < slit else 0.0
    (look, tip), half = rng.normal(0, 0.06, 2), out.shape[0] / 2
    step, y0, n = 1 / (half * radius), (at[-1] + 1) * half - 0.5, int(1.35 * half * radius) + 2
    soft, top = step * 1.2, max(0, int(y0) - n)
    for x0 in ((cx + 1) * half - 0.5 for cx in at[:-1]):
        left = max(0, int(x0) - n)
        view = out[top:int(y0) + n + 1, left:int(x0) + n + 1]
        v, u = np.mgrid[:view.shape[0], :view.shape[1]].astype(np.float32)
        u, v = (u + left - x0) * step, (v + top - y0) * step
        r, (q, a) = np.hypot(u, v), polar((u - look) / (1 - white), (v - tip) / (1 - white))
        fibre = 0.5 + 0.5 * np.sin(a * rays + phase + 3 * np.sin(a * 3 + phase))
        tone = (0.72 + 0.4 * fibre) * (1.05 - 0.75 * ramp(0.72, 1.0, q)) * (0.9 + 0.45 * v)
        rgb = mix(inner, iris, ramp(pupil, 0.85, q + 0.2 * fibre)) * tone[..., None]
        rgb = mix(rgb, ball * (1 + 0.2 * v - 0.3 * r)[..., None], ramp(0.97, 1.03 + soft, q) * (white > 0))
        hole = (np.abs(u - look) / narrow + (v / 0.85) ** 2) * pupil if narrow else q
        rgb = mix(rgb, lid * 0.4, ramp(pupil + soft, pupil - soft, hole))
        rgb *= (1 - 0.55 * ramp(-0.2, -1.0, v))[..., None]
        for hu, hv, hr, power in ((-0.34, -0.38, 0.24, 1.0), (0.36, 0.38, 0.13, 0.6)):
            rgb += power * (1 - rgb) * ramp(hr + soft, hr - soft, np.hypot(u - hu * side, v - hv))[..., None]
        cover, rim = ramp(1.14 + soft, 1.14 - soft, r), ramp(0.93 - soft, 0.97 + soft, r)
        view[..., :3] = mix(view[..., :3], np.clip(mix(rgb, lid, rim), 0, 1), cover)
        view[..., 3] = np.maximum(view[..., 3], cover)
    return out


def _coat(rng: Generator, x: Field, y: Field, main: Color, second: Color) -> Color:
    """A coat in two colors: stripes, patches, dark points, or shaded."""
    cloud = canvas.noise(rng, x.shape[0], 1.3)
    wave = np.sin(np.hypot(x, y + 0.9) * rng.uniform(22, 34) + cloud * 0.9 + np.abs(x) * 5)
    stripes = ramp(0.1, 0.6, wave) * ramp(0.1, 0.35, np.hypot(x * 1.2, y - 0.25))
    patches, points = ramp(0.2, 0.5, cloud + rng.normal() * x), ramp(0.75, 0.2, np.hypot(x, y - 0.2))
    return mix(main, second, (stripes, stripes, patches, points, ramp(-0.6, 0.9, y))[rng.integers(5)])


def owl(rng: Generator, size: int) -> Layer:
    """An owl from the front: feathered breast, folded wings, ear tufts, ringed face, huge eyes."""
    c, main = _Clay(rng, size, rng.normal(0, 0.05)), color(rng, (0.07, 0.09, 0.62), value=(0.4, 0.8))
    dark, horn, pale = main * 0.35, color(rng, (0.11, 0.08)), color(rng, (0.1, 0.13), (0.15, 0.75), (0.8, 1))
    hw, bw, n, tall, wide = rng.uniform((0.56, 0.52, 4, 0.72, 0.29), (0.74, 0.68, 6.5, 0.85, 0.36)).tolist()
    x, y, ax, hh, ex, er = c.x, c.y, np.abs(c.x), hw * tall, hw * 0.44, hw * wide
    ey, breast = hh - 0.77, mix(pale, main, ramp(bw * 0.3, bw * 0.95, ax) * 0.7)
    tint, h = _scales(np.arcsin(np.clip(x / bw, -1, 1)) * n * 0.9, y * n * 1.35, breast, dark)
    c.put(ellipse(x, y, 0, 0.3, bw, 0.6), tint, h * 0.16, bw)
    u, v = turned(ax - bw * 0.86, y - 0.3, rng.uniform(0.12, 0.3))
    tint, h = _scales(u * n * 1.2, v * n * 0.75 + 0.4 * u, main, main * 0.2 + pale * 0.8)
    c.put(ellipse(u, v, 0, 0, 0.22, 0.56), tint, 0.25 + h * 0.16, 0.22)
    fur, (tint, h) = _fur(rng, ax - ex, y - ey), _scales(x * n * 1.7, (ey - y) * n * 1.7, main, dark)
    c.put(ellipse(x, y, 0, ey - 0.04, hw, hh), tint, 0.2 + h * 0.09, hh * 0.85)
    r = np.hypot(ax - ex, (y - ey) * 0.95)
    d, rings = r - hw * 0.55, (0.5 + 0.5 * np.sin(r * rng.uniform(30, 60))) * rng.uniform(0.1, 0.6)
    c.put(d, mix(mix(pale, main, rings), dark, ramp(-0.07, -0.01, d) * 0.8), 0.52 + 0.3 * r, 0, 0.1, fur=fur)
    for s, out in ((-1, np.pi), (1, 0.0)):
        for k in (-0.08, 0, 0.08):
            c.ball((s * 0.15 + k, 0.86), (0.045, 0.085), horn, 0.4)
        c.feather((s * hw * 0.6, ey - hh * 0.62), (n * 0.09, 0.13), s * 0.5 - np.pi / 2, (main, dark), 0.55)
        c.feather((0, ey - er * 0.8), (hw * 0.95, 0.09), out - s * 0.42, (dark, main), 0.65)
    c.feather((0, ey - er * 0.1), (er * 1.7, 0.1), np.pi / 2, (horn, horn * 0.35), 0.75)
    return _eyes(rng, c.shaded(main), (c.turn - ex, c.turn + ex, ey), er, (0.12, 0.08, 0.15, 0.03))


def cat(rng: Generator, size: int) -> Layer:
    """A cat's face: pointed ears, patterned fur, whiskers, slit or round pupils."""
    c, main = _Clay(rng, size, rng.normal(0, 0.06)), color(rng, (0.07, 0.09, 0.05), (0.3, 0.95), (0.55, 1.0))
    second, pale = main * 0.2 + color(rng, (0.06,)) * rng.uniform(0, 0.4), hsv(0.1, rng.uniform(0, 0.25), 1.0)
    x, y, ax, pink = c.x, c.y, np.abs(c.x), color(rng, (0.97,), (0.35, 0.7), (0.9, 1.0), 1.0)
    hw, hh, wide, tall, er = rng.uniform((0.74, 0.6, 0.22, 0.42, 0.2), (0.86, 0.68, 0.3, 0.52, 0.26)).tolist()
    fur, coat, t = _fur(rng, x, y - 0.22), _coat(rng, x, y - 0.22, main, second), np.linspace(0, 1, 8)
    u, v = turned(ax - hw * 0.6, y + 0.36, rng.uniform(0.3, 0.5) - np.pi / 2)
    d, ear = _leaf(u + 0.08, v, tall * 0.66, wide * 0.66), mix(pink, pink * 0.35, ramp(0.2, -0.3, u))
    c.put(_leaf(u, v, tall, wide), mix(ear, coat, ramp(-0.03, 0.02, d)), 0.24 + 0.5 * d, fur=fur)
    d = _joined(ellipse(x, y, 0, 0.18, hw * 0.93, hh), ellipse(ax, y, hw * 0.5, 0.44, hw * 0.5, 0.36), 0.2)
    c.put(d + fur * 0.015 * ramp(0.3, 0.8, ax), coat, 0.1, 0.5, fur=fur)
    ex, ring = hw * rng.uniform(0.42, 0.48), mix(main, pale, np.float32(rng.uniform(0.2, 0.9)))
    c.put(ellipse(ax, y, ex, 0.12, er * 1.4, er * 1.2, 0.3), ring, 0.5, 0.0, 0.1, crease=0.1, fur=fur)
    c.put(ellipse(x, y, 0, 0.34, 0.13, 0.42), coat * 0.3 + main * 0.7, 0.56, 0.13, crease=0.2, fur=fur)
    muzzle = mix(pale, second, ramp(0.86, 0.95, np.sin(ax * 55) * np.sin(y * 45)) * 0.6)
    c.ball((0, 0.74), (0.2, 0.14), pale * 0.9, 0.45)
    c.put(ellipse(ax, y, 0.17, 0.58, 0.2, 0.16, 0.2), muzzle, 0.62, 0.16, fur=fur * 0.5)
    d = _joined(ellipse(ax, y, 0.06, 0.41, 0.07, 0.05, 0.3), ellipse(x, y, 0, 0.46, 0.05, 0.06), 0.05)
    c.put(d, pink * rng.uniform(0.3, 1.0), 0.75, 0.08, 0.9)
    c.cords([(s * (0.2 + 0.72 * t), 0.56 + k * (0.045 + 0.13 * t) - 0.17 * t - 0.1 * np.sin(t * 3))
             for k in range(4) for s in (-1, 1)], 0.012, (pale, pale, second * 0.3)[rng.integers(3)], 0.8)
    return _eyes(rng, c.shaded(main), (c.turn - ex, c.turn + ex, 0.12), er, (0.28, 0.14, 0.5, 0.4), slit=0.65)


def dog(rng: Generator, size: int) -> Layer:
    """A dog's face: hanging or pricked ears, a broad muzzle, wet nose, tongue out."""
    c, main = _Clay(rng, size, rng.normal(0, 0.06)), color(rng, (0.08, 0.06, 0.1), (0.25, 0.85))
    second, pale = main * 0.2 + color(rng, (0.06,)) * rng.uniform(0, 0.5), hsv(0.1, rng.uniform(0, 0.35), 1)
    x, y, ax, fur = c.x, c.y, np.abs(c.x), _fur(rng, c.x, c.y + 0.1)
    hw, mw, my, er, long = rng.uniform((0.56, 0.3, 0.26, 0.15, 0.15), (0.66, 0.4, 0.36, 0.2, 0.28)).tolist()
    (ears, patch, _), ex, ey = rng.permutation([second, main, pale]), hw * 0.45, -0.2
    d = _joined(ellipse(x, y, 0, -0.22, hw, 0.62), ellipse(x, y, 0, 0.25, hw * 0.85, 0.45), 0.15)
    c.put(d, _coat(rng, x, y, main, second), 0.0, 0.5, fur=fur)
    if rng.random() < 0.7:
        u, v = turned(ax - hw * 1.08, y + 0.12, np.pi / 2 - rng.uniform(-0.1, 0.25))
        d = ellipse(u, v, 0, 0, 0.56, hw * 0.37) + 0.12 * u * np.abs(v)
    else:
        u, v = turned(ax - hw * 0.8, y + 0.52, rng.uniform(0.1, 0.5) - np.pi / 2)
        d, ears = _leaf(u, v, 0.44, hw * 0.37), mix(ears, hsv(1, 0.5, 0.7), ramp(0.1, 0.08, abs(v) + u / 10))
    c.put(d, ears, 0.35 + 0.05 * np.sin(v * 18), 0.2, fur=fur * 1.3)
    d = _joined(ellipse(x, y, 0, -0.35, 0.13, 0.5), ellipse(x, y, 0, my, mw, 0.3), 0.2)
    c.put(d, pale, 0.48 + 0.12 * y, 0.2, crease=0.1, fur=fur)
    c.put(ellipse(ax, y, ex, ey, er * 1.45, er * 1.3, -0.4), patch, 0.48, crease=0.2, fur=fur)
    c.ball((0, my + 0.28), (mw * 0.72, 0.2), hsv(0.0, 0.6, 0.12), 0.3)
    groove, dots = np.exp(-((x / 0.02) ** 2)), ramp(0.8, 0.95, np.sin(ax * 42) * np.sin(y * 42)) * 0.6
    pink = hsv(rng.uniform(0.93, 1.0), 0.6, 1.0) * (1 - 0.35 * groove)[..., None]
    c.put(ellipse(x, y, 0, my + 0.28 + long * 0.6, 0.15, long), pink, 0.45 - 0.05 * groove, 0.15, 0.6)
    d, muzzle = ellipse(ax, y, mw * 0.5, my + 0.1, mw * 0.62, 0.22, 0.35), (pale, main)[rng.integers(2)]
    c.put(d, mix(muzzle, second * 0.5, dots), 0.62, 0.22, fur=fur)
    d = _joined(ellipse(ax, y, 0.08, my - 0.1, 0.12, 0.1, 0.2), ellipse(x, y, 0, my - 0.02, 0.07, 0.09), 0.08)
    hole, nose = np.exp(-((ax - 0.1) ** 2 + (y - my + 0.06) ** 2) / 0.0016), hsv(rng.random(), 0.3, 0.18)
    c.put(d, nose * (1 - hole)[..., None], 0.8 - 0.05 * hole, 0.13, 1.0)
    return _eyes(rng, c.shaded(main), (c.turn - ex, c.turn + ex, ey), er, (0.07, 0.1, 0.57, 0.35))


def bird(rng: Generator, size: int) -> Layer:
    """A bird from the side: scaly down, rows of wing feathers, tail, beak, often a crest."""
    c, belly = _Clay(rng, size), color(rng, (0.1, 0.14, 0.04), (0.2, 0.9), (0.85, 1.0))
    main, second, horn = (color(rng, h, (0.6, 1)) for h in ((0.58, 0, 0.33), (0.12, 0.5, 0.05), (0.1, 0.04)))
    tilt, hr, bow, long, wide = rng.uniform((0.5, 0.3, -0.2, 0.24, 0.1), (0.8, 0.4, 1.3, 0.32, 0.16)).tolist()
    hx, hy, tip = -0.34, -0.38, main * rng.uniform(0.15, 0.5)
    for k in range(5):
        c.feather((0.22, 0.2), (0.78, 0.1), tilt + 0.13 * (k - 2), (main, tip), 0.05 * k)
    for px in (-0.12, 0.12):
        c.cords([((px, px), (0.3, 0.8)), ((px - 0.13, px, px + 0.1), (0.88, 0.78, 0.88))], 0.05, horn, 0.05)
    for a in 0.42 * np.arange(rng.choice([0, 3, 4])) - 2.1:
        c.feather((hx + 0.06 + 0.2 * np.cos(a), hy + 0.2 * np.sin(a)), (hr, 0.07), a, (main, second))
    u, v = turned(c.x - hx, c.y - hy, tilt)
    down = mix(main, belly, ramp(0.0, 0.25, v + 0.15 * ramp(0.0, 0.4, u)))
    down = mix(down, second, ramp(0.05, -0.05, u - hr * rng.uniform(0.2, 0.9)) * rng.integers(2))
    tint, h = _scales(v * 9, u * 9, down, down * 0.4)
    c.put(_joined(ellipse(u, v, 0.54, 0.1, 0.56, 0.46), np.hypot(u, v) - hr, 0.2), tint, 0.2 + h * 0.07, 0.4)
    for row, (reach, n, tint) in enumerate(((0.76, 7, main), (0.54, 6, second), (0.38, 5, main))):
        for k in range(n):
            at, lift = (0.02 * k - 0.08 - 0.05 * row, 0.16 * k / n), 0.62 + 0.06 * row + 0.01 * k
            colors = tint, (tip, tint * 0.5)[row % 2]
            c.feather(at, (reach, reach / 6), tilt - 0.3 + 0.75 * k / n, colors, lift)
    u, v = turned(c.x - hx + hr * 1.1, c.y - hy - 0.06, rng.uniform(-0.25, 0.1))
    slot = np.exp(-(((v + bow * u * u - wide * 0.2) / 0.012) ** 2))
    tint = mix(horn, horn * 0.3, ramp(0.0, -long, u)) * (1 - 0.7 * slot)[..., None]
    c.put(np.maximum(_leaf(u, v + bow * u * u, long, wide), u - 0.2), tint, 0.42 - 0.04 * slot, 0.1, 0.9)
    c.ball((hx - 0.06, hy - 0.03), (hr * 0.56, hr * 0.53), (second, belly)[rng.integers(2)], 0.45)
    return _eyes(rng, c.shaded(second), (hx - 0.06, hy - 0.03), hr * rng.uniform(0.36, 0.46), (0.1, 0, 0.6))


def fish(rng: Generator, size: int) -> Layer:
    """A goldfish, clownfish, angelfish or tang: rows of scales, rayed fins, gill, a big ringed eye."""
    c, kind, n, dark = _Clay(rng, size), rng.integers(4), rng.uniform(2.4, 3.4), hsv(rng.random(), 0.6, 0.1)
    hues, tall = (((0.05, 0.13), 0.54), ((0.06, 0.1), 0.5), ((0.14, 0.6), 0.68), ((0.58, 0.14), 0.58))[kind]
    (main, second), pale = (color(rng, [h], (0.8, 1), (1, 1)) for h in hues), hsv(0.1, 0.2 * rng.random(), 1)
    x, y, tall, along = c.x, c.y, tall * rng.uniform(0.93, 1.07), np.clip((c.x + 0.9) / 1.4, 0, 1)
    half = tall * 1.85 * along**0.55 * (1 - along) ** 0.85 + 0.11 * ramp(0.0, 0.45, x) + 1e-3
    def fin(at: tuple[float, float], reach: float, angle: float, span: float, fork: float, up: float) -> None:
        r, a = polar(*turned(x - at[0], y - at[1], angle))
        q, ray = r / reach / (1 - fork * np.cos(np.clip(a / span, -1, 1) * 1.57) ** 2), np.cos(a * 24)
        tint = mix(mix(main, second, ramp(0.3, 0.7, q)), (pale, dark, dark, dark)[kind], ramp(0.82, 0.88, q))
        d = np.maximum((q - 0.96 - 0.04 * ray) * reach, (np.abs(a) - span) * r)
        c.put(d, tint * (0.65 + 0.35 * ray)[..., None], up + 0.03 * ray * q, 0.0, 0.5)
    fin((0.38, 0), 0.55, 0, 0.85, 0.3, 0)
    fin((0.0, -tall / 3), tall / 3 + 0.4, -1.08, 0.72, 0, 0)
    fin((-0.1, tall / 3), tall / 3 + 0.4, 1.08, 0.72, 0, 0)
    bow, gill = np.clip(y / half, -1, 1), np.hypot(x + 0.92, y * 0.9) - 0.47
    band = np.abs(np.where(kind == 3, y + 0.1 - x * x / 2, (x + 0.58 + y * y / 6) % 0.4 - 0.2)) - 0.075
    skin = mix(mix(main, pale, ramp(0.3, 1.1, bow) * 0.8), dark, ramp(0.04, 0.02, band) * (kind > 0))
    skin = mix(skin, (main, pale, dark, dark)[kind], ramp(0.01, -0.01, band) * (kind > 0))
    skin, h = _scales(np.arcsin(bow) * n, x * n * 1.9, skin, skin * 0.25)
    skin = mix(mix(skin, mix(main, pale, ramp(-0.2, 1, bow)), gill < 0), dark, ramp(0.03, 0.01, np.abs(gill)))
    bulge = 0.15 + half * np.sqrt(1 - bow**2) * 0.9 + np.where(gill < 0, 0.09, h * 0.13)
    c.put(np.maximum(np.abs(y) - half, np.maximum(x - 0.52, -0.93 - x)) * 0.75, skin, bulge, 0.0, 0.7)
    fin((-0.3, tall * 0.22), 0.34, 0.45, 0.6, 0, tall + 0.15)
    c.ball((-0.56, -tall * 0.2), (tall * 0.46, tall * 0.46), (pale, dark, second, second)[kind], tall * 0.8)
    return _eyes(rng, c.shaded(main), (-0.56, -tall * 0.2), tall * 0.36, (0.12, 0.5, 0.0), white=0.3)


def butterfly(rng: Generator, size: int) -> Layer:
    """A butterfly from above: four veined wings with dark spotted borders and glossy eyespots."""
    c, dark, t = _Clay(rng, size), hsv(rng.random(), 0.6, rng.uniform(0.05, 0.2)), np.linspace(0, 1, 9)
    main, second = (color(rng, h, (0.75, 1.0), (0.85, 1.0)) for h in ((0.07, 0.6, 0.14), (0.02, 0.52, 0.8)))
    pale, veins = color(rng, (0.14, 0.55), (0, 0.6), (0.95, 1)), rng.integers(7, 12)
    (r, a), border = polar(np.abs(c.x) / rng.uniform(0.85, 1.0) - 0.02, c.y - 0.05), rng.uniform(0.74, 0.88)
    reach, half = rng.uniform(((0.75, 1.1), (0.75, 0.75)), ((0.95, 1.22), (0.9, 0.85)))
    for k, mid in enumerate((0.72, -0.72)):
        w = (a - mid) / half[k]
        cell, line, lobe = np.cos(w * veins), abs(np.sin(w * veins / 2)), np.cos(w.clip(-1, 1) * np.pi / 2)
        edge = reach[k] * np.maximum(lobe, 0) ** 0.45 * (0.95 + 0.03 * np.cos(w * veins * 2)) + 1e-3
        q = r / edge
        ink = np.maximum(ramp(0.86, 0.98, line) * 0.7, ramp(0, 0.08, q - border))
        wing = mix(mix(main, second, ramp(0.25, 1.0, q + 0.12 * cell)), dark, ink)
        wing = mix(wing, pale, ramp(0.6, 0.4, np.hypot((q - (1 + border) / 2) * 8, line * 1.4)))
        relief = 0.12 + 0.03 * cell + 0.012 * np.cos(q * 45) * (q < border) + 0.15 * np.clip(q, 0, 1) ** 2
        c.put((r - edge) * 0.7, wing, relief, 0.0, 0.5, crease=0.6)
    c.cords([(s * (0.04 + 0.36 * t**1.5), -0.35 - 0.5 * np.sin(t * 1.5)) for s in (-1, 1)], 0.025, dark, 0.3)
    for px, py, rx, ry in (*((0, 0.62 - 0.12 * k, 0.05 + k / 90, 0.085) for k in range(6)),
                           (0, -0.13, 0.13, 0.2), (-0.4, -0.85, 0.045, 0.045), (0.4, -0.85, 0.045, 0.045),
                           (0, -0.34, 0.1, 0.09)):
        c.ball((px, py), (rx, ry), (main * 0.6, second, dark)[round(py * 16) % 3], 0.32)
    out = _eyes(rng, c.shaded(second, 0.6), (-0.075, 0.075, -0.37), 0.055, (0.0, 0.3))
    for px, py, radius in zip(reach * 0.41, reach * (0.36, -0.36), rng.permutation((0.15, 0.1)), strict=True):
        _eyes(rng, out, (-px, px, py + 0.05), radius, (0.12, 0.55, 0.0), white=0.25)
    return out


def beetle(rng: Generator, size: int) -> Layer:
    """A shiny beetle from above: split wing cases, jointed legs, feelers, sometimes pincers."""
    c, t, (n, wide, kink) = _Clay(rng, size), np.arange(8) / 7, rng.uniform((24, 0.46, -0.1), (40, 0.6, 0.1))
    main, sheen = color(rng, (0.38, 0.0, 0.6), (0.75, 1)), color(rng, (0.12, 0.5, 0.85), (0.8, 1), (0.9, 1))
    x, y, ax, dark = c.x, c.y, np.abs(c.x), hsv(rng.random(), 0.5, rng.uniform(0.06, 0.25))
    for y0, knee, foot, out in ((-0.25, -0.45, -0.85, 0.0), (0.05, 0.05, 0.15, 0.07), (0.3, 0.5, 0.9, 0.0)):
        leg = np.array([(0.3, 0.74 + out, 0.88, 0.84 + out), (y0, knee + kink, (knee + foot) / 2, foot)])
        for k, width in enumerate((0.1, 0.07, 0.04)):
            c.cords([(s * leg[0, k:k + 2], leg[1, k:k + 2]) for s in (-1, 1)], width, main * 0.4 + dark, 0.0)
    c.cords([(s * (0.1 + 0.4 * t), -0.65 - 0.3 * np.sin(t * 2.4)) for s in (-1, 1)], 0.035, dark, 0.1)
    if rng.random() < 0.4:
        d = np.abs(np.hypot(ax - 0.04, y + 0.8) - 0.17) + 0.12 * np.clip(-0.8 - y, 0, 1) - 0.05
        c.put(np.maximum(d, 0.05 - ax), dark + main * 0.3, 0.1, 0.05, 1.0)
    c.ball((0, -0.66), (0.23, 0.2), dark + main * 0.15, 0.1)
    grain, seam, kind = 0.004 * np.sin(x * 60) * np.sin(y * 60), np.exp(-ax / 0.018), rng.integers(4)
    c.put(ellipse(x, y, 0, -0.42, wide * 0.8, 0.26), (main, dark)[rng.integers(2)], 0.1 + grain, 0.26, 1.0)
    relief = np.cos(np.arcsin(np.clip(x / wide, -1, 1)) * n) * 0.012 if kind < 2 else grain
    spot = np.cos(ax * 12 - 2.6) + np.cos(y * 9 + n) if kind < 3 else np.cos(y * 13) + 0.4 * np.cos(ax * 20)
    shell = mix(main, sheen, (0.5 + 0.5 * np.sin(y * n / 12 + ax * 3 + n)) * (kind < 2))
    shell = mix(shell, dark, np.maximum(ramp(0.75, 0.95, spot) * (kind > 0), 0.8 * seam))
    c.put(ellipse(x, y, 0, 0.24, wide, 0.62), shell, 0.2 - 0.06 * seam + relief, wide * 0.9, 1.2)
    return _eyes(rng, c.shaded(sheen, 0.9), (-0.17, 0.17, -0.72), 0.075, (0.12, 0.0, 0.3))


def jellyfish(rng: Generator, size: int) -> Layer:
    """A jellyfish alight in dark water: ribbed bell in bell, scalloped rim, frilled arms, tentacles."""
    c, t, sway, glow = _Clay(rng, size), np.arange(25) / 24, rng.normal(0, 0.16), hsv(rng.random(), 0.1, 1)
    main, second = (color(rng, h, (0.65, 1), (0.85, 1.0)) for h in ((0.85, 0.58, 0.5), (0.95, 0.7, 0.1)))
    wide, tall, rim, ribs = rng.uniform((0.64, 0.6, -0.1, 7), (0.78, 0.74, 0.0, 11)).tolist()
    x, y, e, deep = c.x, c.y, np.hypot(c.x / wide, (c.y - rim) / tall), hsv(rng.uniform(0.5, 0.8), 0.9, 0.15)
    c.rgb += mix(deep, main, 0.75 * np.exp(-5 * np.clip(e - 0.9, 0, 3)))
    c.alpha += ramp(1.0, 0.8, np.hypot(x, y)) * np.float32(rng.choice([0.0, 0.9, 1.0, 1.0]))
    beads = mix(deep, second + 0.2, ramp(1.4, -0.1, y) * (0.65 + 0.35 * np.sin(y * 50)))
    c.cords([(px * (0.92 - 0.2 * t) + sway * t * t + 0.08 * t * np.sin(t * rng.uniform(6, 10) + px * 9),
              rim + rng.uniform(0.8, 1.0) * t) for px in np.linspace(-wide, wide, 11)], 0.028, beads, 0.0)
    for k in (-0.36, 0.36, 0.0):
        s, wave = np.clip((y - rim) / rng.uniform(0.75, 0.9), 0, 1), y * 32 + k * 9 + 2 * (x > k * wide)
        u = x - k * wide * (1 - 0.4 * s) - sway * s * s - 0.05 * s * np.sin(s * 9 + k * 9)  # from its axis
        q = np.abs(u) / (0.19 * (1 - s) ** 0.6 * (1 + 0.3 * np.sin(wave)) + 1e-3)
        tint = mix(second * (0.55 - 0.45 * np.cos(wave - 4 * q))[..., None], glow, ramp(0.6, 0.9, q))
        c.put(np.maximum((q - 1) * 0.1, np.maximum(rim - y, s * 5 - 4.9)), tint, 0.0)
    m = np.arcsin(np.clip(x / wide / np.sqrt(1.001 - np.clip((rim - y) / tall, 0, 1) ** 2), -1, 1)) * ribs
    d = np.maximum((e - 1) * tall, y - rim - 0.09 * np.cos(x / wide * 1.5) - 0.05 * np.abs(np.sin(m)))
    inner, edge = e - 0.56 - 0.04 * np.abs(np.sin(m)), ramp(-0.3, 0.0, d)
    bell = mix(main, second, np.maximum(ramp(0.2, 0.9, np.cos(m * 2)), inner < 0))
    bell *= (0.3 + 0.4 * ramp(-0.9, 0.3, np.cos(m * 2)) + 0.5 * edge + 0.5 * ramp(0, -0.5, inner))[..., None]
    c.put(d, mix(bell, glow, np.maximum(ramp(0.05, 0.01, np.abs(inner)), ramp(-0.06, -0.02, d))), 0.0)
    return canvas.layer(np.clip(c.rgb, 0, 1), np.clip(c.alpha, 0, 1))


def tentacle(rng: Generator, size: int) -> Layer:
    """A curling octopus arm: mottled skin, two rows of ringed suckers that shrink toward the tip."""
    c, n, pale = _Clay(rng, size), 220, color(rng, (0.05, 0.95, 0.12), (0.1, 0.55), (0.9, 1.0))
    main, second, t = color(rng, (0, 0.8, 0.48), (0.6, 1)), color(rng, (0.06, 0.9, 0.6)), np.linspace(0, 1, n)
    turn = rng.uniform(0, 6) - rng.uniform(2.2, 3.3) * np.log(1.06 - t) + rng.normal(0, 0.5) * np.sin(t * 5)
    girth, ahead = rng.uniform(0.22, 0.31) * (1.02 - t) ** 0.8, np.stack([np.cos(turn), np.sin(turn)], 1)
    path, normal = np.cumsum(ahead, 0), np.stack([-ahead[:, 1], ahead[:, 0]], 1)
    scale = 1.52 / np.ptp(path, 0).max()
    path, along = (path - (path.max(0) + path.min(0)) / 2) * scale, np.cumsum(scale / girth)
    index = np.full((size, size), -1, np.int32)  # which piece of the arm a pixel shows; nearer the tip wins
    left, right = (((path + s * normal * girth[:, None] + 1) * size * 8 - 8).astype(int) for s in (-1.1, 1.1))
    for k in range(n - 1):
        cv2.fillConvexPoly(index, np.int32([left[k], left[k + 1], right[k + 1], right[k]]), k, cv2.LINE_8, 4)
    px, py, nx, ny, g, s = (v.astype(np.float32)[index] for v in (*path.T, *normal.T, girth, along))
    v, s = ((c.x - px) * nx + (c.y - py) * ny) / g, s + ((c.x - px) * ny - (c.y - py) * nx) / g
    blot, warts = (canvas.noise(rng, size, power) for power in (0.9, 0.5))
    skin = mix(main, second, ramp(-0.2, 0.8, blot + 0.5 * np.sin(s * 9))) * (1 + 0.08 * warts)[..., None]
    near, far = (np.hypot((s * 1.5 + k) % 1 - 0.5, (v - 0.2 - 0.84 * k) * (1.5 + k)) for k in (0, 0.5))
    cup, hole = (ramp(*edges, np.minimum(near, far)) for edges in ((0.5, 0.42), (0.3, 0.15)))
    skin = mix(mix(skin, pale, ramp(0.05, 0.35, v) * 0.75), mix(pale, (main + second) * 0.25, hole), cup)
    relief = np.sqrt(np.clip(1 - v * v, 0, 1)) + warts * ramp(0.1, -0.2, v) * 0.05 + cup * (0.16 - 0.3 * hole)
    c.put(np.where(index < 0, 0.2, (np.abs(v) - 1) * g), skin, g * relief + index * (0.5 / n), 0.0, 0.8)
    return c.shaded(second, 0.4)
