"""Render a summer sky over a lake: a sample picture made of arithmetic alone.

    python examples/sky.py examples/sky.jpg

Nothing is photographed or downloaded. Cumulus clouds are a signed density of cellular noise, marched ray by
ray and lit by a second march towards the sun; the land is a height field drawn back to front; the lake is
the upper half of the picture, mirrored and rippled. Lengths are in kilometres, colours in linear light.
"""

import sys
from itertools import product

import numpy as np
from PIL import Image

Array = np.ndarray
WIDTH, HEIGHT, HORIZON = 1024, 576, 478  # pixels; the horizon is a row
FOCAL = WIDTH / 1.25  # pixels
EYE = 0.085  # height of the camera above the lake
BASE, DEPTH = 1.15, 1.7  # altitude of the cloud base, height of the tallest towers
SUN = np.array([-0.72, 0.58, -0.12], np.float32) / np.float32(np.sqrt(0.72**2 + 0.58**2 + 0.12**2))
SUNLIGHT, SKYLIGHT = np.array([1.0, 0.93, 0.82]) * 2.6, np.array([0.42, 0.58, 0.86])
ZENITH, HAZE = np.array([0.045, 0.155, 0.46]), np.array([0.56, 0.71, 0.86])
rng = np.random.default_rng(7)


def smoothstep(low: float, high: float, x: Array) -> Array:
    """Rise from 0 at `low` to 1 at `high`, smoothly."""
    x = np.clip((x - low) / (high - low), 0, 1)
    return x * x * (3 - 2 * x)


def mix(a: Array, b: Array, t: Array) -> Array:
    """Blend colours `a` and `b` by the scalar field `t`."""
    return a + (b - a) * t[..., None]


def spectral(size: int, slope: float, lowest: float = 1) -> Array:
    """Tileable 2-D noise of unit variance: random phases under a power-law spectrum."""
    f = np.fft.fftfreq(size, 1 / size)
    r = np.hypot(f[:, None], f[None])
    amplitude = np.where(r < lowest, 0, np.maximum(r, 1) ** -slope)
    noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((size, size))) * amplitude).real
    return (noise / noise.std()).astype(np.float32)


def cellular(size: int, cells: int, ndim: int) -> Array:
    """Tileable noise of round bumps with sharp creases: one minus the squared distance to a random point."""
    points = rng.random((ndim, *[cells] * ndim)).astype(np.float32)
    axis = np.arange(size, dtype=np.float32) * cells / size
    cell = axis.astype(int)
    best = np.full([size] * ndim, 9, np.float32)
    for step in product((-1, 0, 1), repeat=ndim):
        where = np.ix_(*[(cell + s) % cells for s in step])
        squared = np.float32(0)
        for d, s in enumerate(step):
            shape = [-1 if k == d else 1 for k in range(ndim)]
            squared = squared + (points[d][where] + (cell + s - axis).astype(np.float32).reshape(shape)) ** 2
        np.minimum(best, squared, out=best)
    return 1 - best


def sample(texture: Array, *position: Array) -> Array:
    """Multilinear look-up in a repeating texture; one tile is one unit of `position`."""
    size, flat = texture.shape[0], texture.ravel()
    floors = [np.floor(p * size) for p in position]
    fractions = [p * size - f for p, f in zip(position, floors, strict=True)]
    corners = [(i % size, (i + 1) % size) for i in (f.astype(np.int32) for f in floors)]
    total = np.float32(0)
    for corner in product((0, 1), repeat=len(position)):
        index, weight = 0, 1.0
        for c, pair, t in zip(corner, corners, fractions, strict=True):
            index, weight = index * size + pair[c], weight * (t if c else 1 - t)
        total = total + flat[index] * weight
    return total


ROUGH = spectral(1024, 1.9)
WEATHER = spectral(512, 2.2, 4)
BILLOWS = sum(cellular(128, 4 << k, 3) * w for k, w in enumerate((0.5, 0.27, 0.15, 0.08)))
BILLOWS -= BILLOWS.mean()
CROWNS = cellular(512, 48, 2)


def density(x: Array, y: Array, z: Array, fine: bool = True) -> Array:
    """Signed cloud density: positive inside; outside, minus a rough measure of the way to the next cloud."""
    h = (y - BASE) / DEPTH
    d = 0.6 * sample(WEATHER, x / 42 + 0.13, z / 42) - 0.42 - 0.85 * h
    d = d + 1.5 * sample(BILLOWS, x / 4.1, y / 4.1, z / 4.1)
    if fine:
        d = d + 0.42 * sample(BILLOWS, x / 0.83, y / 0.83 + 0.3, z / 0.83)
    return np.minimum(d, 7 * h)


def clouds(sky: Array, ray: Array) -> Array:
    """March every ray through the cloud layer and lay the scattered light over `sky`."""
    n = len(ray)
    light, clear = np.zeros((n, 3), np.float32), np.ones(n, np.float32)
    near = BASE / np.maximum(ray[:, 1], 1e-4)
    live = np.flatnonzero(near < 50)
    t = near * (1 + 0.004 * rng.random(n)).astype(np.float32)
    mean_t = near.copy()
    cosine = ray @ SUN
    for _ in range(220):
        if not len(live):
            break
        r = ray[live]
        p = r * t[live, None]
        d = density(*p.T)
        step = np.maximum(0.011, 0.0035 * t[live])
        inside = d > 0
        if inside.any():
            i, q = live[inside], p[inside]
            depth = np.zeros(len(i), np.float32)
            reach = 0.0
            for k, stride in enumerate((0.03, 0.05, 0.09, 0.16, 0.3, 0.5)):
                s = q + SUN * (reach + stride / 2)
                depth += 45 * stride * np.clip(3 * density(*s.T, fine=k < 2), 0, 1)
                reach += stride
            h = np.clip((q[:, 1] - BASE) / DEPTH, 0, 1)
            beam = np.zeros(len(i), np.float32)
            for k in range(4):  # ever softer, wider octaves stand in for multiple scattering
                g = 0.75 * 0.5**k
                phase = (1 - g * g) / (1 + g * g - 2 * g * cosine[i]) ** 1.5
                beam += 0.5**k * np.exp(-depth * 0.32**k) * phase
            sky_part = SKYLIGHT * (0.34 + 0.75 * h**0.7)[:, None]
            colour = beam[:, None] * SUNLIGHT * 0.36 + sky_part
            opacity = 1 - np.exp(-60 * np.clip(3 * d[inside], 0, 1) * step[inside])
            colour = mix(colour, HAZE, 1 - np.exp(-t[i] / 38))
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
    veil = smoothstep(-0.4, 2.4, wisps + 0.5 * sample(ROUGH, (x + z) / 50, (z - x) / 9))
    sky = mix(sky, np.array([0.92, 0.95, 1.0]), 0.75 * veil * smoothstep(0.02, 0.25, up))
    return clouds(sky.astype(np.float32), ray).reshape(HORIZON, WIDTH, 3)


def develop(picture: Array) -> Image.Image:
    """Expose, compress highlights, and encode as sRGB."""
    x = picture * 0.95
    x = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)
    return Image.fromarray((255 * x ** (1 / 2.2) + 0.5).astype(np.uint8))


if __name__ == "__main__":
    develop(heaven()).save(sys.argv[1], quality=92)
