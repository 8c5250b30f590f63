"""Works of hand, fire and sky: buildings, clockwork, glass, gems, spirals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.canvas import (
    Color,
    Field,
    Layer,
    dome,
    empty,
    hsv,
    inside,
    layer,
    mix,
    noise,
    polar,
    polygon,
    smoothstep,
    turned,
)
from training.sunlight import (
    INK,
    SUNLIGHT,
    WHITE,
    bricks,
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


def _tower(rng: Generator, out: Layer, tints: Sequence[Color], side: float, cx: float, w: float, top: float,
           roofed: float, shade: float) -> None:
    """A round stone tower with lit windows and, in a share of draws, a pointed roof with a flag."""
    size, stone, tall = out.shape[0], tints[0] * shade, min(w * rng.uniform(2.0, 3.4), top + 0.93 - 0.4 * w)
    box, x, y = window(size, cx - 1.5 * w, top - tall - 0.5 * w, cx + 1.5 * w, 0.72)
    view, u, down = out[box], (x - cx) / w, (y - top) / w
    bend = np.arcsin(np.clip(u, -1, 1))
    rgb = rounded(stone * bricks(bend * 2.0, down * rng.uniform(2.1, 2.8), rng.random()), u, side)
    rgb *= (1 - 0.45 * np.exp(np.minimum(0.35 - down, 0) * 3.3))[..., None]  # the crown's shadow
    put(view, size, rgb, np.abs(x - cx) - w, top - y)
    merlon = np.where(np.sin(np.arcsin(np.clip(u / 1.2, -1, 1)) * 9 + 1.5) > 0, 0.3, 0)
    lip = rounded(stone * (0.75 + 0.4 * smoothstep(0.4, -0.1, down))[..., None], u / 1.2, side)
    put(view, size, lip, (np.abs(u) - 1.2) * w, (down - 0.35) * w, -(merlon + down) * w)
    for level in range(int(rng.integers(1, 4))):
        wx, wy = rng.uniform(-0.25, 0.25), 0.85 + 1.15 * level
        d = np.hypot(u - wx, np.minimum(down - wy, 0)) + 4 * np.clip(down - wy - 0.35, 0, 9)
        lamp = tints[2] * (1.1 - 0.5 * np.clip(down - wy + 0.4, 0, 1))[..., None]
        put(view, size, mix(lamp, stone * 0.28, smoothstep(0.17, 0.23, d)), (d - 0.32) * w)
    if rng.random() < roofed:
        t, tip = np.clip(down * w / tall + 1, 1e-3, 2), top - tall
        reach = 1.38 * w * t ** rng.uniform(1.0, 1.35)
        v = np.clip((x - cx) / reach, -1, 1)
        bow = np.sqrt(1 - v * v)
        tiles = tints[1] * bricks(np.arcsin(v) * 2.2, t * rng.uniform(6, 10) - bow * 0.4) * (shade + 0.15)
        put(view, size, rounded(tiles, v, side), np.abs(x - cx) - reach, (down - 0.22 * bow) * w, tip - y)
        flag = np.abs(y - tip + 0.25 * w + 0.08 * w * np.sin(8 * u)) - 0.22 * w * (1 - u)
        put(view, size, tints[2], np.minimum(flag, u - 0.1), np.abs(y - tip) - 0.45 * w, -u * w)


def castle(rng: Generator, size: int) -> Layer:
    """A castle on a rock: a keep, round towers with roofs or battlements, a wall with a gate."""
    out, (_, x, y) = empty(size), window(size)
    side, wall, wide = float(rng.choice([-1, 1])), rng.uniform(0.12, 0.3), rng.uniform(0.55, 0.7)
    tints = draw_tints(rng, ((0.09, 0.62, 0.03), 0.2, 0.65), ((0.0, 0.6, 0.8), 0.65, 0.6), ((0.12,), 0.5, 0.95))
    tower, (stone, _, glow), any_of = partial(_tower, rng, out, tints, side), tints, rng.uniform
    tower(any_of(-0.12, 0.12), any_of(0.17, 0.24), any_of(-0.4, -0.15), 0.7, 0.85)
    for s in (-1, 1):
        tower(s * any_of(0.3, 0.42), any_of(0.09, 0.15), any_of(-0.35, 0.0), 0.8, 0.75)
    face = stone * bricks(x * 8, y * rng.uniform(11, 15)) * (0.92 + 0.25 * side * x[..., None]) * SUNLIGHT
    face = face * (0.65 + 0.45 * smoothstep(wall + 0.06, wall + 0.12, y))[..., None]
    put(out, size, face, np.abs(x) - wide, wall - y - np.where(np.sin(x * 28) > 0, 0.07, 0), y - 0.75)
    gate = np.hypot(x, np.minimum(y - 0.5, 0))
    dark = mix(glow * 0.8, INK, np.maximum(smoothstep(0.75, 0.35, y), np.abs(np.sin(x * 41)) < 0.3))
    put(out, size, mix(dark, stone * 1.15, smoothstep(0.145, 0.155, gate)), gate - 0.2, y - 0.74)
    for s in (-1, 1):
        tower(s * wide, any_of(0.13, 0.2), wall - any_of(0.08, 0.3), 0.55, 1.0)
    rock = y - 0.62 - 0.06 * np.sin(9 * x + rng.uniform(0, 6)) + 0.35 * (np.abs(x) / 0.95) ** 4
    land = mix(stone * 0.55, hsv(rng.uniform(0.2, 0.42), 0.7, 0.5), smoothstep(0.15, 0.02, rock))
    land = relief(land, noise(rng, size, 0.9) * 0.045, (0.8 * side, -0.6), 0.1)
    put(out, size, land, -rock, np.hypot(x / 0.95, (y - 0.55) / 0.4) - 1)
    return finished(out)


def pagoda(rng: Generator, size: int) -> Layer:
    """A pagoda: tiers of upswept tiled roofs over lit storeys, lanterns at the eaves, a spire."""
    out, (_, x, y) = empty(size), window(size)
    side, tiers = float(rng.choice([-1, 1])), int(rng.integers(3, 7))
    roof, wood, gold = draw_tints(rng, ((0.45, 0.6, 0.02), 0.6, 0.55), ((0.0,), 0.75, 0.65), ((0.12,), 0.6, 0.9))
    pitch, widest, taper = 1.38 / tiers, rng.uniform(0.72, 0.92), rng.uniform(0.45, 0.62) / (tiers - 1)
    lift, ribs, flare = rng.uniform(0.1, 0.3), rng.uniform(26, 40), rng.uniform(1.7, 2.8)
    stone = bricks(x * 7, y * 14, rng.random()) * (0.8 + 0.35 * side * x)[..., None] * SUNLIGHT
    put(out, size, stone, np.abs(x) - 0.68 - 0.1 * np.floor((y - 0.78) * 14), 0.78 - y, y - 0.96)
    for tier in range(tiers):
        eave, floor, last = widest * (1 - taper * tier), 0.8 - tier * pitch, tier == tiers - 1
        w, base = eave * 0.62, floor - pitch * 0.42  # half the storey's width; where the eaves hang
        tall, tip = pitch * (0.8 if last else 0.62), 0.02 if last else eave * 0.36  # the roof, its ridge
        box, x, y = window(size, -eave - 0.1, base - tall - lift * eave - 0.1, eave + 0.1, floor + 0.03)
        view, u = out[box], np.clip(x / w, -1, 1)
        bay = np.abs((u * (2.5 if tier < tiers - 2 else 1.5) + 0.5) % 1 - 0.5) * 2  # 0 in a bay's middle
        pane = smoothstep(0.74, 0.64, bay) * smoothstep(0.02, 0.05, floor - 0.03 - y) * 0.9
        lattice = (1.15 - 0.8 * bay) * (0.75 + 0.25 * np.sign(np.sin(x * 90) * np.sin(y * 90) + 0.4))
        body = mix(rounded(wood * (0.55 + 0.45 * bay)[..., None], u, side), gold * lattice[..., None], pane)
        body *= (1 - 0.6 * smoothstep(base + 0.12, base - 0.02, y))[..., None]
        put(view, size, body, np.abs(x) - w, base - 0.06 - y, y - floor)
        put(view, size, gold * 0.7, np.abs(x) - w * 1.1, np.abs(y - floor) - 0.018)
        level = y + lift * eave * (np.abs(x) / eave) ** 3 - base + tall
        t = np.clip(level / tall, 1e-3, 1)
        reach = tip + (eave - tip) * t**flare
        wave = np.cos((v := np.clip(x / reach, -1, 1)) * ribs * (0.4 + 0.6 * eave))
        rgb = rounded(roof * ((0.7 + 0.3 * wave) * (0.6 + 0.5 * t))[..., None], v * 0.85, side)
        rgb += (np.clip(wave, 0, 1) * np.exp(-(((t - 0.55) / 0.2) ** 2)) * (0.2 + 0.14 * side * v))[..., None]
        rgb = np.clip(mix(rgb, gold, smoothstep(0.035, 0.02, tall - level)), 0, 1)
        put(view, size, rgb, np.abs(x) - reach, level - tall, -level)
        for cx, cy in ((s * eave * 0.86, base - lift * eave * 0.6 + 0.07) for s in (-1, 1)):
            box, x, y = window(size, cx - 0.12, cy - 0.12, cx + 0.12, cy + 0.14)
            d = np.hypot((x - cx) / 0.8, y - cy)
            lay(out[box], 0.45 * np.exp(-((d / 0.06) ** 2)), gold)
            put(out[box], size, mix(gold, wood * 0.8, smoothstep(0.0, 0.05, d)), d - 0.045)
    box, x, y = window(size, -0.1, -1, 0.1, top := 0.85 - tiers * pitch)
    beads = (0.022 + 0.02 * np.clip(np.cos((y - top) * 55), 0, 1)) * smoothstep(-0.98, top, y)
    put(out[box], size, rounded(gold, x / (beads + 1e-3), side), np.abs(x) - beads, -0.96 - y)
    return finished(out)


def gear(rng: Generator, size: int) -> Layer:
    """Clockwork: a wheel with grooved rim, spokes, screws, a jewel; alone or meshing with a smaller one."""
    out, sun, turn, count = empty(size), draw_sun(rng), rng.uniform(0, 2 * np.pi), int(rng.integers(11, 18))
    metal, trim, gem = draw_tints(rng, ((0.1, 0.13, 0.58), 0.4, 0.85), ((0.06,), 0.5, 0.6), ((1,), 0.8, 0.7))
    counts = [count, int(count * rng.uniform(0.55, 0.85))][:1 + (rng.random() < 0.3)]
    for k, teeth in enumerate(counts):
        deep, hub, spokes = 2.3 / (teeth + 1.15), rng.uniform(0.3, 0.38), int(rng.integers(4, 8))
        big = 1.9 / (2 * sum(counts) + 2.3) * (teeth + 1.15)  # together they fill the frame
        cx, cy = ((2 * k - 1) * (0.95 - big) * np.array([np.cos(turn), np.sin(turn)])).tolist()
        box, x, y = window(size, cx - big, cy - big, cx + big, cy + big)
        r, a = polar((x - cx) / big, (y - cy) / big)
        a, rim = a - turn - k * np.pi * (1 + 1 / teeth), 1 - deep - rng.uniform(0.2, 0.25)  # tooth meets gap
        middle, off = (rim + 1 - deep) / 2, np.abs((a * spokes / (2 * np.pi)) % 1 - 0.5) / spokes * 6.28 * r
        arm, screw = off - rng.uniform(0.07, 0.1) * (1.5 - 0.7 * r), np.hypot(off, r - middle) - 0.055
        tooth = r - 1 + deep * (0.5 - 0.5 * np.clip(np.cos(a * teeth) * 2.2 + 0.1, -1, 1))
        body = np.maximum(tooth, np.minimum(arm, np.minimum(r - hub, rim - r)))
        inlay = np.maximum(smoothstep(0.085, 0.065, np.abs(r - middle)), smoothstep(0.84, 0.8, r / hub))
        height = dome(body, 0.07) - 0.03 * inlay + dome(screw, 0.06) * 1.5 + dome(r - hub * 0.5, hub * 0.5)
        sheen = 0.6 + 0.7 * np.abs(np.cos(a + turn - np.arctan2(sun[1], sun[0]))) ** 4 + 0.1 * np.sin(r * 95)
        lines = np.minimum(np.abs(screw), np.abs(r / hub - 0.54) * 0.4)  # dark where a part is let in
        sheen *= (0.3 + 0.7 * smoothstep(0.0, 0.045, -body)) * (0.2 + 0.8 * smoothstep(0.008, 0.024, lines))
        base = mix(metal, trim, inlay * smoothstep(-0.01, 0.01, screw))
        rgb = mix(base, WHITE, np.clip(sheen - 0.85, 0, 1) * 0.5) * sheen[..., None]  # as if cut on a lathe
        rgb = relief(mix(rgb, gem, smoothstep(0.52, 0.48, r / hub)), height * big, sun, 0.9, 0.5, size)
        put(out[box], size, metal * (0.24 + 0.1 * np.cos(r * 60))[..., None], (r - rim - 0.03) * big)
        lay(out[box], 0.7 * smoothstep(0.14, -0.04, body) * out[box][..., 3], INK)  # it shades what is below
        put(out[box], size, rgb, body * big)
    return finished(out)


def spiral(rng: Generator, size: int) -> Layer:
    """A glossy band, or several, swirling into the center, each round like a tube and often striped."""
    r, a = polar(*window(size)[1:])
    a, curl, power = a * rng.choice([-1, 1]), rng.uniform(2.5, 6.0), rng.uniform(0.35, 1.0)
    across = np.abs((a * rng.integers(1, 5) / (2 * np.pi) + curl * r**power) % 1 - 0.5) * 2  # 0 mid-band
    tube = np.sqrt(1 - 0.97 * across**2).astype(np.float32)
    height = tube * np.minimum(r ** (1 - power) / (curl * power), 0.25) * 0.6  # as round as the band is wide
    first, second, third = draw_tints(rng, *[((0.55, 0.85, 0.08), 0.65, 0.65)] * 3)
    along = np.sin(2 * np.pi * r * rng.uniform(0.3, 1.5) + a + rng.uniform(0, 6)) * 0.5 + 0.5
    base = mix(mix(first, second, along), third, smoothstep(0.35, 0.75, across) * rng.uniform(0.2, 1))
    if rng.random() < 0.5:  # a candy's cross stripes
        bars = np.sin(r**0.5 * rng.uniform(30, 60) - a * float(rng.integers(3, 9)))
        base = mix(base, third if rng.random() < 0.5 else WHITE, smoothstep(-0.2, 0.2, bars) * 0.75)
    shade = (0.1 + tube) * (1 - rng.choice([0, 0.6]) * smoothstep(0.35, 0.0, r))
    rgb = relief(base * shade[..., None], height, draw_sun(rng), smoothstep(0.3, 0.8, tube) * 0.9, 0.7)
    return layer(rgb, inside(r - 0.86 - 0.09 * tube * rng.random(), size))


def galaxy(rng: Generator, size: int) -> Layer:
    """A tilted galaxy on a fading patch of night: knotted arms, dust, a glowing core, stars with rays."""
    _, gx, gy = window(size)
    x, y = turned(gx, gy, rng.uniform(0, np.pi))
    r, a = polar(x, y / rng.uniform(0.55, 1.0))
    arms, cloud = int(rng.integers(2, 5)), noise(rng, size, 1.1)
    wave = rng.choice([-1, 1]) * a * arms + rng.uniform(1.2, 2.4) * arms * np.log(r + 0.06) + 0.35 * cloud
    arm, dust = (np.cos(wave) * 0.5 + 0.5) ** rng.uniform(1.5, 3.0), (np.cos(wave + 1.1) * 0.5 + 0.5) ** 6
    near, far, knots, core, night = draw_tints(
        rng, *[((0.58, 0.77), 0.6, 0.7)] * 2, ((0.92,), 0.6, 0.8), ((0.12,), 0.2, 0.95), ((0.7,), 0.7, 0.1))
    hot = mix(mix(near, far, smoothstep(0.3, 0.7, r)), knots, smoothstep(0.2, 1.4, cloud) * 0.9)
    glow = (arm * (1 + 0.35 * cloud) + 0.14).clip(0) * np.exp(-((r / rng.uniform(0.6, 0.75)) ** 2)) * 2.6
    glow = glow * (1 - 0.8 * dust * smoothstep(0.12, 0.3, r)) + 1.6 * np.exp(-((r / 0.13) ** 1.4))
    hot = mix(hot, core, np.exp(-((r / 0.28) ** 2))) * glow[..., None]
    hot += night * np.exp(0.5 * cloud - 1)[..., None]
    stars, at = np.zeros((size, size), np.float32), rng.integers(2, size - 2, (2, int(rng.integers(60, 140))))
    stars[at[0], at[1]] = rng.random(len(at[0])) ** 3 * 1.4
    for cx, cy in rng.uniform(-0.65, 0.65, (int(rng.integers(1, 5)), 2)):
        dx, dy = np.abs(gx - cx), np.abs(gy - cy)
        stars += np.exp(-(dx + dy) * 20 - np.minimum(dx, dy) * 90) * 1.1
    rgb = 1 - np.exp(-1.5 * hot - 1.5 * (stars + cv2.GaussianBlur(stars, (0, 0), 1.2))[..., None])
    return layer(rgb.astype(np.float32), smoothstep(0.98, 0.75, np.hypot(gx, gy) + 0.05 * cloud))


def crystal(rng: Generator, size: int) -> Layer:
    """A cluster of pointed six-sided crystals, fanned out from a base or bursting all around."""
    out, sun, burst, count = empty(size), draw_sun(rng), rng.random() < 0.35, int(rng.integers(9, 15))
    tints, grain = draw_tints(rng, *[((0.77, 0.5, 0.92), 0.65, 0.7)] * 2), noise(rng, size, 0.8) * 0.05
    leans = (np.arange(count) / (count - 1) - 0.5) * (5.8 if burst else 2.4) + rng.normal(0, 0.1, count)
    for i, lean in enumerate(rng.permutation(leans)):
        axis, side = np.array([np.sin(lean), -np.cos(lean)]), np.array([np.cos(lean), np.sin(lean)])
        foot = np.zeros(2) if burst else np.array([0.3 * np.sin(lean), 0.86])
        most = 0.95 if burst else 0.62 + 1.15 * np.cos(lean) ** 2
        length = most * rng.uniform(0.75, 1.0) * (1 - 0.4 * i / count)  # the shorter stand in front
        cuts = np.vstack([-1, rng.uniform(-0.6, -0.2), rng.uniform(0.2, 0.6), 1]) * rng.uniform(0.13, 0.21)
        bow = length - cuts[3] * (np.array([0, 0.3, 0.3, 0]) + rng.uniform(0.9, 1.6))
        lows, knees = foot + side * cuts * 0.6, foot + side * cuts + axis * bow[:, None]
        apex = foot + axis * length + side * cuts[3] * rng.uniform(-0.3, 0.3)
        tones = 0.45 + (side @ np.array(sun)) * np.array([-0.55, 0.1, 0.55]) + rng.normal(0, 0.07, 3)
        shade, lines = np.zeros((2, size, size), np.uint8)
        for k, tone in enumerate(np.clip(tones, 0.08, 0.75)):
            for far, more in ((lows[[k + 1, k]], 0), (apex[None], 0.22)):
                fixed = np.round((np.concatenate([knees[k:k + 2], far]) + 1) * (size * 8)).astype(np.int32)
                cv2.fillPoly(shade, [fixed], (tone + more) * 255, cv2.LINE_AA, 4)
                cv2.polylines(lines, [fixed], True, 102, 1, cv2.LINE_AA, 4)
        corners = np.array([lows[0], knees[0], apex, knees[3], lows[3]])
        box, x, y = window(size, *(corners.min(0) - 0.06), *(corners.max(0) + 0.06))
        cover, tint = polygon(size, corners)[box], tints[int(rng.integers(2))]
        up = ((x - foot[0]) * axis[0] + (y - foot[1]) * axis[1]) / length + grain[box]
        value = shade[box] / np.float32(255) + 0.35 * up - 0.2 + 0.16 * np.exp(-(((up - 0.5) / 0.12) ** 2))
        rgb = ramp(value, [tint * 0.1, tint * np.float32([0.44, 0.5, 0.66]), tint, tint * 0.5 + 0.5, WHITE])
        lay(out[box], 0.4 * cv2.GaussianBlur(cover, (0, 0), size * 0.02) * out[box][..., 3], tint * 0.1)
        lay(out[box], cover, np.clip(rgb + lines[box][..., None] / np.float32(255), 0, 1))
    return finished(out)


def flame(rng: Generator, size: int) -> Layer:
    """Fire: curling tongues one before another, deep red outside to white inside, in a glow with sparks."""
    out, hue = empty(size), float(rng.choice([0.02, 0.02, 0.02, 0.6, 0.36, 0.8])) + rng.normal(0, 0.015)
    step = 0.055 if hue < 0.2 else rng.choice([-0.06, 0.06])
    steps = ((-1, 1, 0.3), (0, 1, 0.85), (1, 1, 1), (2, 0.85, 1), (2.4, 0.25, 1))
    fire, wild = [hsv(hue + k * step, s, v) for k, s, v in steps], noise(rng, size, 1.5) * 0.035
    for late in np.linspace(0, 1, int(rng.integers(9, 14))):
        cx, wide = rng.uniform(-0.65, 0.65) * (1 - 0.45 * late), rng.uniform(0.24, 0.38) * (1 - 0.3 * late)
        tall = (1.85 - 1.0 * late - 1.1 * cx * cx) * rng.uniform(0.8, 1.0)
        box, x, y = window(size, cx - wide - 0.4, 0.85 - tall, cx + wide + 0.4, 0.95)
        t = np.clip((0.9 - y) / tall, 0, 1)
        sway = rng.uniform(0.08, 0.22) * np.sin(t * rng.uniform(3.5, 6.5) + rng.uniform(0, 6.3)) * t
        half = wide * (1 - t) ** 0.85 * t**0.4 * 1.9 - 0.02
        off = np.abs(x - cx * (1 - 0.4 * t) - sway - wild[box] * (0.5 + 2 * t)) - half
        heat = np.clip(-off / (wide * 0.9), 0, 1) * (0.8 - 0.48 * t) + 0.25 * np.exp(-((off / 0.025) ** 2))
        lay(out[box], inside(off, size, 2.0), ramp(heat + 0.14 + 0.28 * late + wild[box], fire))
    for cx, cy, r in rng.uniform((-0.8, -0.9, 0.01), (0.8, 0.3, 0.026), (8, 3)):
        box, x, y = window(size, cx - 0.06, cy - 0.06, cx + 0.06, cy + 0.06)
        put(out[box], size, fire[3], np.hypot(x - cx, (y - cy) * 0.6) - r)
    halo = cv2.GaussianBlur(out[..., 3], (0, 0), size * 0.06)[..., None] * 0.6
    return finished(out + (1 - out[..., 3:]) * halo * np.append(fire[1], 1).astype(np.float32))


def arches(rng: Generator, size: int) -> Layer:
    """An arcade of striped horseshoe arches on columns, row behind row, over a tiled floor to a light."""
    (_, x, y), sun, hang, wedges = window(size), draw_sun(rng), 0.3, int(rng.integers(6, 10)) / np.pi
    stone, band, deep, lamp = draw_tints(rng, ((0.11, 0.14), 0.1, 0.85), ((0.0, 0.02, 0.6, 0.45), 0.7, 0.55),
                                         ((0.62, 0.48, 0.0, 0.78), 0.6, 0.2), ((0.12, 0.1, 0.5), 0.35, 0.95))
    half, gap, vx, vy, keen = rng.uniform((0.68, 0.4, -0.2, 0.1, -0.8), (0.95, 0.6, 0.2, 0.3, 0.4)).tolist()
    foot, spring, point = (0.92 - vy) / half, (-0.12 - vy) / half, max(keen, 0.0)  # from the vanishing point
    blaze = np.hypot(x - vx, (y - vy - spring * half * 0.35) * 0.8) / half
    far = half * foot / np.maximum(y - vy, 0.02)  # how deep the floor lies; 1 at the first row of columns
    tile = np.sin((x - vx) / half * far * (2 * np.pi)) * np.sin(far * 9) * smoothstep(7, 2, far) * 3 + 0.5
    floor = mix(deep * 0.5, stone * 0.9, np.clip(tile, 0, 1)) + lamp * 0.5 * np.exp(-3.6 * blaze)[..., None]
    rgb = mix(ramp(1 - 2.6 * blaze, [deep * 0.3, deep, lamp, WHITE, WHITE]), floor, smoothstep(4.2, 3.6, far))
    for k in (3, 2, 1, 0):  # row by row, from afar: the arches, then their columns
        scale, dim, air = half / (1 + gap * k), 1 - 0.12 * k, lamp * (0.05 * k)
        top = vy + (spring - 0.66 - point) * half / (1 + gap * (k - 1)) if k else -1  # the rest is hidden
        box, x, y = window(size, -1, top, 1, vy + (spring + hang) * scale)
        u, v = (x - vx) / scale, (y - vy) / scale - spring
        bay, across = (u + 1) % 2 - 1, u % 2 - 1  # from the middle of an arch; from the axis of a column
        d = np.hypot(np.abs(bay) + point, v) - 0.66 - point
        back = np.hypot(np.abs(bay) / 0.9 + point, (v + 0.1 * spring) / 0.9) - 0.66 - point  # its far edge
        turn, cover = np.arctan2(bay, -v) * wedges + 0.5, inside(-np.minimum(d, hang - v) * scale, size)
        joint, base = smoothstep(0.5, 0.4, np.abs(turn % 1 - 0.5)), mix(stone, band, np.floor(turn) % 2)
        ring, roll, rose = smoothstep(0.27, 0.25, d), abs(d - 0.295) / 0.04, np.hypot(across, v + 0.9)
        lace = np.where(rose < 0.3, np.cos(rose * 42), np.cos(u * 21) * np.cos(v * 21))
        wall = mix(mix(deep, lamp * 0.8, smoothstep(0.2, 0.6, lace)), lamp, smoothstep(1.1, 0.8, roll))
        wall = mix(wall, base * (0.35 + 0.65 * joint * smoothstep(0.0, 0.04, d))[..., None], ring)
        height = 0.06 * joint * ring + 0.03 * np.sqrt(np.clip(1 - roll**2, 0, 1)) + 0.02 * lace * (d > 0.3)
        view = mix(rgb[box], base * 0.42 + air, inside(np.maximum(-back, v - hang) * scale, size))
        view *= (0.4 + 0.6 * smoothstep(0.0, -0.25, d))[..., None]  # what lies behind is in the arch's shadow
        rgb[box] = mix(view, relief(wall, height * scale, sun, 0.35, size=size) * dim + air, cover)
        box, x, y = window(size, -1, vy + (spring + hang) * scale, 1, vy + foot * scale)
        across, v = ((x - vx) / scale) % 2 - 1, (y - vy) / scale - spring
        girth = 0.15 + 0.2 * smoothstep(0.58, 0.32, v) + 0.1 * smoothstep(0.16, 0.1, foot - spring - v)
        shaft = mix(deep * 0.7 + stone * 0.3, lamp, smoothstep(0.16, 0.2, girth))
        solid = np.maximum(np.maximum(np.abs(across) - girth, hang - v), v + spring - foot) * scale
        rgb[box] = mix(rgb[box], rounded(shaft, across / girth, 2 * sun[0]) * dim + air, inside(solid, size))
    return layer(np.clip(rgb, 0, 1))


def _panes(rng: Generator, size: int, r: Field, a: Field) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The frame cut into numbered panes, as a rose window or irregularly, and the panes' color numbers."""
    if rng.random() < 0.35:
        seeds, at = np.ones((size, size), np.uint8), rng.integers(0, size, (2, int(rng.integers(25, 70))))
        seeds[at[0], at[1]] = 0
        ids = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
        return ids, ids * 7 + ids // 5
    n, ring = int(rng.integers(6, 13)), np.zeros((size, size), np.int32)
    for i, at in enumerate(np.cumsum(rng.uniform(0.2, 0.34, 6))):
        ring += r > at + rng.uniform(-0.1, 0.12) * np.abs(np.cos(a * n / 2 + i * np.pi / 2))
    turn = (a / (2 * np.pi) * n + 0.5 * (ring % 2)) * (1 + (ring > 2))
    sector = np.floor(turn).astype(np.int32) % 24 * (ring > 0)
    spoke = np.floor(a * n / (2 * np.pi) + 0.5)
    fold = a - spoke * (2 * np.pi / n)
    disk = np.hypot(r * np.cos(fold) - 0.6, r * np.sin(fold)) < rng.choice([0, 1.2, 1.5]) / n
    ids, pick = ring * 32 + sector, ring * 4 + sector % 2 * int(rng.integers(0, 3))
    return np.where(disk, spoke.astype(np.int32) % n + 999, ids), np.where(disk, 6, pick)


