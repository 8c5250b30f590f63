"""Works of hand, fire and sky: buildings, clockwork, glass, gems, spirals."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.canvas import Color, Field, Layer, color, dome, empty, hsv, inside, layer, mix, noise
from training.canvas import polar, polygon, smoothstep, turned

Sun = tuple[float, float]  # where the light stands in the picture plane; y is down
Box = tuple[slice, slice]

SKYLIGHT = np.array([0.20, 0.24, 0.36], np.float32)  # cool fill, so that shadows keep a hue of their own
SUNLIGHT = np.array([1.05, 0.96, 0.80], np.float32)
INK = np.array([0.05, 0.04, 0.07], np.float32)
WHITE = np.ones(3, np.float32)


def _sun(rng: Generator) -> Sun:
    """A light direction from above, left or right."""
    return float(rng.choice([-1, 1]) * rng.uniform(0.35, 0.8)), float(rng.uniform(-0.85, -0.4))


def _window(size: int, x0: float = -1, y0: float = -1, x1: float = 1, y1: float = 1) -> tuple[Box, Field, Field]:
    """The pixels of a normalized box, its ``x`` as one row and its ``y`` as one column (they broadcast)."""
    a = [int(np.clip((v + 1) * size / 2 + e, 0, size)) for v, e in ((y0, -1), (y1, 2), (x0, -1), (x1, 2))]
    box, axis = (slice(a[0], a[1]), slice(a[2], a[3])), (np.arange(size, dtype=np.float32) * 2 + 1) / size - 1
    return box, axis[None, box[1]], axis[box[0], None]


def _relief(base: NDArray[np.float32], height: Field, sun: Sun, gloss: float | Field = 0.4, rim: float = 0.25,
            size: int = 0) -> NDArray[np.float32]:
    """A color (field) on a height field: warm sun, cool fill, highlight and a cool rim opposite the sun."""
    h, step = np.ascontiguousarray(height, np.float32), (size or height.shape[0]) / 16
    gx, gy = cv2.Sobel(h, cv2.CV_32F, 1, 0, scale=step), cv2.Sobel(h, cv2.CV_32F, 0, 1, scale=step)
    flat = 1 / np.sqrt(gx * gx + gy * gy + 1)
    tilt, far = -(gx * sun[0] + gy * sun[1]) * flat, sun[0] ** 2 + sun[1] ** 2
    dot = np.clip((tilt + 0.7 * flat) / np.sqrt(far + 0.49), 0, 1)
    half = np.clip((tilt + 1.7 * flat) / np.sqrt(far + 2.89), 0, 1)
    out = base * (SKYLIGHT + SUNLIGHT * dot[..., None]) + (gloss * half**40)[..., None]
    return np.clip(out + (rim * np.clip(-tilt, 0, 1) ** 2)[..., None] * (SKYLIGHT * 2), 0, 1)


def _lay(out: Layer, cover: Field, rgb: NDArray[np.float32]) -> None:
    """Paint on a *premultiplied* layer, in place."""
    c = cover[..., None]
    out *= 1 - c
    out[..., :3] += rgb * c
    out[..., 3] += cover


def _put(out: Layer, size: int, rgb: NDArray[np.float32], *distances: Field) -> None:
    """Paint where all the signed distances are negative."""
    worst = distances[0]
    for other in distances[1:]:
        worst = np.maximum(worst, other)
    _lay(out, inside(worst, size), rgb)


def _done(out: Layer) -> Layer:
    """A premultiplied layer as a straight one."""
    out[..., :3] /= np.maximum(out[..., 3:], 1e-6)
    return np.clip(out, 0, 1)


def _ramp(value: Field, colors: Sequence[Color]) -> NDArray[np.float32]:
    """Colors evenly spaced over 0..1, looked up by a field."""
    at, knots = np.linspace(0, 1, 256), np.linspace(0, 1, len(colors))
    table = np.stack([np.interp(at, knots, [c[i] for c in colors]) for i in range(3)], 1).astype(np.float32)
    return table[np.clip(value * 255, 0, 255).astype(np.uint8)]


def _round(base: NDArray[np.float32], u: Field, side: float) -> NDArray[np.float32]:
    """A color (field) on an upright round body, ``u`` -1..1 across it, lit from one side."""
    c = np.clip(u, -1, 1)
    sun = np.clip(0.72 * side * c + 0.62 * np.sqrt(1 - c * c), 0, 1)[..., None]
    rim = np.clip(-side * c, 0, 1)[..., None] ** 8
    return np.clip(base * (SKYLIGHT * 1.2 + SUNLIGHT * 1.1 * sun) + 0.35 * rim * SKYLIGHT + 0.12 * sun**12, 0, 1)


def _bricks(u: Field, v: Field, seed: float = 0.3) -> Field:
    """Courses of stones over unit cells: brightness 0.4..1.1 with dark joints."""
    row = np.floor(v)
    w = u + 0.5 * (row % 2)
    tone = np.sin((row * 12.99 + np.floor(w) * 78.23 + seed) * 43.7) * 0.5 + 0.5
    joint = np.minimum(0.5 - np.abs(w % 1 - 0.5), (0.5 - np.abs(v % 1 - 0.5)) * 0.8)
    return ((0.72 + 0.36 * tone) * (0.55 + 0.45 * smoothstep(0.02, 0.14, joint)))[..., None].astype(np.float32)


def _palette(rng: Generator, hues: Sequence[float], count: int) -> list[Color]:
    """Some vivid colors."""
    return [color(rng, hues=hues, saturation=(0.65, 1.0), value=(0.65, 1.0)) for _ in range(count)]


def _tower(rng: Generator, out: Layer, side: float, cx: float, w: float, top: float, colors: list[Color]) -> None:
    """A round tower of stone with lit windows and, when there are three colors, a pointed roof with a flag."""
    size, stone, glow = out.shape[0], colors[0], colors[1]
    tall = min(w * rng.uniform(2.0, 3.4), top + 0.93 - 0.4 * w)
    box, x, y = _window(size, cx - 1.5 * w, -1, cx + 1.5 * w, 0.72)
    view, u, down = out[box], (x - cx) / w, (y - top) / w
    bend = np.arcsin(np.clip(u, -1, 1))
    rgb = _round(stone * _bricks(bend * 2.0, down * rng.uniform(2.1, 2.8), rng.random()), u, side)
    rgb *= (1 - 0.45 * np.exp(np.minimum(0.35 - down, 0) * 3.3))[..., None]  # the crown's shadow
    _put(view, size, rgb, np.abs(x - cx) - w, top - y)
    merlon = np.where(np.sin(np.arcsin(np.clip(u / 1.2, -1, 1)) * 9 + 1.5) > 0, 0.3 * w, 0)
    lip = stone * (0.75 + 0.4 * smoothstep(0.4, -0.1, down))[..., None]
    _put(view, size, _round(lip, u / 1.2, side), np.abs(x - cx) - 1.2 * w, y - top - 0.35 * w, top - y - merlon)
    for level in range(int(rng.integers(1, 4))):
        wx, wy = cx + w * rng.uniform(-0.25, 0.25), top + (0.85 + 1.15 * level) * w
        d = np.hypot(x - wx, np.minimum(y - wy, 0)) + 4 * np.clip(y - wy - 0.35 * w, 0, 9)
        _put(view, size, stone * 0.28, d - 0.32 * w)
        _put(view, size, glow * (1.1 - 0.5 * np.clip((y - wy) / w + 0.4, 0, 1))[..., None], d - 0.2 * w)
    if len(colors) == 3:
        t, tip = np.clip(down * w / tall + 1, 1e-3, 2), top - tall
        reach = 1.38 * w * t ** rng.uniform(1.0, 1.35)
        v = np.clip((x - cx) / reach, -1, 1)
        bow = np.sqrt(1 - v * v)
        tiles = _bricks(np.arcsin(v) * 2.2, t * rng.uniform(6, 10) - 0.4 * bow) * 1.15
        eaves = (down - 0.22 * bow) * w
        _put(view, size, _round(colors[2] * tiles, v, side), np.abs(x - cx) - reach, eaves, tip - y)
        _put(view, size, INK * 3, np.abs(x - cx) - 0.012, np.abs(y - tip) - 0.4 * w)
        wave = np.abs(y - tip + 0.25 * w + 0.08 * w * np.sin(8 * u))
        _put(view, size, glow, wave - 0.22 * w * (1 - u), cx - x)


def castle(rng: Generator, size: int) -> Layer:
    """A castle on a rock: a keep, round towers with roofs or battlements, a wall with a gate."""
    out, (_, x, y) = empty(size), _window(size)
    side, wall, wide = float(rng.choice([-1, 1])), rng.uniform(0.12, 0.3), rng.uniform(0.55, 0.7)
    stone = color(rng, hues=(0.09, 0.62, 0.03), saturation=(0.15, 0.65), value=(0.65, 1.0))
    roof = color(rng, hues=(0.0, 0.6, 0.8), saturation=(0.65, 1.0), value=(0.6, 1.0))
    glow = color(rng, hues=(0.13, 0.1), saturation=(0.5, 0.9), value=(0.95, 1.0), iconic=0.85)

    def tower(cx: float, w: float, top: float, roofed: float, shade: float) -> None:
        colors = [stone * shade, glow, roof * (0.4 + 0.6 * shade)]
        _tower(rng, out, side, cx, w, top, colors[: 2 + (rng.random() < roofed)])

    tower(rng.uniform(-0.12, 0.12), rng.uniform(0.17, 0.24), rng.uniform(-0.4, -0.15), 0.7, 0.85)
    for s in (-1, 1):
        tower(s * rng.uniform(0.3, 0.42), rng.uniform(0.09, 0.15), rng.uniform(-0.35, 0.0), 0.8, 0.75)
    face = stone * _bricks(x * 8, y * rng.uniform(11, 15)) * (0.92 + 0.25 * side * x[..., None]) * SUNLIGHT
    face = face * (0.65 + 0.45 * smoothstep(wall + 0.06, wall + 0.12, y))[..., None]
    _put(out, size, face, np.abs(x) - wide, wall - y - np.where(np.sin(x * 28) > 0, 0.07, 0), y - 0.75)
    gate = np.hypot(x, np.minimum(y - 0.5, 0))
    _put(out, size, stone * 1.15, gate - 0.2, y - 0.74)
    _put(out, size, mix(glow * 0.8, INK, smoothstep(0.75, 0.35, y)), gate - 0.15, y - 0.74)
    bars = np.minimum(np.abs(x * 13 % 1 - 0.5), np.abs(y * 11 % 1 - 0.5)) / 13 - 0.01
    _put(out, size, INK, bars, gate - 0.15, y - 0.58)
    for s in (-1, 1):
        tower(s * wide, rng.uniform(0.13, 0.2), wall - rng.uniform(0.08, 0.3), 0.55, 1.0)
    rock = y - 0.62 - 0.06 * np.sin(9 * x + rng.uniform(0, 6)) + 0.35 * (np.abs(x) / 0.95) ** 4
    land = mix(stone * 0.55, hsv(rng.uniform(0.2, 0.42), 0.7, 0.5), smoothstep(0.15, 0.02, rock))
    land = _relief(land, noise(rng, size, 0.9) * 0.045, (0.8 * side, -0.6), 0.1)
    _put(out, size, land, -rock, np.hypot(x / 0.95, (y - 0.55) / 0.4) - 1)
    return _done(out)


def pagoda(rng: Generator, size: int) -> Layer:
    """A pagoda: tiers of upswept tiled roofs over lit storeys, lanterns at the eaves, a spire."""
    out, (_, x, y) = empty(size), _window(size)
    side, tiers = float(rng.choice([-1, 1])), int(rng.integers(3, 7))
    roof = color(rng, hues=(0.45, 0.6, 0.02), saturation=(0.6, 1.0), value=(0.4, 0.8)) * 1.35
    wood = color(rng, hues=(0.0, 0.03), saturation=(0.75, 1.0), value=(0.65, 0.95))
    gold = color(rng, hues=(0.12,), saturation=(0.6, 0.85), value=(0.9, 1.0), iconic=0.9)
    pitch, eave0, taper = 1.38 / tiers, rng.uniform(0.72, 0.92), rng.uniform(0.45, 0.62)
    lift, ribs, flare = rng.uniform(0.1, 0.3), rng.uniform(26, 40), rng.uniform(1.7, 2.8)
    stone = _bricks(x * 7, y * 14, rng.random()) * (0.8 + 0.35 * side * x)[..., None] * SUNLIGHT
    _put(out, size, stone, np.abs(x) - 0.68 - 0.1 * np.floor((y - 0.78) * 14), 0.78 - y, y - 0.96)
    for tier in range(tiers):
        eave, floor, last = eave0 * (1 - taper * tier / (tiers - 1)), 0.8 - tier * pitch, tier == tiers - 1
        w, base = eave * 0.62, floor - pitch * 0.42  # half the storey's width; where the eaves hang
        ridge = base - pitch * (0.8 if last else 0.62)
        box, x, y = _window(size, -eave - 0.1, ridge - lift * eave - 0.1, eave + 0.1, floor + 0.03)
        view, u = out[box], np.clip(x / w, -1, 1)
        bay = np.abs((u * (2.5 if tier < tiers - 2 else 1.5) + 0.5) % 1 - 0.5) * 2  # 0 in the middle of a bay
        pane = smoothstep(0.74, 0.64, bay) * smoothstep(0.02, 0.05, floor - 0.03 - y) * 0.9
        lattice = (1.15 - 0.8 * bay) * (0.75 + 0.25 * np.sign(np.sin(x * 90) * np.sin(y * 90) + 0.4))
        body = mix(_round(wood * (0.55 + 0.45 * bay)[..., None], u, side), gold * lattice[..., None], pane)
        body *= (1 - 0.6 * smoothstep(base + 0.12, base - 0.02, y))[..., None]
        _put(view, size, body, np.abs(x) - w, base - 0.06 - y, y - floor)
        rail = gold * (0.6 + 0.3 * side * u)[..., None]
        _put(view, size, rail, np.abs(x) - w * 1.1, np.abs(y - floor + 0.012) - 0.018)
        level = y + lift * eave * (np.abs(x) / eave) ** 3 - ridge
        t = np.clip(level / (base - ridge), 1e-3, 1)
        tip = 0.02 if last else eave * 0.36
        reach = tip + (eave - tip) * t**flare
        v = np.clip(x / reach, -1, 1)
        wave = np.cos(v * ribs * (0.4 + 0.6 * eave))
        rgb = _round(roof * ((0.7 + 0.3 * wave) * (0.6 + 0.5 * t))[..., None], v * 0.85, side)
        shine = np.clip(wave, 0, 1) ** 6 * np.exp(-(((t - 0.55) / 0.2) ** 2)) * (0.6 + 0.4 * side * v)
        trim = smoothstep(0.035, 0.02, base - ridge - level)
        rgb = mix(rgb + 0.35 * shine[..., None], gold * (0.85 + 0.3 * side * v)[..., None], trim)
        _put(view, size, np.clip(rgb, 0, 1), np.abs(x) - reach, level - base + ridge, -level)
        for cx in (-eave * 0.86, eave * 0.86):
            cy = base - lift * eave * 0.6 + 0.07
            box, x, y = _window(size, cx - 0.12, cy - 0.12, cx + 0.12, cy + 0.14)
            d = np.hypot((x - cx) / 0.8, y - cy)
            _lay(out[box], 0.45 * np.exp(-((d / 0.06) ** 2)), gold)
            _put(out[box], size, mix(gold, wood, smoothstep(0.0, 0.05, d)) * (1.2 - 10 * d[..., None]), d - 0.045)
    box, x, y = _window(size, -0.1, -1, 0.1, top := 0.85 - tiers * pitch)
    beads = (0.022 + 0.02 * np.clip(np.cos((y - top) * 55), 0, 1)) * smoothstep(-0.98, top, y)
    _put(out[box], size, _round(gold, x / (beads + 1e-3), side), np.abs(x) - beads, -0.96 - y)
    return _done(out)


def _metal(base: Color, height: Field, turn: Field, sun: Sun, rings: Field, size: int) -> NDArray[np.float32]:
    """Turned metal on a relief: the conic sheen of a lathe-cut face, fine rings, highlights."""
    sheen = 0.55 + 0.6 * np.abs(np.cos(turn - np.arctan2(sun[1], sun[0]))) ** 5 + 0.12 * np.cos(5 * turn + 1)
    bright = mix(base, WHITE, np.clip(sheen - 0.8, 0, 1) * 0.5)
    return _relief(bright * (sheen * (1 + 0.07 * np.sin(rings)))[..., None], height, sun, 0.9, 0.5, size)


def gear(rng: Generator, size: int) -> Layer:
    """Clockwork: one to four toothed metal wheels with spokes, rims, hubs and screws."""
    out, sun, start = empty(size), _sun(rng), rng.uniform(0, 2 * np.pi)
    count = int(rng.choice([1, 2, 3, 4], p=[0.4, 0.2, 0.2, 0.2]))
    for i in range(count):
        big = 0.93 if count == 1 else rng.uniform(0.4, 0.62 if count > 2 else 0.54)
        cx, cy = (0.94 - big) * np.array([np.cos(start + i * 2 * np.pi / count), np.sin(start + i * 2 * np.pi / count)])
        box, x, y = _window(size, cx - big, cy - big, cx + big, cy + big)
        r, a = polar((x - cx) / big, (y - cy) / big)
        a = a + rng.uniform(0, 6.3)
        teeth, spokes = int(rng.integers(9, 26)), int(rng.integers(3, 9))
        deep = min(0.24, 2.4 / teeth)
        tooth = np.clip(np.sin(a * teeth) * rng.uniform(1.5, 3.0), -1, 1) * 0.5 + 0.5
        rim, hub = 1 - deep - rng.uniform(0.14, 0.24), rng.uniform(0.2, 0.34)
        middle, curve = (rim + 1 - deep) / 2, rng.uniform(-0.9, 0.9) * (rng.random() < 0.3)
        across = np.abs(((a + curve * r) * spokes / (2 * np.pi)) % 1 - 0.5) * (2 * np.pi / spokes) * r
        spoke = across - rng.uniform(0.06, 0.11) * (1.3 - 0.5 * r)
        body = np.maximum(r - 1 + deep * (1 - tooth), np.minimum(spoke, np.minimum(r - hub, rim - r)))
        metal = color(rng, hues=(0.11, 0.07, 0.58), saturation=(0.4, 0.9), value=(0.75, 1.0))
        second = color(rng, hues=(0.04, 0.13), saturation=(0.5, 0.9), value=(0.7, 1.0))
        screw = np.hypot(across, r - middle) - 0.04
        height = dome(body, 0.06) + 0.035 * smoothstep(0.07, 0.03, np.abs(r - middle)) + dome(screw, 0.04)
        height += 0.07 * smoothstep(hub * 0.75, hub * 0.6, r) - 0.05 * smoothstep(hub * 0.3, hub * 0.22, r)
        args = (height * big, a, sun, r * rng.uniform(90, 130), size)
        part = np.maximum(smoothstep(hub * 0.7, hub * 0.64, r), smoothstep(0.01, -0.01, screw))
        rgb = mix(_metal(metal, *args), _metal(second, *args), part)
        rgb = mix(rgb, INK, smoothstep(hub * 0.24, hub * 0.2, r) * 0.9)
        _lay(out[box], 0.4 * smoothstep(0.12, -0.04, body) * out[box][..., 3], INK)  # a shadow on the wheel behind
        if rng.random() < 0.4:
            _put(out[box], size, _relief(metal * 0.3, -0.1 * r, sun, 0.2, 0.2, size), r - rim - 0.02)
        _put(out[box], size, rgb * (0.5 + 0.5 * smoothstep(0.0, 0.05, -body))[..., None], body * big)
    return _done(out)


def spiral(rng: Generator, size: int) -> Layer:
    """A glossy band, or several, swirling into the center, each round like a tube and often striped."""
    _, x, y = _window(size)
    r, a = polar(x, y)
    arms, hand, sun = int(rng.integers(1, 5)), float(rng.choice([-1, 1])), _sun(rng)
    curl, power = rng.uniform(2.5, 6.0), rng.uniform(0.35, 1.0)
    across = np.abs((hand * a * arms / (2 * np.pi) + curl * r**power) % 1 - 0.5) * 2  # 0 in the middle of a band
    tube = np.sqrt(1 - 0.97 * across**2)
    height = tube * np.minimum(r ** (1 - power) / (curl * power), 0.25) * 0.6  # every turn as round as it is wide
    first, second, third = _palette(rng, (0.55, 0.85, 0.08), 3)
    along = np.sin(2 * np.pi * r * rng.uniform(0.3, 1.5) + a + rng.uniform(0, 6)) * 0.5 + 0.5
    base = mix(mix(first, second, along), third, smoothstep(0.35, 0.75, across) * rng.uniform(0.2, 1))
    if rng.random() < 0.5:  # a candy's cross stripes
        bars = np.sin(r**0.5 * rng.uniform(30, 60) - hand * a * float(rng.integers(3, 9)))
        base = mix(base, third if rng.random() < 0.5 else WHITE, smoothstep(-0.2, 0.2, bars) * 0.75)
    rgb = _relief(base * (0.1 + tube)[..., None], height, sun, smoothstep(0.3, 0.8, tube) * 0.9, 0.7)
    rgb *= (1 - rng.choice([0, 0.6]) * smoothstep(0.35, 0.0, r))[..., None]
    return layer(np.clip(rgb, 0, 1), inside(r - 0.86 - 0.09 * tube * rng.random(), size))


def galaxy(rng: Generator, size: int) -> Layer:
    """A tilted galaxy on a fading patch of night: knotted arms, dust, a glowing core, stars with rays."""
    _, gx, gy = _window(size)
    x, y = turned(gx, gy, rng.uniform(0, np.pi))
    r, a = polar(x, y / rng.uniform(0.55, 1.0))
    arms, cloud = int(rng.integers(2, 5)), noise(rng, size, 1.1)
    wave = rng.choice([-1, 1]) * a * arms + rng.uniform(1.2, 2.4) * arms * np.log(r + 0.06) + 0.35 * cloud
    arm = (np.cos(wave) * 0.5 + 0.5) ** rng.uniform(1.5, 3.0)
    dust = (np.cos(wave + 1.1) * 0.5 + 0.5) ** 6 * smoothstep(0.12, 0.3, r)
    tints = _palette(rng, (0.6, 0.53, 0.75), 2) + _palette(rng, (0.92, 0.03), 1)
    core = color(rng, hues=(0.12, 0.09), saturation=(0.2, 0.6), value=(0.95, 1.0), iconic=0.9)
    hot = mix(mix(tints[0], tints[1], smoothstep(0.3, 0.7, r)), tints[2], smoothstep(0.2, 1.4, cloud) * 0.9)
    hot = mix(hot, core, np.exp(-((r / 0.28) ** 2)))
    glow = (arm * (1 + 0.35 * cloud) + 0.14).clip(0) * np.exp(-((r / rng.uniform(0.6, 0.75)) ** 2)) * 2.6
    glow = glow * (1 - 0.8 * dust) + 1.6 * np.exp(-((r / 0.13) ** 1.4))
    rgb = hsv(rng.uniform(0.6, 0.8), 0.85, 0.14) * (1 + 0.5 * cloud)[..., None].clip(0) + hot * glow[..., None]
    stars, at = np.zeros((size, size), np.float32), rng.integers(2, size - 2, (int(rng.integers(60, 140)), 2))
    stars[at[:, 0], at[:, 1]] = rng.random(len(at)) ** 3 * 1.4
    for cx, cy in rng.uniform(-0.65, 0.65, (int(rng.integers(1, 5)), 2)):
        dx, dy = np.abs(gx - cx), np.abs(gy - cy)
        stars += np.exp(-(dx + dy) * 20 - np.minimum(dx, dy) * 90) * 1.1
    rgb = 1 - np.exp(-1.5 * rgb - 1.5 * (stars + cv2.GaussianBlur(stars, (0, 0), 1.2))[..., None])
    return layer(rgb.astype(np.float32), smoothstep(0.98, 0.75, np.hypot(gx, gy) + 0.05 * cloud))


def crystal(rng: Generator, size: int) -> Layer:
    """A cluster of pointed six-sided crystals, fanned out from a base or bursting all around."""
    out, sun, burst = empty(size), _sun(rng), rng.random() < 0.35
    tints, grain = _palette(rng, (0.77, 0.5, 0.92), 2), noise(rng, size, 0.8) * 0.05
    count = int(rng.integers(9, 15))
    leans = np.linspace(-np.pi, np.pi, count, endpoint=False) if burst else np.linspace(-1.2, 1.2, count)
    leans = rng.permutation(leans + rng.normal(0, 0.1, count))
    for i, lean in enumerate(leans):
        axis, side = np.array([np.sin(lean), -np.cos(lean)]), np.array([np.cos(lean), np.sin(lean)])
        foot = np.zeros(2) if burst else np.array([0.3 * np.sin(lean), 0.86])
        most = 0.95 if burst else 0.62 + 1.15 * np.cos(lean) ** 2
        length = most * rng.uniform(0.75, 1.0) * (1 - 0.4 * i / count)  # the shorter stand in front
        w = rng.uniform(0.13, 0.21)
        cuts = np.array([-1, rng.uniform(-0.6, -0.2), rng.uniform(0.2, 0.6), 1])
        lows = foot + side * (w * cuts[:, None] * 0.6)
        bow = np.array([0, -0.3, -0.3, 0])[:, None]
        knees = foot + axis * (length + w * (bow - rng.uniform(0.9, 1.6))) + side * (w * cuts[:, None])
        apex = foot + axis * length + side * (w * rng.uniform(-0.3, 0.3))
        tones = 0.45 + (side @ np.array(sun)) * np.array([-0.55, 0.1, 0.55]) + rng.normal(0, 0.07, 3)
        shade, lines = np.zeros((2, size, size), np.uint8)
        for k, tone in enumerate(np.clip(tones, 0.08, 0.75)):
            for shape, shine in (([*lows[k:k + 2], *knees[k:k + 2][::-1]], 0.0), ([*knees[k:k + 2], apex], 0.22)):
                fixed = np.round((np.array(shape) + 1) * (size * 8)).astype(np.int32)
                cv2.fillPoly(shade, [fixed], (tone + shine) * 255, cv2.LINE_AA, 4)
                cv2.polylines(lines, [fixed], True, 200, 1, cv2.LINE_AA, 4)
        corners = np.array([lows[0], knees[0], apex, knees[3], lows[3]])
        cover = polygon(size, corners)
        box, x, y = _window(size, *(corners.min(0) - 0.06), *(corners.max(0) + 0.06))
        up = ((x - foot[0]) * axis[0] + (y - foot[1]) * axis[1]) / length + grain[box]
        value = shade[box] / np.float32(255) + 0.35 * up - 0.2 + 0.16 * np.exp(-(((up - 0.5) / 0.12) ** 2))
        tint = tints[int(rng.integers(2))]
        rgb = _ramp(value, [tint * 0.1, tint * np.float32([0.44, 0.5, 0.66]), tint, tint * 0.5 + 0.5, WHITE])
        _lay(out[box], 0.4 * cv2.GaussianBlur(cover[box], (0, 0), size * 0.02) * out[box][..., 3], tint * 0.1)
        _lay(out[box], cover[box], np.clip(rgb + lines[box][..., None] * np.float32(0.4 / 255), 0, 1))
    return _done(out)


def flame(rng: Generator, size: int) -> Layer:
    """Fire: curling tongues one before another, deep red outside to white inside, in a glow with sparks."""
    out, (_, x, y) = empty(size), _window(size)
    hue = float(rng.choice([0.02, 0.02, 0.02, 0.6, 0.36, 0.8])) + rng.normal(0, 0.015)
    step = 0.055 if hue < 0.2 else rng.choice([-0.06, 0.06])
    fire = [hsv(hue + k * step, s, v) for k, s, v in ((-1, 1, 0.3), (0, 1, 0.85), (1, 1, 1), (2, 0.85, 1), (2.4, 0.25, 1))]
    wild, count = noise(rng, size, 1.5) * 0.035, int(rng.integers(8, 13))
    for late in np.linspace(0, 1, count):
        cx, wide = rng.uniform(-0.6, 0.6) * (1 - 0.5 * late), rng.uniform(0.22, 0.36) * (1 - 0.3 * late)
        t = np.clip((0.9 - y) / ((1.85 - 1.05 * late - 1.2 * cx * cx) * rng.uniform(0.8, 1.0)), 0, 1)
        sway = rng.uniform(0.08, 0.22) * np.sin(t * rng.uniform(3.5, 6.5) + rng.uniform(0, 6.3)) * t
        half = wide * (1 - t) ** 0.85 * t**0.4 * 1.9 - 0.02
        off = np.abs(x - cx * (1 - 0.4 * t) - sway - wild * (0.5 + 2 * t)) - half
        heat = 0.75 * np.clip(-off / (wide * 0.9), 0, 1) ** 0.8 * (1 - 0.6 * t)
        heat += 0.14 + 0.28 * late + 0.25 * np.exp(-((off / 0.025) ** 2)) + wild
        _lay(out, inside(off, size, 2.0), _ramp(heat, fire))
    for sx, sy, sr in rng.uniform((-0.7, -0.9, 0.01), (0.7, 0.3, 0.026), (8, 3)):
        _put(out, size, fire[3], np.hypot(x - sx, (y - sy) * 0.6) - sr)
    halo = cv2.GaussianBlur(out[..., 3], (0, 0), size * 0.06)[..., None] * 0.6
    return _done(out + (1 - out[..., 3:]) * halo * np.append(fire[1], 1).astype(np.float32))


def arches(rng: Generator, size: int) -> Layer:
    """Tiers of arches on shaded pillars, each opening on a further arch, down to a glow or to the dark."""
    _, x, y = _window(size)
    sun = _sun(rng)
    stone = color(rng, hues=(0.09, 0.05, 0.6), saturation=(0.25, 0.75), value=(0.75, 1.0))
    band = color(rng, hues=(0.0, 0.6, 0.12), saturation=(0.65, 1.0), value=(0.55, 0.95))
    deep = color(rng, hues=(0.1, 0.55, 0.8), saturation=(0.55, 1.0), value=(0.3, 1.0))
    half, tall = 1 / rng.uniform(1.4, 3.6), rng.uniform(2.1, 3.4)  # half a bay; a tier's height in half bays
    px, py = x / half + rng.uniform(-1, 1), y / half + tall * (rng.random() + 20)
    u, v = (px + 1) % 2 - 1, py % tall
    reach, point = rng.uniform(0.6, 0.76), rng.choice([0, 0, rng.uniform(0.2, 0.9)])
    spring, shift = 0.5 + np.sqrt(reach * (reach + 2 * point)), rng.uniform(-0.8, 0.8)
    rgb = _ramp(1.25 - np.hypot(u - shift * 0.3, (v - spring) * 0.7) * 1.5, [deep * 0.25, deep, deep * 0.4 + 0.6])
    last, stripes, row = int(rng.integers(1, 4)), int(rng.integers(9, 20)), np.zeros_like(x)
    for k in range(last, -1, -1):
        uk, vk = (u - shift * k * 0.12) * 1.3**k, (v - spring) * 1.3**k + row
        d = np.hypot(np.abs(uk) + point, np.minimum(vk, 0)) - (reach + point)
        wedge = np.where(vk < 0, np.arctan2(-vk, np.abs(uk) + 1e-3) / np.pi, vk / 3) * stripes
        joint, ring = smoothstep(0.02, 0.12, 0.5 - np.abs(wedge % 1 - 0.5)), smoothstep(0.26, 0.23, d)
        height = half * (0.05 * ring + 0.08 * np.sqrt(np.clip(1 - ((d - 0.13) / 0.13) ** 2, 0, 1)) * joint)
        voussoir = mix(stone, band, np.floor(wedge) % 2) * (0.6 + 0.4 * joint)[..., None]
        base = mix(stone * _bricks(px * 1.5, py * 3), voussoir, ring)
        if k == 0:
            bend = np.clip((1 - np.abs(u)) / (1 - reach), 0, 1)  # 1 at the opening's side, 0 in the pillar's middle
            shaft = smoothstep(-0.02, 0.02, vk)
            cap = smoothstep(0.1, 0.07, np.abs(vk - 0.02)) + smoothstep(0.16, 0.13, tall - v)
            cap = cap + smoothstep(0.2, 0.17, np.abs(v - 0.12)) * (0.7 + 0.3 * np.cos(px * 12.57))
            bulge = np.sqrt(1 - bend**2)
            flute = stone * ((0.8 + 0.2 * np.cos(np.arcsin(bend) * 9)) * (0.35 + 0.65 * bulge))[..., None]
            base = mix(mix(base, flute, shaft), band * 0.5 + stone * 0.5, np.clip(cap, 0, 1))
            height = np.where(shaft > 0.5, half * 0.24 * bulge, height) + half * 0.12 * cap
        wall = inside(-d * (half / 1.3**k), size)
        front = mix(_relief(base * 0.85**k, height * wall, sun, 0.25, 0.3), deep * 0.6, np.full_like(d, 0.17 * k))
        rgb = mix(rgb * (0.4 + 0.6 * smoothstep(-0.02, -0.3, d))[..., None], front, wall)
    return layer(np.clip(rgb, 0, 1))


def _panes(rng: Generator, size: int, r: Field, a: Field) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The frame cut into numbered panes, as a rose window or irregularly, and the panes' color numbers."""
    if rng.random() < 0.35:
        seeds, at = np.ones((size, size), np.uint8), rng.integers(0, size, (int(rng.integers(25, 70)), 2))
        seeds[at[:, 0], at[:, 1]] = 0
        ids = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
        return ids, ids * 7 + ids // 5
    n, ring = int(rng.integers(6, 13)), np.zeros((size, size), np.int32)
    for i, at in enumerate(np.cumsum(rng.uniform(0.2, 0.34, 6))):
        ring += r > at + rng.uniform(-0.1, 0.12) * np.abs(np.cos(a * n / 2 + i * np.pi / 2))
    turn = (a / (2 * np.pi) * n + 0.5 * (ring % 2)) * (1 + (ring > 2))
    sector = np.floor(turn).astype(np.int32) % 24 * (ring > 0)
    fold = (a + np.pi / n) % (2 * np.pi / n) - np.pi / n
    disk = np.hypot(r * np.cos(fold) - 0.6, r * np.sin(fold)) < rng.choice([0, 1.2, 1.5]) / n
    return np.where(disk, np.floor(a * n / 6.2832 + 0.5) + 999, ring * 32 + sector).astype(np.int32), np.where(
        disk, 6, ring * 4 + sector % 2 * int(rng.integers(0, 3))).astype(np.int32)


