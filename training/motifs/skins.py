"""Eyes, feathers, shells, pearls, and the skins of animals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training import canvas
from training.canvas import Color, Field, Layer, color, grid, hsv, inside, layer, mix, noise, smoothstep

Colors = NDArray[np.float32]  # [3] or [H, W, 3], RGB 0..1
WHITE, TURN = np.ones(3, np.float32), 2 * math.pi
_Sun = tuple[list[float], Color, Color, Color]  # unit direction x, y, z; colors of lamp, sky and rim light


def _sun(rng: Generator) -> _Sun:
    """A light from above, warm or cold, with a contrasting sky and a rim light of any color."""
    way, hue = rng.uniform((-0.7, -0.9, 0.6), (0.7, -0.3, 1.0)), rng.choice(np.array([0.1, 0.12, 0.55]))
    lamp, sky = hsv(hue, rng.uniform(0, 0.25), 1.15), hsv(hue + 0.5, rng.uniform(0.2, 0.6), 0.4)
    return (way / np.linalg.norm(way)).tolist(), lamp, sky, hsv(rng.random(), 0.6, 1.0)


def _lit(base: Colors, height: Field, sun: _Sun, shine: float = 0.4, gloss: float = 30) -> Colors:
    """Color a height field under the sun: warm light, cool shade, highlights, light from behind."""
    (sx, sy, sz), lamp, sky, behind = sun
    gx, gy = (cv2.Sobel(np.float32(height), cv2.CV_32F, *d, scale=len(height) / 16) for d in ((1, 0), (0, 1)))
    nz = 1 / np.sqrt(gx * gx + gy * gy + 1)
    side = -(gx * sx + gy * sy) * nz
    # the highlight sits where the normal halves the way between the sun and the viewer
    halfway = np.clip((side + (sz + 1) * nz) / math.sqrt(2 + 2 * sz), 0, 1)
    out = base * (np.clip(side + sz * nz, 0, 1)[..., None] * lamp + (0.5 + 0.5 * nz)[..., None] * sky)
    out += (shine * halfway**gloss)[..., None] * lamp + np.clip(-side - 0.25, 0, 1)[..., None] * behind * 0.5
    return np.clip(out, 0, 1).astype(np.float32)


def _ramp(t: Field, places: Sequence[float], colors: Sequence[Color]) -> Colors:
    """Color field of a value 0..1 through color stops."""
    table = np.stack([np.interp(np.linspace(0, 1, 256), places, c) for c in np.stack(colors, -1)], -1)
    return table.astype(np.float32)[(np.clip(t, 0, 1) * 255).astype(np.int32)]


def _hash(rng: Generator, row: Field, column: Field) -> Field:
    """A random number 0..1 for each integer cell."""
    return rng.random(1024, np.float32)[(row.astype(np.int32) + column.astype(np.int32) * 57) & 1023]


def _sampled(field: NDArray[np.float32], u: Field, v: Field) -> NDArray[np.float32]:
    """A periodic field read at pixel coordinates ``u, v``."""
    return cv2.remap(field, np.float32(u), np.float32(v), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def _fibres(rng: Generator, size: int, r: Field, a: Field) -> Field:
    """Rays around the center, of uneven width and brightness, about -2..2."""
    return _sampled(noise(rng, size, 0.4), a * (size * int(rng.integers(1, 3)) / TURN), r * size * 0.09)


def _plated(rng: Generator, u: Field, v: Field, sun: _Sun, back: Colors, *, edge: Color, bulk: float,
            around: int) -> tuple[Colors, Field, Field]:
    """Overlapping keeled plates, one a unit of ``u, v`` (``around`` close a ring): color, row, column."""
    row, pointed, seen = np.floor(v), rng.uniform(1.3, 2.8), []
    for behind in (0, 1):  # each row lies half a plate aside, over the row that follows
        at = u - 0.5 * ((row - behind) % 2)
        across = (at - np.floor(at)) * 2 - 1
        tip = 1 + (1 - np.abs(across) ** pointed) ** (1 / pointed)
        seen.append((across, v - row + behind, tip - (v - row + behind), np.floor(at) % around))
    gap = -seen[1][2]
    across, along, left, column = (np.where(gap < 0, b, a) for a, b in zip(*seen, strict=True))
    row = row - (gap < 0)
    height = bulk * (0.5 * (1 - across**2) + 0.42 * along) * smoothstep(-0.02, 0.3, left)
    tone = (0.6 + 0.5 * _hash(rng, row, column)) * (0.93 + 0.07 * np.sin(left * rng.uniform(14, 26)))
    base = mix(back * tone[..., None], edge, smoothstep(0.55, 0.0, left) * rng.uniform(0.3, 0.9))
    shade = np.where(gap < 0, 1, 1 - 0.75 * np.exp(-np.maximum(gap, 0) * 4))[..., None]
    return _lit(base, height, sun, rng.uniform(0.4, 0.9), rng.uniform(12, 40)) * shade, row, column


def _put(out: Layer, part: Layer, angle: float, scale: float, *, pivot: float, place: float) -> Layer:
    """``part`` turned about a point of its axis (y ``pivot``) that comes to y ``place``, casting a shadow."""
    half, c, s, low = len(out) / 2, math.cos(angle) * scale, math.sin(angle) * scale, pivot + 1
    to = np.float32([[c, -s, (1 - c + s * low) * half], [s, c, (place + 1 - s - c * low) * half]])
    flat = cv2.warpAffine(np.dstack([part[..., :3] * part[..., 3:], part[..., 3]]), to, out.shape[:2])
    shade = 1 - 0.6 * cv2.GaussianBlur(flat[..., 3], (0, 0), half * 0.05)[..., None]
    flat[..., :3] /= np.maximum(flat[..., 3:], 1e-4)
    return canvas.over(layer(out[..., :3] * shade, out[..., 3]), flat)


def _glints(size: int, x: Field, y: Field, sun: _Sun, r: float) -> Field:
    """Reflections of a window, and of something small across, on a ball about the origin."""
    sx, sy = sun[0][0] * r * 0.55, sun[0][1] * r * 0.5
    u, v = canvas.turned(x - sx, y - sy, sun[0][0] * 0.6)
    pane = inside((np.maximum(np.abs(u) / 0.17, np.abs(v) / 0.24) - r) * 0.2, size, 2.0)
    small = inside(canvas.ellipse(x, y, -sx, -sy, 0.13 * r, 0.09 * r), size, 2.0)
    return np.maximum(pane * (1 - 0.4 * inside(np.abs(u) - 0.012, size)), 0.6 * small)


def _lashes(size: int, s: NDArray[np.floating], y: NDArray[np.floating], way: NDArray[np.floating],
            *, curl: float, width: float) -> Field:
    """Tapered hairs, as coverage: from the points ``s, y`` along ``way`` [N, 2], curling up or down."""
    t, way = np.linspace(0, 1, 6)[None, :, None], way[:, None]
    line = np.stack([s, y], -1)[:, None] + way * t + [0, curl] * t * t
    spread = way[..., ::-1] * [-1, 1] / np.linalg.norm(way, axis=-1, keepdims=True) * (1 - t) * width / 2
    mask = np.zeros((size, size), np.uint8)
    for points in np.concatenate([line + spread, (line - spread)[:, ::-1]], axis=1):
        cv2.fillPoly(mask, [np.round((points + 1) * (size * 8) - 8).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def eye(rng: Generator, size: int) -> Layer:
    """A human eye: iris of colored fibres under a catchlight, painted lids, lashes, skin that fades out."""
    sun, (x, y) = _sun(rng), grid(size)
    wide, up, down, lean = (rng.uniform(*c) for c in ((0.76, 0.86), (0.4, 0.54), (0.3, 0.44), (-0.2, 0.2)))

    def lids(t: Field) -> tuple[Field, Field]:
        skew = lean * (1 - t * t)
        return (0.03 - up * np.clip(1 - (t + skew) ** 2, 0, 1) ** 0.8,
                0.03 + down * np.clip(1 - (t - skew) ** 2, 0, 1) ** 0.85)

    t, near, fold, (upper, lower) = x / wide, np.abs(x) < wide, rng.uniform(0.14, 0.24), lids(x / wide)
    above, below, tone = upper - y, y - lower, color(rng, (0.05, 0.07, 0.03), (0.3, 0.65), (0.35, 1.0), 0.8)
    height = 0.10 * np.sin(np.pi * np.clip(above / fold, 0, 1)) + 0.16 * smoothstep(fold, fold + 0.45, above)
    height = height + 0.06 * np.sin(np.pi * np.clip(below / 0.3, 0, 1)) + 0.004 * noise(rng, size, 0.6)
    skin = mix(tone, tone * np.float32([0.85, 0.5, 0.5]), np.exp(-np.abs(np.maximum(above, below)) * 7))
    paint = rng.uniform(0.2, 0.95) * smoothstep(0.5, 0.0, above) * (below < 0)
    skin = _lit(mix(skin, color(rng, value=(0.25, 0.9)), paint), height, sun, 0.3, 14)
    skin = mix(skin, np.float32([1.0, 0.72, 0.68]), 0.75 * np.exp(-(((below - 0.025) / 0.022) ** 2)) * near)
    creases = np.maximum(0.6 * np.exp(-(((above - fold) / 0.035) ** 2)), 0.9 * np.exp(-((above / 0.04) ** 2)))
    skin = skin * (1 - creases * near)[..., None]
    cx, cy, radius = rng.uniform(-0.14, 0.14), rng.uniform(-0.06, 0.03), (up + down) * rng.uniform(0.42, 0.5)
    r, a = canvas.polar((x - cx) / radius, (y - cy) / radius)
    veins = np.clip(1 - np.abs(noise(rng, size, 1.0)) * 8, 0, 1) * smoothstep(0.35, 0.8, np.abs(x))
    veins = 0.45 * veins + 0.6 * smoothstep(0.72, 0.98, np.abs(t))
    ball = mix(WHITE * (1.05 - 0.55 * t * t)[..., None], np.float32([0.85, 0.3, 0.3]), veins)
    main, glow = color(rng, (0.58, 0.33, 0.08), (0.6, 1), (0.7, 1)), color(rng, (0.12, 0.08), value=(0.8, 1))
    second, hole, fibre = 0.5 * (main + color(rng)), rng.uniform(0.28, 0.5), _fibres(rng, size, r, a)
    iris = _ramp(r + 0.04 * fibre, np.array([0, 0.14, 0.32, 0.85 - hole, 1 - hole]) + hole,
                 (glow * 0.5, glow, main, second, main * 0.1))
    # light falls through the cornea to the far side of the iris
    far = np.clip(-((x - cx) * sun[0][0] + (y - cy) * sun[0][1]) / radius * 1.6, 0, 1)
    iris = iris * ((0.85 + 0.28 * fibre) * (0.65 + far) * smoothstep(hole - 0.03, hole + 0.05, r))[..., None]
    ball = mix(ball, iris, smoothstep(1.04, 0.96, r)) * (1 - 0.65 * smoothstep(-0.2, 0.02, above))[..., None]
    ball = mix(np.clip(ball, 0, 1), WHITE, _glints(size, x - cx, y - cy, sun, radius * 0.95))
    opening = inside(np.maximum(above, below), size, 1.5) * near
    n, long = int(rng.integers(18, 30)), rng.uniform(0.2, 0.36)
    s = np.linspace(-0.97, 0.97, n) + rng.normal(0, 0.015, n)
    fan = np.stack([s * 0.8, 0.3 * s * s - 0.55], -1) * rng.uniform(0.75, 1.1, (n, 1)) * long
    hair = np.maximum(_lashes(size, s * wide, lids(s)[0] + 0.01, fan, curl=-0.6 * long, width=0.05),
                      _lashes(size, s * wide, lids(s)[1] + 0.03, fan * [0.4, -0.6], curl=0.02, width=0.03))
    rgb = mix(mix(skin, ball, opening), hsv(rng.uniform(0, 0.1), 0.6, rng.uniform(0.0, 0.18)), hair)
    return layer(rgb, np.maximum(smoothstep(1.0, 0.75, np.hypot(x / 0.98, y / 0.92)), opening))


def reptile_eye(rng: Generator, size: int) -> Layer:
    """A dragon's eye: a slit pupil in a fiery iris, a dark lid, rings of scales around."""
    sun, (x, y) = _sun(rng), canvas.turned(*grid(size), rng.uniform(-0.4, 0.4))
    wide, tall = rng.uniform((0.46, 0.4), (0.58, 0.5)).tolist()
    r, a = canvas.polar(x / wide, y / tall)
    r = r * (1 - rng.uniform(0, 0.2) * np.cos(a) ** 8)  # drawn out to the corners
    hue = rng.choice(np.array([0.11, 0.28, 0.03, rng.random()])) + rng.normal(0, 0.015)
    bright, flame, fibre = hsv(hue, 0.8, 1.0), hsv(hue - 0.07, 1.0, 0.95), _fibres(rng, size, r, a)
    slit = np.abs(x) / (rng.uniform(0.06, 0.17) * np.sqrt(np.clip(1 - (y / (tall * 0.93)) ** 2, 1e-4, 1)))
    iris = _ramp(r * 0.85 + 0.09 * fibre + 0.08 * noise(rng, size, 0.9), (0, 0.3, 0.62, 0.85, 1),
                 (bright, bright, flame, flame * 0.55, flame * 0.1)) * (0.85 + 0.3 * fibre)[..., None]
    iris = iris + (0.7 * np.exp(-np.clip(slit - 1, 0, 9) * 1.4))[..., None] * bright
    far = np.clip(-(x * sun[0][0] + y * sun[0][1]) / tall, 0, 1)
    lidded = smoothstep(0.88, 1.12, slit) * (1 - 0.75 * smoothstep(-0.3, -0.95, y / tall))
    iris = np.clip(iris * ((0.7 + 0.8 * far) * lidded)[..., None], 0, 1)
    iris = mix(iris, WHITE, _glints(size, x, y, sun, tall * 0.85))
    step = rng.uniform(0.15, 0.24)  # each ring of plates is that much larger than the last
    hide = color(rng, hues=(0.3, 0.45, 0.1), saturation=(0.5, 1.0), value=(0.4, 0.9))
    field = mix(hide, color(rng, value=(0.2, 0.7)), np.clip(noise(rng, size, 1.2) * 0.3 + 0.3, 0, 1))
    n, v = round(TURN / step * rng.uniform(0.75, 1.05)), np.log(np.maximum(r, 0.2)) / step - 0.75
    tips = color(rng, hues=(0.14, 0.0), value=(0.6, 1.0))
    skin, row, column = _plated(rng, (a / TURN + 1) * n, v, sun, field, edge=tips, bulk=step / 2, around=n)
    lid = _lit(hide * 0.4, 0.08 * np.exp(-(((r - 1.09) / 0.06) ** 2)), sun, 0.8, 20)
    skin = mix(skin * smoothstep(0.9, 1.35, r)[..., None], lid, smoothstep(1.2, 1.1, r))
    ragged = math.floor(math.log(0.86 / max(wide, tall)) / step) - 0.5 + 0.9 * _hash(rng, column, column)
    edge = cv2.GaussianBlur(np.float32((row < ragged) & (np.hypot(x, y) < 0.99)), (0, 0), 0.7)
    return layer(mix(skin, iris, smoothstep(1.02, 0.97, r)), np.maximum(edge, r < 1.15))


