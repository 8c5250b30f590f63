"""Sea, sky and small growth: waves, clouds, lightning, bubbles, ice, moons, seed heads, cones, starfish."""

from __future__ import annotations

import math
from itertools import pairwise

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.canvas import (
    Color,
    Field,
    Layer,
    color,
    dome,
    empty,
    inside,
    layer,
    mix,
    noise,
    polar,
    smoothstep,
    stroke,
    turned,
)
from training.sunlight import (
    INK,
    SKYLIGHT,
    SUNLIGHT,
    WHITE,
    Colors,
    Sun,
    draw_sun,
    draw_tints,
    finished,
    lay,
    put,
    ramp,
    relief,
    rounded,
    window,
)

Points = NDArray[np.float64]  # [N, 2], x and y

TAU, GOLDEN = 2 * np.pi, np.pi * (3 - np.sqrt(5))


def _smooth(knots: list[tuple[float, float]], count: int = 60) -> Points:
    """A smooth curve near its knots: they are joined, densely, and the corners rubbed off."""
    at, points = np.linspace(0, len(knots) - 1, count), np.array(knots)
    line = np.stack([np.interp(at, np.arange(len(points)), p) for p in points.T], 1)
    padded = np.pad(line, ((8, 8), (0, 0)), "reflect", reflect_type="odd")
    kernel = np.hanning(17) / np.hanning(17).sum()
    return np.stack([np.convolve(p, kernel, "valid") for p in padded.T], 1)


def _foam(out: Layer, spots: Points, radii: NDArray[np.float64], dark: Color) -> None:
    """A mass of white puffs, each shaded below, with one dark line around them all."""
    size, boxes = len(out), []
    for (cx, cy), r in zip(spots, radii, strict=True):
        box, x, y = window(size, cx - r - 0.03, cy - r - 0.03, cx + r + 0.03, cy + r + 0.03)
        boxes.append((box, d := np.hypot(x - cx, y - cy) - r, smoothstep(-0.1, 1.0, (y - cy) / r) + 0 * d))
        put(out[box], size, dark, d - 0.018)
    for box, d, low in boxes:
        put(out[box], size, mix(WHITE, dark * 0.4 + 0.45, low), d)


