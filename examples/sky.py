"""Render a summer sky over a lake: a sample picture made of arithmetic alone.

    python examples/sky.py examples/sky.jpg

Nothing is photographed or downloaded. Cumulus clouds are a signed density of cellular noise, marched ray by
ray and lit by a second march towards the sun; the land is a height field drawn back to front; the lake is
the upper half of the picture, mirrored and rippled. Lengths are in kilometres, colours in linear light.
"""

import sys
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[Any]
WIDTH, HEIGHT, HORIZON, FOCAL = 1024, 576, 478, 820  # pixels; the horizon is a row
EYE, BASE, DEPTH = 0.085, 1.15, 1.7  # height of the camera, altitude of the cloud base, height of the towers
PLACE = (0.75, 0.54)  # where in the weather map the camera stands
SUN = np.array([-0.834, 0.542, -0.104], np.float32)  # low on the left, a little behind the camera
SUNLIGHT, SKYLIGHT = np.array([2.75, 2.4, 1.95]), np.array([0.42, 0.58, 0.86])
ZENITH, HAZE = np.array([0.03, 0.11, 0.36]), np.array([0.42, 0.58, 0.78])
rng = np.random.default_rng(7)


def smoothstep(low: float, high: float, x: Array) -> Array:
    """Rise from 0 at `low` to 1 at `high`, smoothly."""
    x = np.clip((x - low) / (high - low), 0, 1)
    return x * x * (3 - 2 * x)


def mix(a: Array, b: Array, t: Array) -> Array:
    """Blend colours `a` and `b` by the scalar field `t`."""
    return a + (b - a) * t[..., None]


def spectral(size: int, slope: float, lowest: int = 1) -> Array:
    """Tileable 2-D noise of unit variance: random phases under a power-law spectrum."""
    f = np.fft.fftfreq(size, 1 / size)
    r = np.hypot(f[:, None], f)
    amplitude = np.where(r < lowest, 0, np.maximum(r, 1) ** -slope)
    noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((size, size))) * amplitude).real
    return (noise / noise.std()).astype(np.float32)


def cellular(size: int, cells: int) -> Array:
    """Tileable 3-D noise of round bumps with sharp creases: 1 - squared distance to the nearest point."""
    points = rng.random((3, cells, cells, cells)).astype(np.float32)
    axis = np.arange(size, dtype=np.float32) * cells / size
    best = np.full((size, size, size), 9, np.float32)
    for step in product((-1, 0, 1), repeat=3):
        cell = [axis.astype(int) + s for s in step]
        away = np.ix_(*[(c - axis).astype(np.float32) for c in cell])
        where = np.ix_(*[c % cells for c in cell])
        np.minimum(best, sum((p[where] + a) ** 2 for p, a in zip(points, away, strict=True)), out=best)
    return 1 - best


def sample(texture: Array, *position: Array) -> Array:
    """Multilinear look-up in a repeating texture; one tile is one unit of `position`."""
    size, flat = texture.shape[0], texture.ravel()
    floors = [np.floor(p * size) for p in position]
    fractions = [p * size - f for p, f in zip(position, floors, strict=True)]
    sides = [(i % size, (i + 1) % size) for i in (f.astype(np.int32) for f in floors)]
    total = np.float32(0)
    for corner in product((0, 1), repeat=len(position)):
        index, weight = 0, 1.0
        for c, side, t in zip(corner, sides, fractions, strict=True):
            index, weight = index * size + side[c], weight * (t if c else 1 - t)
        total = total + flat[index] * weight
    return total


ROUGH, GRAIN, WEATHER = spectral(1024, 1.9), spectral(1024, 0.9), spectral(512, 2.2, 4)
BILLOWS = sum(cellular(128, 4 << k) * w for k, w in enumerate((0.5, 0.27, 0.15, 0.08)))
BILLOWS -= BILLOWS.mean()
CROWNS = cellular(128, 12)[0]