def _eyespot(rng: Generator, size: int, sun: _Sun, palette: Sequence[Color]) -> Layer:
    """One peacock plume: an eye of colored rings over fine barbs, loose barbs on a shaft below."""
    (x, y), cy, wide, tall = grid(size), -0.3, 0.55, 0.56
    fan = np.arctan2(x, 1.05 - y)  # barbs leave the shaft low and bend out
    place = fan * 22 + np.sign(x) * y * 5 + 300
    barb, each = np.abs(place % 1 - 0.5) * 2, _hash(rng, np.floor(place), 0 * x)
    r = np.hypot(x / wide, (y - cy) / (tall * (1 + 0.12 * np.sign(y - cy))))
    rgb = _ramp((r + 0.035 * (barb - 0.5)) / 1.35, (0, 0.22, 0.26, 0.42, 0.46, 0.62, 0.67, 0.77, 0.83, 1),
                [tint * shade for tint in palette for shade in (1.0, 0.55)])
    rgb = mix(rgb, palette[1], smoothstep(1.1, 0.8, np.hypot(x / 0.13, (y - cy - 0.19) / 0.17)) * (r < 0.5))
    rgb = mix(rgb, rgb[..., [1, 2, 0]], 0.12 + 0.12 * np.sin(fan * 5 + r * 6 + rng.uniform(0, 6)))
    height = 0.16 * np.clip(1 - r * r * 0.6, 0, 1) + 0.016 * (1 - barb)
    rgb = _lit(rgb * (1.1 - 0.55 * barb)[..., None], height, sun, 0.3, 25)
    alpha = inside((r - 1.12 - 0.3 * each + 0.35 * barb * smoothstep(1.0, 1.25, r)) * wide, size)
    trail = (np.abs(x) < 0.10 + 0.28 * each * (0.98 - y)) & (barb < 0.5) & (y > cy)
    shaft = inside(np.abs(x) - 0.02, size) * smoothstep(0.2, 0.4, y - cy) * (y < 0.98)
    alpha = np.maximum(np.maximum(alpha, shaft), cv2.GaussianBlur(trail.astype(np.float32), (0, 0), 0.6))
    return layer(mix(rgb, np.float32([0.9, 0.8, 0.6]), shaft * 0.75), alpha)