def wave(rng: Generator, size: int) -> Layer:
    """A great wave as in Hokusai's print: striped water that curls over, claws of foam, spray."""
    out, (_, x, y), lean = empty(size), window(size), rng.uniform(-0.07, 0.07, 6)
    deep, mid, pale = draw_tints(
        rng, ((0.61, 0.6), 0.65, 0.25), ((0.57, 0.55), 0.5, 0.55), ((0.52, 0.13), 0.1, 0.9))
    tip, drop = rng.uniform(0.5, 0.72), rng.uniform(-0.15, 0.1)
    back = _smooth([(-0.97, 0.8), (-0.93, 0.25 + lean[0]), (-0.72, -0.25), (-0.4, -0.64 + lean[1]),
                    (0, -0.88), (0.38, -0.8), (tip, -0.48), (tip + 0.08, drop)])
    low = _smooth([(-0.9, 0.9), (-0.8, 0.5), (-0.66, 0.1), (-0.4, -0.3), (-0.05, -0.6), (0.25, -0.66),
                   (tip - 0.02, -0.42), (tip + 0.04, drop)])
    face = _smooth([(0.95, 0.75), (0.4, 0.62 + lean[2]), (0.06, 0.4), (-0.1, 0.05 + lean[3]), (0.02, -0.3),
                    (0.25, -0.46), (tip - 0.08, -0.3), (tip + 0.02, drop)])
    bands, drawing = 2 * int(rng.integers(7, 11)), np.zeros((size * 2, size * 2, 4), np.float32)
    rims = [back * (1 - t) + low * t for t in np.linspace(0, 1, 7)[:-1]]
    rims += [low * (1 - t) + face * t for t in np.linspace(0, 1, bands) ** 0.9]
    for k, (one, other) in enumerate(pairwise(rims)):
        tint = mix(deep, mid, (k + 1) / 6) if k < 6 else (deep, pale, mid, pale * 0.4 + mid * 0.6)[k % 4]
        tint = (*np.clip(tint * (1.15 - 0.45 * max(0, k - 6) / bands), 0, 1).tolist(), 1.0)
        fixed = np.round((np.concatenate([one, other[::-1]]) + 1) * size * 16).astype(np.int32)
        cv2.fillPoly(drawing, [fixed], tint, cv2.LINE_AA, 4)
        cv2.polylines(drawing, [fixed], True, tint, 1, cv2.LINE_AA, 4)
    out += cv2.resize(drawing, (size, size), interpolation=cv2.INTER_AREA)
    out[..., :3] *= (0.72 + 0.4 * smoothstep(0.35, 0.95, np.hypot(x - 0.3, y)))[..., None]
    swell = rng.uniform(0, 6)
    for k in range(3):  # the sea before it
        line = y - 0.7 - 0.07 * k + 0.05 * np.sin(x * (5 - k) + swell + 2.2 * k)
        rgb = ramp(0.5 + 0.5 * np.sin(line * 60), [deep, mid, pale]) * (0.8 + 0.1 * k)
        put(out, size, mix(rgb, WHITE, smoothstep(0.04, 0.02, line)), -line, np.hypot(x, y * 0.99) - 0.985)
    n, claws = int(rng.integers(40, 56)), np.arange(24, 60, 4)
    at = (rng.uniform(0.25, 1.0, n) ** 0.7 * 59).astype(int)
    spots, radii = [back[at] + rng.normal(0, 0.03, (n, 2)) + (0, 0.02)], [rng.uniform(0.025, 0.065, n)]
    for p, bend in zip(claws, rng.uniform(0.6, 1.5, len(claws)), strict=True):  # curled along the crest
        t = np.linspace(0, 1, 6)
        hook = np.stack([0.17 * np.sin(bend + t * 1.6) - 0.1, 0.24 * t], 1) * (p / 60)
        spots, radii = [*spots, back[p] + rng.normal(0, 0.02, 2) + hook], [*radii, 0.05 - 0.038 * t]
    _foam(out, np.concatenate(spots), np.concatenate(radii), deep)
    spray = back[rng.integers(20, 60, 26)] + rng.normal((0.06, -0.01), 0.11, (26, 2))
    _foam(out, spray, rng.uniform(0.008, 0.02, 26), WHITE)
    return np.ascontiguousarray(finished(out)[:, :: rng.choice([-1, 1])])


def cloud(rng: Generator, size: int) -> Layer:
    """A heap of cumulus: puffs upon puffs, flat below, blazing where the sun strikes, blue in the shade."""
    (_, _, y), sun, high = window(size), draw_sun(rng), np.full((size, size), -1.0, np.float32)
    wild, peak, puffs = noise(rng, size, 0.95) * 0.018, rng.uniform(-0.35, 0.35), []
    for cx in np.linspace(-0.66, 0.66, int(rng.integers(5, 8))) + rng.normal(0, 0.05):
        tall = (1.15 - 0.75 * abs(cx - peak)) * rng.uniform(0.75, 1.0)
        for cy in np.arange(0.42, 0.42 - tall, -0.22):  # a column, narrower toward its top
            r = rng.uniform(0.24, 0.32) * (1 - 0.35 * (0.42 - cy) / tall) * (1.05 - 0.3 * abs(cx))
            cx = float(np.clip(cx + rng.normal(0, 0.05), r - 0.96, 0.96 - r))
            puffs.append((cx, cy, r, 0.0))
            for a, b in rng.uniform((0, 0.6), (TAU, 1.0), (4, 2)):
                z = r * np.sqrt(1 - b * b) * 0.9
                puffs.append((cx + r * b * np.cos(a), cy + r * b * np.sin(a), r * rng.uniform(0.25, 0.5), z))
    for cx, cy, r, z in puffs:
        box, px, py = window(size, cx - r - 0.05, cy - r - 0.05, cx + r + 0.05, cy + r + 0.05)
        ball = r * r - (px - cx + wild[box]) ** 2 - (py - cy + wild[box]) ** 2
        high[box] = np.maximum(high[box], np.where(ball > 0, z + np.sqrt(np.maximum(ball, 0)), -1))
    solid = cv2.GaussianBlur(inside(-high - 0.02, size), (0, 0), 0.8)
    solid = solid * smoothstep(0.06, -0.06, y - 0.6 - 0.03 * noise(rng, size, 1.6))
    body = cv2.GaussianBlur(np.maximum(high, 0), (0, 0), 1.0) + 0.35 * wild
    broad = cv2.GaussianBlur(body, (0, 0), size * 0.04)
    gx, gy = (cv2.Sobel(body * 0.55 + broad, cv2.CV_32F, *d, scale=size / 16) for d in ((1, 0), (0, 1)))
    dot = (0.55 - gx * sun[0] - gy * sun[1]) / np.sqrt(1 + gx * gx + gy * gy)
    late = 0.5 * (rng.random() < 0.25)  # sunset
    warm = color(rng, (0.11 - 0.08 * late,), (late, 0.12 + late), (0.98, 1.0), 0.9)
    cool = color(rng, (0.61 + 0.5 * late,), (0.25, 0.5), (0.65, 0.9), 0.85)
    value = 0.26 + 0.62 * dot + 1.8 * (body - broad) - 0.25 * (y + 0.1)
    rgb = ramp(value, [cool * 0.4, cool * 0.85, cool * 0.45 + warm * 0.5, warm, WHITE])
    return layer(rgb, np.clip(solid, 0, 1))


