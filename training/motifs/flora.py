"""Flowers and plants: daisy, rose, sunflower, lotus, leaf, fern, tree, mushroom, coral."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.canvas import Color, Field, Layer, color, empty, grid, inside, light, mix, noise, smoothstep

GOLDEN = math.pi * (3 - math.sqrt(5))
GREENS = (0.28, 0.36, 0.22)
UP = -math.pi / 2

Sun = tuple[float, float, float]
Segments = NDArray[np.float64]  # rows x, y, x, y, width, age: 0 at the root .. 1 at the tips


@dataclass(frozen=True)
class _Petal:
    """How a petal, leaflet or blade looks; ``belly, sharp`` are exponents of its outline (large: pointed)."""

    base: Color
    tip: Color
    belly: float = 0.6
    sharp: float = 0.5
    cup: float = 0.7  # slope across: positive bulges toward the eye, negative is a bowl
    bend: float = 0.6  # slope along: positive falls away at the tip
    streaks: int = 4
    rim: float = 0.2
    depth: float = 0.55  # darkness at the root
    fade: float = 1.0  # exponent of the way from base to tip color
    shade: float = 0.5  # darkness of the shadow thrown on what lies below
    teeth: float = 0.0


def _sun(rng: Generator) -> Sun:
    """A unit vector toward the light: from above, from a random side."""
    ray = np.array([rng.uniform(-0.75, 0.75), rng.uniform(-0.9, -0.35), rng.uniform(0.6, 1.0)])
    return tuple((ray / np.linalg.norm(ray)).tolist())


def _lamp(sun: Sun, nx: Field, ny: Field, shine: float) -> tuple[Field, Field]:
    """Diffuse and specular light on slopes ``nx, ny`` (the direction in which the surface falls away)."""
    dot = np.maximum(nx * sun[0] + ny * sun[1] + sun[2], 0) / np.sqrt(nx * nx + ny * ny + 1)
    gloss = ((dot * dot) ** 2) ** 2
    return 0.27 + 1.02 * dot, shine * gloss * gloss


def _put(part: Layer, rgb: NDArray[np.float32], alpha: Field) -> None:
    """Lay a color field over a premultiplied layer, in place."""
    a = alpha[..., None]
    part *= 1 - a
    part[..., :3] += np.clip(rgb, 0, 1) * a
    part[..., 3:] += a


def _done(out: Layer) -> Layer:
    """Straight alpha from premultiplied."""
    out[..., :3] /= np.maximum(out[..., 3:], 1e-4)
    return np.clip(out, 0, 1)


def _paint(out: Layer, sun: Sun, look: _Petal, at: tuple[float, float], angle: float, length: float,
           width: float) -> None:
    """Paint a petal from its root ``at`` toward ``angle`` onto a premultiplied layer, its shadow first."""
    size, (x0, y0), c, s = out.shape[0], at, math.cos(angle), math.sin(angle)
    spans = []  # only the box around the petal is worked on
    for root, tip, side in ((y0, y0 + s * length, abs(c)), (x0, x0 + c * length, abs(s))):
        pad = side * width + 0.06
        low, high = (int((v + 1) * size / 2) for v in (min(root, tip) - pad, max(root, tip) + pad))
        spans.append(slice(max(0, low), max(0, min(size, high + 2))))
    axis = (np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1.0
    x, y, part = axis[None, spans[1]] - x0, axis[spans[0], None] - y0, out[spans[0], spans[1]]
    u, v = (x * c + y * s) / length, (y * c - x * s) / width
    t, side = np.clip(u, 0.01, 0.99), np.abs(v)
    peak = look.belly / (look.belly + look.sharp)
    w = t**look.belly * (1 - t) ** look.sharp / (peak**look.belly * (1 - peak) ** look.sharp)
    slope = w * (look.belly / t - look.sharp / (1 - t)) * (width / length)
    if look.teeth:
        w = w * (1 - look.teeth * ((t * 7 + side * 0.6) % 1.0))
    d = np.maximum((side - w) * width / np.sqrt(1 + slope * slope), np.maximum(-u, u - 1) * length)
    part[..., :3] *= (1 - look.shade * np.clip(1 - d * 18, 0, 1) ** 2)[..., None]
    q = np.clip(v / (w + 0.05), -1, 1)
    along, across = look.bend * (2.4 * t - 1), look.cup * q * (1 + 0.5 * q * q)
    across = across + 0.3 * np.sin(q * (math.pi * look.streaks))
    diffuse, gloss = _lamp(sun, c * along - s * across, s * along + c * across, 0.25)
    diffuse *= (1 - look.depth * (1 - t) ** 2) * (1 - 0.25 * np.clip(1 - np.abs(d + 0.05) * 30, 0, 1))
    rgb = mix(look.base, look.tip, t**look.fade) * diffuse[..., None]
    _put(part, rgb + (gloss + look.rim * np.clip(1 + d * 28, 0, 1) * diffuse)[..., None], inside(d, size))


def _pixels(points: NDArray[np.floating], size: int) -> NDArray[np.int32]:
    """Normalized points in 1/16 pixels of a drawing of twice ``size``, as cv2 takes them with ``shift=4``."""
    return np.round((np.asarray(points) + 1) * (size * 16) - 8).astype(np.int32)


def _small(big: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A drawing at half its size, 0..1."""
    return cv2.resize(big, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _tinge(rng: Generator, least: float) -> Color:
    """A factor that darkens a color and moves its hue."""
    return rng.uniform(least, 1.0, 3).astype(np.float32) * rng.uniform(least, 1.0) ** 0.5


def _ring(rng: Generator, out: Layer, sun: Sun, look: _Petal, count: int, reach: float, width: float,
          root: float = 0.0, turn: float = 0.0, loose: float = 0.05) -> None:
    """Paint a ring of petals from radius ``root`` to about ``reach``, each a little its own."""
    for k in range(count):
        a = (k + turn) * 2 * math.pi / count + rng.normal(0, loose)
        own, far = replace(look, tip=look.tip * rng.uniform(0.9, 1.05)), reach * rng.uniform(0.95, 1.02)
        _paint(out, sun, own, (root * math.cos(a), root * math.sin(a)), a, far - root, width)


def _seeds(rng: Generator, out: Layer, sun: Sun, radius: float, count: int, a: Color, b: Color) -> None:
    """A domed disk of florets on the golden spiral, each with its own light; color ``a`` in the middle."""
    size, k = out.shape[0], np.arange(count)
    big, r = np.zeros((size * 2, size * 2, 3), np.uint8), np.sqrt((k + 0.5) / count) * radius
    where = _pixels(np.stack([np.cos(k * GOLDEN) * r, np.sin(k * GOLDEN) * r], -1), size)
    dot = radius / math.sqrt(count) * (size * 16)
    tints = 255 * mix(a, b, (k / count) ** rng.uniform(0.6, 2.0))
    for p, tint in zip(where, tints, strict=True):
        top = p + (np.array(sun[:2]) * dot * 0.45).astype(int)
        cv2.circle(big, p.tolist(), int(dot * 0.95), (tint * 0.6).tolist(), -1, cv2.LINE_8, 4)
        cv2.circle(big, top.tolist(), int(dot * 0.5), (tint * 1.3 + 25).tolist(), -1, cv2.LINE_8, 4)
    x, y = grid(size)
    r = np.hypot(x, y) / radius
    bulge = (np.minimum(r, 1) ** 2 - 0.5 * np.exp(-((r * 3) ** 2))) * 1.2 / radius  # a dimple in the middle
    diffuse, gloss = _lamp(sun, x * bulge, y * bulge, 0.15)
    out[..., :3] *= (1 - 0.6 * np.clip(1 - (r - 1) * radius * 9, 0, 1) ** 2)[..., None]
    _put(out, _small(big) * diffuse[..., None] + gloss[..., None] + a * 0.08, inside((r - 1) * radius, size))


def daisy(rng: Generator, size: int) -> Layer:
    """A ring or two of slender petals around a domed yellow disk."""
    out, sun, petals = empty(size), _sun(rng), int(rng.integers(9, 19))
    tint = color(rng, (0.0, 0.93, 0.12, 0.78, 0.6), (0.0, 0.85), (0.9, 1.0))
    look = _Petal(tint * _tinge(rng, 0.65), tint, rng.uniform(0.5, 1.0), rng.uniform(0.2, 0.5),
                  cup=rng.uniform(-0.7, 0.7), streaks=3, depth=0.45, rim=0.15)
    width, disk = rng.uniform(1.9, 2.9) / petals, rng.uniform(0.22, 0.34)
    for ring in range(int(rng.integers(1, 3))):
        _ring(rng, out, sun, look, petals, 0.92 - 0.16 * ring, width, 0.0, 0.5 * ring)
    gold = color(rng, (0.13, 0.10), value=(0.85, 1.0))
    _seeds(rng, out, sun, disk, int(rng.integers(60, 130)), gold * _tinge(rng, 0.6), gold)
    return _done(out)


def rose(rng: Generator, size: int) -> Layer:
    """A rose from above: bowls of broad petals with rolled lips, nested on a spiral, dark in the folds."""
    out, sun, green = empty(size), _sun(rng), color(rng, GREENS, (0.5, 0.9), (0.5, 0.85))
    leafy = _Petal(green * 0.6, green, 0.5, 0.8, cup=-0.6, streaks=3, teeth=0.15)
    _ring(rng, out, sun, leafy, int(rng.integers(0, 6)), 0.95, 0.26, 0.3, rng.random(), 0.3)
    tint = color(rng, (0.98, 0.93, 0.12), (0.55, 1.0), (0.9, 1.0), iconic=0.85)
    look = _Petal(tint * _tinge(rng, 0.3), tint, 0.45, rng.uniform(0.3, 0.45), cup=-0.6, streaks=0,
                  rim=rng.uniform(0.15, 0.4), depth=0.85, shade=0.75)
    count, start, girth = int(rng.integers(15, 22)), rng.uniform(0, 6.3), rng.uniform(0.74, 0.9)
    for k in range(count):
        a, f = start + k * GOLDEN + rng.normal(0, 0.12), k / count
        reach = (0.82 - 0.05 * (k % 3)) * (1 - f) ** 0.85 + 0.1
        own = replace(look, tip=tint * (1 - 0.2 * f) * rng.uniform(0.9, 1.06))
        back = -0.3 * reach  # the root lies beyond the middle, so that each petal embraces the next ones
        _paint(out, sun, own, (back * math.cos(a), back * math.sin(a)), a, reach - back, reach * girth)
    return _done(out)


def sunflower(rng: Generator, size: int) -> Layer:
    """A sunflower head: pointed golden petals in two rings around a large disk of spiraling seeds."""
    out, sun, petals, disk = empty(size), _sun(rng), int(rng.integers(13, 19)), rng.uniform(0.36, 0.55)
    tint = color(rng, (0.13, 0.11, 0.06), (0.85, 1.0), (0.95, 1.0), iconic=0.85)
    look = _Petal(tint * np.float32([0.95, 0.6, 0.5]), tint, rng.uniform(0.5, 0.9), rng.uniform(0.6, 0.9),
                  cup=rng.choice([-0.7, 0.7]), streaks=3, rim=0.15, fade=0.6, depth=0.3)
    for ring in range(2):
        _ring(rng, out, sun, look, petals, 0.93 - 0.08 * ring, 2.4 / petals, disk * 0.7, 0.5 * ring, 0.06)
    hearts = [color(rng, (0.06, 0.09, 0), value=(0.2, 0.4)), color(rng, (0.09, 0.12, 0.2), value=(0.5, 0.9))]
    _seeds(rng, out, sun, disk, int(rng.integers(130, 240)), *hearts[:: rng.choice([-1, 1])])
    return _done(out)


def lotus(rng: Generator, size: int) -> Layer:
    """A lotus: layered pointed petals, pale at the root and vivid at the tip, from above or from the side."""
    out, sun = empty(size), _sun(rng)
    tip = color(rng, (0.92, 0.86, 0.6), (0.5, 0.95), (0.9, 1.0))
    base = color(rng, (0.14, 0.95), (0.05, 0.45), (0.9, 1.0))
    look = _Petal(base, tip, rng.uniform(0.7, 1.0), rng.uniform(0.55, 0.85), cup=-0.65, bend=0.4, rim=0.3,
                  fade=rng.uniform(0.8, 1.8), depth=0.4, shade=0.6)
    if rng.random() < 0.6:
        petals, rings = int(rng.integers(7, 11)), int(rng.integers(3, 5))
        for ring in range(rings):
            reach, width = 0.93 - 0.67 * ring / rings, (2.4 - 1.5 * ring / rings) / petals
            _ring(rng, out, sun, look, petals, reach, width, 0.0, 0.5 * (ring % 2), 0.03)
        gold, disk = color(rng, (0.14, 0.11), (0.7, 1.0), (0.85, 1.0)), rng.uniform(0.14, 0.2)
        _seeds(rng, out, sun, disk, int(rng.integers(14, 40)), gold * _tinge(rng, 0.5), gold)
        return _done(out)
    rows = (1.35, 0.5, 5), (1.25, 1.0, 6), (1.05, 1.4, 6), (0.8, 1.0, 3)
    for row, (reach, opening, count) in enumerate(rows):
        spread = np.linspace(-1, 1, count)
        for k in np.argsort(-np.abs(spread)):  # the outer petals lie behind
            lean = float(spread[k]) * opening + rng.normal(0, 0.04)
            length = min(reach * rng.uniform(0.93, 1.02), 0.82 / max(abs(math.sin(lean)), 0.1))
            own = replace(look, cup=-0.65 if row < 2 else 0.6, bend=0.3 if row < 2 else 0.7)
            _paint(out, sun, own, (0.1 * lean, 0.58 + 0.04 * row), UP + lean, length, rng.uniform(0.21, 0.26))
    return _done(out)


def leaf(rng: Generator, size: int) -> Layer:
    """One leaf, plain, toothed or maple-lobed, with raised veins, blistered skin and turning colors."""
    x, y = grid(size)
    x, maple = x + rng.uniform(-0.25, 0.25) * (y * y - 0.4), rng.random() < 0.4
    belly, sharp, teeth = rng.uniform(0.5, 0.8), rng.uniform(0.6, 1.0), rng.uniform(0.0, 0.3) + 0.15 * maple
    lobes = [(0.0, 1.55, rng.uniform(0.5, 0.75))]  # leaning, length, width
    if maple:
        lobes = [(0.0, 1.45, 0.4), (0.8, 1.25, 0.33), (-0.8, 1.25, 0.33), (1.6, 0.9, 0.24), (-1.6, 0.9, 0.24)]
    peak, d, across, along = belly / (belly + sharp), x * 0 + 9, x * 0, x * 0
    for lean, length, width in lobes:
        c, s, low = math.cos(lean + UP), math.sin(lean + UP), y - (0.45 if maple else 0.6)
        u, v = (x * c + low * s) / length, (low * c - x * s) / width
        t = np.clip(u, 0.005, 0.995)
        w = (t / peak) ** belly * ((1 - t) / (1 - peak)) ** sharp
        w *= 1 - teeth * (((u - 0.15 * np.abs(v)) * (3 if maple else 9)) % 1.0)
        e = np.maximum((np.abs(v) - w) * width, np.maximum(-u, u - 1) * length) * 0.8
        closer = e < d
        d, across, along = np.where(closer, (e, v, u * length), (d, across, along))
    side = np.abs(across)
    rib = (along - side * rng.uniform(0.15, 0.3)) * rng.uniform(5, 8) + (across > 0) * 0.3
    rib = np.abs(rib % 1 - 0.5) * 2  # 1 on a vein
    main = np.exp(-((side * (7 if maple else 12)) ** 2))
    vein = np.maximum(main, smoothstep(0.78, 1.0, rib) * 0.8)
    height = 0.035 * (1 - rib**2) * np.minimum(side * 3, 1) + 0.02 * main - 0.15 * side**2
    height = cv2.GaussianBlur(height + 0.004 * noise(rng, size, 0.9), (0, 0), size / 200)
    diffuse, gloss = light(rng, height, 1.2, 0.35)
    hues = (0.03, 0.08, 0.99, 0.12) if maple or rng.random() < 0.35 else GREENS
    a, b = color(rng, hues, (0.7, 1.0), (0.6, 1.0)), color(rng, hues, (0.65, 1.0), (0.4, 0.9))
    bright = color(rng, (0.2, 0.14), (0.5, 1.0), (0.8, 1.0))
    rgb = mix(a, b, np.clip(0.7 + 0.35 * noise(rng, size, 1.5) + d * 1.5, 0, 1))
    rgb = mix(rgb, bright, np.maximum(vein * rng.uniform(0.35, 0.8), np.exp(np.minimum(d, 0) * 30) * 0.5))
    bar = np.maximum(np.abs(x - 0.06 * np.sin(y * 4 + 1)) - 0.03, np.maximum(0.4 - y, y - 0.95))
    out = empty(size)
    _put(out, bright * (0.6 + 4 * x[..., None]), inside(bar, size))
    _put(out, rgb * diffuse[..., None] * 1.1 + gloss[..., None], inside(d, size))
    return _done(out)


def fern(rng: Generator, size: int) -> Layer:
    """A fern frond of lobed leaflets on a bowed stem, its tip sometimes still curled up."""
    out, sun = empty(size), _sun(rng)
    tint = color(rng, (0.22, 0.27, 0.36), (0.65, 1.0), (0.85, 1.0))
    look = _Petal(tint * _tinge(rng, 0.4), tint, 0.35, 0.75, streaks=2, teeth=0.4, depth=0.4, shade=0.4)
    bow, curled, t = rng.normal(0, 0.35), rng.random() < 0.5, np.linspace(0, 1, 60)
    late = np.clip(t * 2 - 1, 0, 1) * curled
    heading = UP + bow * (2 * t - 1) + np.sign(bow) * 9.5 * late**1.5
    path = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], -1) * (1 - 0.82 * late)[:, None], 0)
    path = (path - (path.max(0) + path.min(0)) / 2) * (1.78 / np.ptp(path[:, 1]))
    widest, droop = rng.uniform(0.1, 0.4), rng.uniform(0.9, 1.35)
    for k in np.linspace(3, 58, int(rng.integers(10, 15)) + 5 * curled):
        i, f = int(k), k / 59
        reach = 0.85 * (f / widest if f < widest else ((1 - f) / (1 - widest)) ** 0.8)
        reach = max(0.09, min(0.72, reach) * (1 - 0.9 * float(late[i])) * (1 - 0.4 * f * curled))
        for sign in (-1, 1):
            lean = float(heading[i]) + sign * droop * (1 - 0.3 * f) + rng.normal(0, 0.04)
            _paint(out, sun, look, tuple(path[i].tolist()), lean, reach, 0.04 + reach * 0.065)
    rows = np.concatenate([path[:-1], path[1:], (0.045 - 0.025 * t[1:, None]), t[1:, None]], 1)
    cover, height, _ = _wood(size, rows)
    diffuse, gloss = light(rng, height, 1.5, 0.3)
    _put(out, tint * diffuse[..., None] + gloss[..., None], cover)
    return _done(out)


