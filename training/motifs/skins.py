"""Eyes, feathers, shells, pearls, and the skins of animals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.canvas import (
    Color, Field, Layer, color, dome, ellipse, empty, grid, hsv, inside, layer, mix, noise, over, polar,
    polygon, smoothstep, stroke, turned,
)

Colors = NDArray[np.float32]  # [3] or [H, W, 3], RGB 0..1


class _Sun(NamedTuple):
    """One light for a whole draw: a unit direction, its color, the sky's and the rim light's."""

    way: tuple[float, float, float]
    lamp: Color
    sky: Color
    rim: Color


class _Plates(NamedTuple):
    """Overlapping plates: place across (-1..1) and along (0..2), what is left to the tip, shade, id."""

    across: Field
    along: Field
    left: Field
    shade: Field
    row: Field
    column: Field


def _sun(rng: Generator) -> _Sun:
    """A light from above, warm or colored, with a contrasting sky and rim."""
    x, y, z = rng.uniform(-0.7, 0.7), rng.uniform(-0.9, -0.3), rng.uniform(0.6, 1.0)
    n = math.sqrt(x * x + y * y + z * z)
    warm = rng.choice(np.array([0.1, 0.12, 0.55]))
    return _Sun((x / n, y / n, z / n), hsv(warm, rng.uniform(0, 0.25), 1.15),
                hsv(warm + 0.5, rng.uniform(0.2, 0.6), 0.42), hsv(rng.random(), 0.6, 1.0))


def _lit(base: Colors, height: Field, sun: _Sun, relief: float = 1.0, shine: float = 0.4,
         gloss: float = 30.0, rim: float = 0.5) -> Colors:
    """Color a height field under the sun: warm light, cool shade, highlights, light from behind."""
    gain = height.shape[0] / 2 * relief
    gx = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=gain / 8)
    gy = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=gain / 8)
    nz = 1 / np.sqrt(gx * gx + gy * gy + 1)
    sx, sy, sz = sun.way
    side = -(gx * sx + gy * sy) * nz
    direct = np.clip(side + sz * nz, 0, 1)
    # the highlight sits where the normal halves the way between the sun and the viewer
    halfway = np.clip((side + (sz + 1) * nz) / math.sqrt(2 + 2 * sz), 0, 1)
    back = np.clip(-side - 0.25, 0, 1) * rim
    out = base * (direct[..., None] * sun.lamp + sun.sky * (0.5 + 0.5 * nz)[..., None])
    out += (shine * halfway**gloss)[..., None] * sun.lamp + back[..., None] * sun.rim
    return np.clip(out, 0, 1).astype(np.float32)


def _ramp(t: Field, places: Sequence[float], colors: Sequence[Color]) -> Colors:
    """Color field of a value 0..1 through color stops."""
    steps = np.linspace(0, 1, 256)
    table = np.stack([np.interp(steps, places, [c[k] for c in colors]) for k in range(3)], -1)
    return table.astype(np.float32)[(np.clip(t, 0, 1) * 255).astype(np.int32)]


def _hash(rng: Generator, *ids: Field) -> Field:
    """A random number 0..1 for each integer cell."""
    index = sum(i.astype(np.int32) * k for i, k in zip(ids, (1, 57), strict=False)) & 1023
    return rng.random(1024, np.float32)[index]


def _sampled(field: NDArray[np.float32], u: Field, v: Field) -> NDArray[np.float32]:
    """A periodic field read at pixel coordinates ``u, v``."""
    return cv2.remap(field, np.ascontiguousarray(u, np.float32), np.ascontiguousarray(v, np.float32),
                     cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def _fibres(rng: Generator, size: int, r: Field, a: Field, fine: float = 2.0) -> Field:
    """Rays around the center, of uneven width and brightness, about -2..2."""
    return _sampled(noise(rng, size, 0.4), (a / (2 * math.pi) + 0.5) * size * round(fine), r * size * 0.09)


def _plates(u: Field, v: Field, around: int = 0, pointed: float = 2.0) -> _Plates:
    """Plates in rows along ``v``, each row half a plate aside; closed ``around`` after so many."""
    row = np.floor(v)
    local, ids, ends = [], [], []
    for back in (0, 1):
        at = u - 0.5 * ((row - back) % 2)
        column = np.floor(at)
        across = (at - column) * 2 - 1
        local.append((across, v - row + back))
        ids.append(column % around if around else column)
        ends.append(1 + (1 - np.abs(across) ** pointed) ** (1 / pointed))
    gap = local[1][1] - ends[1]
    front = gap < 0
    across = np.where(front, local[1][0], local[0][0])
    along = np.where(front, local[1][1], local[0][1])
    left = np.where(front, -gap, np.minimum(ends[0] - along, 1))
    shade = np.where(front, 1, 1 - 0.75 * np.exp(-np.clip(gap, 0, 9) * 4))
    return _Plates(across, along, left, shade, row - front, np.where(front, ids[1], ids[0]))


def _plated(rng: Generator, p: _Plates, sun: _Sun, back: Colors, edge: Color, bulk: float) -> Colors:
    """Shaded, keeled, unevenly colored plates."""
    keel = rng.uniform(0.0, 0.5) * np.clip(1 - np.abs(p.across) * 4, 0, 1)
    height = bulk * (0.5 * (1 - p.across**2) + 0.42 * p.along + keel * 0.3) * smoothstep(-0.02, 0.3, p.left)
    tone = 0.6 + 0.5 * _hash(rng, p.row, p.column)
    rings = 0.93 + 0.07 * np.sin(p.left * rng.uniform(14, 26))
    base = back * (tone * rings)[..., None]
    base = mix(base, edge, smoothstep(0.55, 0.0, p.left) * rng.uniform(0.3, 0.9))
    out = _lit(base, height.astype(np.float32), sun, 1.0, rng.uniform(0.4, 0.9), rng.uniform(12, 40))
    return out * p.shade[..., None].astype(np.float32)


def _put(out: Layer, part: Layer, angle: float, scale: float, pivot: tuple[float, float],
         place: tuple[float, float], dark: float = 0.5) -> Layer:
    """``part`` turned about its ``pivot``, laid with a soft shadow so that the pivot is at ``place``."""
    size = out.shape[0]
    c, s = math.cos(angle) * scale, math.sin(angle) * scale
    half = size / 2
    shift = [(place[0] + 1 - c * (pivot[0] + 1) + s * (pivot[1] + 1)) * half,
             (place[1] + 1 - s * (pivot[0] + 1) - c * (pivot[1] + 1)) * half]
    flat = part.copy()
    flat[..., :3] *= part[..., 3:]
    flat = cv2.warpAffine(flat, np.float32([[c, -s, shift[0]], [s, c, shift[1]]]), (size, size))
    blurred = cv2.GaussianBlur(flat[..., 3], (0, 0), size * 0.025)
    alpha = flat[..., 3]
    below = out[..., 3] * (1 - alpha)
    total = alpha + below
    rgb = flat[..., :3] + out[..., :3] * (below * (1 - dark * blurred))[..., None]
    return layer(rgb / np.maximum(total, 1e-6)[..., None], total)


def _hairs(size: int, roots: NDArray[np.floating], ways: NDArray[np.floating], bends: NDArray[np.floating],
           width: float) -> Field:
    """Tapered curved hairs, as coverage: from each root along its way [N, 2], bent by [N, 2]."""
    t = np.linspace(0, 1, 6)[None, :, None]
    line = roots[:, None] + ways[:, None] * t + bends[:, None] * t * t
    normal = np.stack([-ways[:, 1], ways[:, 0]], -1) / np.linalg.norm(ways, axis=1, keepdims=True)
    spread = normal[:, None] * (1 - t) * (width / 2)
    shape = np.concatenate([line + spread, (line - spread)[:, ::-1]], axis=1)
    mask = np.zeros((size, size), np.uint8)
    for points in np.round((shape + 1) * (size / 2) * 16 - 8).astype(np.int32):
        cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def _glints(size: int, x: Field, y: Field, sun: _Sun, cx: float, cy: float, r: float) -> Field:
    """Reflections of a window, and of something small across, on a ball."""
    hx, hy = cx + sun.way[0] * r * 0.55, cy + sun.way[1] * r * 0.5
    u, v = turned(x - hx, y - hy, sun.way[0] * 0.6)
    window = np.maximum(np.abs(u) / (0.17 * r), np.abs(v) / (0.24 * r)) - 1
    window = np.minimum(1, 1.1 * inside(window * 0.2 * r, size, 2.0)) * (1 - 0.4 * inside(np.abs(u) - 0.012, size))
    small = ellipse(x, y, cx - sun.way[0] * r * 0.6, cy - sun.way[1] * r * 0.55, 0.13 * r, 0.09 * r)
    return np.maximum(window, 0.6 * inside(small, size, 2.0))


def eye(rng: Generator, size: int) -> Layer:
    """A human eye: iris of colored fibres under a catchlight, lids, lashes, brow, skin that fades out."""
    sun = _sun(rng)
    x, y = turned(*grid(size), rng.uniform(-0.12, 0.12))
    y = y - 0.06
    wide, up, down = rng.uniform(0.76, 0.86), rng.uniform(0.36, 0.5), rng.uniform(0.26, 0.4)
    lean = rng.uniform(-0.2, 0.2)
    t = x / wide
    upper = -up * np.clip(1 - (t + lean * (1 - t * t)) ** 2, 0, 1) ** 0.8
    lower = down * np.clip(1 - (t - lean * (1 - t * t)) ** 2, 0, 1) ** 0.85
    above, below = upper - y, y - lower
    opening = inside(np.maximum(above, below), size, 1.5)

    tone = color(rng, hues=(0.05, 0.07, 0.03), saturation=(0.3, 0.65), value=(0.35, 1.0), iconic=0.8)
    paint = color(rng, saturation=(0.5, 1.0), value=(0.25, 0.9))
    fold = rng.uniform(0.14, 0.24)
    lid = np.clip(above / fold, 0, 1)
    height = 0.10 * np.sin(np.pi * lid) + 0.16 * smoothstep(fold, fold + 0.45, above)
    height = height + 0.06 * np.sin(np.pi * np.clip(below / 0.3, 0, 1)) - 0.1 * np.abs(t) ** 3
    height = height + 0.004 * noise(rng, size, 0.6)
    skin = mix(tone, tone * np.float32([0.85, 0.5, 0.5]), np.exp(-np.abs(np.where(y > 0, below, above)) * 7))
    skin = mix(skin, paint, rng.uniform(0.2, 0.95) * smoothstep(0.5, 0.0, above) * (y < lower))
    skin = _lit(skin, height.astype(np.float32), sun, 1.0, 0.3, 14, 0.3)
    skin = skin * (1 - 0.6 * np.exp(-(((above - fold) / 0.035) ** 2)) * (np.abs(t) < 1.05))[..., None]
    wet = np.exp(-(((below - 0.025) / 0.022) ** 2)) * (np.abs(t) < 1)
    skin = mix(skin, np.float32([1.0, 0.72, 0.68]), 0.75 * wet)
    skin = skin * (1 - 0.9 * np.exp(-((above / 0.04) ** 2)) * (np.abs(t) < 1.02))[..., None]

    cx, cy = rng.uniform(-0.14, 0.14), rng.uniform(-0.08, 0.03)
    r, a = polar(x - cx, y - cy)
    veins = np.clip(1 - np.abs(noise(rng, size, 1.0)) * 8, 0, 1) * smoothstep(0.35, 0.8, np.abs(x))
    white = np.float32([0.98, 0.96, 0.95]) * (1.08 - 0.55 * t * t)[..., None]
    ball = mix(white, np.float32([0.85, 0.3, 0.3]), 0.45 * veins + 0.6 * smoothstep(0.72, 0.98, np.abs(t)))
    radius = (up + down) * rng.uniform(0.42, 0.5)
    main, second = (color(rng, hues=(0.58, 0.33, 0.08), saturation=(0.6, 1.0), value=(0.6, 1.0)) for _ in "ab")
    rho = r / radius
    hole = rng.uniform(0.28, 0.5)
    glow = color(rng, hues=(0.12, 0.08), saturation=(0.6, 1.0), value=(0.8, 1.0))
    fibre = _fibres(rng, size, rho, a, rng.integers(1, 3))
    frill = rho + 0.04 * fibre
    iris = _ramp(frill, (hole, hole + 0.14, hole + 0.32, 0.85, 1.0), (glow * 0.5, glow, main, second, main * 0.1))
    iris = iris * (0.85 + 0.28 * fibre)[..., None]
    facing = np.clip(-((x - cx) * sun.way[0] + (y - cy) * sun.way[1]) / radius * 1.6, 0, 1)
    iris = iris * (0.65 + 1.0 * facing)[..., None]  # light falls through the cornea to the far side
    iris = iris * smoothstep(hole - 0.03, hole + 0.05, frill)[..., None]
    ball = mix(ball, np.clip(iris, 0, 1), smoothstep(1.04, 0.96, rho))
    ball = ball * (1 - 0.65 * smoothstep(0.2, -0.02, -above))[..., None]
    ball = mix(ball, np.ones(3, np.float32), _glints(size, x, y, sun, cx, cy, radius * 0.95))

    rgb = mix(skin, np.clip(ball, 0, 1), opening)
    hair = hsv(rng.uniform(0, 0.1), rng.uniform(0, 0.7), rng.uniform(0.0, 0.18))
    n = int(rng.integers(18, 30))
    s = np.linspace(-0.97, 0.97, n) + rng.normal(0, 0.015, n)
    top = -up * np.clip(1 - (s + lean * (1 - s * s)) ** 2, 0, 1) ** 0.8
    low = down * np.clip(1 - (s - lean * (1 - s * s)) ** 2, 0, 1) ** 0.85
    long = rng.uniform(0.2, 0.36) * rng.uniform(0.75, 1.1, n)
    fan = np.stack([s * 0.8, -0.25 - 0.3 * (1 - s * s)], -1) * long[:, None]
    curl = np.stack([s * 0.4, -0.6 + 0 * s], -1) * long[:, None]
    lashes = _hairs(size, np.stack([s * wide, top + 0.01], -1), fan, curl, 0.05)
    short = np.stack([s * 0.35, 0.32 + 0 * s], -1) * long[:, None]
    lashes = np.maximum(lashes, _hairs(size, np.stack([s * wide, low + 0.04], -1), short, short * 0.1, 0.03))
    if rng.random() < 0.6:
        k = 60
        s, arch = np.linspace(-0.8, 0.85, k), rng.uniform(0.08, 0.2)
        roots = np.stack([s, -up - 0.28 - arch * (1 - (s - 0.1) ** 2) + rng.normal(0, 0.02, k)], -1)
        ways = np.stack([0.1 + 0 * s, -0.06 + 0.1 * s], -1) * rng.uniform(0.8, 1.3, (k, 1))
        lashes = np.maximum(lashes, 0.85 * _hairs(size, roots, ways, ways * 0.3, 0.045))
    spin = np.hypot(x / 0.97, (y + 0.03) / 0.84)
    alpha = np.maximum(smoothstep(1.0, 0.72, spin), opening)
    return layer(mix(rgb, hair, _untilted(lashes, x, y)), np.clip(np.maximum(alpha, 0), 0, 1))


def _untilted(field: Field, x: Field, y: Field) -> Field:
    """A field drawn in the plain frame, read in a turned and moved one."""
    half = field.shape[0] / 2
    return cv2.remap(field, ((x + 1) * half - 0.5).astype(np.float32), ((y + 1) * half - 0.5).astype(np.float32),
                     cv2.INTER_LINEAR)


def reptile_eye(rng: Generator, size: int) -> Layer:
    """A dragon's eye: a slit pupil in a fiery iris, a dark lid, rings of scales around."""
    sun = _sun(rng)
    x, y = turned(*grid(size), rng.uniform(-0.4, 0.4))
    wide, tall = rng.uniform(0.46, 0.58), rng.uniform(0.4, 0.5)
    r, a = polar(x / wide, y / tall)
    rho = r * (1 + rng.uniform(0, 0.2) * np.cos(a) ** 8 * -1)  # drawn out to the corners
    hue = rng.choice(np.array([0.11, 0.28, 0.03, rng.random()]))
    bright, flame = hsv(hue + rng.normal(0, 0.015), rng.uniform(0.6, 0.95), 1.0), hsv(hue - 0.07, 1.0, 0.95)
    fibre = _fibres(rng, size, rho, a, 2)
    slit = np.abs(x) / (rng.uniform(0.06, 0.17) * np.sqrt(np.clip(1 - (y / (tall * 0.93)) ** 2, 1e-4, 1)))
    ember = rho * 0.85 + 0.09 * fibre + 0.08 * noise(rng, size, 0.9)
    iris = _ramp(ember, (0, 0.3, 0.62, 0.85, 1), (bright, bright, flame, flame * 0.55, flame * 0.1))
    iris = iris * (0.85 + 0.3 * fibre)[..., None]
    iris = iris + (0.7 * np.exp(-np.clip(slit - 1, 0, 9) * 1.4))[..., None] * bright
    far = np.clip(-(x * sun.way[0] + y * sun.way[1]) / tall, 0, 1)
    iris = iris * (0.7 + 0.8 * far)[..., None] * smoothstep(0.88, 1.12, slit)[..., None]
    iris = iris * (1 - 0.75 * smoothstep(-0.3, -0.95, y / tall))[..., None]  # shade of the upper lid
    iris = mix(np.clip(iris, 0, 1), np.ones(3, np.float32), _glints(size, x, y, sun, 0.0, 0.0, tall * 0.85))

    step = rng.uniform(0.15, 0.24)
    around = round(2 * math.pi / step * rng.uniform(0.75, 1.05))
    v = np.log(np.maximum(rho, 0.2)) / step - 0.75
    p = _plates((a / (2 * math.pi) + 0.5) * around, v, around, rng.uniform(1.6, 2.6))
    hide = color(rng, hues=(0.3, 0.45, 0.1), saturation=(0.5, 1.0), value=(0.4, 0.9))
    tips = color(rng, hues=(0.14, 0.0), value=(0.6, 1.0))
    field = mix(hide, color(rng, value=(0.2, 0.7)), np.clip(noise(rng, size, 1.2) * 0.3 + 0.3, 0, 1))
    skin = _plated(rng, p, sun, field, tips, 0.09 * step / 0.18)
    skin = skin * smoothstep(0.9, 1.35, rho)[..., None]
    rim = np.exp(-(((rho - 1.09) / 0.06) ** 2))
    lid = _lit(hide * 0.4, (0.08 * rim).astype(np.float32), sun, 1.0, 0.8, 20)
    skin = mix(skin, lid, smoothstep(1.2, 1.1, rho))
    rgb = mix(skin, iris, smoothstep(1.02, 0.97, rho))
    rows = math.floor(math.log(0.86 / max(wide, tall)) / step) - 0.5
    ragged = rows + 0.9 * _hash(rng, p.column)
    edge = cv2.GaussianBlur(((p.row < ragged) & (np.hypot(x, y) < 0.99)).astype(np.float32), (0, 0), 0.7)
    return layer(rgb, np.maximum(edge, inside((rho - 1.15) * 0.5, size)))