def _bolt(rng: Generator, start: Points, end: Points, rough: float) -> Points:
    """A jagged line between two points, by displaced midpoints."""
    line = np.stack([start, end])
    for _ in range(5):
        middle = (line[1:] + line[:-1]) / 2 + rng.normal(0, rough, (len(line) - 1, 2))
        line, rough = np.insert(line, np.arange(1, len(line)), middle, 0), rough * 0.55
    return line


def lightning(rng: Generator, size: int) -> Layer:
    """A branching bolt in a stormy night: white-hot, with a colored glow that lights the clouds."""
    (_, _, y), core, strike = window(size), np.zeros((size, size), np.float32), rng.uniform(-1, 1, 4)
    for k in range(int(rng.choice([1, 1, 2]))):
        trunk = _bolt(rng, np.array([strike[k] * 0.5, -1.05]), np.array([strike[k + 2] * 0.7, 1.05]), 0.16)
        core = np.maximum(core, stroke(size, trunk, rng.uniform(0.022, 0.036)))
        for _ in range(int(rng.integers(5, 10))):
            p, way = trunk[int(rng.integers(3, 26))], rng.uniform((0.3, 0.25), (0.9, 0.7))
            way[0] *= rng.choice([-1, 1])
            branch = _bolt(rng, p, p + way * rng.uniform(0.4, 1.1), 0.09)
            twig, turn = branch[int(rng.integers(8, 24))], way * rng.uniform(-0.6, 0.6) + (0, 0.25)
            core = np.maximum(core, stroke(size, branch, 0.012) * 0.9)
            core = np.maximum(core, stroke(size, _bolt(rng, twig, twig + turn, 0.05), 0.01) * 0.6)
    glow, night = draw_tints(rng, ((0.7, 0.62, 0.55, 0.78), 0.5, 0.9), ((0.68, 0.62), 0.6, 0.1))
    near, mid, far = (cv2.GaussianBlur(core, (0, 0), size * s) for s in (0.012, 0.04, 0.14))
    puff = cv2.GaussianBlur(noise(rng, size, 1.7), (0, 0), size / 60)
    billow = relief(night * 1.5 + 0.05, (np.abs(puff) * 0.3).astype(np.float32), (0.2, -0.8), 0.0, 0.1)
    rgb = billow * (0.35 + smoothstep(0.6, -0.9, y + 0.25 * puff) + 5 * far)[..., None]
    rgb = rgb + glow * (0.9 * near + 1.9 * mid + 0.7 * far)[..., None] + (1.1 * core + 0.5 * near)[..., None]
    return layer(np.clip(1.12 * (1 - np.exp(-1.25 * rgb)), 0, 1))