def peacock(rng: Generator, size: int) -> Layer:
    """A peacock tail feather, or an overlapping fan of several."""
    hues = np.array([0.68, 0.5, 0.07, 0.28, 0.40]) + rng.normal(0, 0.025, 5) + max(0, rng.uniform(-2, 1))
    palette = [hsv(hues[k], rng.uniform(0.85, 1.0), v) for k, v in enumerate((0.5, 1.0, 0.8, 0.75, 0.6))]
    plume, out, n = _eyespot(rng, size, _sun(rng), palette), canvas.empty(size), int(rng.integers(3, 7))
    if rng.random() < 0.4:
        return _put(out, plume, rng.uniform(-0.15, 0.15), 0.97, pivot=0.0, place=0.0)
    for scale, count in ((rng.uniform(0.76, 0.84), n), (rng.uniform(0.48, 0.58), n - 1)):
        for s in sorted(np.linspace(-1, 1, count), key=abs, reverse=True):
            out = _put(out, plume, s * (0.28 + count * 0.07), scale * rng.normal(1, .02), pivot=1, place=0.82)
    return out


def _plume(rng: Generator, size: int, sun: _Sun, tints: Sequence[Color], kind: int) -> Layer:
    """One feather: a pale shaft, a vane of barbs with splits; bands, a tip, an edge or an eye; down below."""
    (x, y), bend, wide = grid(size), rng.uniform(-0.3, 0.3), rng.uniform(0.36, 0.56)
    x = x - bend * (0.5 - y * y)
    s, side = (0.97 - y) / 1.94, np.abs(x)  # s is 0 at the quill, 1 at the tip
    along = y + rng.uniform(0.5, 1.0) * side - 0.4 * side * side + 0.03 * np.sign(x)
    cell = along * rng.uniform(24, 34) + 200
    ridge, each = np.abs(cell % 1 - 0.5) * 2, _hash(rng, np.floor(cell), x > 0)
    q = np.clip((0.95 - along) / 1.9, 0, 1)
    full = wide * np.clip((q - 0.1) * 4, 0, 1) ** 0.7 * np.clip((1.02 - s) * 3, 0, 1) ** 0.6
    r = side / np.maximum(full, 0.05)
    spot = np.hypot(x / (wide * 0.65), (y + 0.4) / 0.32)
    mark = (np.sin(along * rng.uniform(10, 24) + 1.5 * r), 4 * s - 2.6, 4 * r - 2, np.cos(spot * 5))[kind]
    rgb = mix(mix(tints[0], tints[1], s), tints[2], smoothstep(-0.3, 0.3, mark) * ((spot < 1.3) | (kind < 3)))
    rgb = mix(rgb, np.float32([0.95, 0.93, 0.88]), 0.75 * smoothstep(0.3, 0.12, q))
    height = wide * (0.2 * np.sqrt(np.clip(r, 0, 1)) - 0.14 * r**2) + 0.013 * (1 - ridge)
    rgb = _lit(rgb * (1.12 - 0.4 * ridge)[..., None], height, sun, 0.35, 14)
    rgb, width = rgb * (1 - 0.55 * np.exp(-(((side - 0.035) / 0.03) ** 2)))[..., None], 0.032 - 0.022 * s
    shaft = inside(side - width, size) * (s < 0.97) * (s > 0.0)
    stem = np.float32([1.0, 0.95, 0.82]) * (0.75 - 0.25 * np.clip(x / width, -1, 1))[..., None]
    vane = inside(side - full * (0.93 + 0.1 * each - 0.10 * ridge - 0.5 * (each > 0.94)), size)
    return layer(mix(rgb, stem, shaft), np.maximum(vane, shaft))