def _eyespot(rng: Generator, size: int, sun: _Sun, palette: Sequence[Color]) -> Layer:
    """One peacock plume: an eye of colored rings over fine barbs, loose barbs on a shaft below."""
    x, y = grid(size)
    cy, wide, tall = -0.36, 0.47, 0.52
    r, a = polar(x, 0.98 - y)
    fan = np.arctan2(x, 1.05 - y)  # barbs leave the shaft low and bend out
    lift = fan * 24 + np.sign(x) * y * 6
    barb = np.abs((lift * 0.9) % 1 - 0.5) * 2
    each = _hash(rng, np.floor(lift * 0.9) + 300)
    rho, _ = polar(x / wide, (y - cy) / (tall * (1 + 0.12 * np.sign(y - cy))))
    hair = rho + 0.035 * (barb - 0.5)
    rgb = _ramp(hair / 1.35, (0, 0.17, 0.22, 0.42, 0.47, 0.62, 0.68, 0.78, 0.84, 1.0), (
        palette[0], palette[0] * 0.6, palette[1], palette[1], palette[2], palette[2] * 0.8, palette[3],
        palette[3], palette[4], palette[4] * 0.55))
    notch = np.hypot(x / 0.12, (y - cy - 0.17) / 0.16)  # the heart's cleft
    rgb = mix(rgb, palette[1], smoothstep(1.1, 0.8, notch) * (rho < 0.5))
    sheen = 0.5 + 0.5 * np.sin(fan * 5 + rho * 6 + rng.uniform(0, 6))
    rgb = mix(rgb, rgb[..., [1, 2, 0]], 0.3 * sheen)
    height = 0.10 * np.clip(1 - rho * rho * 0.6, 0, 1) + 0.013 * (1 - barb)
    rgb = _lit(rgb * (1.15 - 0.45 * barb)[..., None], height.astype(np.float32), sun, 1.0, 0.45, 10, 0.5)
    reach = 1.12 + 0.3 * each - 0.35 * barb * smoothstep(1.0, 1.25, rho)
    alpha = inside((rho - reach) * wide, size)
    trail = (np.abs(x) < 0.10 + 0.28 * each * (0.98 - y)) & (barb < 0.5) & (y > cy)
    alpha = np.maximum(alpha, cv2.GaussianBlur(trail.astype(np.float32), (0, 0), 0.6))
    shaft = inside(np.abs(x) - 0.02, size) * smoothstep(0.0, 0.1, y - cy - 0.2)
    rgb = mix(rgb, np.float32([0.95, 0.9, 0.75]), shaft * 0.85)
    return layer(rgb, np.maximum(alpha, shaft * (y < 0.98)).astype(np.float32))