def stained_glass(rng: Generator, size: int) -> Layer:
    """A leaded window with the sun behind it: a rose of petals and rings, or irregular panes."""
    _, x, y = window(size)
    ids, pick = _panes(rng, size, *polar(x - rng.normal(0, 0.1), y - rng.normal(0, 0.1)))
    same = cv2.morphologyEx(ids.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) == 0
    d = cv2.distanceTransform(same.astype(np.uint8), cv2.DIST_L2, 5)
    d, lead = cv2.GaussianBlur(d, (0, 0), 0.7) * (2 / size), rng.uniform(0.02, 0.03)
    glass, streak = np.stack(draw_tints(rng, *[((0.62, 0.0, 0.12, 0.4, 0.8), 0.65, 0.65)] * 7)), noise(rng, size)
    sun = np.exp(-((np.hypot(x - rng.uniform(-0.5, 0.5), y - rng.uniform(-0.5, 0.5)) / 1.1) ** 2))
    pane = (1.15 + 0.13 * streak + 0.2 * np.sin(ids * 2.4)) * (0.55 + 0.5 * sun)
    pane = pane * (0.5 + 0.6 * smoothstep(lead, lead + 0.12, d))
    flare = 0.4 * sun * smoothstep(0.04, 0.25, d) * np.clip(streak + 0.4, 0, 1)
    came = relief(hsv(0.62, 0.25, 0.25), dome(d - lead, lead), draw_sun(rng), 0.3, 0.3)
    rgb = np.clip(glass[pick % 7] * pane[..., None] + flare[..., None], 0, 1.3).astype(np.float32)
    rgb = mix(rgb, came, smoothstep(lead + 0.012, lead - 0.004, d))
    return layer(np.clip(rgb + 0.3 * cv2.GaussianBlur(rgb, (0, 0), size * 0.03) - 0.03, 0, 1))