def stained_glass(rng: Generator, size: int) -> Layer:
    """A leaded window with the sun behind it: a rose of petals and rings, or irregular panes."""
    _, x, y = _window(size)
    ids, pick = _panes(rng, size, *polar(x - rng.normal(0, 0.1), y - rng.normal(0, 0.1)))
    same = np.ones((size, size), np.uint8)
    same[:, 1:] &= ids[:, 1:] == ids[:, :-1]
    same[1:] &= ids[1:] == ids[:-1]
    d = cv2.GaussianBlur(cv2.distanceTransform(same, cv2.DIST_L2, 5), (0, 0), 0.7) * (2 / size)
    glass, streak, lead = np.stack(_palette(rng, (0.62, 0.0, 0.12, 0.4, 0.8), 7)), noise(rng, size), rng.uniform(0.02, 0.03)
    sun = np.exp(-((np.hypot(x - rng.uniform(-0.5, 0.5), y - rng.uniform(-0.5, 0.5)) / 1.1) ** 2))
    pane = (1.15 + 0.13 * streak + 0.2 * np.sin(ids * 2.4)) * (0.55 + 0.5 * sun)
    pane = pane * (0.5 + 0.6 * smoothstep(lead, lead + 0.12, d))
    rgb = glass[pick % 7] * pane[..., None] + (0.4 * sun * smoothstep(0.04, 0.25, d) * np.clip(streak + 0.4, 0, 1))[..., None]
    came = _relief(hsv(0.62, 0.25, 0.25), dome(d - lead, lead), _sun(rng), 0.3, 0.3)
    rgb = mix(np.clip(rgb, 0, 1.3), came, smoothstep(lead + 0.012, lead - 0.004, d))
    return layer(np.clip(rgb + 0.3 * cv2.GaussianBlur(rgb, (0, 0), size * 0.03) - 0.03, 0, 1))