def peacock(rng: Generator, size: int) -> Layer:
    """A peacock tail feather, or an overlapping fan of several."""
    sun = _sun(rng)
    turn = 0.0 if rng.random() < 0.65 else rng.random()
    hues = np.array([0.68, 0.5, 0.08, 0.27, 0.40]) + rng.normal(0, 0.025, 5) + turn
    value = (0.4, 1.0, 0.85, 0.95, 0.75)
    palette = [hsv(h, rng.uniform(0.8, 1.0), v) for h, v in zip(hues, value, strict=True)]
    plume = _eyespot(rng, size, sun, palette)
    if rng.random() < 0.4:
        return _put(empty(size), plume, rng.uniform(-0.15, 0.15), 0.97, (0.0, 0.0), (0.0, 0.0))
    out = empty(size)
    n = int(rng.integers(3, 8))
    spread, scale = rng.uniform(0.22, 0.36) * n, rng.uniform(0.55, 0.7)
    order = sorted(np.linspace(-1, 1, n), key=lambda s: -abs(s))
    for s in order:
        far = rng.uniform(0.93, 1.05)
        angle = s * spread * 0.62
        reach = 0.5 * far
        place = (math.sin(angle) * reach, 0.62 - math.cos(angle) * reach - scale * 0.3)
        out = _put(out, plume, angle, scale * far, (0.0, 0.0), place, 0.6)
    return out


