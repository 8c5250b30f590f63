"""Render a mountain lake on a summer evening: a sample picture made of arithmetic alone.

    python examples/landscape.py examples/landscape.jpg

Gullies carved into a few cones make mountains; conifers, grass and flowers are clouds of points; the lake
mirrors what stands above it. Sky, noise and film are those of sky.py, with other settings. Lengths are in
kilometres (x right, y up, z ahead), colours in linear light.
"""

import sys

import numpy as np
import sky
from sky import CROWNS, GRAIN, ROUGH, Array, mix, sample, smoothstep, spectral

WIDTH, HEIGHT, HORIZON, FOCAL = 2400, 1600, 840, 2200  # pixels, twice as fine as in the finished picture
EYE, SPAN, GRID = 0.014, 20.48, 2048  # height of the camera; side of the maps, in kilometres and in cells
PEAKS = [(-1.3, 8.6, 2.45, 4.6), (1.9, 10.5, 2.05, 4), (4.9, 7.8, 1.75, 3.6), (-5.4, 7.2, 1.7, 3.6),
         (-2.7, 3.6, 0.8, 2.3), (3, 3.7, 0.85, 2.5), (0.6, 16, 2.5, 5), (8, 13, 2.4, 5)]  # x, z, top, radius
TREES = np.array([(17, 48, 13), (21, 53, 17), (27, 50, 14), (24, 64, 16), (14, 57, 7), (-22, 43, 9),
                  (-13, 12, 11), (-19, 21, 14), (-9, 5, 9)], np.float32) / 1000  # x, z, top; the last unseen
SUN, FLAT = np.array([-0.851, 0.334, -0.405], np.float32), 0.9425  # towards the sun; its horizontal part
SUNLIGHT, SKYLIGHT, HAZE = np.array([(3.2, 2.35, 1.42), (0.37, 0.49, 0.69), (0.5, 0.6, 0.74)])
ROCK, SCREE, SNOW = np.array([(0.13, 0.122, 0.115), (0.235, 0.22, 0.2), (0.82, 0.85, 0.9)])
TURF, HAY, LEAF = np.array([(0.05, 0.085, 0.02), (0.155, 0.14, 0.052), (0.03, 0.05, 0.019)])
PETALS = np.array([(0.5, 0.47, 0.4), (0.5, 0.33, 0.03), (0.25, 0.12, 0.38)])
sky.WIDTH, sky.HORIZON, sky.FOCAL, sky.PLACE = WIDTH // 2, HORIZON // 2, FOCAL // 2, (0.515, 0.286)
sky.BASE, sky.DEPTH, sky.WEATHER = 2.3, 1.0, sky.WEATHER - 1  # clouds higher, flatter and fewer
sky.SUN, sky.SUNLIGHT, sky.HAZE, sky.ZENITH = SUN, SUNLIGHT, HAZE, np.array([0.05, 0.15, 0.42])
sky.rng = rng = np.random.default_rng(11)