def feather(rng: Generator, size: int) -> Layer:
    """A patterned feather, or a spray of several from one quill."""
    out, n = canvas.empty(size), int(rng.choice(np.array([1, 1, 2, 3, 5])))
    tints = [color(rng, (0.55, 0.02, 0.12), saturation=(0.6, 1.0), value=(v, 1.0)) for v in (0.6, 0.5, 0.1)]
    plume = _plume(rng, size, _sun(rng), tints, int(rng.integers(0, 4)))
    if n == 1:
        return _put(out, plume, rng.uniform(-0.5, 0.5), 0.97, pivot=0.0, place=0.0)
    for s in sorted(np.linspace(-1, 1, n), key=abs, reverse=True):
        out = _put(out, plume, s * (0.12 + 0.11 * n), rng.uniform(0.78, 0.88), pivot=0.95, place=0.82)
    return out


def nautilus(rng: Generator, size: int) -> Layer:
    """A coiled shell: a flamed or ribbed nautilus, or one cut open to show its pearly chambers."""
    sun, kind, (x, y) = _sun(rng), int(rng.integers(0, 3)), grid(size)
    b, end = math.log(rng.uniform(2.1, 3.2)) / TURN, rng.uniform(0, TURN)
    ring = np.linspace(end - TURN, end, 64)
    spiral = np.exp(b * (ring - end)) * np.stack([np.cos(ring), np.sin(ring)])
    half = float(np.ptp(spiral, axis=1).max()) / 1.86
    (cx, cy), flip = (spiral.min(1) + spiral.max(1)) / 2, rng.choice(np.array([-1, 1]))
    r, a = canvas.polar(x * float(flip) * half + float(cx), y * half + float(cy))
    grown = np.log(np.maximum(r, 1e-3)) / b + end  # the angle at which the spiral's edge has this radius
    phi = a + TURN * np.ceil((grown - a) / TURN)
    across, age = (phi - grown) / TURN, phi - end  # 0 at the outer edge, 1 at the whorl before
    bowl = np.sqrt(np.clip(1 - (2 * across - 0.95) ** 2, 0.02, 1))
    cell = (age - (0.55 if kind == 1 else 0.35) * np.sin(np.pi * across)) * rng.uniform(1.3, 2.0)
    pale = color(rng, (0.09, 0.12), (0.1, 0.45), (0.85, 1))
    dark = color(rng, (0.03, 0.06, 0.58), (0.6, 1), (0.3, 0.8))
    if kind == 1:
        part, sheen = cell % 1, hsv(rng.random(), 0.6, 1)
        wall = smoothstep(0.4, 0.44, np.maximum(np.abs(part - 0.5), np.abs(across - 0.5)))
        rgb = _ramp(part + 0.25 * across, (0, 0.35, 0.7, 1), (dark * 0.1, dark * 0.5, dark, sheen))
        rgb, height = mix(rgb, pale, wall), r * (0.12 * bowl + 0.12 * wall - 0.14 * np.sin(np.pi * part))
    else:
        wild = 1.3 * np.sin(across * 7) * (kind == 0) + 0.6 * noise(rng, size, 1.2) + cell * rng.uniform(5, 9)
        rgb = mix(pale, dark, smoothstep(-0.6, -0.15, np.sin(wild) - 1.2 * across))
        height = r * (0.42 * bowl + 0.05 * np.abs(np.sin(cell * 6)) * (kind == 2))
    rgb = _lit(rgb, height / half, sun, 0.8, 26) * smoothstep(-0.05, 0.2, 1 - across)[..., None]
    lip = age + 0.25 * (2 * across - 1) ** 2
    inner = _ramp(across, (0, 0.15, 0.6, 1), (pale, 0.5 * (pale + dark), dark * 0.25, dark * 0.1))
    rgb = mix(rgb, inner, smoothstep(-0.4, -0.34, lip) * (kind != 1))
    return layer(rgb, inside((lip - 0.25) * r / half, size))