def bubbles(rng: Generator, size: int) -> Layer:
    """Soap bubbles: clear, with iridescent bands that brighten to the rim, and windows mirrored twice."""
    out, sun, swirl, count = empty(size), draw_sun(rng), noise(rng, size, 1.8), rng.choice([1, 4, 6, 9, 12])
    spots = np.empty((0, 3))
    while len(spots) < count:
        r = 0.92 if count == 1 else rng.uniform(0.45, 1.0) * 0.95 / np.sqrt(count)
        tries = np.array([*rng.uniform(r - 0.97, 0.97 - r, (40, 2)).T, np.full(40, r)]).T
        room = [np.min(np.hypot(*(spots - t)[:, :2].T) - spots[:, 2] - 0.8 * r, initial=9) for t in tries]
        spots = np.vstack([spots, tries[np.argmax(room)]])
    shift, strength, vivid = rng.uniform(0, 2), rng.uniform(0.65, 0.9), rng.uniform(0.5, 0.65)
    for cx, cy, r in spots.astype(np.float32):
        box, x, y = window(size, cx - r, cy - r, cx + r, cy + r)
        u, v = (x - cx) / r, (y - cy) / r
        d = np.hypot(u, v)
        film = (1.5 + 0.9 * v + 0.25 * swirl[box]) / (np.sqrt(np.clip(1 - d * d, 0, 1)) + 0.35) + shift + cx
        rgb = np.stack([0.5 + vivid * np.cos(film * 3.4 + p) for p in (0, 2.2, 4.2)], -1)
        rgb = rgb * (0.85 + 0.35 * (u * sun[0] + v * sun[1]))[..., None]
        rgb += 0.35 * smoothstep(0.9, 0.99, d)[..., None]
        clear = 0.22 + 0.9 * smoothstep(0.35, 1.0, d) ** 1.5 * strength
        lay(out[box], np.clip(clear, 0, 0.97) * inside((d - 1) * r, size), np.clip(rgb, 0, 1))
        p, q = turned(u, v, np.arctan2(sun[1], sun[0]))
        for side, bright in ((1, 0.95), (-0.85, 0.5)):  # a window, and its image on the far wall
            a = np.arctan2(q, p * side)
            pane = np.maximum(np.abs(d - 0.74) - 0.11, np.abs(a) - 0.36)
            bars = np.minimum(np.abs(d - 0.74), np.abs(a))
            lay(out[box], bright * smoothstep(0.03, -0.04, pane) * smoothstep(0.0, 0.05, bars), WHITE)
    return finished(out)


def _twig(u: Field, v: Field, length: float) -> Field:
    """Distance to a twig along the axis of ``u``, greater toward its end: it tapers."""
    return np.hypot(u - np.clip(u, 0, length), v) + 0.012 * np.clip(u / length, 0, 1)


def snowflake(rng: Generator, size: int) -> Layer:
    """A six-armed ice crystal: stems with twigs at sixty degrees, plates, bevels that glitter."""
    (_, x, y), sun = window(size), draw_sun(rng)
    r, a = polar(*turned(x, y, rng.uniform(0, np.pi)))
    fold = a - np.round(a * 6 / TAU) * (TAU / 6)
    p, q, d = r * np.cos(fold), np.abs(r * np.sin(fold)), np.abs(r * np.sin(fold)) + np.maximum(r - 0.88, 0)
    thick, plume, plate = rng.uniform((0.026, 0.3, 0.14), (0.042, 0.9, 0.34))
    for at in np.linspace(rng.uniform(0.2, 0.35), 0.8, int(rng.integers(3, 7))):
        length = (0.14 + plume * 0.45 * np.sin(3 * at) ** 2) * rng.uniform(0.6, 1.0)
        length = min(length, at * 0.55, (0.98 - at) * 1.6 + 0.05)
        u, v = turned(p - at, q, np.pi / 3)
        d = np.minimum(d, _twig(u, v, length))
        for f in (0.45, 0.7) if length > 0.2 else ():
            d = np.minimum(d, _twig(*turned(u - length * f, np.abs(v), np.pi / 3), length * 0.3) + 0.006)
    tip = np.maximum(np.abs(p - 0.88) + q * 0.58, q * 1.15) - rng.uniform(0.05, 0.09)
    d = np.minimum(np.minimum(d - thick, p - plate), tip)
    ice, shade = draw_tints(rng, ((0.55, 0.58), 0.15, 0.9), ((0.6, 0.63), 0.55, 0.55))
    lines = [smoothstep(0.015, 0.0, np.abs(e)) for e in (d + thick * 0.9, p - plate * 0.6, p - plate * 0.3)]
    lines, facet = np.max(lines, 0), 0.5 + 0.5 * np.cos(np.round(a * 6 / TAU) * (TAU / 6) + 1) * np.sign(fold)
    base = mix(shade, ice, np.clip(0.35 + 0.4 * facet + 0.5 * smoothstep(0.0, thick, -d) + 0.2 * r, 0, 1))
    rgb = relief(base * 1.1, dome(d, thick * 1.6) + 0.012 * lines, sun, 0.9, 0.9) + 0.35 * lines[..., None]
    cover, frost = inside(d, size), cv2.GaussianBlur(inside(d, size), (0, 0), size * 0.02)
    return layer(np.clip(mix(shade * 0.8, rgb, cover), 0, 1), np.maximum(cover, frost * 0.25))