def _plume(rng: Generator, size: int, sun: _Sun, tints: Sequence[Color], kind: int) -> Layer:
    """One feather: a pale shaft, a vane of barbs with splits, bands or an eye or a dark tip, down below."""
    x, y = grid(size)
    bend, wide = rng.uniform(-0.25, 0.25), rng.uniform(0.24, 0.42)
    x = x - bend * (1 - y * y) + bend * 0.5
    s = (0.97 - y) / 1.94  # 0 at the quill, 1 at the tip
    side = np.abs(x)
    slope = rng.uniform(0.5, 1.0)
    along = y + slope * side - 0.5 * side * side + 0.03 * np.sign(x)
    barb = along * rng.uniform(22, 34)
    cell = np.floor(barb)
    ridge = np.abs(barb - cell - 0.5) * 2
    each = _hash(rng, cell + 200, (x > 0).astype(np.float32) * 9)
    q = np.clip((0.95 - along) / 1.9, 0, 1)
    full = wide * (1 - 0.35 * (x * np.sign(bend) > 0)) * np.clip((q - 0.1) / 0.25, 0, 1) ** 0.7
    full = full * np.clip((1.02 - s) * 3.2, 0, 1) ** 0.6
    reach = full * (0.93 + 0.1 * each - 0.10 * ridge) - 0.5 * full * (each > 0.94)
    rho = side / np.maximum(full, 0.05)
    wave = 0.5 + 0.5 * np.sin(along * rng.uniform(10, 24) + 1.5 * rho)
    pattern = (smoothstep(0.35, 0.65, wave), smoothstep(0.55, 0.8, s + 0.1 * rho), smoothstep(0.3, 0.8, rho),
               smoothstep(1.0, 0.8, np.hypot(x / (wide * 0.65), (y + 0.45) / 0.3)))[kind]
    rgb = mix(mix(tints[0], tints[1], s), tints[2], pattern)
    if kind == 3:
        rgb = mix(rgb, tints[1], smoothstep(1.0, 0.8, np.hypot(x / (wide * 0.35), (y + 0.42) / 0.16)))
    rgb = mix(rgb, np.float32([0.95, 0.93, 0.88]), 0.75 * smoothstep(0.3, 0.12, q))
    height = 0.16 * wide * np.sqrt(np.clip(rho, 0, 1)) - 0.1 * rho**2 * wide + 0.012 * (1 - ridge)
    rgb = _lit(rgb * (1.12 - 0.4 * ridge)[..., None], height.astype(np.float32), sun, 1.2, 0.35, 12, 0.6)
    rgb = rgb * (1 - 0.55 * np.exp(-((side - 0.035) / 0.03) ** 2) * (side > 0.02))[..., None]
    width = 0.010 + 0.022 * (1 - s)
    shaft = inside(side - width, size) * (s < 0.97) * (s > 0.0)
    stem = np.float32([1.0, 0.95, 0.82]) * (1.0 - 0.45 * np.clip(x / width, -1, 1))[..., None]
    rgb = mix(rgb, np.clip(stem, 0, 1), shaft)
    return layer(rgb, np.maximum(inside(side - reach, size), shaft).astype(np.float32))