def shell(rng: Generator, size: int) -> Layer:
    """A scallop: a ribbed fan with banded growth and two ears at the hinge."""
    sun, (x, y), hinge, spread = _sun(rng), grid(size), 0.82, rng.uniform(0.95, 1.25)
    r, a = np.hypot(x, hinge - y), np.arctan2(x, hinge - y) / spread  # a is -1..1 over the fan
    wave, bump = np.cos(a * rng.uniform(8, 15) * np.pi), noise(rng, size, 0.8)
    reach = (1 - 0.26 * a * a - 0.12 * a**4) * (0.975 + 0.025 * wave) * 1.68 / max(1, math.sin(spread) * 1.05)
    r = r / np.maximum(reach, 0.2)
    bands = np.sin((r * rng.uniform(3, 7) + 0.03 * wave + 0.06 * bump) * 2 * np.pi)
    tints = [color(rng, (0.02, 0.09, 0.92), (s, s + 0.4), value=(0.75, 1.0)) for s in (0.1, 0.6, 0.6)]
    rgb = mix(tints[0], tints[1], smoothstep(-0.5, 0.6, bands) * rng.uniform(0.4, 1.0))
    rgb = mix(rgb, tints[2], rng.uniform(0.3, 0.9) * smoothstep(0.7, 0.1, r)) * (0.8 + 0.3 * wave)[..., None]
    height = 0.30 * np.sin(np.pi * np.clip(r, 0, 1) ** 0.8) * np.cos(np.clip(a, -1, 1) * 1.4)
    height = height + r * (0.05 * wave + 0.010 * np.sin(r * 60)) + 0.003 * bump
    fan = inside(np.maximum(r, np.abs(a)) * 0.8 - 0.8, size) * (hinge > y)
    corners = np.array([[-0.42, 0.8], [-0.36, 0.52], [0, 0.4], [0.36, 0.52], [0.42, 0.8], [0, 0.87]])
    ridge = np.sin(x * 45 + y * 8)
    ears = _lit(mix(tints[0], tints[2], 0.5 + 0.5 * ridge), 0.02 * ridge - 0.15 * np.abs(x), sun)
    return canvas.over(layer(ears, canvas.polygon(size, corners)), layer(_lit(rgb, height, sun, 0.6), fan))


