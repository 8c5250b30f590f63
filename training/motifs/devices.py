"""Devices and buildings: clock, wheel, circuit, glyphs, rose window, cathedral, facade, lantern."""

from __future__ import annotations

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
    hsv,
    inside,
    layer,
    mix,
    noise,
    polar,
    polygon,
    smoothstep,
)
from training.sunlight import (
    INK,
    SUNLIGHT,
    Sun,
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

TAU = 2 * np.pi
ROMAN = ("XII", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI")
LETTERS = {  # how far a letter takes the next, and its strokes, y up
    "I": (0.75, [(0, -1), (0, 1)]),
    "V": (1.25, [(-0.6, 1), (0, -1), (0.6, 1)]),
    "X": (1.25, [(-0.6, 1), (0.6, -1)], [(-0.6, -1), (0.6, 1)]),
}


def _fixed(points: NDArray[np.floating] | list[NDArray[np.floating]], size: int) -> NDArray[np.int32]:
    """Normalized points in 1/16 pixels of a drawing of twice the size."""
    return np.round((np.asarray(points) + 1) * (size * 16)).astype(np.int32)


def _small(big: NDArray[np.uint8]) -> Field:
    """The drawing at half its size, 0..1."""
    return cv2.resize(big, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _turned_metal(metal: Color, a: Field, r: Field, sun: Sun) -> NDArray[np.float32]:
    """Metal cut on a lathe: two bright fans around the axis, and fine grooves."""
    fan = np.abs(np.cos(a - np.arctan2(sun[1], sun[0]))) ** 5
    return metal * ((0.6 + 0.65 * fan + 0.1 * np.cos(5 * a + 1)) * (1 + 0.06 * np.sin(r * 110)))[..., None]


def _numerals(size: int, cy: float, radius: float, tall: float, every: int) -> Field:
    """Roman hours that stand on the center."""
    ink = np.zeros((size * 2, size * 2), np.uint8)
    for hour in range(0, 12, every):
        up, letters = np.array([np.sin(hour * TAU / 12), -np.cos(hour * TAU / 12)]), ROMAN[hour]
        start = -sum(LETTERS[letter][0] for letter in letters) / 2
        for step, *lines in (LETTERS[letter] for letter in letters):
            for line in lines:
                lx, ly = np.array(line).T[..., None] * tall
                lx = (lx + (start + step / 2) * tall) / 2
                points = _fixed([(0, cy) + up * (radius + ly) + lx * (-up[1], up[0])], size)
                cv2.polylines(ink, points, False, 255, max(1, round(size / 55)), cv2.LINE_AA, 4)
            start += step
    return _small(ink)


def clock(rng: Generator, size: int) -> Layer:
    """A wall clock or a pocket watch: metal rim, enamel face with Roman hours and minute ticks, hands."""
    out, sun, pocket, (_, x, y) = empty(size), draw_sun(rng), rng.random() < 0.5, window(size)
    cy, big, face = (0.18, 0.78, rng.uniform(0.8, 0.86)) if pocket else (0, 0.95, rng.uniform(0.76, 0.86))
    metal, accent = draw_tints(rng, ((0.12, 0.1, 0.58), 0.4, 0.8), ((0.62, 0.0), 0.6, 0.3))
    paper, ink = color(rng, (0.12,), (0.04, 0.3), (0.92, 1.0)), color(rng, (0.65,), (0, 0.7), (0.02, 0.15))
    paper, ink = (paper, ink) if rng.random() < 0.8 else (ink * 1.5, metal)
    if pocket:
        bow = np.abs(np.hypot(x, y + 0.8) - 0.13) - 0.035
        put(out, size, relief(metal, dome(bow, 0.035), sun, 0.9, 0.5), bow)
        crown = metal * (0.75 + 0.35 * np.cos(np.arcsin(np.clip(x / 0.13, -1, 1)) * 14))[..., None]
        put(out, size, rounded(crown, x / 0.13, sun[0]), np.abs(x) - 0.13, np.abs(y + 0.63) - 0.07)
    (r, a), edge, full = polar(x / big, (y - cy) / big), (1 + face) / 2, face * big
    ring = np.sqrt(np.clip(1 - ((r - edge) / (1 - edge)) ** 2, 0, 1)) * (1 - edge) * big
    groove = 1 - 0.5 * smoothstep(0.02, 0.0, np.abs(r - edge - rng.uniform(-0.03, 0.05)))
    groove += 0.25 * smoothstep(0.95, 0.97, r) * np.sin(a * int(rng.integers(50, 70))) * rng.integers(2)
    rim = _turned_metal(metal, a, r, sun) * groove[..., None]
    put(out, size, relief(rim, ring, sun, 0.9, 0.5), (r - 1) * big)
    hour, rf, rail = a * 12 / TAU, r / face, np.abs(r / face - 0.915) - 0.04
    bars = np.minimum(*(np.abs(hour * k - np.round(hour * k)) / k - w for k, w in ((5, 0.0025), (1, 0.06))))
    ticks = np.minimum(np.maximum(bars * rf * (TAU / 12), rail), np.abs(rail) - 0.006)
    dial = paper * (1.02 - 0.15 * rf**2 + 0.05 * np.sin(a * 24) * np.sin(rf * 60) * (rf < 0.55))[..., None]
    dial = mix(dial, dial * accent * 1.6, (rf < 0.5) * rng.choice([0, 0, 0.4, 0.8]))  # a tinted middle
    hours = _numerals(size, cy, 0.68 * full, 0.145 * full, int(rng.choice([1, 1, 1, 3])))
    dial = mix(dial, ink, np.maximum(inside(ticks * full, size), hours))
    cast = 1 - 0.6 * smoothstep(0.75, 0.95, np.hypot(x - 0.08 * sun[0], y - cy - 0.08 * sun[1]) / full)
    put(out, size, np.clip(dial * cast[..., None], 0, 1), (r - face) * big)
    blue = accent * 0.8 if rng.random() < 0.6 else ink
    for far, wide in ((0.5, 0.055), (0.82, 0.04)):
        angle, spade = rng.uniform((0, 1.0), (TAU, 2.2))
        way = np.array([np.sin(angle), -np.cos(angle)])
        along = np.array([-0.2, 0, 0.6, 0.72, 1, 0.72, 0.6, 0, -0.2])[:, None] * far * full
        across = np.array([0.8, 1, 0.7, spade, 0, -spade, -0.7, -1, -0.8])[:, None] * wide * big
        points = (0, cy) + along * way + across * (-way[1], way[0])
        lay(out, 0.35 * polygon(size, points - np.array(sun) * 0.04, 1.2), INK)
        lay(out, polygon(size, points), blue)
    hub = np.hypot(x, y - cy) - 0.07 * big
    put(out, size, relief(metal, dome(hub, 0.07), sun, 0.9, 0.5), hub)
    glass = np.hypot(x - 0.5 * sun[0], y - cy - 0.5 * sun[1]) / full
    lay(out, 0.27 * smoothstep(0.62, 0.55, glass) * inside(r - face, size), SUNLIGHT)
    return finished(out)


def wheel(rng: Generator, size: int) -> Layer:
    """A spoked wheel: a cart's, of wood with an iron tire, or a ship's, with turned spokes and handles."""
    (_, x, y), sun, out, ship = window(size), draw_sun(rng), empty(size), rng.random() < 0.45
    wood, metal = draw_tints(rng, ((0.07, 0.05), 0.55, 0.6), ((0.12, 0.1, 0.6), 0.3, 0.75))
    (r, a), n, hub = polar(x, y), rng.choice([6, 8, 10] if ship else [8, 10, 12, 14]), rng.uniform(0.17, 0.22)
    turn, (rim, half) = a * n / TAU + rng.random() * 9, (0.62, 0.09) if ship else (0.83, 0.1)
    fold = (turn % 1 - 0.5) * (TAU / n)
    along, across, shiny = r * np.cos(fold), r * np.sin(fold), _turned_metal(metal, a, r, sun)
    grip = 0.026 + 0.03 * np.sqrt(np.sin(3.14 * np.clip((along - 0.72) / 0.25, 0, 1)))
    beads = 0.034 + 0.022 * np.cos((along - 0.4) * 29) * smoothstep(0.27, 0.18, np.abs(along - 0.43))
    thick = np.where(along > 0.72, grip, beads) if ship else 0.075 - 0.04 * along
    grain = 0.85 + 0.22 * np.sin(across * 140 + np.sin(along * 9 + np.round(turn)) * 2)
    bulge = thick * np.sqrt(np.clip(1 - (across / thick) ** 2, 0, 1)) * 1.3
    spoke = np.maximum(np.abs(across) - thick, along - (0.97 if ship else rim))
    put(out, size, relief(wood * grain[..., None], bulge, sun, 0.5, 0.4), spoke)
    seam = smoothstep(0.0, 0.02, np.abs(turn / 2 % 1 - 0.5) * (TAU / n * 2) * r)
    grain = (0.97 + 0.22 * np.sin(r * 120 + 2 * np.sin(a * 5))) * (0.5 + 0.5 * seam)
    hoop = np.abs(np.abs(r - rim) - half * 0.72) - 0.012 if ship else rim + 0.04 - r
    ring, peg, iron = np.abs(r - rim) - half, np.hypot(across, along - rim) - 0.03, smoothstep(0.015, 0, hoop)
    base = mix(wood * grain[..., None], shiny if ship else shiny * 0.3 + 0.1, iron)
    base = mix(base, metal, inside(peg, size))
    height = dome(ring, half * 0.8) + dome(peg, 0.028) + 0.02 * iron
    cap = mix(wood * grain[..., None], shiny, smoothstep(hub * 0.62, hub * 0.56, r))
    knob = dome(r - hub, hub * 0.8) - 0.05 * smoothstep(0.035, 0.02, np.abs(r - hub * 0.75))
    knob -= 0.1 * smoothstep(hub * 0.25, hub * 0.15, r)
    for d, rgb, high, gloss in ((ring, base, height, 0.3 + 0.5 * iron), (r - hub, cap, knob, 0.8)):
        lay(out, 0.5 * smoothstep(0.07, -0.02, d) * out[..., 3], INK)
        put(out, size, relief(rgb, high, sun, gloss, 0.5), d)
    return finished(out)


def circuit(rng: Generator, size: int) -> Layer:
    """A printed circuit: glossy board, traces with 45-degree bends, ringed holes, chips on silver legs."""
    cells, (_, x, y), sun = int(rng.integers(20, 29)), window(size), draw_sun(rng)
    taken, starts, unit = np.zeros((cells, cells), bool), [], 2 / cells
    plan, pads, holes, chips = drawings = np.zeros((4, size * 2, size * 2), np.uint8)
    thick = max(2, round(unit * size * rng.uniform(0.26, 0.4)))
    for left, top, w, h in rng.integers((1, 1, 3, 3), (cells - 8, cells - 8, 8, 8), (6, 4)).tolist():
        if taken[top - 1:top + h + 2, left - 1:left + w + 2].any():
            continue
        taken[top:top + h + 1, left:left + w + 1] = True
        starts += [(left + k, v, way) for k in range(1, w) for v, way in ((top, 6), (top + h, 2))]
        starts += [(v, top + k, way) for k in range(1, h) for v, way in ((left, 4), (left + w, 0))]
        corners = np.array([(left + 0.7, top + 0.7), (left + w + 0.3, top + h + 0.3)])
        cv2.rectangle(chips, *_fixed(corners * unit - 1, size).tolist(), 255, -1, cv2.LINE_8, 4)
    starts += rng.integers(0, (cells, cells, 8), (90, 3)).tolist()
    ways = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
    for p, q, way in starts:
        line = [(p, q)]
        for chance in rng.random(int(rng.integers(4, 24))).tolist():
            for turn in (1, 0, -1) if chance < 0.1 else (-1, 0, 1) if chance < 0.2 else (0, 1, -1):
                (left, top), (dx, dy) = line[-1], ways[(way + turn) % 8]
                cell, inner = (left + dx, top + dy), 0 <= left + dx < cells and 0 <= top + dy < cells
                if inner and not (taken[cell[::-1]] or (taken[top, cell[0]] and taken[cell[1], left])):
                    way, taken[cell[::-1]] = way + turn, True
                    line.append(cell)
                    break
        if len(line) > 1:
            line = _fixed((np.array(line) + 0.5) * unit - 1, size)
            cv2.polylines(plan, [line], False, 255, thick, cv2.LINE_AA, 4)
            for drawing, radius in ((pads, 7), (holes, 3)):
                cv2.circle(drawing, line[-1].tolist(), int(unit * size * radius), 255, -1, cv2.LINE_AA, 4)
    plan, pads, holes, chips = map(_small, drawings)
    comb, ones = np.cos(y * (TAU * cells / 2)) < 0, np.ones((2 * round(unit * size * 0.3) + 1, 1))
    legs = np.maximum(cv2.dilate(chips, ones) * comb.T, cv2.dilate(chips, ones.T) * comb) * (chips == 0)
    board, copper, gold = draw_tints(
        rng, ((0.38, 0.36, 0.42, 0.6), 0.7, 0.25), ((0.3, 0.12, 0.36), 0.5, 0.65), ((0.12, 0.1), 0.5, 0.9))
    sweep = 0.5 * np.exp(-(((x * sun[1] - y * sun[0] + rng.uniform(-0.5, 0.5)) / 0.4) ** 2))[..., None]
    rgb = mix(mix(mix(board * (0.95 + sweep), copper, plan), gold, pads), INK, holes)
    rgb = mix(rgb, np.float32([0.85, 0.87, 0.9]), legs)
    rgb *= (1 - 0.6 * cv2.GaussianBlur(chips, (0, 0), size * 0.015))[..., None]
    rgb = mix(rgb, hsv(0.62, 0.2, 0.13) + 0.25 * sweep, chips > 0.05)
    height = 0.012 * np.maximum(plan, 1.4 * pads - holes) + 0.03 * legs + 0.05 * chips
    return layer(relief(rgb * 1.2, cv2.GaussianBlur(height, (0, 0), 0.6), sun, 0.25 + 0.5 * (pads + legs)))


SIGNS = (  # Egyptian in kind: strokes of points, each two digits 0..9, across and down
    "44 22 21 30 60 71 72 54 44/45 49/15 75",  # ankh
    "04 22 42 62 83 94 73 76 57 37 16 04/44 35 45 54 44/01 30 60 92/36 39/56 78 98 96",  # eye
    "13 31 42 54 98 76 57 36 25 24 13/47 49 39/57 59 69",  # bird
    "04 22 34 42 54 62 74 82 94/07 25 37 45 57 65 77 85 97",  # water
    "30 60 81 93 96 88 69 39 18 06 03 11 30/43 54 55 46 35 34 43",  # sun
    "49 42 30 21 32 44/42 51 63 56 49",  # reed
    "08 41 98 08/25 75",  # pyramid
    "29 22 30 60 71 73/52 55",  # crook
    "43 62 74 77 68 48 28 17 14 22 43/22 00/72 90/15 04 07/75 94 97/44 48",  # beetle
    "28 24 16 13 33 63 83 76 64 78 28/30 60",  # jar
)


def glyphs(rng: Generator, size: int) -> Layer:
    """Rows of signs, Egyptian in kind, cut into stone between ruled lines; at times painted or gilt."""
    rules, deep = np.zeros((2, size * 2, size * 2), np.uint8)
    cells, shift = rng.uniform(2.4, 4.6), rng.random(2)
    thick, pitch = max(2, round(size / (6.5 * cells))), 2 / cells
    for row, column in np.ndindex(int(cells) + 2, int(cells) + 2):
        at = (np.array([column, row]) + 0.5 - shift) * pitch - 1
        for line in rng.choice(SIGNS).split("/"):
            points = np.array([(int(u), int(v)) for u, v in line.split()]) / 4.5 - 1
            fixed = _fixed(at + points * pitch * 0.37, size)
            cv2.polylines(deep, [fixed], False, 255, thick, cv2.LINE_AA, 4)
            if len(points) > 6 and np.allclose(points[0], points[-1]) and np.ptp(points[:, 0]) > 1.2:
                cv2.fillPoly(deep, [fixed], 150, cv2.LINE_AA, 4)
        for far in (-0.53, -0.47):
            edge = int((at[1] + pitch * far + 1) * size)
            cv2.line(rules, (0, edge), (size * 2, edge), 255, max(2, thick // 3), cv2.LINE_AA)
    rough, cut, rules = noise(rng, size, 1.0), _small(deep), _small(rules)
    stone, paint = draw_tints(rng, ((0.1, 0.09, 0.12), 0.25, 0.75), ((0.12, 0.5, 0.0), 0.6, 0.6))
    pit = cv2.GaussianBlur(np.maximum(cut, rules), (0, 0), size / 160)
    base = mix(stone * (0.95 + 0.12 * rough)[..., None], paint, cut * rng.choice([0, 0, 0.85]))
    return layer(relief(base * (1.1 - 0.5 * pit)[..., None], 0.008 * rough - 0.07 * pit, draw_sun(rng), 0.15))


def _pointed(u: Field, v: Field, w: float) -> Field:
    """Signed distance to a pointed arch of half width ``w`` that springs at ``v`` = 0, open below (v > 0)."""
    return np.hypot(np.abs(u) + w, np.minimum(v, 0)) - 2 * w


def rose_window(rng: Generator, size: int) -> Layer:
    """A Gothic rose: stone tracery of lancets, petals and foils around a center, jewel glass behind."""
    out, (r, a), n = empty(size), polar(*window(size)[1:]), int(rng.choice([6, 8, 8, 10, 12]))
    bar, eye, turn = rng.uniform(0.018, 0.028), rng.uniform(0.13, 0.2), a * n / TAU
    ds, names = [r - eye * (0.78 + 0.22 * np.abs(np.cos(a * n / 2)))], [0 * r]
    for k, half, start, end in ((1, 0, eye + 2 * bar, 0.5), (2, 0.5, 0.53, 0.77), (2, 0, 0, 0)):
        name, slope = np.round(turn * k + half), np.tan(np.pi / n / k)
        fold = (turn * k + half - name) * (TAU / n / k)
        p, q, w = r * np.cos(fold), np.abs(r * np.sin(fold)), end * slope * 0.85
        if end:
            d = np.maximum(q - p * slope, start - r + 0.1 * q)
            d = np.maximum(_pointed(q, end - 0.75 * w - p, w), d) + bar
        else:  # foils along the rim
            foil = 0.8 + 0.2 * np.abs(np.cos(np.arctan2(q, p - 0.855) * rng.choice([1.5, 2])))
            d = np.hypot(p - 0.855, q) - min(0.075, 0.8 * slope) * foil
        ds, names = [*ds, d], [*names, name % (n * k)]
    which, d = np.argmin(ds, 0), np.min(ds, 0)
    name, leads = np.choose(which, names), np.abs(np.sin(r * rng.uniform(28, 40)) * np.sin(a * n * 2)) + 0.1
    glass = np.stack(draw_tints(rng, *[((0.62, 0.64, 0.0, 0.98, 0.13), 0.75, 0.75)] * 8))
    tone = np.where(r * 9 % 1 < 0.5, 0.75, 1.15) + 0.2 * np.sin(name * 2.7) + 0.12 * noise(rng, size, 0.8)
    pane = glass[which * 2 + (name % 2).astype(int)] * tone[..., None]
    pane += 0.5 * smoothstep(0.0, 0.09, -d)[..., None] ** 2 * glass[3]
    pane *= (smoothstep(0.05, 0.22, leads) * smoothstep(0.0, 0.03, -d) * 0.8 + 0.2)[..., None]
    stone = color(rng, (0.1, 0.62), (0.03, 0.3), (0.55, 0.95)) * rng.choice([1, 1, 0.35])
    height = np.sqrt(np.clip(1 - ((d - bar) / (bar * 1.3)) ** 2, 0, 1)) * bar * 1.4
    height += 0.07 * np.cos((r - 0.96) * 110).clip(-0.3) * (r > 0.925)
    rgb = mix(relief(stone, height, draw_sun(rng), 0.2, 0.4), np.clip(pane, 0, 1.2), inside(d, size))
    put(out, size, np.clip(rgb + 0.25 * cv2.GaussianBlur(pane, (0, 0), size * 0.02) - 0.05, 0, 1), r - 0.99)
    return finished(out)


def _spire(out: Layer, stone: Color, side: float, cx: float, base: float, w: float, tall: float) -> None:
    """An eight-sided spire with a finial; the small ones are pinnacles."""
    box, x, y = window(size := len(out), cx - w - 0.04, base - tall - 0.05, cx + w + 0.04, base + 0.02)
    t = np.clip((y - base + tall) / tall, 1e-3, 1)
    u = (x - cx) / (w * t)
    faces = np.select([u < -0.45, u < 0.45], [-0.75, 0.05], 0.75) * side
    joints = 0.85 + 0.15 * np.sin(t * tall * 70) - 0.3 * smoothstep(0.06, 0.0, np.abs(np.abs(u) - 0.45))
    rgb = np.clip(stone * ((0.7 + 0.45 * faces) * joints)[..., None] * SUNLIGHT, 0, 1)
    put(out[box], size, rgb, np.abs(x - cx) - w * t - 0.01, y - base, base - tall - y)
    put(out[box], size, stone * SUNLIGHT * 0.9, np.hypot(x - cx, y - base + tall) - 0.1 * w - 0.012)


def cathedral(rng: Generator, size: int) -> Layer:
    """A Gothic front: towers with spires, buttresses, pinnacles, nested portals, a rose, rows of lancets."""
    out, side, (_, gx, gy), foot = empty(size), float(rng.choice([-1, 1])), window(size), 0.94
    stone, glow, roof = draw_tints(
        rng, ((0.1, 0.09, 0.62), 0.08, 0.8), ((0.1, 0.13, 0.6), 0.6, 0.85), ((0.6, 0.45), 0.3, 0.4))
    half, at, crown = rng.uniform(0.19, 0.24), rng.uniform(0.52, 0.6), rng.uniform(-0.38, -0.15)
    eave, ridge, pale = rng.uniform(-0.12, 0.02), rng.uniform(-0.6, -0.4), np.clip(stone * 1.15, 0, 1)

    def wall(x0: float, y0: float, x1: float, y1: float, tone: float = 1.0) -> None:
        box, x, y = window(size, x0, y0, x1, y1)
        rgb = stone * bricks(x * 14, y * 24, tone) * SUNLIGHT * (tone + 0.1 * side * x)[..., None]
        put(out[box], size, np.clip(rgb, 0, 1), np.maximum(x0 - x, x - x1), np.maximum(y0 - y, y - y1))

    def lancets(cx: float, spring: float, w: float, low: float, count: int = 1, rings: int = 1) -> None:
        reach = (count * 1.3 - 0.3) * w + 0.02 * rings
        box, x, y = window(size, cx - reach, spring - 1.8 * w - 0.04 * rings, cx + reach, low)
        u = x - cx + (count - 1) * 1.3 * w
        u = u - np.clip(np.round(u / (2.6 * w)), 0, count - 1) * 2.6 * w
        d = _pointed(u, y - spring, w)
        for k in range(rings, 0, -1):  # a portal has many
            tone = (0.8 + 0.3 * (k % 2) + 0.3 * side * np.sign(u) * (rings > 1)) * (0.55 + 0.45 * k / rings)
            put(out[box], size, np.clip(stone * tone[..., None] * SUNLIGHT, 0, 1), d - 0.018 * k, y - low)
        lamp = mix(glow, hsv(0.64, 0.6, 0.12), 0.4 + 0.6 * np.sin(u / w * 4.7) * np.sin(y * 50))
        put(out[box], size, np.clip(lamp * smoothstep(0.03, -0.04, d)[..., None], 0, 1), d, y - low)

    wall(-at, eave, at, foot, 0.85)
    gable = np.maximum((np.abs(gx) / 0.36 * (eave - ridge) + ridge - gy) * 0.6, gy - eave)
    put(out, size, mix(stone * bricks(gx * 14, gy * 24), pale, np.abs(gable + 0.015) < 0.014), gable)
    cap = mix(stone, roof, rng.choice([0, 0, 0.6]))
    for s in (-1, 1):
        cx, high = s * at, crown + rng.choice([0, 0, 0.08]) * (s > 0)
        _spire(out, cap, side, cx, high, half * 0.85, min(high + 0.95, rng.uniform(0.5, 1.2)))
        wall(cx - half, high, cx + half, foot)
        for level in np.arange(high + 0.17, 0.42, rng.uniform(0.24, 0.3)):
            lancets(cx, level, half * rng.choice([0.14, 0.22]), level + 0.12, 2)
        lancets(cx, 0.68, 0.075, foot, rings=3)
        for px in (cx - half * 0.95, cx + half * 0.95):
            for k, top in enumerate(np.linspace(high - 0.03, 0.6, 4)):  # a buttress widens step by step
                wall(px - 0.03 - 0.008 * k, top, px, foot, 0.95 - 0.3 * side)
                wall(px, top, px + 0.03 + 0.008 * k, foot, 0.95 + 0.3 * side)
            _spire(out, stone, side, px, high - 0.02, 0.04, 0.22)
    lancets(0, 0.36, 0.026, 0.45, int((at - half) / 0.034))
    lancets(0, 0.68, 0.11, foot, rings=5)
    r, a = polar(gx, gy - 0.12)
    rose = mix(mix(glow, hsv(0.62, 0.8, 0.5), np.floor(r * 21) % 2), INK, np.abs(np.sin(a * 6)) < 0.25)
    put(out, size, mix(rose, pale, smoothstep(0.14, 0.15, r)), r - 0.17)
    return finished(out)


def facade(rng: Generator, size: int) -> Layer:
    """The corner of a house from the street: rows of framed windows in perspective, many of them lit."""
    (_, x, y), night, sun = window(size), rng.random() < 0.6, draw_sun(rng)
    x, corner = x / (1.0 - rng.uniform(0, 0.2) * y), rng.choice([-1.2, 1.2, rng.uniform(-0.6, 0.6)])
    right, off = x > corner, np.abs(x - corner)
    scale = 1 / (1 - np.where(right, *rng.uniform(0.08, 0.36, 2)) * off)  # each wall recedes from the corner
    n, floors, half, tall = rng.uniform((1.3, 1.1, 0.2, 0.27), (2.6, 2.1, 0.3, 0.36))
    pu, pv = off * scale * n + 0.25, (y - rng.uniform(0.3, 1.0)) * scale * floors + 40
    u, w = pu % 1 - 0.5, pv % 1 - 0.5
    key = np.abs(np.sin(np.floor(pu) * 12.99 + np.floor(pv) * 78.23 + right * 4 + rng.random()) * 437.6) % 1
    top = half * (arched := rng.random() < 0.3) - tall
    across = np.hypot(u, np.minimum(w - top, 0)) if arched else np.maximum(np.abs(u), half + top - w)
    d = np.maximum(across - half, w - tall)
    sill, frame = (np.abs(w - tall - 0.05) < 0.035) & (np.abs(u) < half + 0.12), smoothstep(0.075, 0.06, d)
    band, pane = smoothstep(0.46, 0.48, np.abs(w)), smoothstep(0.005, -0.01, d)
    wall, trim, lamp = draw_tints(rng, ((0.05, 0.6), 0.25, 0.65), ((0.1,), 0.05, 0.85), ((0.12,), 0.5, 0.9))
    base = mix(wall * bricks(pu * 5, pv * 8), trim, np.maximum(np.maximum(frame, sill), band))
    cross = smoothstep(0.012, 0.022, np.minimum(np.abs(u), np.abs((w + 0.05) % (tall * 0.8) - 0.04) * 1.2))
    warm = ramp(1.1 - np.hypot(u / half, (w - 0.1) / tall) * (0.5 + 0.4 * key) - 0.2 * (key * 9 % 1),
                [lamp**3 * 0.5, lamp**2, lamp, lamp * 0.4 + 0.6])
    sky = hsv(0.6, 0.5, 0.3 if night else 0.7) * (0.5 - w + 0.3 * np.sin(u * 9 + w * 7))[..., None]
    height = (0.05 * frame + 0.07 * sill + 0.07 * band - 0.06 * pane) / (n * scale)
    tone = np.where(right == (sun[0] > 0), 1, 0.6)[..., None] * np.float32([0.5, 0.54, 0.78] if night else 1)
    on, rgb = key < (0.65 if night else 0.25), relief(base, height, sun, 0.2) * tone
    rgb = mix(rgb, np.where(on[..., None], warm, sky), pane * cross)
    halo = cv2.GaussianBlur((pane * on).astype(np.float32), (0, 0), size * 0.035) * (0.5 if night else 0.1)
    rgb = rgb + halo[..., None] * lamp * (rgb + 0.15)
    return layer(np.clip(rgb * (0.75 + 0.25 * smoothstep(0.0, 0.06, off))[..., None], 0, 1))


def lantern(rng: Generator, size: int) -> Layer:
    """A paper lantern: ribbed, lit from within, gold caps, a painted sign, a tassel below, a glow around."""
    out, (_, x, y), cy = empty(size), window(size), -0.12
    tall, wide, square = rng.uniform((0.45, 0.52, 2.0), (0.6, 0.8, 3.2))
    paper, gold, silk = draw_tints(rng, ((0, 0.01, 0.05), 0.75, 0.85), ((0.12,), 0.6, 0.85), ((0,), 0.7, 0.7))
    hot, t = np.clip(paper * 0.35 + np.float32([0.75, 0.6, 0.3]), 0, 1), ((y - cy) / tall).astype(np.float32)
    reach = wide * np.clip(1 - np.abs(np.clip(t, -1, 1) * 0.96) ** square, 1e-3, 1) ** (1 / square)
    u, around = x / reach, np.arcsin(np.clip(x / reach, -1, 1))
    hoops, staves = t * rng.uniform(4.5, 7) + 0.12 * np.cos(around), around / np.pi * rng.choice([8, 10, 12])
    rib = np.abs((hoops if rng.random() < 0.45 else staves) % 1 - 0.5) * 2
    bulb = np.exp(-((np.hypot(x, (y - cy - 0.1 * tall) * 1.1) / (0.62 * wide)) ** 2))
    value = 0.42 + 0.75 * bulb - 0.22 * rib**3 - 0.1 * rib - 0.2 * np.abs(u) ** 4
    rgb = ramp(value, [paper * 0.12, paper * 0.55, paper, paper * 0.4 + hot * 0.6, hot])
    rgb = mix(rgb, paper * 0.3, smoothstep(0.86, 1.0, rib) * 0.75)
    if rng.random() < 0.6:  # a painted flower in a ring
        r, a = polar(np.sin(around) * wide / tall, t * np.ones_like(x))
        petals = r - 0.36 * (0.6 + 0.4 * np.abs(np.cos(a * rng.choice([1.5, 2, 2.5, 3]))))
        sign = np.maximum(np.minimum(petals, np.abs(r - 0.5) - 0.04), 0.07 - r)
        rgb = mix(rgb, gold * 1.1 if rng.random() < 0.5 else INK, inside(sign * tall, size) * 0.85)
    lay(out, 0.6 * np.exp(-(np.hypot(x / wide, t * tall / (tall + 0.1)) ** 4)), paper * 0.6 + hot * 0.4)
    put(out, size, np.clip(rgb, 0, 1), np.abs(x) - reach, (np.abs(t) - 0.985) * tall)
    for s in (-1, 1):
        cap, w = cy + s * tall * 0.99, wide * rng.uniform(0.36, 0.44)
        for high, tone in ((0.055, 1), (0.014, 0.7)):
            w, cap = w * 1.06, cap + s * 0.055 * (tone < 1)
            bands = tone * gold * (0.8 + 0.25 * np.cos(np.arcsin(np.clip(x / w, -1, 1)) * 12))[..., None]
            put(out, size, rounded(bands, x / w, 0.7), np.abs(x) - w, np.abs(y - cap) - high)
    put(out, size, gold, np.abs(np.hypot(x, y - cy + tall + 0.15) - 0.09) - 0.016, y - cy + tall + 0.06)
    low = cy + tall + 0.07
    drift = x - 0.06 * np.sin((y - low) * 5 + rng.uniform(0, 6)) * (y - low)
    flare = 0.07 + 0.14 * np.clip(y - low - 0.15, 0, 1)
    strands = rounded(silk * (0.72 + 0.4 * np.sin(drift / flare * 16))[..., None], drift / flare, 0.7)
    put(out, size, strands, np.abs(drift) - flare, low + 0.13 - y, y - 0.97 - 0.02 * np.sin(x * 90))
    put(out, size, rounded(gold, drift / 0.06 + 0 * y, 0.7), np.hypot(drift, y - low - 0.12) - 0.06)
    return finished(out)