def density(x: Array, y: Array, z: Array, fine: bool = True) -> Array:
    """Signed cloud density: positive inside; outside, minus a rough measure of the way to the next cloud."""
    h = (y - BASE) / DEPTH
    d = 0.62 * sample(WEATHER, x / 27 + PLACE[0], z / 27 + PLACE[1]) - 0.42 - 0.85 * h
    d = d + 1.5 * sample(BILLOWS, x / 4.1, y / 4.1, z / 4.1)
    if not fine:
        return np.minimum(d, 5 * h)
    rough = sample(BILLOWS, x / 0.83, y / 0.83 + 0.3, z / 0.83)
    return np.minimum(d + 0.55 * rough + 0.18 * sample(BILLOWS, x / 0.23, y / 0.23, z / 0.23), 5 * h + rough)


def glow(p: Array, cosine: Array) -> Array:
    """Light that cloud at points `p` sends to the camera; `cosine` is of the angle between ray and sun."""
    depth, reach, beam = np.zeros(len(p), np.float32), 0.0, np.zeros(len(p), np.float32)
    for stride in (0.03, 0.05, 0.09, 0.16, 0.3, 0.5):
        s = p + SUN * np.float32(reach + stride / 2)
        depth += 45 * stride * np.clip(3 * density(*s.T, fine=stride < 0.1), 0, 1)
        reach += stride
    for k in range(4):  # ever softer and wider lobes stand in for multiple scattering
        g = 0.75 * 0.5**k
        beam += 0.5**k * np.exp(-depth * 0.36**k) * (1 - g * g) / (1 + g * g - 2 * g * cosine) ** 1.5
    open_sky = 0.15 + 0.28 * np.clip((p[:, 1] - BASE) / DEPTH, 0, 1) ** 0.7 + 0.1 * np.exp(-0.4 * depth)
    return beam[:, None] * SUNLIGHT * 0.29 + open_sky[:, None] * SKYLIGHT


def clouds(sky: Array, ray: Array) -> Array:
    """March every ray through the cloud layer and lay the scattered light over `sky`."""
    light, clear, cosine = np.zeros_like(ray), np.ones(len(ray), np.float32), ray @ SUN
    t = BASE / np.maximum(ray[:, 1], 1e-4) * (1 + 0.004 * rng.random(len(ray), np.float32))
    live = np.flatnonzero(t < 50)
    while len(live):
        p = ray[live] * t[live, None]
        d = density(*p.T)
        step = np.maximum(0.009, 0.003 * t[live])
        inside = d > 0
        i = live[inside]
        colour = mix(glow(p[inside], cosine[i]), HAZE, 1 - np.exp(-t[i] / 38))
        opacity = 1 - np.exp(-60 * np.clip(3 * d[inside], 0, 1) * step[inside])
        light[i] += (clear[i] * opacity)[:, None] * colour
        clear[i] *= 1 - opacity
        t[live] += np.maximum(step, -0.42 * d)
        live = live[(clear[live] > 0.01) & (t[live] * ray[live, 1] < BASE + 1.3 * DEPTH) & (t[live] < 55)]
    return light + sky * clear[:, None]


def heaven() -> Array:
    """Everything above the horizon: blue gradient, cirrus, cumulus."""
    v, u = np.mgrid[:HORIZON, :WIDTH].astype(np.float32)
    ray = np.stack([(u - WIDTH / 2) / FOCAL, (HORIZON - v) / FOCAL, np.ones_like(u)], -1).reshape(-1, 3)
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    up = ray[:, 1]
    sky = mix(ZENITH, HAZE, np.exp(-up * 6.5)) * (1 + 0.35 * np.clip(ray @ SUN, 0, 1) ** 2)[:, None]
    x, z = ray[:, 0] / (up + 0.03) * 8, ray[:, 2] / (up + 0.03) * 8
    bend = sample(ROUGH, x / 90, z / 90) * 2
    wisps = sample(ROUGH, (x + z + bend) / 160, (z - x + 3 * bend) / 30)
    wisps += 0.5 * sample(ROUGH, (x + z) / 50, (z - x) / 9)
    veil = smoothstep(0, 2.9, wisps) * smoothstep(0.02, 0.25, up)
    return clouds(mix(sky, np.array([0.92, 0.95, 1.0]), 0.6 * veil), ray).reshape(HORIZON, WIDTH, 3)