def honeycomb(rng: Generator, size: int) -> Layer:
    """Wax cells, six-sided and deep: some hold glossy honey, some are capped, some are empty."""
    _, x, y = _window(size)
    sun, scale, s3, bend = _sun(rng), rng.uniform(2.0, 4.6), np.float32(np.sqrt(3)), noise(rng, size, 1.8) * 0.02
    px, py = turned((x + bend) * scale + 20, y * scale, rng.uniform(0, np.pi))
    ax, ay = px - np.round(px), py - np.round(py / s3) * s3
    bx, by = px % 1 - 0.5, (py / s3 % 1 - 0.5) * s3
    first = ax * ax + ay * ay < bx * bx + by * by
    hx, hy = np.where(first, ax, bx), np.where(first, ay, by)
    key = np.sin(np.round((px - hx) * 2) * 12.99 + np.round((py - hy) * 2 / s3) * 78.23) * 437.58 % 1
    d = 0.5 - np.maximum(np.abs(hx), np.abs(hx) * 0.5 + np.abs(hy) * (s3 / 2))  # from the cell's edge, inward
    wax = color(rng, hues=(0.12, 0.1), saturation=(0.5, 0.85), value=(0.85, 1.0), iconic=0.8)
    honey = color(rng, hues=(0.09, 0.06), saturation=(0.85, 1.0), value=(0.8, 1.0), iconic=0.8)
    rim, full, capped = rng.uniform(0.06, 0.1), rng.uniform(0.3, 0.8), key > 1 - rng.uniform(0.0, 0.3)
    slope = (hx * sun[0] + hy * sun[1]) * 2  # the far wall of a pit catches the light
    pool = (0.55 - 0.8 * slope + 0.35 * np.sin(key * 40)) * smoothstep(0.0, 0.25, d)
    fill = _ramp(pool, [honey * 0.22, honey * 0.7, honey, honey * 0.6 + np.float32([0.4, 0.35, 0.1])])
    spot = np.hypot(hx - sun[0] * 0.22, hy - sun[1] * 0.22)
    fill += (0.95 * smoothstep(0.11, 0.05, spot) + 0.25 * smoothstep(0.05, 0.0, np.abs(spot - 0.62)))[..., None]
    pit = mix(INK, wax * 0.75, np.clip(0.75 - 2.0 * (d - rim) - 0.9 * slope, 0, 1))
    rgb = mix(mix(pit, np.clip(fill, 0, 1), key < full), wax * 0.85, capped)
    wall = smoothstep(rim + 0.03, rim, d)
    height = (dome(d - rim, rim) * 1.6 + 0.3 * np.sqrt(np.clip(d, 0, 1)) * capped) / scale
    solid = _relief(mix(rgb, wax, wall), height + 0.002 * noise(rng, size, 0.6), sun, 0.6, 0.4)
    shade = 0.55 + 0.45 * np.maximum(smoothstep(rim, rim + 0.1, d), wall)
    return layer(np.clip(mix(rgb, solid, np.maximum(wall, capped)) * shade[..., None], 0, 1))