def moon(rng: Generator, size: int) -> Layer:
    """A world in space: cratered, with seas and rays, or banded and ringed; night falls on one side."""
    out, (_, x, y), sun, ringed = empty(size), window(size), draw_sun(rng), rng.random() < 0.4
    big, tilt = (rng.uniform(0.52, 0.6), rng.normal(0, 0.35)) if ringed else (0.94, rng.uniform(0, TAU))
    u, v = turned(x / big, y / big, tilt)
    d = np.hypot(u, v)
    nz, mottle, height = np.sqrt(np.clip(1 - d * d, 0, 1)), noise(rng, size, 1.2), 0 * u
    if ringed:
        tints = draw_tints(rng, *[((0.09, 0.06, 0.12, 0.58), 0.3, 0.65)] * 3)
        lat = np.arcsin(np.clip(v - 0.12 * nz, -1, 1)) * rng.uniform(3, 6) + 0.1 * mottle * rng.random()
        bands = 0.5 + 0.3 * np.sin(lat * 2.7) + 0.2 * np.sin(lat * 6.1 + 1)
        base = ramp(bands, [tints[0] * 0.6, *tints, tints[1] * 0.4 + 0.6])
        base = mix(base, tints[2] * 0.8, smoothstep(0.12, 0.09, np.hypot((u - 0.3) / 2, v - 0.35)))
    else:
        gray, sea = draw_tints(rng, ((0.12, 0.1, 0.6), 0.03, 0.85), ((0.62, 0.08), 0.05, 0.3))
        gray = mix(np.float32(gray.mean()) + 0 * gray, gray, rng.choice([0.25, 1]))
        base = mix(gray, sea, smoothstep(0.1, 1.1, noise(rng, size, 1.6)) * 0.75)
        base *= (1 + 0.07 * mottle)[..., None]
        for k in range(int(rng.integers(30, 55))):
            r, cz, ca = 0.045 + 0.24 * rng.random() ** 4, rng.uniform(0.25, 1.0), rng.uniform(0, TAU)
            cx, cy = np.sqrt(1 - cz * cz) * np.cos(ca), np.sqrt(1 - cz * cz) * np.sin(ca)
            t = np.sqrt((u - cx) ** 2 + (v - cy) ** 2 + (nz - cz) ** 2) / r
            bowl = np.minimum(t * t - 1, 0) * 0.5 + 0.45 * np.exp(-(((t - 1) / 0.25) ** 2)) + 0.3 * (t < 0.2)
            height += bowl * r * 0.3 * np.minimum(nz * 2, 1)
            if k < 2:  # bright rays
                fan = np.clip(np.sin(np.arctan2(v - cy, u - cx) * 9 + k) * 2 - 0.6, 0, 1) * (t > 1)
                base = mix(base, WHITE, 0.6 * fan * np.exp(-t * r * 2.5))
    (lx, ly), lz = turned(*np.float32(sun), tilt), rng.uniform(0.3, 0.9)
    slopes = (cv2.Sobel(height, cv2.CV_32F, *o, scale=size * big / 16) for o in ((1, 0), (0, 1)))
    gx, gy = turned(*slopes, tilt)
    dot = ((u - gx) * lx + (v - gy) * ly + nz * lz) / np.sqrt(lx * lx + ly * ly + lz * lz)
    dot = np.clip(dot * (1 - 0.3 * np.exp(-nz * 6)) * 1.3, 0.0, 1.25)
    rgb = base * (dot[..., None] * np.float32([1.05, 1.0, 0.92]) + np.float32([0.05, 0.055, 0.1]))
    haze = 0.35 * np.exp(-nz * 5) * np.clip(0.3 + dot, 0, 1)
    rgb = rgb + color(rng, (0.57,), (0.3, 0.7), (0.6, 1.0)) * haze[..., None]
    flat = rng.uniform(0.2, 0.4) * rng.choice([-1, 1])
    rr, ring = np.hypot(u, v / flat) * big, np.zeros_like(u)
    if ringed:
        gaps = 0.85 + 0.35 * np.sin(rr * 60) + 0.25 * np.sin(rr * 143 + 1)
        gaps *= smoothstep(0.012, 0.03, np.abs(rr - 0.8))
        ring = inside(np.abs(rr - 0.79) - 0.17, size) * np.clip(gaps, 0.05, 1)
        dust = mix(tints[0], WHITE, 0.45)
        lay(out, ring * (v * flat < 0), dust)
    put(out, size, np.clip(rgb, 0, 1), (d - 1) * big)
    if ringed:
        lay(out, ring * (v * flat >= 0), dust)
    return finished(out)