def pearls(rng: Generator, size: int) -> Layer:
    """Shiny balls with a room mirrored in them: a heap of pearls, a coiled string, or soap bubbles."""
    sun, (x, y), kind = _sun(rng), grid(size), int(rng.integers(0, 4))  # two of the four are heaps
    tints = [color(rng, hues=(0.08, 0.92, 0.5), saturation=(0.2, 0.95), value=(0.8, 1.0)) for _ in range(3)]
    n, t, out = int(rng.integers(20 if kind == 0 else 8, 28)), rng.uniform(0, 6), canvas.empty(size)
    for k in range(n):
        if kind == 0:
            r0, far = 0.2 - 0.06 * k / n, 0.78 - 0.7 * k / n
            t += 1.9 * r0 / max(far, 0.17)
        else:
            r0, t = rng.uniform(0.2, 0.48) * (1.25 - 0.7 * k / n), rng.uniform(0, TURN)
            far = math.sqrt(rng.random()) * (0.97 - r0)
        cx, cy, pad, tint = math.cos(t) * far, math.sin(t) * far, r0 * 1.35, tints[int(rng.integers(0, 3))]
        box = tuple(slice(*(int(max(c + p + 1, 0) * size / 2) for p in (-pad, pad))) for c in (cy, cx))
        place, u, v = out[box], (x[box] - cx) / r0, (y[box] - cy) / r0
        d, nz = np.hypot(u, v), np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
        facing, edge = u * sun[0][0] + v * sun[0][1] + nz * sun[0][2], (1 - nz) ** 2
        film = 0.5 + 0.5 * np.cos((edge * 8 + v)[..., None] + np.float32([0, 2.1, 4.2]))
        glint, hot = _glints(size, u * r0, v * r0, sun, r0), np.clip(facing, 0, 1) ** 40
        if kind == 1:
            rgb = mix(tint, film, np.clip(0.3 + edge, 0, 1))
            alpha = np.clip(0.15 + 0.85 * edge + 0.35 * smoothstep(0.3, 0.9, 0.4 - facing) * d + hot, 0, 1)
        else:
            floor = smoothstep(0.2, 0.35, v + 0.25 * u * u) * smoothstep(1.0, 0.6, d)  # the ground, mirrored
            glow = (0.25 + 0.75 * np.clip(facing * 0.75 + 0.25, 0, 1) - 0.25 * floor)[..., None]
            rgb, alpha = mix(tint * glow, film * glow, 0.4 * d) + 0.35 * hot[..., None], 1.0
            rgb = rgb + (edge * np.clip(0.4 + v, 0, 1) * 0.6)[..., None] * sun[3]
            place[..., :3] *= 1 - 0.6 * smoothstep(1.35, 0.95, np.hypot(u - 0.06, v - 0.1))[..., None]
        cover = np.maximum(alpha, glint) * np.clip((1 - d) * r0 * size / 2 + 0.5, 0, 1)
        place[...] = canvas.over(place, layer(mix(np.clip(rgb, 0, 1), WHITE, glint), cover))
    return out