def _grown(rng: Generator, ages: int, spread: float, trunk: float, shrink: float) -> Segments:
    """A branching plant, fit to the frame."""
    tips, rows = [(0.0, 0.0, UP + rng.normal(0, 0.08), trunk)], []
    for age in range(ages):
        grown = []
        for x, y, a, w in tips:
            length = 0.78**age * rng.uniform(0.7, 1.2)
            for part in range(3):
                a += rng.normal(0, 0.14)
                nx, ny = x + math.cos(a) * length / 3, y + math.sin(a) * length / 3
                rows.append((x, y, nx, ny, w * (1 - (1 - shrink) * part / 3), (age + part / 3) / ages))
                x, y = nx, ny
            forks = 3 if rng.random() < (0.9, 0.5, 0.1)[min(age, 2)] else 2
            for way in np.linspace(-spread, spread, forks).tolist():
                grown.append((x, y, a + way * rng.uniform(0.6, 1.2), w * shrink))
        tips = grown
    out = np.array(rows)
    low, high = out[:, 2:4].min(0), np.maximum(out[:, 2:4].max(0), 0)
    out[:, :4] = (out[:, :4] - np.tile((low + high) / 2, 2)) * np.tile(1.7 / (high - low), 2)
    return out


def _wood(size: int, rows: Segments) -> tuple[Field, Field, Field]:
    """Coverage, height and age of branches drawn from segments."""
    big, age = np.zeros((2, size * 2, size * 2), np.uint8)
    points = _pixels(rows[:, :4], size).tolist()
    for (x0, y0, x1, y1), (width, old) in zip(points, rows[:, 4:].tolist(), strict=True):
        thick = max(1, round(width * size))
        cv2.line(big, (x0, y0), (x1, y1), 255, thick, cv2.LINE_8, 4)
        cv2.line(age, (x0, y0), (x1, y1), int(255 * old), thick + 2, cv2.LINE_8, 4)
    height = cv2.GaussianBlur(cv2.distanceTransform(big, cv2.DIST_L2, 3), (0, 0), size / 100)
    height = cv2.resize(height, (size, size), interpolation=cv2.INTER_AREA) * (1.5 / size)
    return _small(big), height, _small(age)


