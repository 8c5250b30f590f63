"""Patterns that grow, are laid, woven, knitted or carved: fractals, stone, textiles, tiles."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training import canvas
from training.canvas import Color, Field, Layer, hsv, inside, layer, mix, noise, polar, smoothstep, turned
from training.sunlight import INK, WHITE, draw_sun, lay, ramp, relief, window

TURN = 2 * np.pi


def _tints(rng: Generator, *specs: tuple[Sequence[float], float, float]) -> list[Color]:
    """Colors given by iconic hues, least saturation and value; in a quarter of draws all shifted alike."""
    shift = rng.random() * (rng.random() < 0.25)
    return [hsv(rng.choice(np.array(hues)) + shift + rng.normal(0, 0.015), rng.uniform(s, min(1, s + 0.4)),
                rng.uniform(v, min(1, v + 0.35))) for hues, s, v in specs]


def _plane(rng: Generator, size: int, scale: float, wobble: float, turn: float = np.pi) -> list[Field]:
    """Coordinates of a turned and slightly warped plane, ``scale`` units to half a frame, all positive."""
    (_, x, y), bow = window(size), noise(rng, size, 2.2) * wobble
    bent = turned(x + bow, y + np.roll(bow, size // 3), rng.uniform(-turn, turn))
    return [w * scale + (64 + rng.random()) for w in bent]


def _dice(rng: Generator, i: Field, j: Field) -> Field:
    """A random number 0..1 for each integer cell."""
    return rng.random(4096, np.float32)[(i.astype(np.int32) * 57 + j.astype(np.int32) * 131) & 4095]


def _combed(field: Field, angle: Field, rounds: int) -> Field:
    """A field smeared along directions: streaks of ``2**rounds`` pixels."""
    (v, u), dx, dy = np.indices(field.shape, np.float32), np.float32(np.cos(angle)), np.float32(np.sin(angle))
    for k in range(rounds):
        at = u + dx * 2**k, v + dy * 2**k
        field = 0.5 * (field + cv2.remap(field, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))
    return field / (field.std() + 1e-6)


_JULIA = (-0.8 + 0.156j, -0.7269 + 0.1889j, -0.4 + 0.6j, -0.835 - 0.2321j, -0.7018 - 0.3842j, -0.123 + 0.745j,
          0.355 + 0.355j, -0.162 + 1.04j, -0.194 + 0.6557j, -0.75 + 0.11j, 0.285 + 0.01j, 0.01 + 0.78j)


def _escaped(z: NDArray[np.complex64], c: complex) -> tuple[Field, ...]:
    """Iterate z*z + c: the smooth step of escape (1e9 if never), the last value, its derivative."""
    late, ends, slopes = np.full(z.size, 1e9, np.float32), z.ravel().copy(), np.ones(z.size, np.complex64)
    at, last, slope = np.arange(z.size), ends, slopes
    for step in range(72):
        slope, last = 2 * last * slope, last * last + np.complex64(c)
        far = last.real * last.real + last.imag * last.imag
        if (gone := far > 1e4).any():
            out, stay = at[gone], ~gone
            ends[out], slopes[out], late[out] = last[gone], slope[gone], step - np.log2(np.log(far[gone]))
            at, last, slope = at[stay], last[stay], slope[stay]
    ends[at] = last
    return late.reshape(z.shape), ends.reshape(z.shape), slopes.reshape(z.shape)


def julia(rng: Generator, size: int) -> Layer:
    """A Julia set: curling filaments, embossed and glowing on bands of color."""
    (_, x, y), frames = window(size), []
    for _ in range(5):  # frames about points of a set's border, of which the busiest is shown
        c, reach = rng.choice(np.array(_JULIA)), rng.choice([1.2, 0.5, 0.25]) * rng.uniform(0.7, 1.1)
        spot = 0.5 + np.sqrt(0.25 - c)
        for sign in rng.choice([-1, 1], 8):
            spot = sign * np.sqrt(spot - c)
        z = ((x + 1j * y) * reach + spot * min(1, 1.3 - reach)).astype(np.complex64)
        late = np.log2(np.maximum(_escaped(z[::8, ::8], c)[0], 1))
        frames.append((np.abs(np.diff(np.where(late < 7, late, 0))).mean(), reach, c, z))
    _, reach, c, z = max(frames, key=lambda frame: frame[0])
    late, ends, slopes = _escaped(z, c)
    far, way = np.abs(ends) + 1e-6, ends / (slopes + 1e-9)
    off, way = np.abs(way) * np.abs(np.log(far)) * (size / 2 / reach), way / (np.abs(way) + 1e-9)
    sun, hue = draw_sun(rng), float(rng.choice([0.02, 0.6, 0.6, 0.75, rng.random()]))
    warm, main = hsv(hue + rng.choice([0.1, 0.45, 0.5]), 0.85, 1), hsv(hue + 0.04, 0.8, 1)
    colors = main * 0.12, main * 0.6, main, warm * 0.6 + 0.4, warm, hsv(hue - 0.08, 1, 0.5), main * 0.12
    cycle = np.log2(np.clip(late + 4, 1, 99)) * rng.uniform(1.0, 2.2) + rng.random()
    tilt = np.clip((way.real * sun[0] + way.imag * sun[1]) * 0.6 + 0.8, 0.2, 1.5)[..., None]
    lake = ramp(0.9 - 0.75 * np.clip(far, 0, 1.2), [INK, main * 0.2, warm * 0.5])
    rgb = np.where(late[..., None] > 1e8, lake, ramp(cycle % 1, colors) * tilt)
    glow = np.float32((late < 1e8) * 0.85 * np.exp(-off / rng.uniform(0.5, 1.1)))
    halo = cv2.GaussianBlur(glow, (0, 0), size * 0.02)[..., None] * warm * 0.3
    return layer(np.clip(mix(rgb, warm * 0.35 + 0.65, glow) + halo, 0, 1))


def turing(rng: Generator, size: int) -> Layer:
    """A reaction-diffusion labyrinth, or spots, as raised rounded ridges with fine ribs, like brain coral."""
    n, bias = size // 2, rng.choice([0, 0, 0, 0.7, -0.7]) + rng.normal(0, 0.06)
    f = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None]) * n
    kept, field = np.exp(-(((f - rng.uniform(5, 10)) / 2.2) ** 2)), noise(rng, n, 0.2)
    for _ in range(14):  # one wavelength is stirred up, and cannot grow beyond a height
        field = np.fft.irfft2(np.fft.rfft2(np.tanh(1.3 * field / field.std() + bias * 0.6)) * kept, s=(n, n))
    field = cv2.resize(np.float32(field), (size, size), interpolation=cv2.INTER_CUBIC)
    downhill = np.arctan2(cv2.Sobel(field, cv2.CV_32F, 0, 1), cv2.Sobel(field, cv2.CV_32F, 1, 0))
    ridge, ribs = np.clip(0.53 + 0.4 * field / field.std(), 0, 1), _combed(noise(rng, size, 0.1), downhill, 3)
    deep, crest, top = _tints(
        rng, ((0.5, 0.62, 0.85), 0.7, 0.25), ((0.04, 0.1, 0.93, 0.42), 0.6, 0.75), ((0.12, 0.08), 0.25, 0.9))
    rgb = ramp(ridge + 0.06 * ribs, [deep * 0.5, deep, crest * 0.9, crest * 1.1, top * 1.1])
    height = 0.1 * np.sqrt(ridge + 0.02) + 0.0035 * ribs * (1.2 - ridge)
    return layer(relief(rgb, height, draw_sun(rng), 0.5, 0.5))


def mosaic(rng: Generator, size: int) -> Layer:
    """Little square stones laid in rings, fans or waves of color, with bevels and grout."""
    u, v = _plane(rng, size, rng.uniform(6, 10), 0.02)
    kind, count, wave = int(rng.integers(3)), int(rng.integers(5, 10)), rng.uniform(3, 7)
    if kind < 2:  # rings about a point, or fans of rings, overlapping like scales
        x, y, pitch = u - 64.5, v - 64.5, rng.uniform(4.5, 6.5)
        if kind == 1:
            row = np.floor(v / pitch)
            x, y = ((u / (2 * pitch) + 0.5 * (row % 2)) % 1 - 0.5) * 2 * pitch, v - (row + 1) * pitch
            behind = np.hypot(x, y) > pitch
            x, y = np.where(behind, x - np.sign(x) * pitch, x), y + behind * pitch
        r, a = polar(x, y)
        around = np.maximum(np.round(TURN * (np.floor(r) + 0.5)), 3)
        u = (a / TURN + 0.5) * around
    else:
        r, around = v + 1.2 * np.sin(u / wave), np.float32(999)
    line, along = np.floor(r), u + 0.5 * (np.floor(r) % 2)
    cell, edge = np.floor(along) % around, 0.5 - np.maximum(np.abs(along % 1 - 0.5), np.abs(r % 1 - 0.5))
    one, two, stone = _dice(rng, cell, line), _dice(rng, line, cell), smoothstep(0.06, 0.13, edge)
    tints = _tints(rng, ((0.6, 0.55), 0.7, 0.5), ((0.02, 0.05), 0.65, 0.6), ((0.12,), 0.55, 0.9),
                   ((0.48, 0.4), 0.55, 0.45), ((0.1,), 0.1, 0.9))
    turn = (cell + 0.5) / around * TURN * count if kind == 0 else (cell + 0.5) / wave
    petal = (np.cos(turn) > np.sin(line * rng.uniform(0.4, 1.2))) * (kind != 1)
    pick = (np.floor(line * rng.choice([0.5, 1])) + 2 * petal + (one > 0.96)).astype(np.int32) % 5
    rgb = np.stack(tints)[rng.permutation(5)][pick] * (0.7 + 0.45 * two)[..., None]
    height = 0.018 * smoothstep(0.04, 0.22, edge) + 0.012 * (one * (along % 1) + (two - 0.5) * (r % 1))
    rgb = mix(hsv(0.1, 0.15, rng.choice([0.75, 0.6, 0.2])), rgb, stone)
    return layer(relief(rgb, height + 0.0012 * noise(rng, size, 0.4), draw_sun(rng), 0.55 * stone, 0.35))


def truchet(rng: Generator, size: int) -> Layer:
    """Bundles of glossy tubes that turn in quarter circles about tile corners, one bundle over another."""
    u, v = _plane(rng, size, rng.uniform(1.1, 2.0), 0.0)
    i, j, n, wide = np.floor(u), np.floor(v), int(rng.choice([3, 3, 4, 5])), rng.uniform(0.7, 0.98)
    first, fu, fv = _dice(rng, j, i) < 0.5, u - i, v - j
    fu = np.where(_dice(rng, i, j) < 0.5, fu, 1 - fu)
    top, low = np.hypot(fu, fv), np.hypot(1 - fu, 1 - fv)
    top, low = np.where(first, top, low), np.where(first, low, top)
    r, nearer = np.where(top < 1, top, low) * n, first == (top < 1)
    across, lane = (r % 1 - 0.5) * 2, np.minimum(r, n - r).astype(np.int32)
    t = np.clip(np.abs(across) / wide, 0, 1)
    angle = np.arctan2(np.where(nearer, fv, 1 - fv), np.where(nearer, fu, 1 - fu))
    tints = _tints(rng, *[(hues, 0.7, 0.75) for hues in ((0.0, 0.88), (0.5, 0.6), (0.13,))])
    base, bow = np.stack(tints)[rng.permutation(3)][lane], np.sqrt(1 - 0.96 * t * t)
    if rng.random() < 0.5:  # candy stripes
        beat = np.sin(angle * 4 * float(rng.integers(2, 5)) * (1 + lane) + across * 1.5)
        base = mix(base, (WHITE, tints[0] * 0.3)[int(rng.random() < 0.4)], smoothstep(-0.2, 0.2, beat) * 0.85)
    cover, cast = inside((t - 1) * wide / n / 4, size), 0.2 + 0.8 * smoothstep(1.0, 1.12 + 0.45 / n, top)
    rgb = relief(base * (0.3 + 0.7 * bow)[..., None], bow * cover * (0.27 / n), draw_sun(rng), 0.9, 0.25)
    return layer(np.clip(mix(INK, rgb, cover) * np.where(top < 1, 1, cast)[..., None], 0, 1))


# a tiling: the height of a row, the chord of its first tile, its tiles: corners, inradius, place, turn
_EIGHTS = (8, 0.5, (0, 0), 0.0), (4, (2**0.5 - 1) / 2, (0.5, 0.5), np.pi / 4)
_TWELVES = (12, 0.5, (0, 0), 0.0), *((3, 0.0774, (0.5, k * 0.2887), k * np.pi / 2) for k in (1, -1))
_TILINGS = ((1.0, 3, _EIGHTS), (1.0, 3, _EIGHTS), (1.0, 2, _EIGHTS), (3**0.5, 4, _TWELVES))


def _wedge(u: Field, v: Field, row: float, n: int, turn: float) -> tuple[Field, Field]:
    """Coordinates about the nearest point of a lattice, turned so that the nearest edge lies to the right."""
    x, y, other, under = u - np.round(u), v - np.round(v / row) * row, u % 1 - 0.5, (v / row % 1 - 0.5) * row
    first = (row == 1) | (x * x + y * y < other * other + under * under)
    r, a = polar(np.where(first, x, other), np.where(first, y, under))
    a = (a - turn + np.pi / n) % (TURN / n) - np.pi / n
    return r * np.cos(a), r * np.sin(a)


def islamic_star(rng: Generator, size: int) -> Layer:
    """Girih tiling: stars of 8 or 12 points between interlaced straps, in glazed tile."""
    row, chord, tiles = _TILINGS[int(rng.integers(len(_TILINGS)))]
    u, v = _plane(rng, size, rng.uniform(0.9, 1.5), 0.0)
    wide, lean = rng.uniform(0.024, 0.04) / row**0.4, np.pi * chord / tiles[0][0]
    deep = int(rng.choice([0, 0, 1, 1 if row > 1 else chord - 1]))
    wedges = [_wedge(u - left, v - top, row, n, turn) for n, _, (left, top), turn in tiles]
    found = np.maximum.reduce([tile[1] - x for tile, (x, _) in zip(tiles, wedges, strict=True)])
    code, height, gap = np.zeros(u.shape, np.int32), np.zeros(u.shape, np.float32), np.full(u.shape, 9.0)
    for kind, ((n, rho, *_), (x, y)) in enumerate(zip(tiles, wedges, strict=True)):
        here, left, side, taken = rho - x >= found - 1e-5, y > 0, np.abs(y), np.zeros(u.shape, bool)
        nx, ny, off = np.cos(lean), np.sin(lean), np.cos(lean) * rho  # a strap leaves the middle of the edge
        straps = [(nx, -ny), (nx, ny)]
        for k in range(deep if kind == 0 else 0):  # and is mirrored at each side of the wedge
            c, s = (np.cos(TURN / n), np.sin(TURN / n)) if k % 2 == 0 else (1.0, 0.0)
            straps.append((c * straps[-1][0] + s * straps[-1][1], s * straps[-1][0] - c * straps[-1][1]))
        for k, (nx, ny) in enumerate(straps):
            near = np.abs(d := nx * x + ny * side - off)
            hit = here & (near < wide) & (left | ~taken)  # over and under alternate in this order
            height, taken = np.where(hit, np.sqrt(np.clip(1 - (near / wide) ** 2, 0, 1)), height), taken | hit
            gap = np.where(here, np.minimum(gap, near), gap)
            code += here * ((d > 0) * (2**k // 2) + (k < 1) * min(kind, 1) * 64)
    *tints, gold, strap = _tints(rng, ((0.6, 0.63), 0.8, 0.3), ((0.5,), 0.75, 0.65), ((0.1,), 0.05, 0.9),
                                 ((0.4, 0.02), 0.7, 0.4), ((0.12,), 0.7, 0.85), ((0.12,), 0.1, 0.9))
    table = np.stack(tints)[rng.permutation(4)][np.cumsum(np.bincount(code.ravel()) > 0) % 4]
    glaze = table[code] * (0.9 + 0.15 * noise(rng, size, 0.9))[..., None]
    inner = gap - rng.uniform(0.09, 0.15)  # a smaller figure, outlined, within each large field
    glaze = mix(mix(glaze, strap, smoothstep(-0.03, -0.015, inner)), gold, smoothstep(0.0, 0.02, inner))
    cover, rise = smoothstep(wide, wide * 0.8, gap), smoothstep(wide, wide + 0.04, gap)
    base = mix(glaze * (0.4 + 0.65 * rise)[..., None], strap * (0.55 + 0.5 * height)[..., None], cover)
    return layer(relief(base, 0.022 * height * cover + 0.012 * rise, draw_sun(rng), 0.6, 0.4))


def lace(rng: Generator, size: int) -> Layer:
    """Lace: a round medallion of petals, nets and scallops, of pale thread over a dark ground."""
    u, v = _plane(rng, size, 1 / rng.uniform(0.65, 1.25), 0.01)
    x, y, n, thin = (u - 63.5) % 2 - 1, (v - 63.5) % 2 - 1, int(rng.integers(6, 13)), rng.uniform(0.02, 0.03)
    (r, a), net = polar(x, y), np.minimum(np.abs(np.sin((x + y) * 16)), np.abs(np.sin((x - y) * 16))) / 23
    threads, cloth = [np.where(r > 0.92, net + 0.006, 9)], np.zeros(u.shape, np.float32)
    radii = [w for w in np.cumsum([0.06, *rng.uniform(0.14, 0.26, 6)]) if w < 0.8] + [0.96]
    for k, (low, high) in enumerate(pairwise(radii)):  # ring by ring
        m, kind, mid, half = n * (1 + (low > 0.4)), int(rng.integers(4)), (low + high) / 2, (high - low) / 2
        w, reach, up, last = a * m / TURN + 0.5 * (k % 2), np.pi / m, r - low, k == len(radii) - 2
        tang, here = (w % 1 - 0.5) * 2 * reach, (up >= 0) & (r < high + 0.03 * last)
        arc = (high - low) * np.sqrt(np.clip(1 - (tang / reach) ** 2, 0, 1))
        if last:  # scallops
            part = [np.abs(up - arc) * 0.8, np.abs(up - arc * 0.6) * 0.9]
            part.append(np.where(up < arc, np.abs(w * 6 % 1 - 0.5) * r * reach / 3 + 0.006, 9))
        elif kind < 2:  # leaves of cloth, or round holes in it
            leaf = (np.hypot((r - mid) / half, tang / reach / 0.8) - 1) * min(half, reach * mid)
            d = leaf + 0.02 if kind else min(half, reach * mid) * 0.72 - np.hypot(r - mid, tang * mid)
            part, cloth = [np.abs(d) * 0.9], np.maximum(cloth, here * inside(d, size))
        elif kind == 2:  # net
            part = [np.abs((w * 3 + s * up / half) % 1 - 0.5) * reach * mid * 0.47 + 0.004 for s in (-1, 1)]
        else:  # arcades
            part = [np.abs(up - arc * 0.55), np.abs(up - arc * 0.95), np.abs(tang) * r + 0.004]
        threads += [np.where(here, d, 9) for d in part] + [np.abs(up) * 0.75]
    t = np.clip(np.minimum.reduce(threads) / thin, 0, 1)
    cover = np.maximum(smoothstep(1.0, 0.6, t), cloth * 0.85).astype(np.float32)
    height = 0.03 * np.sqrt(1 - t * t * 0.98) + 0.004 * cloth * (2 + np.sin(x * 110) * np.sin(y * 110))
    thread, ground = _tints(rng, ((0.11, 0.13), 0.03, 0.92), ((0.64, 0.95, 0.4), 0.45, 0.06))
    cast = cv2.GaussianBlur(np.roll(cover, (size // 50, size // 80), (0, 1)), (0, 0), size / 90)
    back = ground * (0.66 - 0.48 * cast + 0.07 * noise(rng, size, 1.5))[..., None]
    pale = (thread * 0.45 + 0.55) * (1.15 - 0.3 * t + 0.1 * cloth)[..., None]
    return layer(np.clip(mix(back, relief(pale, height, draw_sun(rng), 0.15, 0.2), cover), 0, 1))


def weave(rng: Generator, size: int) -> Layer:
    """Basketwork: rounded glossy strips that pass over and under each other."""
    u, v = _plane(rng, size, rng.uniform(2.5, 4.5), 0.015)
    v, span = v * rng.choice([1, 0.6]), int(rng.choice([1, 2, 2]))  # strips lie single or in pairs
    i, j = np.floor(u), np.floor(v)
    over = (i // span + j // span) % 2 == 0  # the strip along u lies on top
    across, along = np.where(over, v - j, u - i) - 0.5, np.where(over, u / span, v / span) % 1 - 0.5
    t, bow = np.clip(np.abs(across) / 0.49, 0, 1), np.sqrt(np.clip(1 - 3.4 * along**2, 0.02, 1))
    warp, weft = _tints(rng, ((0.09, 0.07, 0.1), 0.5, 0.65), ((0.09, 0.06, 0.02), 0.5, 0.5))
    fine = np.sin(across * rng.uniform(30, 60) + 5 * noise(rng, size, 1.6))
    tone = (1 + 0.1 * fine + 0.3 * _dice(rng, np.where(over, j * 2, i * 2 + 1), i * 0)) * (0.25 + 0.6 * bow)
    height = (np.sqrt(1 - 0.96 * t * t) + 1.1 * span**0.5 * bow) * rng.uniform(0.06, 0.1) + 0.001 * fine
    rgb = relief(mix(warp, weft, ~over) * tone[..., None], height, draw_sun(rng), 0.75, 0.3)
    return layer(rgb * (1 - 0.8 * smoothstep(0.86, 1.0, t))[..., None])


def knitting(rng: Generator, size: int) -> Layer:
    """Knitwear: columns of V stitches of fibrous yarn, plain, in colorwork, or twisted into cables."""
    u, v = _plane(rng, size, rng.uniform(3.5, 6.5), 0.02, 0.4)
    v, kind, lift, shade = v * 1.25, int(rng.integers(3)), np.zeros_like(u), np.ones_like(u)
    yarn, second, third = _tints(rng, ((0.0, 0.6, 0.1, 0.1, 0.36), 0.3, 0.75), ((0.11,), 0.08, 0.9),
                                 ((0.0, 0.62, 0.12), 0.5, 0.4))
    if kind == 0:  # cables: two ropes that wind about each other
        pitch, phase = rng.choice([4.6, 6.0]), v * TURN / rng.uniform(9, 12)
        at, swing = u % pitch - pitch / 2, 1.05 * np.sin(phase)
        one, two = np.abs(at - swing) < 1.1, np.abs(at + swing) < 1.1
        first, rope = one & ((np.cos(phase) > 0) | ~two), one | two
        within = at - swing * np.where(first, 1, -1)
        bow = np.sqrt(np.clip(1 - (within / 1.15) ** 2, 0, 1))
        lift = np.where(rope, 0.09 * bow + 0.03 * np.where(first, 1, -1) * np.cos(phase), 0)
        u, shade = np.where(rope, within + 50, u), np.where(rope, 0.5 + 0.5 * bow, 0.55)
    i, side = np.floor(u), np.abs(u % 1 - 0.5)
    w, lobe = v - side * 1.5, (side - 0.25) * 4
    j, t = np.floor(w), (w % 1 - 0.5) * 2
    body = np.sqrt(np.clip(1 - np.abs(t) ** 2.4 - 0.75 * np.abs(lobe) ** 3, 0, 1))
    twist, fibre, base = np.sin(t * 5.5 + lobe * 5.0), noise(rng, size, 0.25), yarn
    if kind == 1:  # colorwork
        m, n = rng.integers(4, 10, 2)
        ground = (np.abs(i % (2 * m) - m) + j) % n >= n // 2
        base = np.stack([yarn, second, third])[ground * (1 + (i % m == 0) * (j % 3 == 0))]
    rgb = base * ((1.05 + 0.11 * twist + 0.08 * fibre) * (0.25 + 0.75 * body) * shade)[..., None]
    return layer(relief(rgb, 0.055 * body + lift + 0.002 * twist + 0.0012 * fibre, draw_sun(rng), 0.12, 0.4))


def bricks(rng: Generator, size: int) -> Layer:
    """A wall of weathered bricks, or a pavement of cobbles, in courses with moss in the joints."""
    cobble = rng.random() < 0.3
    u, v = _plane(rng, size, rng.uniform(2.6, 4.5), 0.012 + 0.02 * cobble, 0.15)
    rough, grain, row = noise(rng, size, 1.0), noise(rng, size, 0.5), np.floor(v)
    long, soft = (1.15, 0.22) if cobble else (rng.uniform(2.0, 2.7), 0.06)
    place = u / long + 0.5 * (row % 2) + 0.2 * _dice(rng, row, row)
    cell, qx = np.floor(place), (np.abs(place % 1 - 0.5) - 0.5) * long + 0.07 + soft
    one, two, qy = _dice(rng, cell, row), _dice(rng, row, cell), np.abs(v % 1 - 0.5) - 0.43 + soft
    d = np.hypot(qx.clip(0), qy.clip(0)) + np.maximum(qx, qy).clip(None, 0) - soft + 0.018 * rough
    clay = _tints(rng, ((0.1, 0.6), 0.05, 0.5) if cobble else ((0.02, 0.035), 0.4, 0.5))[0]
    mortar, moss = hsv(0.1, 0.15, rng.uniform(0.35, 0.95)), hsv(rng.uniform(0.22, 0.32), 0.65, 0.5)
    stone = mix(clay, clay * np.float32([0.5, 0.45, 0.55]), smoothstep(0.55, 1.0, one))
    rgb = mix(mortar, stone * (0.95 + 0.4 * two)[..., None], smoothstep(0.02, -0.03, d))
    damp = smoothstep(rng.uniform(0.8, 2.2), 2.4, noise(rng, size, 1.6) + 1.6 * smoothstep(-0.12, 0.05, d))
    height = np.sqrt(np.clip(-d / (0.4 if cobble else 0.12), 0, 1)) * (0.08 if cobble else 0.035)
    height += 0.004 * grain + 0.012 * rough * (one - 0.3) * (d < 0) + damp * (0.012 + 0.004 * grain)
    rgb = mix(rgb * (0.9 + 0.1 * grain)[..., None], moss * (0.95 + 0.25 * grain)[..., None], damp)
    return layer(relief(rgb, height, draw_sun(rng), 0.15 + 0.2 * cobble, 0.3))


def giraffe(rng: Generator, size: int) -> Layer:
    """Giraffe hide: large brown patches, darker inside, parted by a net of cream lines, with short hair."""
    n, ragged, seeds = int(rng.integers(4, 7)), noise(rng, size, 1.0), np.ones((size, size), np.uint8)
    y, x = (np.indices((n, n)).reshape(2, -1) + rng.uniform(0.17, 0.83, (2, n * n))) * (size / n)
    seeds[y.astype(np.int32), x.astype(np.int32)] = 0
    near, own = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    net = cv2.morphologyEx(np.float32(own), cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) == 0
    border = cv2.distanceTransform(np.uint8(net), cv2.DIST_L2, 5)
    border, near = (cv2.GaussianBlur(w, (0, 0), 1.2) * (n / size) for w in (border, near))
    patch = smoothstep(-0.03, 0.03, border + ragged * 0.012 - rng.uniform(0.05, 0.09))
    brown, cream = _tints(rng, ((0.06, 0.045), 0.65, 0.4), ((0.11,), 0.15, 0.85))
    hair = _combed(noise(rng, size, 0.05), rng.uniform(0, TURN) + 0.35 * noise(rng, size, 2.0), 3)
    inner = ramp(1.3 * near + 0.05 * hair, [brown * 0.45, brown * 0.85, brown * np.float32([1.3, 1.2, 1.1])])
    base = mix(cream, inner, np.clip(patch + 0.5 * hair * patch * (1 - patch), 0, 1))
    height = 0.004 * hair + 0.03 * noise(rng, size, 1.9) + 0.008 * patch
    return layer(relief(base * (1.03 + 0.1 * hair)[..., None], height, draw_sun(rng), 0.12, 0.2))


def agate(rng: Generator, size: int) -> Layer:
    """A polished slice of agate or malachite: fine wavy bands around several centers, crystals within."""
    u, v = (w - 64.5 for w in _plane(rng, size, rng.uniform(0.9, 1.5), 0.03))
    sharp, total, wild = rng.uniform(3.5, 7), np.zeros_like(u), noise(rng, size, 1.7)
    for cx, cy in rng.uniform(-1.1, 1.1, (int(rng.integers(2, 6)), 2)):
        p, q = turned(u - cx, v - cy, rng.uniform(0, np.pi))
        total += np.exp(-sharp * np.hypot(p, q * rng.uniform(0.6, 1)))
    depth = -np.log(total) / sharp + wild * rng.uniform(0.04, 0.1) + 0.004 * noise(rng, size, 0.9)
    depth, malachite = depth - depth.min(), rng.random() < 0.3
    hue = 0.41 if malachite else float(rng.choice([0.04, 0.58, 0.78, 0.93, 0.48]))
    dark, main, pale = _tints(rng, ((hue,), 0.7, 0.2), ((hue,), 0.6, 0.65), ((hue,), 0.08, 0.92))
    other = main * 0.7 if malachite else hsv(hue + rng.choice([0.06, -0.07, 0.5]), 0.75, 0.8)
    bands = np.repeat(rng.permutation(90), 4 * rng.choice([1, 1, 2, 2, 3, 5, 8], 90)) % 5
    table = np.stack([dark, main, main * 0.5 + pale * 0.5, dark if malachite else pale, other])[bands]
    table = cv2.GaussianBlur(table[None], (0, 0), sigmaX=1.2, sigmaY=0.1)[0]
    at, facets = depth * rng.uniform(300, 560) + 20, np.abs(noise(rng, size, 0.6))
    low, druse = at.astype(np.int32), smoothstep(0.16, 0.12, depth) * (not malachite) * rng.choice([0, 1])
    rgb = mix(table[low % len(table)], table[(low + 1) % len(table)], at % 1)
    rgb = mix(rgb, ramp(facets * 0.5, [dark, main, WHITE]), druse)
    height = 0.008 * wild + 0.02 * facets * druse + 0.0015 * np.sin(at * 0.35)
    sheen = np.exp(-(((u * rng.normal() + v * rng.normal() + rng.normal(0, 0.4)) / 0.22) ** 2))[..., None]
    return layer(np.clip(relief(rgb, height, draw_sun(rng), 0.5, 0.2) + 0.14 * sheen, 0, 1))


def _bloom(out: Layer, cx: float, cy: float, r: float, tints: Sequence[Color]) -> None:
    """A flower of nested lobed rings on a quarter of the carpet."""
    box, x, y = window(len(out), cx - r * 1.2, cy - r * 1.2, cx + r * 1.2, cy + r * 1.2)
    d, a = polar((x - cx) / r, (y - cy) / r)
    lobed = d / (0.82 + 0.18 * np.cos(a * 6))
    for reach, tint in zip((1.15, 1.0, 0.66, 0.32), (INK, *tints), strict=True):
        lay(out[box], inside((lobed - reach) * r, len(out)), tint)


def carpet(rng: Generator, size: int) -> Layer:
    """A Persian carpet: a lobed medallion, mirrored vines and flowers, quartered corners, borders, fringe."""
    n, rim, lobes = size // 2, rng.uniform(0.26, 0.36), int(rng.choice([8, 12, 16]))
    (_, x, y), out = window(n), canvas.empty(n)  # one quarter is drawn, its middle at the top left
    red, navy, gold, cream, teal = _tints(rng, ((0,), 0.7, 0.5), ((0.63,), 0.6, 0.2), ((0.11,), 0.6, 0.75),
                                          ((0.11,), 0.1, 0.85), ((0.5,), 0.4, 0.4))
    grounds = (red, navy, navy), (navy, red, red), (red, teal, cream), (cream, red, navy)
    field, frame, heart = grounds[int(rng.integers(4))]
    lay(out, np.ones((n, n), np.float32), field)
    for middle in rng.uniform(-0.9, 0.4, (int(rng.integers(5, 8)), 2)):  # vines: leafy spirals about flowers
        a = rng.uniform(0, TURN) + rng.choice([-1, 1]) * np.linspace(0, rng.uniform(5, 8), 24)
        curl = (rng.uniform(0.25, 0.5) * np.linspace(0, 1, 24) ** 0.8 * np.stack([np.cos(a), np.sin(a)])).T
        lay(out, canvas.stroke(n, middle + curl, 0.045), teal if field is cream else gold)
        for k in range(6, 24, 4):
            tip = curl[k] * (1 + 0.16 / np.hypot(*curl[k]))
            lay(out, canvas.stroke(n, middle + np.stack([curl[k], tip]), 0.07), cream if k % 8 else teal)
        _bloom(out, *middle, rng.uniform(0.11, 0.17), (cream, gold, navy))
    x, y, big = (x + 1) / 2, (y + 1) / 2, rng.uniform(0.5, 0.62)
    rings = (1, gold), (0.94, heart), (0.72, gold), (0.68, field), (0.45, cream), (0.41, frame), (0.18, gold)
    for at, scale in ((0, 1), (1 - rim, 0.6)):  # the medallion, and its quarters in the corners
        r, a = polar(x - at, y - at)
        r = r / (big * scale * (1 + 0.11 * np.abs(np.cos(a * lobes / 2)) * (at == 0)))
        for k, (reach, tint) in enumerate(rings):
            lay(out, inside((r - reach) * big * scale, n), tint)
            if k % 2:  # petals in a ring on each ground
                petal = np.hypot((r - reach + 0.11) / 0.09, 0.8 - 0.8 * np.cos((a + k // 3) * lobes)) - 1
                lay(out, inside(petal * 0.05, n), red if tint is cream else (cream, gold, cream)[k // 2])
    for at, tint in ((rim, gold), (rim - 0.03, frame), (0.11, gold), (0.08, cream), (0.05, red)):
        lay(out, inside(1 - at - np.maximum(x, y), n), tint)
    for k, at in enumerate(np.linspace(line := 0.92 - rim, -1, int(rng.integers(5, 8)))):
        for place in ((at, line), (line, at)):
            _bloom(out, *place, (rim - 0.14) * (0.55 if k % 2 else 0.9), (cream, (gold, red)[k % 2], navy))
    (_, x, y), wide, tall = window(size), round(size * 0.88), round(size * rng.uniform(0.72, 0.98))
    rug = cv2.resize(cv2.copyMakeBorder(out, n, 0, n, 0, cv2.BORDER_REFLECT), (wide, tall))
    fringe = np.sin((y + 0.006 * np.sin(x * 60)) * size * 0.55)
    out = layer(cream * (0.75 + 0.25 * fringe)[..., None], (fringe > -0.5) & (np.abs(y) < tall / size - 0.01))
    out[(size - tall) // 2:, (size - wide) // 2:][:tall, :wide] = rug
    height = (pile := noise(rng, size, 0.3)) * 0.003 + 0.008 * noise(rng, size, 1.9) + 0.006 * out[..., 1]
    out[..., :3] = relief(out[..., :3] * (1.1 + 0.07 * pile)[..., None], height, draw_sun(rng), 0.06, 0.1)
    return np.clip(out, 0, 1)