def feather(rng: Generator, size: int) -> Layer:
    """A patterned feather, or a spray of several from one quill."""
    sun = _sun(rng)
    tints = [color(rng, hues=(0.55, 0.02, 0.12), saturation=(0.5, 1.0), value=v)
             for v in ((0.6, 1.0), (0.5, 1.0), (0.1, 1.0))]
    kind, n = int(rng.integers(0, 4)), int(rng.choice(np.array([1, 1, 2, 3, 5])))
    out, plume, turn = empty(size), _plume(rng, size, sun, tints, kind), rng.uniform(-0.5, 0.5)
    if n == 1:
        return _put(out, plume, turn, 0.97, (0.0, 0.0), (0.0, 0.0))
    spread = rng.uniform(0.3, 0.5) * (n - 1)
    for s in sorted(np.linspace(-1, 1, n), key=lambda s: -abs(s) + 0.01 * s):
        if n < 4 and s != -1:
            plume = _plume(rng, size, sun, tints, kind)
        out = _put(out, plume, s * spread * 0.6, rng.uniform(0.8, 0.92), (0.0, 0.95), (0.0, 0.85), 0.6)
    return out


def nautilus(rng: Generator, size: int) -> Layer:
    """A coiled shell: a striped or ribbed nautilus, or one cut open to show its pearly chambers."""
    sun = _sun(rng)
    b = math.log(rng.uniform(2.1, 3.2)) / (2 * math.pi)
    end = rng.uniform(-math.pi, math.pi)
    ring = np.linspace(end - 2 * math.pi, end, 64)
    spiral = np.exp(b * (ring - end))[:, None] * np.stack([np.cos(ring), np.sin(ring)], -1)
    low, high = spiral.min(0), spiral.max(0)
    middle, half = (low + high) / 2, float((high - low).max()) / 2 / 0.93
    x, y = grid(size)
    if rng.random() < 0.5:
        x = -x
    r, a = polar(x * half + float(middle[0]), y * half + float(middle[1]))
    grown = np.log(np.maximum(r, 1e-4)) / b + end  # the angle at which the spiral's edge has this radius
    turns = np.ceil((grown - a) / (2 * math.pi))
    phi = a + 2 * math.pi * turns
    across = (phi - grown) / (2 * math.pi)  # 0 at the outer edge, 1 at the whorl before
    age = phi - end
    kind = int(rng.integers(0, 3))
    chambers = rng.uniform(2.2, 4.0) if kind == 1 else rng.uniform(3, 7)
    swing = age - (0.7 if kind == 1 else 0.35) * np.sin(np.pi * across)
    cell = swing * chambers
    part = cell - np.floor(cell)
    pale = color(rng, hues=(0.09, 0.12), saturation=(0.1, 0.45), value=(0.85, 1.0), iconic=0.6)
    dark = color(rng, hues=(0.03, 0.06, 0.58), saturation=(0.6, 1.0), value=(0.3, 0.75))
    round_ = np.sqrt(np.clip(1 - (2 * across - 0.95) ** 2, 0.02, 1))
    height = 0.42 * r * round_
    if kind == 0:
        flame = np.sin(cell * 3 + 1.3 * np.sin(across * 7) + 0.6 * noise(rng, size, 1.2))
        rgb = mix(pale, dark, smoothstep(-0.1, 0.35, flame - 1.2 * across + 0.5))
    elif kind == 1:
        hue = hsv(rng.random(), 0.5, 1.0)
        rgb = mix(mix(dark, hue, part), pale, smoothstep(0.25, 0.9, part) * (1 - 0.4 * across))
        rgb = rgb * (0.35 + 0.65 * smoothstep(0.0, 0.45, part))[..., None]
        wall = np.maximum(smoothstep(0.13, 0.07, np.abs(part - 0.5) * -1 + 0.5), smoothstep(0.86, 0.93, across))
        wall = np.maximum(wall, smoothstep(0.1, 0.05, across))
        rgb = mix(rgb, pale, wall)
        height = r * (0.12 * round_ + 0.10 * wall - 0.12 * np.sin(np.pi * part))
    else:
        height = height + 0.05 * r * np.abs(np.sin(cell * 2.2))
        rgb = mix(pale, dark, np.clip(across * 1.2 + 0.2 * np.sin(cell * 4.4), 0, 1))
    rgb = _lit(rgb, (height / half).astype(np.float32), sun, 1.0, 0.8, 26, 0.6)
    rgb = rgb * (1 - 0.75 * smoothstep(0.22, 0.0, 1 - across))[..., None]  # the seam lies in shade
    mouth = smoothstep(-0.4, -0.34, age + 0.25 * (2 * across - 1) ** 2)
    inner = _ramp(across, (0, 0.15, 0.6, 1), (pale, mix(pale, dark, np.float32(0.4)), dark * 0.25, dark * 0.1))
    rgb = mix(rgb, inner, mouth * (kind != 1))
    alpha = inside((age + 0.25 * (2 * across - 1) ** 2 - 0.25) * r / half, size)
    return layer(rgb, np.where(turns > 40, 0, alpha).astype(np.float32))