def tree(rng: Generator, size: int) -> Layer:
    """A tree: rooted trunk, forking branches, a crown of lit leaf balls, green, red or in bloom; or bare."""
    out, (x, _), beam, kind = empty(size), grid(size), _sun(rng)[:2], rng.integers(9) // 2
    rows = _grown(rng, 4, rng.uniform(0.4, 0.6), rng.uniform(0.26, 0.32), 0.62)
    rows[:, :4] = (rows[:, :4] - (rows[0, 0], 0.85) * 2) * 0.85 + (0, 0.8) * 2  # it stands in the middle
    roots = [(*rows[0, :2] - (0, 0.2), rows[0, 0] + side, 0.92, 0.1, 0) for side in (-0.3, -0.1, 0.1, 0.3)]
    cover, height, _ = _wood(size, np.concatenate([rows, roots]))
    rough = noise(rng, size, 0.8) + np.sin(x * 90 + 2 * noise(rng, size, 1.5))
    diffuse, gloss = light(rng, height + 0.006 * rough, 1.3, 0.1)
    _put(out, color(rng, (0.07, 0.05), (0.3, 0.7), iconic=0.9) * diffuse[..., None] + gloss[..., None], cover)
    hues = ((0.24, 0.3), (0.24, 0.3), (0.03, 0.09, 0.13), (0.93, 0.97, 0.8))[kind % 4]
    bright, slim = color(rng, hues, (0.6, 0.95), (0.95, 1.0), 0.9), 3.6 if kind == 3 else 2.3
    shades = np.stack([bright * _tinge(rng, 0.5) * 0.2, bright * 0.6, bright, bright * 0.5 + 0.5])
    k, big, count = np.arange(39.5, 0, -1), np.zeros((size * 2, size * 2, 4), np.uint8), rng.integers(12, 17)
    n = (np.stack([np.cos(k * GOLDEN), np.sin(k * GOLDEN)]) * np.sqrt(k / 40)).T  # outer leaves first
    for f in np.arange(count if kind < 4 else 0)[::-1] + 0.5:  # the middle of the crown is nearest
        a, r, radius = f * GOLDEN + rng.normal(0, 0.1), math.sqrt(f / count), rng.uniform(0.21, 0.27)
        at = np.array([0.66 * r * math.cos(a), 0.36 * r * math.sin(a) - 0.36 + 0.25 * (r * math.cos(a)) ** 2])
        ball, axes = int(radius * size * 18), (int(radius * size * 3.6), int(radius * size * slim))
        cv2.circle(big, _pixels(at, size).tolist(), ball, (*(bright * 20).tolist(), 255), -1, cv2.LINE_AA, 4)
        glow = n @ beam * 0.4 + at @ beam * 0.2 + 0.8 - 0.5 * k / 40 + rng.normal(0, 0.08, 40)
        tints = 255 * np.stack([np.interp(glow, np.linspace(0, 1, 4), tone) for tone in shades.T], 1)
        for p, tint, turn in zip(_pixels(at + n * radius, size), tints, np.degrees(k * GOLDEN), strict=True):
            cv2.ellipse(big, p.tolist(), axes, turn % 360, 0, 360, (*tint.tolist(), 255), -1, cv2.LINE_AA, 4)
    crown = _small(big)
    return _done(out * (1 - crown[..., 3:]) + crown)