def dandelion(rng: Generator, size: int) -> Layer:
    """A dandelion clock: a ball of seeds, each with a stalk and a parasol of fine hairs, on a stem."""
    out, sun, (_, x, y) = empty(size), draw_sun(rng), window(size)
    ball, count, cy, bend = rng.uniform(0.62, 0.7), int(rng.integers(80, 120)), -0.17, rng.normal(0, 0.12)
    down = color(rng, (0.12, 0.58, 0.1), (0.0, 0.15) if rng.random() < 0.75 else (0.2, 0.5), (0.97, 1.0))
    seed, stem = draw_tints(rng, ((0.07, 0.05), 0.6, 0.25), ((0.25, 0.06), 0.5, 0.45))
    off = (x - bend * np.clip(y - cy, 0, 2) ** 2) / 0.035
    put(out, size, rounded(stem, off, np.sign(sun[0])), (np.abs(off) - 1) * 0.035, cy - y)
    lay(out, 0.35 * np.exp(-((np.hypot(x, y - cy) / (ball + 0.1)) ** 6)), down * 0.75)
    z, a = 1 - 2 * (np.arange(count) + 0.5) / count, np.arange(count) * GOLDEN + rng.uniform(0, 6)
    ways = np.stack([np.sqrt(1 - z * z) * np.cos(a), np.sqrt(1 - z * z) * np.sin(a), z], 1)
    gone = ways @ (-sun[0], -sun[1], 0.2) > rng.choice([2, 2, 0.45])  # some are blown away
    big, hairs = np.zeros((size * 2, size * 2, 4), np.float32), np.linspace(0, TAU, 13, endpoint=False)
    for n in ways[~gone][::-1]:  # the far ones first
        root, hub = n[:2] * 0.1 + (0, cy), n[:2] * ball + (0, cy)
        glow = 0.84 + 0.16 * n[2] + 0.15 * (n[:2] @ sun)
        side = np.array([-n[1], n[0]]) / np.hypot(n[0], n[1])
        turns = np.stack([np.cos(hairs + a[0] * n[0]), np.sin(hairs + a[0] * n[0]) * abs(n[2])])
        fan = turns.T @ np.stack([side, (side[1], -side[0])])
        ends = hub + n[:2] * 0.09 + rng.uniform(0.19, 0.24) * fan
        for lines, tint, thick in (([[root, hub]], down * 0.55, 1), ([[root, root + n[:2] * 0.1]], seed, 4),
                                   ([[hub, end] for end in ends], down, 1)):
            fixed = np.round((np.array(lines) + 1) * size * 16).astype(np.int32)
            cv2.polylines(big, list(fixed), False, (*(tint * glow).tolist(), 1), thick, cv2.LINE_AA, 4)
        cv2.circle(big, ((hub + 1) * size).astype(int).tolist(), max(1, size // 80), (*down.tolist(), 1), -1)
    small, core = cv2.resize(big, (size, size), interpolation=cv2.INTER_AREA), np.hypot(x, y - cy) - 0.09
    put(out, size, relief(seed * 1.3, dome(core, 0.09), sun, 0.3, 0.3), core)
    return finished(np.clip(out * (1 - small[..., 3:]) + small, 0, 1))


def _sunlit(base: Colors, nx: Field, ny: Field, sun: Sun, gloss: float) -> Colors:
    """A color on a surface that falls away toward (nx, ny): cheaper than ``relief``, for many small parts."""
    dot = (nx * sun[0] + ny * sun[1] + 0.75) / np.sqrt(nx * nx + ny * ny + 1)
    dot = np.clip(dot / (sun[0] ** 2 + sun[1] ** 2 + 0.5625) ** 0.5, 0, 1)
    shine = gloss * ((dot * dot * dot) ** 2) ** 2
    return np.clip(base * (SKYLIGHT + SUNLIGHT * dot[..., None]) + shine[..., None], 0, 1)


def succulent(rng: Generator, size: int) -> Layer:
    """A rosette of thick pointed leaves, gray-green, red at the tips, spiraled tightly to the heart."""
    out, sun, count = empty(size), draw_sun(rng), int(rng.integers(24, 35))
    leaf, red, heart = draw_tints(
        rng, ((0.42, 0.36, 0.3, 0.47), 0.25, 0.7), ((0.96, 0.0, 0.9), 0.6, 0.75), ((0.3, 0.25), 0.3, 0.85))
    wide, blush, sharp = rng.uniform((0.3, 0.62, 0.75), (0.42, 0.85, 1.2)).tolist()
    for k in range(count):
        t, c, s = k / (count - 1), math.cos(k * GOLDEN), math.sin(k * GOLDEN)  # t is 1 at the heart
        far, near = 0.97 * (1 - t) ** 0.75 + 0.12 * t, 0.25 * (1 - t) ** 1.75
        w = wide * far**0.75
        xs, ys = (near * c, far * c), (near * s, far * s)
        box, x, y = window(size, min(xs) - w, min(ys) - w, max(xs) + w, max(ys) + w)
        p, q = ((x * c + y * s) - near) / (far - near), (y * c - x * s) / w
        pc, side = np.clip(p, 0, 1), np.abs(q)
        taper = np.clip((1 - pc) / 0.45, 0, 1)  # 1 up to the broadest place
        half = np.sqrt(pc) * (taper**sharp * (1.5 - 0.5 * taper))
        d = np.maximum((side - half) * (w * 0.7), np.maximum(-p, p - 1) * (far - near))
        lay(out[box], np.clip(0.75 - d * 9, 0, 0.65) * out[box][..., 3], INK)
        edge = np.clip(side / (half + 1e-3), 0, 1)
        blood = smoothstep(blush, 1.0, p + 0.1 * edge) + 0.5 * smoothstep(0.8, 1.0, edge) * pc
        base = mix(mix(leaf, heart, t * t), red, np.clip(blood, 0, 1)) * (0.35 + 0.75 * pc)[..., None]
        across, along = np.sign(q) * edge * (0.4 + 0.8 * edge), 2.4 * pc - 1.3
        put(out[box], size, _sunlit(base, along * c - across * s, along * s + across * c, sun, 0.5), d)
    return finished(out)


def pinecone(rng: Generator, size: int) -> Layer:
    """A pine cone, from the side or from its end: woody scales in crossing spirals, dark gaps, pale lips."""
    out, sun, count, (_, x, y) = empty(size), draw_sun(rng), int(rng.integers(64, 96)), window(size)
    wood, lip = draw_tints(rng, ((0.07, 0.06, 0.08), 0.5, 0.6), ((0.09, 0.1), 0.25, 0.85))
    slim, tilt = rng.uniform(0.5, 0.62), rng.uniform(*((-0.2, 0.45) if rng.random() < 0.6 else (1.1, 1.5)))
    h, a = 0.98 - 1.9 * (np.arange(count) + 0.5) / count, np.arange(count) * GOLDEN + rng.uniform(0, 6)
    girth, c, s = np.sqrt(1 - h * h) * (1 - 0.2 * h), math.cos(tilt), math.sin(tilt)
    slim, rise = slim + 0.12 * s, 0.8 - 0.1 * s
    feet, tips = (  # x, y and depth
        np.stack([b * np.cos(a), b * np.sin(a) * s - up * c, b * np.sin(a) * c + up * s], -1)
        for up, b in (((h - 0.1) * rise, girth * slim * 0.72), ((h + 0.08) * rise, girth * slim * 1.07)))
    put(out, size, wood * 0.12, np.hypot(x / slim, (y - 0.03) / max(rise * c, slim)) - 0.92)
    for k in np.argsort(tips[:, 2] - 0.9 * h * c).tolist():
        (x0, y0, _), (x1, y1, z), g = feet[k].tolist(), tips[k].tolist(), float(girth[k])
        if z < -0.3:
            continue
        far = max(math.hypot(x1 - x0, y1 - y0), 0.02)
        ax, ay, w = (x1 - x0) / far, (y1 - y0) / far, (1.1 + 1.6 * slim) / count**0.5 * (0.42 + 0.5 * g)
        reach = 1.05 * max(w, tall := max(far * 1.1, w * 0.75))
        box, x, y = window(size, x1 - reach, y1 - reach, x1 + reach, y1 + reach)
        u, v = ((y - y1) * ax - (x - x1) * ay) / w, ((x - x1) * ax + (y - y1) * ay) / tall
        d = (np.abs(u) + np.abs(v) * 0.8 + np.hypot(u, v) - 1.5) * (0.5 * w)
        lay(out[box], np.clip(0.8 - d * 11, 0, 0.75) * out[box][..., 3], INK)
        knob = np.hypot(u, v - 0.15)
        edge = smoothstep(0.3, 0.65, v + 0.3 * u * u) + 0.9 * smoothstep(0.22, 0.1, knob)
        tone = (0.6 + 0.5 * (v + 0.5) + 0.1 * np.sin(u * 22)) * (0.75 + 0.35 * max(z, 0))
        base = mix(wood * tone[..., None], lip, np.clip(edge, 0, 1) * 0.75)
        bump = np.exp(-((knob / 0.2) ** 2)) * 4
        across, along = u * (0.8 + bump), (v - 0.15) * bump + 0.9 * v + 0.2
        put(out[box], size, _sunlit(base, along * ax - across * ay, along * ay + across * ax, sun, 0.3), d)
    return finished(out)


def starfish(rng: Generator, size: int) -> Layer:
    """A starfish: five tapering arms, slightly curled, with rows of pale knobs along them."""
    (_, x, y), sun, grain = window(size), draw_sun(rng), noise(rng, size, 0.4)
    r, a = polar(*turned(x, y + 0.03, rng.uniform(0, TAU)))
    a = a + rng.uniform(-0.4, 0.4) * r + 0.08 * np.sin(2 * a + rng.uniform(0, 6)) * r
    fold = a - np.round(a * 5 / TAU) * (TAU / 5)
    p, q = r * np.cos(fold), np.abs(r * np.sin(fold))
    fat, reach, step = rng.uniform((0.19, 0.86, 0.062), (0.27, 0.95, 0.085))
    half = fat * (1 - 0.72 * np.clip(p / reach, 0, 1) ** 1.1) + 0.1 * np.exp(-((p / 0.22) ** 2))
    d = np.where(p < reach - 0.06, q - half, np.hypot(p - reach + 0.06, q) - fat * 0.32)
    skin, knob, spot = draw_tints(
        rng, ((0.05, 0.02, 0.08, 0.95), 0.75, 0.85), ((0.12, 0.08), 0.1, 0.95), ((0.0, 0.75), 0.5, 0.4))
    edge = np.clip(q / half, 0, 1)
    rows = np.minimum.reduce([np.hypot((p / step + o) % 1 - 0.5, (q - half * f) / step) / s
                              for f, s, o in ((0, 1.25, 0), (0.42, 0.8, 0.5), (0.78, 0.9, 0))])
    bump = smoothstep(0.36, 0.22, rows) * inside(d + 0.02, size)
    base = mix(skin * (1 - 0.35 * edge + 0.08 * grain)[..., None], spot, 0.6 * smoothstep(0.55, 0.38, rows))
    height = np.sqrt(1 - edge**2) * half * 0.9 + 0.1 * np.exp(-((r / 0.2) ** 2)) + 0.004 * grain
    height = height + 0.035 * np.sqrt(np.clip(1 - (rows / 0.36) ** 2, 0, 1))
    rgb = relief(mix(base, knob, bump * 0.85), height, sun, 0.35 + 0.3 * bump, 0.4)
    return layer(rgb, inside(d, size))