def shell(rng: Generator, size: int) -> Layer:
    """A scallop: a ribbed fan with banded growth and two ears at the hinge."""
    sun = _sun(rng)
    x, y = grid(size)
    hinge, spread = 0.82, rng.uniform(0.95, 1.25)
    r, a = polar(x, hinge - y)
    a = np.arctan2(x, hinge - y) / spread  # -1..1 over the fan
    ribs = rng.uniform(8, 15)
    wave = np.cos(a * ribs * np.pi)
    reach = 1.68 * (1 - 0.26 * a * a - 0.12 * a**4) * (0.975 + 0.025 * wave) / max(1.0, math.sin(spread) * 1.05)
    rho = r / np.maximum(reach, 0.2)
    bump = noise(rng, size, 0.8)
    bands = rho * rng.uniform(3, 7) + 0.03 * wave + 0.06 * bump
    tints = [color(rng, hues=(0.02, 0.09, 0.92), saturation=s, value=(0.6, 1.0), iconic=0.7)
             for s in ((0.1, 0.5), (0.6, 1.0), (0.6, 1.0))]
    rgb = mix(tints[0], tints[1], smoothstep(-0.5, 0.6, np.sin(bands * 2 * np.pi)) * rng.uniform(0.4, 1.0))
    rgb = mix(rgb, tints[2], rng.uniform(0.2, 0.9) * smoothstep(0.65, 0.05, rho))
    rgb = rgb * (0.72 + 0.28 * wave)[..., None]
    height = 0.30 * np.sin(np.pi * np.clip(rho, 0, 1) ** 0.8) * np.cos(np.clip(a, -1, 1) * 1.4)
    height = height + 0.055 * rho * wave + 0.010 * np.sin(rho * 60) * rho + 0.003 * bump
    rgb = _lit(rgb, height.astype(np.float32), sun, 1.0, 0.55, 18, 0.7)
    alpha = inside(np.maximum(rho - 1, np.abs(a) - 1) * 0.8, size) * (hinge > y)
    ears = polygon(size, np.array([[-0.42, hinge - 0.02], [-0.36, hinge - 0.3], [0, hinge - 0.42],
                                   [0.36, hinge - 0.3], [0.42, hinge - 0.02], [0, hinge + 0.05]]))
    ear = mix(tints[0], tints[2], 0.5 + 0.5 * np.sin(x * 45 + y * 8))
    ear = _lit(ear, (0.02 * np.sin(x * 45 + y * 8) - 0.15 * np.abs(x)).astype(np.float32), sun, 1.0, 0.4)
    return over(layer(ear, ears), layer(rgb, alpha.astype(np.float32)))