def honeycomb(rng: Generator, size: int) -> Layer:
    """Wax cells, six-sided and deep: some hold glossy honey, some are capped, some are empty."""
    (_, x, y), sun, scale, s3 = window(size), draw_sun(rng), rng.uniform(2.0, 4.6), np.float32(np.sqrt(3))
    px, py = turned((x + noise(rng, size, 1.8) * 0.02) * scale + 20, y * scale, rng.uniform(0, np.pi))
    ax, ay, bx, by = px - np.round(px), py - np.round(py / s3) * s3, px % 1 - 0.5, (py / s3 % 1 - 0.5) * s3
    first = ax * ax + ay * ay < bx * bx + by * by
    hx, hy = np.where(first, ax, bx), np.where(first, ay, by)
    key = np.sin(np.round((px - hx) * 2) * 12.99 + np.round((py - hy) * 2 / s3) * 78.23) * 437.58 % 1
    d = 0.5 - np.maximum(np.abs(hx), np.abs(hx) * 0.5 + np.abs(hy) * (s3 / 2))  # from the cell's edge, inward
    wax, honey = draw_tints(rng, ((0.12, 0.1), 0.5, 0.85), ((0.09, 0.06), 0.85, 0.8))
    rim, full, capped = rng.uniform(0.06, 0.1), key < rng.uniform(0.3, 0.8), key > 1 - rng.uniform(0.0, 0.3)
    slope = (hx * sun[0] + hy * sun[1]) * 2  # the far wall of a pit catches the light
    pool = (0.55 - 0.8 * slope + 0.35 * np.sin(key * 40)) * smoothstep(0.0, 0.25, d)
    fill = ramp(pool, [honey * 0.22, honey * 0.7, honey, honey * 0.6 + np.float32([0.4, 0.35, 0.1])])
    spot = np.hypot(hx - sun[0] * 0.22, hy - sun[1] * 0.22)
    fill += (smoothstep(0.11, 0.05, spot) + 0.25 * smoothstep(0.05, 0.0, np.abs(spot - 0.62)))[..., None]
    pit = mix(INK, wax * 0.75, np.clip(0.75 - 2.0 * (d - rim) - 0.9 * slope, 0, 1))
    wall, step = smoothstep(rim + 0.03, rim, d), smoothstep(rim, rim + 0.1, d)
    rgb = mix(mix(mix(pit, np.clip(fill, 0, 1), full), wax * 0.85, capped), wax, wall)
    height = (dome(d - rim, rim) * 1.6 + 0.3 * np.sqrt(np.clip(d, 0, 1)) * capped) / scale
    solid = relief(rgb, height + 0.002 * noise(rng, size, 0.6), sun, 0.6, 0.4)
    rgb = mix(rgb, solid, np.maximum(wall, capped))
    return layer(rgb * (0.55 + 0.45 * np.maximum(step, wall))[..., None])