def scales(rng: Generator, size: int) -> Layer:
    """The scaly hide of a fish, a snake or a dragon: overlapping glossy plates."""
    (x, y), tip = canvas.turned(*grid(size), rng.uniform(0, TURN)), color(rng, value=(0.1, 1.0))
    n, bow = rng.uniform(3, 6.5), noise(rng, size, 2.2)
    u = x * (1 + rng.uniform(-0.3, 0.3) * y) * n + 0.4 * bow + 50
    v = y * n * rng.uniform(0.9, 1.5) + 0.4 * np.roll(bow, size // 3) + 50
    tints = [color(rng, hues=(0.42, 0.6, 0.05), saturation=(0.55, 1.0), value=(0.6, 1.0)) for _ in range(2)]
    back = mix(*tints, smoothstep(-0.8, 0.8, x + 0.4 * bow))
    return layer(_plated(rng, u, v, _sun(rng), back, edge=tip, bulk=0.5 / n, around=1024)[0])


def _coat(rng: Generator, size: int, base: Colors, long: int, wild: float) -> Layer:
    """A colored hide grown over with hair: ``2**long`` pixels of it, combed unevenly by ``wild``."""
    angle = rng.uniform(0, TURN) + wild * noise(rng, size, 2.0)
    dx, dy, (v, u) = np.cos(angle), np.sin(angle), np.indices((size, size), np.float32)
    hair, tuft = noise(rng, size, 0.05), 0.9 * noise(rng, size, 0.8) - 1
    for k in range(long):  # each round reads the last one at the far end of a path twice as long
        hair = 0.5 * (hair + _sampled(hair, u + dx, v + dy))
        tuft = np.maximum(tuft, _sampled(tuft, u + dx, v + dy) - 1.1 * 2.0 ** (k - long))
        dx, dy = dx + _sampled(dx, u + dx, v + dy), dy + _sampled(dy, u + dx, v + dy)
    hair, tuft = hair / (hair.std() + 1e-6), tuft - tuft.mean()
    u, v = u + dx * (0.25 + 0.2 * hair), v + dy * (0.25 + 0.2 * hair)
    base = cv2.remap(base, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    tone, deep = np.clip(0.95 + 0.05 * long * (hair + 0.8 * tuft), 0.15, 1.5), long / 5
    height = deep * (0.009 * hair + 0.022 * tuft) + 0.05 * noise(rng, size, 1.8)
    return layer(_lit(base * tone[..., None], height, _sun(rng), 0.16, 12))


def fur(rng: Generator, size: int) -> Layer:
    """Flowing fur, in locks, with sheen."""
    tints = [color(rng, hues=(0.07, 0.04, 0.6), saturation=(0.3, 1.0), value=(0.4, 1.0)) for _ in range(2)]
    patches = smoothstep(-0.8, 0.8, noise(rng, size, rng.uniform(1.2, 2.2)))
    return _coat(rng, size, mix(*tints, patches), int(rng.integers(4, 6)), rng.uniform(0.3, 1.0))


def leopard(rng: Generator, size: int) -> Layer:
    """Leopard fur: broken dark rosettes with tawny hearts."""
    tawny = color(rng, hues=(0.11, 0.08), saturation=(0.4, 0.95), value=(0.75, 1.0))
    (dark, heart), n = np.zeros((2, size, size), np.float32), int(rng.integers(3, 6))
    for row, k in np.ndindex(n + 2, n + 2):
        middle = (np.array([k - 0.5 + 0.5 * (row % 2), row - 0.5]) + rng.uniform(-0.17, 0.17, 2)) * 2 / n - 1
        t = np.linspace(0, TURN, 25) + rng.uniform(0, 6)
        shape = 1 + 0.14 * np.cos(2 * t + rng.uniform(0, 6)) + 0.1 * np.cos(3 * t + rng.uniform(0, 6))
        ring = middle + (np.stack([np.cos(t), np.sin(t)]) * shape * 0.64 / n).T
        heart = np.maximum(heart, canvas.polygon(size, ring))
        for piece in range(int(rng.integers(2, 5))):
            span = (piece * 7 + np.arange(rng.integers(3, 6))) % 24
            dark = np.maximum(dark, canvas.stroke(size, ring[span], rng.uniform(0.28, 0.5) / n))
    pale = mix(tawny, WHITE, rng.uniform(0.2, 0.7) * smoothstep(-1, 1, noise(rng, size, 2.0)))
    base, ink = mix(pale, tawny * np.float32([0.85, 0.6, 0.4]), heart), hsv(0.05, 0.8, rng.uniform(0, 0.15))
    return _coat(rng, size, mix(base, ink, dark), 3, rng.uniform(0.1, 0.5))


def zebra(rng: Generator, size: int) -> Layer:
    """Striped fur: stripes that bend, taper and fork."""
    x, y = canvas.turned(*grid(size), rng.uniform(0, TURN))
    phase = x * rng.uniform(9, 18) + 1.2 * noise(rng, size, 2.2) + rng.uniform(-2, 2) * y * y
    for cx, cy, sign in zip(*rng.uniform(-0.9, 0.9, (2, 4)), (1, -1, 1, -1), strict=True):
        phase = phase + sign * np.arctan2(y - cy, x - cx)  # winding once about a point makes a fork
    stripe = smoothstep(-0.25, 0.25, np.sin(phase) + rng.uniform(-0.2, 0.2))
    pale, ink = color(rng, (0.1,), (0.02, 0.5), (0.85, 1)), color(rng, value=(0.02, 0.25))
    return _coat(rng, size, mix(pale, ink, stripe), 3, rng.uniform(0.1, 0.5))