def pearls(rng: Generator, size: int) -> Layer:
    """Shiny balls with a room mirrored in them: a heap of pearls, a coiled string, or soap bubbles."""
    sun = _sun(rng)
    kind = rng.choice(np.array(["heap", "string", "bubbles"]))
    tints = [color(rng, hues=(0.08, 0.92, 0.5), saturation=(0.05, 0.9), value=(0.7, 1.0)) for _ in range(3)]
    if kind == "string":
        n, r0 = int(rng.integers(14, 26)), rng.uniform(0.11, 0.16)
        t, balls = rng.uniform(0, 6), []
        for k in range(n):
            far = 0.97 - r0 - k * (0.75 - r0) / n
            balls.append((math.cos(t) * far, math.sin(t) * far, r0 * (1.08 - 0.3 * k / n)))
            t += 1.9 * r0 / max(far, 0.15)
    else:
        n, balls = int(rng.integers(6, 24)), []
        for k in range(n):
            r0 = rng.uniform(0.16, 0.5) * (1.3 - 0.8 * k / n)
            far, t = math.sqrt(rng.random()) * (0.95 - r0), rng.uniform(0, 2 * math.pi)
            balls.append((math.cos(t) * far, math.sin(t) * far, r0))
    out = empty(size)
    x, y = grid(size)
    for cx, cy, r0 in balls:
        tint, pad = tints[int(rng.integers(0, 3))], r0 * 1.35
        x0, x1, y0, y1 = (int(np.clip((c + 1) * size / 2, 0, size)) for c in (cx - pad, cx + pad, cy - pad, cy + pad))
        place = out[y0:y1, x0:x1]
        u, v = (x[y0:y1, x0:x1] - cx) / r0, (y[y0:y1, x0:x1] - cy) / r0
        d = np.hypot(u, v)
        nz = np.sqrt(np.clip(1 - d * d, 0, 1))
        facing = u * sun.way[0] + v * sun.way[1] + nz * sun.way[2]
        edge = (1 - nz) ** 2
        film = 0.5 + 0.5 * np.cos((edge * 1.3 + 0.15 * v)[..., None] * 6.3 + np.float32([0, 2.1, 4.2]))
        room = smoothstep(0.1, 0.25, v + 0.25 * u * u - 0.1) * smoothstep(1.0, 0.6, d)  # the ground, mirrored
        glint = _glints(size, u * r0, v * r0, sun, 0.0, 0.0, r0)
        hot = np.clip(facing, 0, 1) ** 40
        if kind == "bubbles":
            rgb = mix(tint, film.astype(np.float32), np.clip(0.3 + edge, 0, 1))
            alpha = np.clip(0.12 + 0.8 * edge + 0.3 * smoothstep(0.3, 0.9, -facing + 0.4) * d + hot, 0, 1)
        else:
            glow = 0.25 + 0.75 * np.clip(facing * 0.75 + 0.25, 0, 1) - 0.25 * room
            rgb = mix(tint * glow[..., None], film.astype(np.float32) * glow[..., None], 0.4 * d)
            rgb = rgb + (edge * np.clip(0.4 + v, 0, 1) * 0.6)[..., None] * sun.rim + 0.35 * hot[..., None]
            alpha = np.ones_like(d)
            place[..., :3] *= 1 - 0.6 * smoothstep(1.35, 0.95, np.hypot(u - 0.06, v - 0.1))[..., None]
        rgb = mix(np.clip(rgb, 0, 1), np.ones(3, np.float32), glint)
        alpha = np.maximum(alpha, glint) * np.clip((1 - d) * r0 * size / 2 + 0.5, 0, 1)
        place[...] = over(place, layer(rgb, alpha.astype(np.float32)))
    return out