def knot(rng: Generator, size: int) -> Layer:
    """Celtic plaitwork: bands that pass over and under in turn, or turn back, each strand one color."""
    _, x, y = _window(size)
    scale, m, n, wide = rng.uniform(2.0, 4.2), int(rng.integers(2, 5)), 12, rng.uniform(0.24, 0.36)
    u, v = turned(x * scale, y * scale, np.pi / 4 + rng.choice([0, rng.normal(0, 0.2)]))
    u, v = u + n / 2, v + n / 2
    i, j = (np.clip(np.floor(w), 0, n - 1).astype(np.int32) for w in (u, v))
    cell = rng.choice([0, 1, 2], (m, m), p=[0.6, 0.2, 0.2])
    cell = np.concatenate([cell, cell[:: rng.choice([-1, 1])]])
    kinds = np.tile(np.concatenate([cell, cell[:, ::-1]], 1), (n, n))[:n, :n]
    ends = np.arange(2 * (n + 1) ** 2).reshape(2, n + 1, n + 1)  # strands' names at the tiles' left, and at the top
    for p, q in np.ndindex(n, n):
        w, e, t, b = (0, p, q), (0, p, q + 1), (1, p, q), (1, p + 1, q)
        for one, other in (((w, e), (t, b)), ((w, t), (e, b)), ((w, b), (e, t)))[kinds[p, q]]:
            ends[ends == ends[one]] = ends[other]
    kind, fu, fv = kinds[j, i], u - i - 0.5, v - j - 0.5
    flip = np.where(kind == 2, -fv, fv)
    near = fu + flip < 0
    arc = np.abs(np.hypot(np.where(near, fu, -fu) + 0.5, np.where(near, flip, -flip) + 0.5) - 0.5)
    level, cross = (i + j) % 2 == 0, kind == 0  # at a level crossing the strand along u lies on top
    top, low = np.where(level, np.abs(fv), np.abs(fu)), np.where(level, np.abs(fu), np.abs(fv))
    upper = top < wide
    off = np.where(cross, np.where(upper, top, low), arc)
    enters = np.where(upper == level, ends[0, j, i], ends[1, j, i])
    name = np.where(cross, enters, np.where(near, ends[0, j, i], ends[0, j, i + 1]))
    t = np.clip(off / wide, 0, 1)
    groove = smoothstep(0.08, 0.0, np.abs(t - rng.uniform(0.5, 0.75)))
    base = mix(np.stack(_palette(rng, (0.12, 0.35, 0.6), 4))[name * 7 % 4], color(rng, hues=(0.12, 0.0)), groove * 0.8)
    base *= (1 - 0.65 * (cross & ~upper) * smoothstep(wide + 0.2, wide, top))[..., None]
    ground = color(rng, hues=(0.4, 0.62, 0.0), saturation=(0.6, 1.0), value=(0.15, 0.45))
    dots = smoothstep(0.1, 0.0, np.hypot(u * 4 % 1 - 0.5, v * 4 % 1 - 0.5) - 0.2)
    floor = ground * ((0.35 + 0.65 * smoothstep(wide, wide + 0.2, off)) * (1 + 0.9 * dots))[..., None]
    cover = inside((off - wide) / scale, size)
    height = (np.sqrt(1 - t * t * 0.96) * 0.26 - 0.05 * groove) / scale
    return layer(mix(floor, _relief(base, height * cover, _sun(rng), 0.8 * (t < 0.9), 0.5), cover))