def coral(rng: Generator, size: int) -> Layer:
    """Branching coral, stout like antlers or fine like a sea fan, with polyp dots and glowing tips."""
    stout = int(rng.random() < 0.6)
    rows = _grown(rng, 5 - stout, rng.uniform(0.4, 0.65), rng.uniform(0.11, 0.14) * (1 + 0.9 * stout), 0.77)
    cover, height, age = _wood(size, rows)
    speck = cv2.GaussianBlur(rng.standard_normal((size, size), np.float32), (0, 0), size / 120)
    polyp = smoothstep(1.0, 2.0, speck / speck.std())
    diffuse, gloss = light(rng, height + 0.012 * polyp + 0.004 * noise(rng, size, 0.5), 1.4, 0.45)
    root = color(rng, (0.0, 0.95, 0.05, 0.75), (0.7, 1.0), (0.65, 1.0))
    tip = color(rng, (0.1, 0.14, 0.95, 0.5), (0.3, 0.9), (0.9, 1.0))
    glow = smoothstep(0.5, 0.95, age)
    rgb = mix(mix(root * 0.75, root, age), tip, np.maximum(glow, polyp * 0.7)) * (diffuse * 1.15)[..., None]
    rgb += gloss[..., None] + tip * (0.3 * cv2.GaussianBlur(glow * cover, (0, 0), size / 50))[..., None]
    return np.dstack([np.clip(rgb, 0, 1), cover])