def blur(field: Array, radius: float) -> Array:
    """Gaussian blur of a map."""
    f = np.exp(-2 * (np.pi * radius * np.fft.fftfreq(GRID, SPAN / GRID)) ** 2)
    return np.fft.irfft2(np.fft.rfft2(field) * f[:, None] * f[: GRID // 2 + 1]).astype(np.float32)


def carve(height: Array, cells: int) -> Array:
    """Cut gullies down the slopes: waves across the line of fall, one per jittered cell, blended."""
    gz, gx = np.gradient(blur(height, 0.22 * SPAN / cells), SPAN / GRID)
    fall, place = gx + 1j * gz + 1e-5, np.arange(GRID, dtype=np.float32) * cells / GRID
    steep, wave = np.abs(fall), np.zeros((GRID, GRID), np.complex64)
    seeds = (rng.uniform(0.1, 0.9, (cells, cells, 2)) @ (1, 1j)).astype(np.complex64)
    for i, j in np.ndindex(3, 3):
        x, z = place.astype(np.int16) + i - 1, place.astype(np.int16) + j - 1
        away = (place - x) + 1j * (place - z)[:, None] - seeds[np.ix_(z % cells, x % cells)]
        turn = 2 * np.pi * (away * fall.conj()).imag / steep
        wave += (1 - np.abs(away) ** 2 / 1.9).clip(0) ** 3 * (np.cos(turn) + 1j * np.sin(turn))
    return height + 0.092 * SPAN / cells * np.minimum(steep, 1.2) * (wave.real / (np.abs(wave) + 0.1) - 0.3)


def terrain() -> tuple[Array, Array, Array]:
    """Maps of the country: height, steepness, share of the sunlight that reaches it."""
    z, x = np.mgrid[:GRID, :GRID].astype(np.float32) * (SPAN / GRID)
    x, warp, height = x - SPAN / 2, spectral(GRID, 3, 3), np.float32(0)
    for px, pz, top, radius in PEAKS:
        away = np.hypot(x + 0.3 * warp - px, z + 0.3 * warp.T - pz) / radius
        height = np.maximum(height, top * (0.75 * np.maximum(1 - away, 0) + 0.25 * np.exp(-6 * away**2)))
    shore = np.hypot(x + 0.14 * warp - 0.1, z + 0.14 * warp - 0.6) - 1
    ridges = np.maximum(0.8 - np.sqrt(spectral(GRID, 3.5, 5) ** 2 + 0.03), -0.6)
    height = height * (0.85 + 0.22 * ridges) + 0.2 * smoothstep(0.15, 3, shore) * (ridges + 0.5)
    valley = smoothstep(0.45, 0.05, np.abs(x / (z + 0.5) - 0.03 + 0.05 * warp)) * smoothstep(7.5, 4, z)
    height *= (1 - 0.9 * valley) * smoothstep(-0.1, 2, shore) * smoothstep(10, 8, np.maximum(abs(x), z / 2))
    for cells in (7, 13, 25, 48, 93, 180, 350):
        height = carve(height, cells)
    height = np.maximum(height, 0) * smoothstep(0, 0.7, shore) + 0.07 * np.clip(shore, -0.3, 1)
    roof = height - 0.03
    for stride in 2 ** np.arange(10):  # the skyline towards the sun
        over = np.roll(roof, [round(-stride * float(s) / FLAT) for s in SUN[[2, 0]]], (0, 1))
        roof = np.maximum(roof, over - stride * SPAN / GRID * SUN[1] / FLAT)
    steep = np.hypot(*np.gradient(blur(height, 0.02), SPAN / GRID))
    return height, steep, np.maximum(blur(smoothstep(0, -0.025, roof - height), 0.008), z < 0.2)


RELIEF, STEEP, LIT = terrain()


def ground(x: Array, z: Array) -> tuple[Array, Array, Array]:
    """Height of the land (the lake is below zero), share of woodland, height of the trees in it."""
    place = z / SPAN, x / SPAN + 0.5
    steep, rough, grain = sample(STEEP, *place), sample(ROUGH, x / 2, z / 2), sample(GRAIN, x / 2, z / 2)
    land = sample(RELIEF, *place) - 0.4 * smoothstep(0.4, 0.2, z)
    land -= 0.02 * smoothstep(0.3, 1.2, steep) * np.abs(sample(ROUGH, x / 1.1, z / 1.1) + 0.12 * grain)
    knoll = smoothstep(0, 0.07, 0.072 + 0.25 * x + 0.006 * sample(ROUGH, x / 0.4, z / 0.4 + 0.3) - z)
    knoll = 0.0128 * knoll - 0.0012 + 0.0002 * sample(ROUGH, x / 0.1, z / 0.1)  # where the camera stands
    land = np.where(z < 0.2, np.maximum(knoll, land), land)
    woods = smoothstep(0, 0.06, 0.97 - land + 0.05 * grain + 0.14 * rough - 0.25 * np.maximum(steep, 0.7))
    woods *= smoothstep(1.5, 1.3, steep + 0.25 * rough) * smoothstep(0.006, 0.03, land) * (z > 0.2)
    woods *= smoothstep(-1.5, -0.9, sample(ROUGH, x / 2.3 + 0.3, z / 2.3) + 1.2 * smoothstep(0.2, 0.4, steep))
    crown = np.maximum(sample(CROWNS, x / 0.1, z / 0.1), sample(CROWNS, z / 0.07, -x / 0.07))
    return land, woods, (0.022 + 0.005 * rough) * np.maximum(1.1 - 1.25 * np.sqrt(1 - crown), 0) * woods


def air(colour: Array, x: Array, y: Array, z: Array) -> Array:
    """What is left of a colour after all the air between it and the camera."""
    clear = np.exp(-np.outer(np.hypot(x, z) * np.exp(-y / 4), (0.034, 0.045, 0.068)))
    return (colour * clear + HAZE * (0.62, 0.72, 0.85) * (1 - clear)).astype(np.float32)


def shade(x: Array, z: Array) -> Array:
    """Colour of the country: rock, turf, snow and forest in the evening sun."""
    (land, woods, trees), gap = ground(x, z), 0.0012 + 0.0007 * z
    east, north = (land + trees - sum(ground(x + i * gap, z + gap - i * gap)[::2]) for i in (1, 0))
    slope = np.stack([east, gap, north], -1) / np.sqrt(east**2 + gap**2 + north**2)[:, None]
    up, noise, fine = slope[:, 1], sample(ROUGH, x / 3, z / 3), sample(GRAIN, x / 1.5, (z + land) / 1.5)
    colour = mix(ROCK, SCREE, smoothstep(-1.2, 1.2, 0.5 * sample(ROUGH, land / 0.5, x / 12) + 0.5 * fine))
    grass = smoothstep(0.62, 0.85, up + 0.05 * noise) * smoothstep(1.35, 0.7, land + 0.15 * noise)
    colour = mix(colour, mix(TURF, HAY, smoothstep(-1.3, 1.3, noise + 0.4 * fine)), grass)
    snow = smoothstep(1.12, 1.3, land + 0.13 * noise + 0.03 * fine + 0.6 * (up - 0.72))
    colour = mix(colour, SNOW, snow * smoothstep(0.47, 0.6, up + 0.02 * fine))
    colour = mix(colour, LEAF * ((1 + 0.15 * fine) * (0.25 + 55 * trees))[:, None], woods)
    sun = np.clip(slope @ SUN, 0, 1) * sample(LIT, z / SPAN, x / SPAN + 0.5) + 0.06
    return air(colour * (sun[:, None] * SUNLIGHT + (0.45 + 0.55 * up)[:, None] * SKYLIGHT), x, land, z)


def conifers(x: Array, z: Array, tall: Array) -> tuple[Array, Array]:
    """Points on conifers, and their colours: fronds in a spiral, bright outside and towards the sun."""
    size, base, lit = tall / z * FOCAL, ground(x, z)[0], sample(LIT, z / SPAN, x / SPAN + 0.5)
    tree = np.repeat(np.arange(len(x)), (0.45 * size**2 + 30).astype(int))
    side, s, h, hang = rng.random((4, len(tree)), np.float32)
    seed, fronds, s = rng.random(len(x), np.float32)[tree], np.clip(size, 12, 250)[tree], np.sqrt(s)
    frond = np.floor((1 - np.sqrt(h)) * fronds)
    luck = np.sin(frond * 78.233 + seed * 437.58) * 437.5 % 1
    h, turn = (frond + luck) / (fronds + 1), np.exp(1j * (2.4 * frond + 6.28 * seed + luck))
    length = (0.14 + 0.03 * np.sin(seed * 50)) * (1.04 - h) ** 0.8 * (0.5 + 0.7 * luck)
    p = turn * length * (s + 1j * (side - 0.5) * (0.06 + 0.6 * s * (1 - s))) * tall[tree]
    y = 0.04 + 0.95 * h + length * s * (0.2 - 0.9 * s) - 0.025 * hang**2 * (1.1 - h)
    sun = np.clip(0.1 + 0.8 * (turn * (SUN[0] - 1j * SUN[2])).real * s + 0.3 * s, 0, 1) * (1.3 - hang**2)
    sun *= (1 + (luck - 0.5) * np.minimum(size / 200, 1)[tree]) * lit[tree] * (0.4 + 0.6 * h)
    light = 1.6 * sun[:, None] * SUNLIGHT + (0.15 + 0.5 * s * h**0.5)[:, None] * SKYLIGHT
    place = x[tree] + p.real, base[tree] + y * tall[tree], z[tree] + p.imag
    return np.stack(place), air(LEAF * (0.5 + 0.7 * seed)[:, None] * light, *place)


def meadow(count: int) -> tuple[Array, Array]:
    """Points on grass and flowers around the camera, and their colours, between the shadows of the trees."""
    z = 0.0055 / (1 - 0.93 * rng.random(count, np.float32))
    x = (rng.random(count, np.float32) - 0.5) * 1.15 * z
    patch, base, lit = sample(ROUGH, x / 0.05, z / 0.05), ground(x, z)[0], np.float32(1)
    bloom = rng.random(count) < 0.05 * smoothstep(-0.2, 1.2, sample(ROUGH, x / 0.03, z / 0.03))
    tall = (0.00022 + 0.00012 * np.clip(patch, -1, 2)) * (0.4 + rng.random(count, np.float32))
    for px, pz, height in TREES:
        away = (x - px + 1j * (z - pz)) * (SUN[2] * 1j - SUN[0]) / FLAT / height  # in tree heights
        along, across = away.real * SUN[1] / FLAT, np.abs(away.imag) + 0.03 * sample(GRAIN, 20 * x, 20 * z)
        lit = lit * (1 - 0.9 * smoothstep(0.2, 0.14, across + 0.17 * along) * smoothstep(0.02, 0.1, along))
    blade = np.repeat(np.arange(count), (1.6 * tall / z * FOCAL * (1 + bloom) + 2).astype(int))
    t, a, b = rng.random((3, len(blade)), np.float32)
    petal = bloom[blade] & (t > 0.6)
    t[petal], disc = 1, petal * 0.000011 * np.sqrt(a) * np.exp(6.28j * b)
    bend = rng.normal(0.15, 0.3, (2, count)).astype(np.float32)[:, blade] * tall[blade] * t * t
    place = x[blade] + bend[0] + disc.real, base[blade] + tall[blade] * t + disc.imag, z[blade] + bend[1]
    kind = np.digitize(sample(ROUGH, x / 0.04 + 0.4, z / 0.04) + rng.normal(0, 0.4, count), (0, 0.9))
    straw = mix(TURF, HAY, smoothstep(-1.2, 1.6, patch + rng.normal(0, 0.9, count)))
    light = (lit[blade] * (0.05 + 0.72 * t**1.5))[:, None] * SUNLIGHT + (0.1 + 0.4 * t)[:, None] * SKYLIGHT
    return np.stack(place), np.where(petal[:, None], PETALS[kind][blade], straw[blade]) * light


def splat(picture: Array, hit: Array, place: Array, colour: Array) -> None:
    """Paint points, the farthest first, except where the land is nearer."""
    x, y, z = place[:, order := np.argsort(-place[2])]
    r, c = (HORIZON - (y - EYE) / z * FOCAL).astype(int), (WIDTH / 2 + x / z * FOCAL).astype(int)
    seen = (r >= 0) & (r < HEIGHT) & (c >= 0) & (c < WIDTH)
    seen[seen] = z[seen] < hit[r[seen], c[seen]] * 1.01 + 0.0003
    picture[r[seen], c[seen]] = colour[order[seen]]


def landscape() -> Array:
    """The whole picture: sky, land, forest, lake, meadow."""
    u = (np.arange(WIDTH, dtype=np.float32) + 0.5 - WIDTH / 2) / FOCAL
    rise = (HORIZON - np.arange(HEIGHT, dtype=np.float32) - 0.5) / FOCAL
    far = np.concatenate([np.geomspace(0.005, 1, 900), np.geomspace(1, 20, 3600), [99]]).astype(np.float32)
    tops = [sum(ground(u * d[:, None], d[:, None] + 0 * u)[::2]) for d in np.array_split(far[:-1], 16)]
    slope = np.maximum.accumulate((np.maximum(np.concatenate(tops), 0) - EYE) / far[:-1, None])
    hit = np.stack([far[np.searchsorted(s, rise)] for s in slope.T], 1)  # the sky is 99 km away
    water = EYE + rise[:, None] * hit < 0
    picture = np.resize(sky.heaven().repeat(2, 0).repeat(2, 1), (HEIGHT, WIDTH, 3)).astype(np.float32)
    for r, c in zip(*(np.array_split(k, 8) for k in np.nonzero((hit < 99) & ~water)), strict=True):
        picture[r, c] = shade(u[c] * hit[r, c], hit[r, c])
    z = -np.sort(-rng.uniform(0.25, 2.6, 100000).astype(np.float32))
    x = 1.14 * z * (rng.random(len(z), np.float32) - 0.5)
    tall = (0.008 + 0.022 * rng.random(len(z), np.float32) ** 1.3) * (1 + 0.2 * sample(ROUGH, x, z))
    grove = np.abs(ground(x, z)[0] - 0.025) < 0.0246
    for part in np.array_split(np.stack([x, z, tall])[:, grove], 12, 1):
        splat(picture, hit, *conifers(*part))
    (r, c), shore, bright = np.nonzero(water), np.argmax(water, 0), np.float32(0)
    graze, q = -rise[r], np.sqrt(-rise[r])
    for k in range(6):  # ripples, finer towards the far shore
        ripple = sample(ROUGH, u[c] / 2 + k / 7, 1.1 * q) + 0.7 * sample(GRAIN, u[c] / 4, 1.25 * q + k / 6)
        up = shore[c] - 1 - np.abs(r - shore[c] + 0.009 * FOCAL * ripple)
        bright = bright + picture[np.maximum(up, 0).astype(int), c] / 6
    picture[r, c] = mix(np.array([0.015, 0.055, 0.06]), bright, 0.04 + 0.96 * (0.96 - graze) ** 5)
    (grass, green), (needles, dark) = meadow(120000), conifers(*TREES.T)
    splat(picture, hit, np.hstack([grass, needles]), np.vstack([green, dark]))
    return picture.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 3).mean((1, 3))


if __name__ == "__main__":
    sky.develop(landscape()).save(sys.argv[1], quality=90)