def ground(x: Array, z: Array) -> tuple[Array, Array, Array]:
    """Height of the bare land (the lake is below zero), share of woodland, height of all that grows on it."""
    swell, hills = sample(ROUGH, x / 3, z / 3 + 0.2), sample(ROUGH, x / 23 + 0.4, z / 23)
    land = 0.03 * smoothstep(1.25, 0.75, z + 0.2 * swell) - 0.008 + 0.0006 * sample(GRAIN, x / 4, z / 4)
    land = land + smoothstep(3.4, 26, z + 0.7 * swell) * np.maximum(0.75 + 0.6 * hills, 0.06)
    thicket = sample(ROUGH, x / 4, z / 4 + 0.5) + 0.5 * swell - 0.6 * (z < 1.6)
    woods = smoothstep(-0.1, 0.4, thicket) * (land > 0.003)
    return land, woods, land + 0.02 * woods * np.clip(0.3 + sample(CROWNS, x / 0.19, z / 0.19), 0, 1)


def landscape(sky: Array) -> Array:
    """The whole picture: hills, woods and meadows drawn back to front, and a lake that mirrors them."""
    v, u = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    u, far = (u - WIDTH / 2) / FOCAL, np.zeros((HEIGHT, WIDTH), np.float32)
    for z in np.geomspace(60, 0.4, 1800, dtype=np.float32):
        top = np.maximum(ground(u[0] * z, z + 0 * u[0])[2], 0)
        far[v >= HORIZON + (EYE - top) / z * FOCAL] = z
    seen = rows, columns = np.nonzero(far)
    x, y, z = u[seen] * far[seen], EYE - (rows - HORIZON) * far[seen] / FOCAL, far[seen]
    land, woods, grown = ground(x, z)
    gap = 0.002 + 0.002 * z
    slope = np.stack([grown - ground(x + gap, z)[2], gap, grown - ground(x, z + gap)[2]], -1)
    sun = np.clip(slope @ SUN / np.linalg.norm(slope, axis=1), 0, 1)
    up = SUN * ((BASE + 0.25) / SUN[1])
    sun *= 1 - 0.75 * smoothstep(-0.1, 0.25, density(x + up[0], up[1] + 0 * x, z + up[2]))
    leaves = 1 + 0.3 * sample(GRAIN, x / 1.2, (y + 0.35 * z) / 1.2) + 0.24 * sample(ROUGH, x / 0.6, z / 2)
    leaves *= 1 - woods * (0.75 - 40 * np.clip(y - land, 0, 0.025))
    dry = smoothstep(-1, 1.5, sample(ROUGH, x, z))
    cover = mix(np.array([0.06, 0.10, 0.03]), np.array([0.13, 0.14, 0.05]), dry)
    cover = mix(cover, np.array([0.035, 0.07, 0.025]), woods) * np.clip(leaves, 0.15, 2)[:, None]
    picture = np.concatenate([sky, sky[: HORIZON - HEIGHT - 1 : -1]])
    colour = cover * (1.1 * SUNLIGHT * sun[:, None] + 0.5 * SKYLIGHT)
    picture[seen] = mix(colour, HAZE * (0.58, 0.68, 0.9), 1 - np.exp(-z / 17))
    rows, columns, x, z = (k[land <= 0] for k in (rows, columns, x, z))
    ripple = sample(GRAIN, x / 8, z / 40) + 0.8 * sample(ROUGH, x / 2, z / 5)
    mirror = np.clip(2 * HORIZON - rows - np.abs(6 * ripple).astype(int) - 2, 0, HORIZON - 1)
    picture[rows, columns] = mix(np.array([0.02, 0.06, 0.09]), picture[mirror, columns], 0.6 + 0.09 * ripple)
    return picture


def develop(picture: Array) -> Image.Image:
    """Expose, roll off the highlights, encode as sRGB and add a little contrast."""
    x = 0.82 * picture
    x = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1) ** (1 / 2.2)
    x += 0.35 * x * (1 - x) * (2 * x - 1)
    return Image.fromarray((255 * x + 0.5).astype(np.uint8))


if __name__ == "__main__":
    develop(landscape(heaven())).save(sys.argv[1], quality=92)