def scales(rng: Generator, size: int) -> Layer:
    """The scaly hide of a fish, a snake or a dragon: overlapping glossy plates."""
    sun = _sun(rng)
    x, y = turned(*grid(size), rng.uniform(-math.pi, math.pi))
    n, bow = rng.uniform(3, 7), noise(rng, size, 2.2)
    zoom = 1 + rng.uniform(-0.3, 0.3) * y
    p = _plates(x * zoom * n + 0.4 * bow + 50, y * n * rng.uniform(0.9, 1.6) + 0.4 * np.roll(bow, size // 3) + 50,
                pointed=rng.uniform(1.1, 3.0))
    tints = [color(rng, hues=(0.42, 0.6, 0.05), saturation=(0.55, 1.0), value=(0.5, 1.0)) for _ in range(3)]
    back = mix(mix(tints[0], tints[1], smoothstep(-0.8, 0.8, x + 0.4 * bow)), tints[2],
               0.8 * smoothstep(0.4, 0.5, _hash(rng, p.row, p.column)) * (rng.random() < 0.5))
    return layer(_plated(rng, p, sun, back, color(rng, value=(0.1, 1.0)), 0.5 / n))


def _coat(rng: Generator, size: int, sun: _Sun, base: Colors, long: int, wild: float) -> Colors:
    """A colored hide grown over with hair: ``2**long`` pixels of it, combed unevenly by ``wild``."""
    angle = rng.uniform(-math.pi, math.pi) + wild * noise(rng, size, 2.0)
    dx, dy = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    u, v = (np.indices((size, size), np.float32))[::-1]
    hair, tuft = noise(rng, size, 0.05), 0.9 * noise(rng, size, 0.8) - 1
    fall = 1.1 / 2**long
    for k in range(long):
        # doubling: each round reads the last one at the far end of a path twice as long
        hair = 0.5 * (hair + _sampled(hair, u + dx, v + dy))
        tuft = np.maximum(tuft, _sampled(tuft, u + dx, v + dy) - fall * 2**k)
        dx, dy = dx + _sampled(dx, u + dx, v + dy), dy + _sampled(dy, u + dx, v + dy)
    hair = hair / (hair.std() + 1e-6)
    push = 0.25 + 0.2 * hair
    base = _sampled(np.ascontiguousarray(np.broadcast_to(base, (size, size, 3)), np.float32),
                    np.clip(u + dx * push, 0, size - 1), np.clip(v + dy * push, 0, size - 1))
    bulk = noise(rng, size, 1.6)
    height = 0.010 * hair + 0.022 * tuft + 0.06 * bulk
    tone = np.clip(0.85 + 0.22 * hair + 0.18 * (tuft - tuft.mean()), 0.15, 1.5)
    return _lit(base * tone[..., None], height, sun, 1.0, 0.35, 9, 0.5)


def fur(rng: Generator, size: int) -> Layer:
    """Flowing fur, in locks, with sheen."""
    tints = [color(rng, hues=(0.07, 0.04, 0.6), saturation=(0.2, 1.0), value=(0.3, 1.0)) for _ in range(2)]
    patches = smoothstep(-0.8, 0.8, noise(rng, size, rng.uniform(1.0, 2.0)))
    return layer(_coat(rng, size, _sun(rng), mix(*tints, patches), int(rng.integers(4, 6)), rng.uniform(0.3, 1.2)))


def leopard(rng: Generator, size: int) -> Layer:
    """Leopard fur: broken dark rosettes with tawny hearts."""
    ground = color(rng, hues=(0.11, 0.08), saturation=(0.4, 0.95), value=(0.7, 1.0))
    pale = mix(ground, np.ones(3, np.float32), np.float32(rng.uniform(0.3, 0.8)))
    ink = hsv(rng.uniform(0, 0.1), 0.8, rng.uniform(0.02, 0.2))
    n, wobble = int(rng.integers(3, 6)), noise(rng, size, 1.0) * 0.02
    dark, heart = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    step = 2 / n
    for row in range(-1, n + 1):
        for k in range(-1, n + 1):
            cx, cy = ((np.array([k + 0.5 + 0.5 * (row % 2), row + 0.5]) + rng.uniform(-0.2, 0.2, 2)) * step) - 1
            t = np.linspace(0, 2 * math.pi, 25)
            shape = 1 + 0.14 * np.cos(2 * t + rng.uniform(0, 6)) + 0.1 * np.cos(3 * t + rng.uniform(0, 6))
            ring = np.stack([cx + np.cos(t) * shape * step * 0.33, cy + np.sin(t) * shape * step * 0.33], -1)
            heart = np.maximum(heart, polygon(size, ring))
            start = int(rng.integers(0, 24))
            for piece in range(int(rng.integers(2, 5))):
                span = (np.arange(start + piece * 7, start + piece * 7 + rng.integers(3, 7))) % 24
                dark = np.maximum(dark, stroke(size, ring[span], step * rng.uniform(0.12, 0.2)))
    base = mix(mix(ground, pale, smoothstep(-1, 1, noise(rng, size, 2.0))), ground * np.float32([0.8, 0.55, 0.4]), heart)
    return layer(_coat(rng, size, _sun(rng), mix(base, ink, dark + wobble), 3, rng.uniform(0.1, 0.5)))


def zebra(rng: Generator, size: int) -> Layer:
    """Striped fur: stripes that bend, taper and fork."""
    x, y = turned(*grid(size), rng.uniform(-math.pi, math.pi))
    phase = x * rng.uniform(9, 18) + 1.2 * noise(rng, size, 2.2) + rng.uniform(-2, 2) * y * y
    for cx, cy, sign in zip(*rng.uniform(-0.9, 0.9, (2, 4)), (1, -1, 1, -1), strict=True):
        phase = phase + sign * np.arctan2(y - cy, x - cx)  # winding once about a point makes a fork
    stripe = smoothstep(-0.25, 0.25, np.sin(phase) + rng.uniform(-0.2, 0.2))
    white = color(rng, hues=(0.1,), saturation=(0.02, 0.5), value=(0.85, 1.0))
    black = color(rng, saturation=(0.0, 0.9), value=(0.02, 0.25))
    return layer(_coat(rng, size, _sun(rng), mix(white, black, stripe), 3, rng.uniform(0.1, 0.5)))