def _warts(rng: Generator, size: int, top: float, wide: float, rise: float, flat: float) -> Field:
    """Round warts strewn over a cap, foreshortened toward its rim."""
    big, count, start = np.zeros((size * 2, size * 2), np.uint8), int(rng.integers(14, 36)), rng.uniform(0, 6)
    for k in range(count):
        a, b = start + k * GOLDEN, math.sqrt((k + 0.4) / count) * 0.96  # the spiral keeps them apart
        x, y = b * math.cos(a) * wide, b * math.sin(a) * (rise if math.sin(a) < 0 else flat)
        rim = wide * rng.uniform(0.25, 0.7) / math.sqrt(count) * size * 16
        axes, turn = (int(rim * (math.sqrt(1 - b * b) * 0.8 + 0.2)), int(rim)), math.degrees(math.atan2(y, x))
        cv2.ellipse(big, _pixels([x, y + top], size).tolist(), axes, turn, 0, 360, 255, -1, cv2.LINE_AA, 4)
    return _small(big)


def mushroom(rng: Generator, size: int) -> Layer:
    """A toadstool in grass: glossy cap with warts, rings or streaks, sometimes gills, fibrous stem."""
    out, sun, (x, y), kind, below = empty(size), _sun(rng), grid(size), rng.random(), rng.random() < 0.5
    wide, rise, top, foot = rng.uniform(0.65, 0.9), rng.uniform(0.55, 0.85), rng.uniform(-0.15, 0.05), 0.9
    flat, up = wide * rng.uniform(0.2, 0.34), np.clip((foot - y) / (foot - top), 0, 1)
    thick = rng.uniform(0.12, 0.18) + 0.09 * (1 - up) ** 3
    nx = (x - rng.normal(0, 0.15) * (1 - up * up)) / thick
    ivory = color(rng, (0.12, 0.09), (0.05, 0.35), (0.9, 1.0), iconic=0.9)
    diffuse, gloss = _lamp(sun, np.clip(nx, -1, 1) * 1.5, up * 0, 0.2)
    diffuse *= 1 + 0.1 * np.sin(nx * 9 + up * 3) - 0.4 * smoothstep(0.75, 1.0, up) - 0.25 * (1 - up) ** 4
    bar = np.maximum((np.abs(nx) - 1) * thick, np.maximum(top - y, y - foot + thick * 0.4 * nx * nx))
    _put(out, ivory * diffuse[..., None] + gloss[..., None], inside(bar, size))
    nx, ny = x / wide, (y - top) / np.where(y < top, rise, flat)
    r = np.hypot(nx, ny)
    nz = np.sqrt(np.clip(1 - r * r, 0.02, 1))
    warts = _warts(rng, size, top, wide, rise, flat) if kind < 0.7 else x * 0
    ey, ex = np.gradient(cv2.GaussianBlur(warts, (0, 0), size / 90) * (size / 20))
    diffuse, gloss = _lamp(sun, nx / nz * 0.9 - ex, ny / nz * 0.9 - ey, 0.6)
    streaks = 0.5 + 0.5 * (np.sin(r * 17) if kind > 0.85 else r * np.sin(np.arctan2(ny - 0.2, nx) * 40))
    cap = color(rng, (0.0, 0.04, 0.08), (0.75, 1.0), (0.8, 1.0))
    rgb = mix(mix(cap, cap * _tinge(rng, 0.2), streaks if kind > 0.7 else 0.3 * r * r), np.sqrt(ivory), warts)
    rgb = rgb * diffuse[..., None] + (gloss + smoothstep(0.86, 1.0, r) * 0.25 * diffuse)[..., None]
    if not below:
        out[..., :3] *= (1 - 0.6 * np.exp(np.maximum(r - 1, 0) * -9))[..., None]
    _put(out, rgb, inside((r - 1) * rise, size) * (inside(y - top, size) if below else 1))
    if below:
        r = np.hypot(nx, (y - top) / flat)
        gills = (0.65 + 0.28 * np.sin(np.arctan2(ny, nx) * int(rng.integers(26, 40)))) * (0.4 + 0.85 * r * r)
        stalk = inside(np.abs(x) - thick, size) * inside(top - y, size)
        rgb = mix(ivory * 1.15, cap, smoothstep(0.9, 1.0, r)) * (gills * (1 + 0.5 * sun[0] * nx))[..., None]
        _put(out, rgb, inside((r - 1) * flat, size) * (1 - stalk))
    green = color(rng, GREENS, (0.6, 1.0), (0.6, 1.0))
    blade = _Petal(green * 0.5, green, 0.3, 0.9, bend=0.2, streaks=0, shade=0.3)
    for place in rng.uniform(-0.5, 0.5, rng.integers(0, 14)).tolist():
        _paint(out, sun, blade, (place, 0.96), UP + rng.normal(0, 0.4), rng.uniform(0.2, 0.5), 0.04)
    return _done(out)