def knot(rng: Generator, size: int) -> Layer:
    """Celtic plaitwork: bands that pass over and under in turn, or turn back, each strand one color."""
    _, x, y = window(size)
    scale, m, n, wide = rng.uniform(2.0, 4.2), int(rng.integers(2, 5)), 12, rng.uniform(0.24, 0.36)
    u, v = turned(x * scale, y * scale, np.pi / 4 + rng.choice([0, rng.normal(0, 0.2)]))
    i, j = (np.clip(np.floor(w + n / 2), 0, n - 1).astype(np.int32) for w in (u, v))
    cell = rng.choice([0, 1, 2], (m, m), p=[0.6, 0.2, 0.2])  # a tile crosses, or turns its two strands back
    cell = np.concatenate([cell, cell[:: rng.choice([-1, 1])]])
    kinds = np.tile(np.concatenate([cell, cell[:, ::-1]], 1), (n, n))[:n, :n]
    ends = np.arange(2 * (n + 1) ** 2).reshape(2, n + 1, -1)  # the strands at tiles' left and top sides
    for p, q in np.ndindex(n, n):
        w, e, t, b = (0, p, q), (0, p, q + 1), (1, p, q), (1, p + 1, q)
        for one, other in (((w, e), (t, b)), ((w, t), (e, b)), ((w, b), (e, t)))[kinds[p, q]]:
            ends[ends == ends[one]] = ends[other]
    kind, fu, fv = kinds[j, i], u + n / 2 - i - 0.5, v + n / 2 - j - 0.5
    flip, level, cross = np.where(kind == 2, -fv, fv), (i + j) % 2 == 0, kind == 0
    near = fu + flip < 0
    arc = np.abs(np.hypot(np.where(near, fu, -fu) + 0.5, np.where(near, flip, -flip) + 0.5) - 0.5)
    top, low = np.abs(np.where(level, fv, fu)), np.abs(np.where(level, fu, fv))  # over and under alternate
    upper = top < wide
    off = np.where(cross, np.where(upper, top, low), arc)
    name = np.where(near, ends[0, j, i], ends[0, j, i + 1])
    name = np.where(cross, np.where(upper == level, ends[0, j, i], ends[1, j, i]), name)
    *tints, line, ground = draw_tints(
        rng, *[((0.12, 0.35, 0.6), 0.65, 0.65)] * 4, ((0.12, 0.0), 0.5, 0.6), ((0.4, 0.62, 0.0), 0.6, 0.15))
    t = np.clip(off / wide, 0, 1)
    groove = smoothstep(0.08, 0.0, np.abs(t - rng.uniform(0.5, 0.75)))
    base = mix(np.stack(tints)[name * 7 % 4], line, groove * 0.8)
    base *= (1 - 0.65 * (cross & ~upper) * smoothstep(wide + 0.2, wide, top))[..., None]
    dots = smoothstep(0.1, 0.0, np.hypot(u * 4 % 1 - 0.5, v * 4 % 1 - 0.5) - 0.2)
    floor = ground * ((0.35 + 0.65 * smoothstep(wide, wide + 0.2, off)) * (1 + 0.9 * dots))[..., None]
    height, cover = np.sqrt(1 - t * t * 0.96) * 0.26 - 0.05 * groove, inside((off - wide) / scale, size)
    return layer(mix(floor, relief(base, height * cover / scale, draw_sun(rng), 0.8 * (t < 0.9), 0.5), cover))
