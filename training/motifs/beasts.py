"""Beasts and faces: each is piled up as colored relief on one sheet, lit at once, and given its eyes last."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training import canvas
from training.canvas import Color, Field, Layer, color, ellipse, hsv, mix, noise, polar, turned
from training.canvas import smoothstep as ramp
from training.sunlight import INK, WHITE, Colors, bricks, draw_sun, draw_tints, relief

Points = list[tuple[float, float]] | NDArray[np.floating]  # x, y in turn
_Value = Field | float


class _Sheet:
    """A relief in the making: base color, height, gloss and coverage of the parts laid on it so far."""

    def __init__(self, rng: Generator, size: int) -> None:
        self.rng, self.size, (self.x, self.y) = rng, size, canvas.grid(size)
        self.rgb = np.zeros((size, size, 3), np.float32)
        self.height, self.gloss, self.alpha = np.zeros((3, size, size), np.float32)

    def put(self, d: Field, tint: Colors, lift: _Value, gloss: _Value = 0.5, dome: float = 0.0,
            tone: _Value = 1.0, crease: float = 0.7) -> None:
        """Lay a shape on top, ``lift`` high, rounded ``dome`` deep; ``crease`` darkens what is around."""
        box = tuple(slice(k[0], k[-1] + 1) for k in (np.flatnonzero((d < 0.08).any(a)) for a in (1, 0)))
        d, tint, lift, gloss, tone = (v[box] if np.ndim(v) > 1 else v for v in (d, tint, lift, gloss, tone))
        cover, rgb, alpha = canvas.inside(d, self.size), self.rgb[box], self.alpha[box]
        t = cover / np.maximum(cover + alpha * (1 - cover), 1e-6)
        rgb *= (1 - crease * np.clip(1 - d / 0.08, 0, 1) ** 2)[..., None]
        rgb += (tint * np.asarray(tone, np.float32)[..., None] - rgb) * t[..., None]
        self.height[box] += (lift + (canvas.dome(d, dome) if dome else 0) - self.height[box]) * t
        self.gloss[box] += (gloss - self.gloss[box]) * t
        alpha += cover * (1 - alpha)

    def trace(self, lines: list[Points], width: float, tint: Colors, height: float) -> None:
        """Lay rounded cords along lines on top, or sharp-edged pieces where ``width`` is 0."""
        pen, how = (canvas.stroke, (width,)) if width else (canvas.polygon, ())
        cover = np.maximum.reduce([pen(self.size, np.asarray(p), *how) for p in lines])
        soft = cv2.GaussianBlur(cover, (0, 0), max(0.7, (width or 0.06) * self.size / 4))
        self.put((0.5 - cover) * (2 / self.size), tint, height + soft * (width or 0.06), 0.6, crease=0)

    def shape(self, points: Points, mirror: str = "half", rounds: int = 3) -> Field:
        """Distance to the smooth outline that ``points`` pull at: a "half", one of "twins", or a whole."""
        p = np.asarray(points, np.float64)
        p = np.concatenate([p, p[::-1] * (-1, 1)]) if mirror == "half" else p
        for _ in range(rounds):
            p = np.stack([p + (np.roll(p, -1, 0) - p) * k for k in (0.25, 0.75)], 1).reshape(-1, 2)
        cover = canvas.polygon(self.size, p)
        cover = np.maximum(cover, cover[:, ::-1]) if mirror == "twins" else cover
        out, into = (cv2.distanceTransform(np.uint8(m), cv2.DIST_L2, 5) for m in (cover <= 0.5, cover > 0.5))
        d = np.where(out + into < 1.1, 0.5 - cover, out - into - 0.5 * np.sign(out - into))
        return d * np.float32(2 / self.size)

    def tube(self, path: Points, girth: NDArray[np.floating]) -> tuple[Field, Field, Field, Field]:
        """Distance to a round body along a path, place along it in girths, -1..1 across it, 0..1 along it."""
        p = np.asarray(path, np.float32)
        ahead, index = np.gradient(p, axis=0), np.full((self.size, self.size), -1, np.int32)
        step = np.linalg.norm(ahead, axis=1)
        side, along = np.stack([-ahead[:, 1], ahead[:, 0]], 1) / step[:, None], np.cumsum(step / girth)
        left, right = (((p + s * side * girth[:, None] + 1) * self.size * 8 - 8).astype(int) for s in (-1, 1))
        for k in np.flatnonzero(np.hypot(*np.diff(p, axis=0).T) < 0.1):  # a path that jumps is several bodies
            cv2.fillConvexPoly(index, np.int32([left[k], left[k + 1], right[k + 1], right[k]]), int(k), 8, 4)
        px, py, nx, ny, g, s = (v.astype(np.float32)[index] for v in (*p.T, *side.T, girth, along))
        u, w = (self.x - px) / g, (self.y - py) / g
        v, s = u * nx + w * ny, s + u * ny - w * nx
        d = np.where(index < 0, np.float32(0.03), (np.abs(v) - 1) * g)
        return d, s, np.clip(v, -1, 1), index / np.float32(len(p))

    def lit(self) -> Layer:
        """The relief under sun and sky, darker in its hollows."""
        h = cv2.GaussianBlur(self.height, (0, 0), self.size / 220)
        dim = np.clip(1.05 + 4.5 * (h - cv2.GaussianBlur(h, (0, 0), self.size * 0.025)), 0.35, 1.3)
        return canvas.layer(relief(self.rgb * dim[..., None], h, draw_sun(self.rng), self.gloss), self.alpha)


def _bend(t: NDArray[np.floating], *knots: tuple[float, float]) -> NDArray[np.floating]:
    """A cubic Bezier curve through the first and last of four knots."""
    return np.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3], 1) @ np.asarray(knots)


def _turn(angle: float) -> NDArray[np.floating]:
    """A rotation, for points to be multiplied with."""
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def _near(u: Field, ru: float | Field, v: Field | float = 0.0, rv: float = 1.0) -> Field:
    """A soft line where ``u`` is 0, or a soft spot where both are."""
    return np.exp(-((u / ru) ** 2) - (v / rv) ** 2)


def _scales(u: Field, v: Field) -> tuple[Field, Field]:
    """Brightness and height of overlapping scales, one a unit; their tips point toward +v."""
    row = np.floor(v)
    own, above = ((u + 0.5 * ((row - k) % 2)) % 1 - 0.5 for k in (0, 1))
    bow, over = (0.8 * np.sqrt(np.clip(1 - 4 * w * w, 0, 1)) for w in (own, above))
    left, across = np.where(v - row > over, (1 + bow - v + row, own), (over - v + row, above))
    return 0.45 + 0.65 * ramp(0.0, 0.35, left), 0.5 - 0.4 * left - 0.8 * across * across


def _strands(rng: Generator, u: Field, v: Field) -> Field:
    """Strands of hair about -1..1, one a unit across, that stay alike for a unit along."""
    hair = cv2.GaussianBlur(rng.normal(0, 1, (64, 128)).astype(np.float32), (0, 0), 0.7)
    return cv2.remap(hair, np.float32(u), np.float32(v), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def _eyes(out: Layer, at: Points, radius: float, iris: Color, pupil: tuple[float, float] = (0.45, 0.45),
          ball: Colors = INK, lids: Field | None = None) -> Layer:
    """Paint glassy eyes, ringed or within ``lids``: fibres, glow, pupil, shade of the lid, highlights."""
    soft, (x, y) = 3.0 / (len(out) * radius), canvas.grid(len(out))
    for ex, ey in at:
        u, v = (x - ex) / radius, (y - ey) / radius
        box = np.ix_((np.abs(v) < 1.4)[:, 0], (np.abs(u) < (1.4 if lids is None else 2.6))[0])
        (r, a), u, v, view = polar(u[box], v[box]), u[box], v[box], out[box]
        fibre = 0.5 + 0.5 * np.sin(a * 19 + 3 * np.sin(a * 3))
        rgb = mix(iris, iris * (1, 0.7, 0.55), ramp(0.3, 0.85, r + 0.2 * fibre))
        rgb *= ((0.75 + 0.35 * fibre + 0.4 * v) * (1 - 0.8 * ramp(0.75, 1.0, r)))[..., None]
        hole = np.abs(u / pupil[0]) ** 1.5 + np.abs(v / pupil[1]) ** 1.5
        rgb = mix(mix(rgb, INK * 0.3, ramp(1 + soft, 1 - soft, hole)), ball, ramp(0.95, 1.0 + soft, r))
        rgb *= (1 - 0.55 * ramp(-0.1, -1.0, v))[..., None]
        for hu, hv, hr, power in ((-0.33, -0.36, 0.25, 1.0), (0.36, 0.38, 0.13, 0.6)):
            rgb += power * (1 - rgb) * ramp(hr + soft, hr - soft, np.hypot(u - hu, v - hv))[..., None]
        cover = ramp(1.16 + soft, 1.16 - soft, r) if lids is None else canvas.inside(lids[box], len(out))
        rgb = mix(view[..., :3], np.clip(rgb, 0, 1), cover)
        out[box] = canvas.layer(rgb, np.maximum(view[..., 3], cover))
    return out


def snake(rng: Generator, size: int) -> Layer:
    """A coiled snake: patterned scales, and on top of the coils a broad head with a forked tongue."""
    c, t, q = _Sheet(rng, size), np.linspace(0, 1, 240), np.linspace(0, 1, 299)
    main, second, iris = draw_tints(rng, ((0.33, 0.13), 0.5, 0.5), ((0.14, 0.04), 0.4, 0.7), ((0.1,), 1, 1))
    flat, thick, turns, often = rng.uniform((0.75, 0.14, 1.7, 0.28), (1, 0.16, 2.2, 0.4))
    dark, way, at, kind = second * 0.12, rng.choice([-1, 1]), rng.normal(0, 0.07, 2), rng.integers(3)
    face = rng.uniform(0.4, 1.2) * way + np.pi / 2
    a, r, turn = face + way * (2 * np.pi * turns * (t - 1) - 0.6 * np.pi), 0.86 - 0.6 * t, _turn(face)
    coil = np.stack([r * np.cos(a), 0.12 + flat * r * np.sin(a) - (1 - flat) * 0.6 * t], 1)
    coil = [*coil, *_bend(t[4::4], coil[-1], coil[-1] * 5 - coil[-6] * 4, at - 0.4 * turn[0], at)]
    d, s, v, k = c.tube(coil, thick * np.clip(q * 3.5 + 0.04, 0, 1) ** 0.7 * (1 - 0.35 * ramp(0.8, 1, q)))
    wave, (tone, h) = np.abs((s * often) % 2 - 1), _scales(np.arcsin(v) * 2.2, s * 1.7)
    mark = (np.abs(v) * 0.8 + wave - 0.75, wave - 0.5, np.hypot(v * 0.8, wave * 1.6) - 0.6)[kind]
    tint = mix(mix(second, main, ramp(-0.06, 0.06, mark)), dark, ramp(0.14, 0.08, np.abs(mark)))
    c.put(d, tint, 0.13 * np.sqrt(1 - v * v) + 0.02 * h + 0.4 * k, tone=tone)
    tongue = np.array([(0.36, 0), (0.5, 0.02), (0.62, -0.02), (0.74, -0.09), (0.62, -0.02), (0.74, 0.07)])
    c.trace([tongue @ turn + at], 0.03, hsv(0.98, 0.85, 0.9), 0.5)
    head = np.array([(-0.22, 0.08), (-0.12, 0.26), (0.08, 0.25), (0.26, 0.13), (0.44, 0.12), (0.45, 0.03)])
    head, (u, w) = [*head, *head[::-1] * (1, -1)], turned(c.x - at[0], c.y - at[1], face)
    (tone, h), w = _scales(w * 15, -u * 12), np.abs(w)
    tint = mix(mix(main, dark, ramp(0.035, 0.02, np.abs(w - 0.12 - 0.1 * u))), second, ramp(0.05, 0.02, w))
    c.put(c.shape(head @ turn + at, ""), tint, 0.5 + 0.012 * h, 0.6, 0.17, 0.5 + 0.5 * tone)
    return _eyes(c.lit(), [(0.14, -0.16), (0.14, 0.16)] @ turn + at, 0.08, iris, (0.25, 0.9))


def dragon(rng: Generator, size: int) -> Layer:
    """A dragon's head in profile: horns, scaled neck with spikes and belly plates, teeth, a glowing eye."""
    c, t, (main, second, horn, iris) = _Sheet(rng, size), np.linspace(0, 1, 40), draw_tints(
        rng, ((0.36, 0, 0.6), 0.65, 0.55), ((0.1, 0.03), 0.6, 0.8), ((0.1,), 0, 0.75), ((0.12, 0), 0.8, 1))
    x, y, (n, gape, long, up, beak) = c.x, c.y, rng.uniform((7, 0, 0.8, 0.8, -0.1), (9, 0.4, 1.1, 1.1, 0.1))

    for left in (-0.12, 0.06):
        path = _bend(t, (left + 0.15, -0.2), (left + 0.3, -0.65), (left + 0.5, -0.9), (left + 0.9, -0.6))
        d, s, v, k = c.tube(path * (1, up), 0.13 * (1.02 - t))
        c.put(d, mix(horn, horn * 0.25, k), 0.1 * np.sqrt(1 - v * v), 0.7, tone=0.8 + 0.25 * np.sin(s * 5))
    spine, girth = _bend(t, (0.1, -0.1), (0.7, -0.15), (0.45, 0.6), (0.5, 1.1)), 0.3 + 0.1 * t
    c.trace([((0.7, b - 0.14), (1, b), (0.7, b + 0.14)) for b in (0.1, 0.38, 0.66, 0.94)], 0, second, 0.1)
    d, s, v, _ = c.tube(spine, girth)
    (tone, h), plate, belly = _scales(np.arcsin(v) * n / 2, s * n / 2.5), np.abs(s * 3.2 % 1 - 0.5), v > 0.25
    h, tone = np.where(belly, (-0.5 * plate**4, 1 - 0.8 * ramp(0.35, 0.5, plate)), (0.05 * h, tone))
    c.put(d, np.where(belly[..., None], second, main), 0.3 * np.sqrt(1 - v * v) + h, tone=tone)
    r, a, e = *polar(x - 0.2, y), np.linspace(1.25, -1.2, 12)
    fan = np.stack([np.cos(e), np.sin(e)], 1) * np.tile([[0.62 * long], [0.42]], (6, 1)) + (0.2, 0)
    tint = mix(main, second, ramp(0.2, 0.6, r)) * (0.75 + 0.35 * np.cos(a * 14 - 17.5))[..., None]
    c.put(c.shape([(0.2, 0), *fan], "", 1), tint, 0.32)
    jaw = [(0.3, 0), (0, 0.1), (-0.3, 0.1), (-0.6, 0), (-0.7, 0.14), (-0.5, 0.3), (0.3, 0.4)] @ _turn(-gape)
    c.put(c.shape([(0.3, 0), (-0.55, -0.1), *jaw[3:0:-1], (0.2, 0.2)], ""), hsv(0.99, 0.8, 0.3), 0.2)
    tooth, (tone, h) = np.array([(-0.03, 0), (0.0, -0.13), (0.035, 0)]), _scales(y * n * 1.7, x * n * 1.6)
    c.trace([tooth + jaw[2] + (jaw[3] - jaw[2]) * k + (0, 0.03) for k in (-0.5, 0, 0.6)], 0, WHITE, 0.42)
    c.put(c.shape(jaw, ""), mix(main, second, ramp(0.1, 0.4, y - 0.3)), 0.35 + 0.03 * h, 0.5, 0.15, tone)
    c.trace([tooth * (1, -e) + (k, 0) for k, e in ((-0.74, 1.7), (-0.5, 1.3), (-0.25, 1))], 0, WHITE, 0.45)
    skull = [(0.42, 0), (0.38, -0.36), (0.12, -0.5), (-0.1, -0.34), (-0.4, -0.3 + beak), (-0.6, -0.4 + beak),
             (-0.84, -0.3), (-0.9, -0.08 - beak), (-0.76, 0.07), (-0.35, -0.04), (0.05, 0.1), (0.3, 0.28)]
    hole, skull = ramp(0.05, 0.03, np.hypot(x + 0.74, (y + 0.22) * 1.6)), c.shape(skull, "")
    tint = mix(second, main, ramp(0, -0.07, skull) * ramp(-0.9, -0.6, x) * ramp(-0.7, -0.2, y))
    c.put(skull, mix(tint, INK, hole), 0.45 + 0.035 * h - 0.05 * hole, 0.6, 0.22, 0.2 + 0.8 * tone)
    c.put(ellipse(x, y, 0.0, -0.33, 0.27, 0.075, 0.3), second, 0.62, 0.5, 0.07)
    c.trace([((0.22, b - 0.07), (0.6, b - 0.05), (0.22, b + 0.07)) for b in (-0.02, 0.18)], 0, horn, 0.6)
    return _eyes(c.lit(), [(-0.04, -0.22)], 0.11, iris, (0.22, 1.0))


def face(rng: Generator, size: int) -> Layer:
    """A human portrait from the front: modeled nose, lips and lids, brows, irises, and combed hair."""
    c, deep, man, wild = _Sheet(rng, size), rng.random() ** 1.3, rng.random() < 0.35, rng.random(2) > 0.87
    turn, px, curl, ex, ey, my, mw, jaw, grin, brim, long = rng.uniform(
        (-0.06, -0.25, 0, 0.2, -0.1, 0.44, 0.17, 0.38, 0.03, 0.5, 0.5 - 0.5 * man),
        (0.06, 0.25, 7, 0.23, -0.06, 0.48, 0.22, 0.44, 0.08, 0.6, 1.3 - man))
    x, y, (r, a) = np.abs(c.x - turn * (1 - c.x**2)), c.y, polar(c.x - px, c.y + 0.62)
    tone = color(rng) if wild[0] else hsv(rng.uniform(0.045, 0.08), 0.32 + 0.35 * deep, 1 - 0.6 * deep)
    hair = color(rng) if wild[1] else hsv(rng.uniform(0.02, 0.12), 0.65, rng.choice([0.12, 0.3, 0.55, 0.9]))
    lock, red = _strands(rng, a * 60 + curl * np.sin(r * 12 + a * 4), r * 4), tone * (0.95, 0.5, 0.48)
    comb, wave = np.clip(0.85 + 0.5 * lock + 0.12 * np.sin(a * 9), 0.1, 2), 0.02 * (lock + np.sin(a * 9))
    back = c.shape([(0, -0.95), (0.42, -0.92), (0.64, -0.5), (0.66, 0.1), (0.66, long), (0.45, long)])
    c.put(back + 0.02 * lock, hair, wave, 0.35, 0.1, comb * 0.75)
    bust = c.shape([(0, 0.3), (0.24, 0.3), (0.24, 0.72), (0.75, 0.84), (0.95, 1.3), (0, 1.3)])
    c.put(bust, mix(tone * 0.85, color(rng), ramp(0.84, 0.86, y + 0.2 * x)), -0.6 * x * x, 0.2, 0.15)
    q, k = np.clip(x / mw, 0, 1), np.clip(1 - ((x - ex) / 0.16) ** 2, 0, 1)
    my, smile = my - grin * q * q, 0.06 + 0.026 * ramp(0, 0.3, q)
    lips = np.maximum.reduce([my - smile * (1 - q * q) - y, y - my - 0.095 * np.sqrt(1 - q * q), x - mw])
    nose = _near(x, 0.035 + 0.05 * ramp(0.0, 0.26, y)) * ramp(-0.2, 0.2, y) * ramp(0.33, 0.25, y)
    h = 0.5 * _near(x, 0.6, y, 1) + 0.15 * nose + 0.04 * _near(lips, 0.03) + _near(x, 0.1, y - 0.7, 0.1) / 20
    h += 0.05 * _near(x - 0.07, 0.045, y - 0.25, 0.05) - 0.09 * _near(x - ex + 0.02, 0.17, y - ey, 0.1)
    skin = mix(tone, red, 0.45 * _near(x - 0.3, 0.14, y - 0.2, 0.12) + 0.35 * _near(x, 0.1, y - 0.25, 0.07))
    skin = mix(skin, mix(red, color(rng, (0.97, 0.0)), (0.8, 0.2)[man]), ramp(0.012, -0.012, lips))
    brow = np.abs(y - ey + 0.21 - ((x - 0.29) / 0.95) ** 2) - 0.03 * ramp(0.46, 0.1, x) + 0.1 * (x < 0.07)
    skin = mix(skin, hair * 0.5, 0.9 * ramp(0.01, -0.01, brow + 0.008 * np.sin((x + y) * 99)))
    dark = _near(y - my - 0.012 * np.cos(q * 5), 0.014) * (x < mw) + _near(x - 0.05, 0.028, y - 0.295, 0.016)
    oval = [(0, -0.82), (0.4, -0.82), (0.58, -0.4), (0.53, 0.15), (jaw, 0.58), (0.15, 0.79), (0, 0.79)]
    c.put(c.shape(oval), skin, 0.15 + h, 0.22 + 0.3 * (lips < 0), tone=1 - 0.75 * dark)
    front = c.shape([(0, -0.97), (0.45, -0.9), (0.64, -0.45), (0.6, 0.0), (0.5, 0.1)]) + 0.02 * lock
    front = np.maximum(front, -ellipse(c.x, y, px * 0.6, 0.12, 0.5, brim)) + 0.05 * ramp(-0.25, 0.05, y)
    c.put(front, hair, 0.42 + wave, 0.5, 0.15, comb)
    tilt, iris = y - ey + 0.1 * (x - ex), color(rng, (0.58, 0.33, 0.08), (0.4, 0.8), (0.8, 1))
    top, low = tilt + 0.09 * k**0.8, tilt - 0.055 * k
    lash = np.maximum(0.9 * _near(top, 0.02), 0.45 * _near(top + 0.045, 0.014)) + 0.4 * _near(low, 0.012)
    out = _eyes(c.lit(), [(turn - ex, ey - 0.015), (turn + ex, ey - 0.015)], 0.09, iris, ball=WHITE * 0.9,
                lids=np.maximum.reduce([-top, low, 0.01 - k]))
    out[..., :3] *= (1 - lash * ramp(0.19, 0.14, np.abs(x - ex)))[..., None]
    return out


def mask(rng: Generator, size: int) -> Layer:
    """A carnival or tribal mask: dark eye holes, golden rims and curls, a jewel, a crown of plumes."""
    c, kind, n = _Sheet(rng, size), rng.integers(3), rng.integers(9, 16)
    base, second, gold, third = draw_tints(rng, (  # three kinds: whole, half, carved
        ((0.1, 0.0), 0.05, 0.8), ((0.75, 0.0, 0.5), 0.6, 0.5), ((0.05, 0.08), 0.5, 0.35))[kind],
        ((0.0, 0.6, 0.48), 0.75, 0.5), ((0.12,), 0.6, 0.85), ((), 0.5, 0.6))
    (ex, ey), down = rng.uniform((0.22, -0.12), (0.26, -0.04)), 0.25 * (kind == 1)
    x, y, r, a = np.abs(c.x), c.y - down, np.hypot(c.x, c.y - 0.15), np.arctan2(c.x, 0.15 - c.y)
    for lift, tall, tint, odd in ((0, 1.12, second, 0.0), (0.05, 0.92, third, 0.5)):
        k = np.clip(np.round(a * n / 2.6 - odd), -n // 2, n // 2) + odd
        lean, tall = a - k * 2.6 / n, tall - 0.3 * np.abs(k / n) ** 1.5
        u, v = r * np.cos(lean), np.abs(r * np.sin(lean))
        spot, half = np.hypot(u - tall * 0.86, v), 2.5 * tall / n * np.sqrt(np.clip(tall - u, 1e-6, 0.25))
        tint = mix(mix(tint, gold, ramp(0.085, 0.07, spot)), third * 0.25, ramp(0.05, 0.035, spot))
        tone = (0.85 + 0.2 * np.sin((u - v * 1.5) * 60)) * (1 - 0.6 * ramp(0.5, 1, v / half))
        c.put(np.maximum(v - half, u - tall), tint, lift + 0.1 * np.exp(-v / 0.02) - 0.4 * v, 0.4, tone=tone)
    d = c.shape(([(0, -0.6), (0.4, -0.6), (0.58, -0.3), (0.58, 0.2), (0.36, 0.72), (0.15, 0.92), (0, 0.92)],
                 [(0, -0.05), (0.3, -0.25), (0.86, -0.25), (0.84, 0.3), (0.5, 0.59), (0.2, 0.5), (0, 0.55)],
                 [(0, -0.7), (0.45, -0.7), (0.5, -0.2), (0.4, 0.4), (0.3, 0.9), (0.2, 1), (0, 0.98)])[kind])
    eye = [(-0.17, 0.05), (-0.05, -0.1), (0.12, -0.12), (0.23, -0.08), (0.1, 0.08)]
    eye, (r, a) = c.shape(np.add(eye, (ex, ey + down)), "twins"), polar(x - ex, y - ey)
    nose = _near(x, 0.05 + 0.06 * ramp(-0.1, 0.3, y)) * ramp(-0.3, 0.1, y) * ramp(0.36, 0.28, y)
    h = 0.45 * _near(x, 0.8, y, 1.2) + 0.2 * nose + 0.06 * _near(x - ex, 0.22, y - ey + 0.2, 0.07)
    curls = (a * rng.integers(1, 4) + np.log(r + 0.06) * 9, np.abs(y - x * rng.normal()) * 29)[kind // 2]
    curls, beads = np.sin(curls) - 0.35, _near(d + 0.05, 0.035) * np.cos(np.arctan2(y, x) * 44)
    metal = np.maximum.reduce([ramp(0.22, 0.1, np.abs(curls)), ramp(-0.1, -0.085, d), ramp(0.06, 0.05, eye)])
    paint = mix(mix(base, second, ramp(0.0, 0.15, curls)), gold * (0.85 + 0.3 * beads)[..., None], metal)
    c.put(d, paint, 0.3 + h + 0.03 * metal * (1 + 0.6 * beads + _near(eye - 0.03, 0.02)), 0.35 + 0.6 * metal)
    q, slit = np.clip(x / 0.22, 0, 1), _near(y - 0.565, 0.02)
    top, low = 0.56 - (0.075 + 0.03 * ramp(0, 0.35, q)) * (1 - q * q), 0.56 + 0.12 * np.sqrt(1 - q * q)
    if kind != 1:
        lips = np.maximum.reduce([top - y, y - low, x - 0.22])
        c.put(lips, (gold, second)[n % 2], 0.72 - 0.05 * slit, 0.8, 0.06, 1 - 0.8 * slit)
    c.put(eye, INK * 0.3, 0.3, 0.0, crease=0.0)
    for dy, q, tint in ((-0.66, 0.045, gold), (-0.55, 0.05, gold), (-0.32, 0.11, gold), (-0.32, 0.08, third)):
        c.put(ellipse(x, y, 0, ey + dy, q, q * 1.3), tint, 0.75, 1.0, q)
    return c.lit()


def lion(rng: Generator, size: int) -> Layer:
    """A lion's face in a big radiating mane of layered locks."""
    c, n, wild = _Sheet(rng, size), 2 * int(rng.integers(8, 12)) + 1, rng.uniform(0.1, 0.35)
    main, mane, pink, iris = draw_tints(rng, ((0.1, 0.11, 0.09), 0.5, 0.75), ((0.05, 0.07, 0.03), 0.7, 0.4),
                                        ((0.01,), 0.4, 0.4), ((0.11, 0.13, 0.09), 0.7, 0.9))
    x, y, pale, (r, a), t = np.abs(c.x), c.y, main * 0.25 + 0.75, polar(c.x, c.y - 0.05), np.arange(6) / 5
    wave, fur = np.sin(r * 9 + a * 3) * wild, _strands(rng, np.arctan2(c.x, y + 0.1) * 25, r * 8)
    hair, tone = _strands(rng, a * 64 / np.pi + 5 * wave, r * 4), 1 + 0.15 * fur
    for row in range(5):
        cell = a / (2 * np.pi) * n + row * 0.5 + wave + n
        off, each = np.abs(cell % 1 - 0.5) * 2, np.float32(rng.uniform(0.88, 1.05, n))[np.int32(cell) % n]
        edge = (0.98 - 0.1 * row) * each * (1 - 0.36 * off**1.5)
        tint = mix(mane * (0.5 + 0.14 * row), main, ramp(edge - 0.3, edge, r) * (0.25 + 0.1 * row))
        shade, rise = np.clip(1.05 + 0.6 * hair - 0.3 * off**3, 0.1, 2), 0.035 * hair - 0.03 * off * off
        c.put((r - edge) * 0.6, tint, 0.1 * row + rise, 0.35, tone=shade)
    ear = ellipse(x, y, 0.4, -0.42, 0.15, 0.15) + 0.01 * fur
    c.put(ear, mix(main, mane, ramp(-0.03, -0.09, ear)), 0.5, 0.2, 0.1)
    head = [(0, -0.52), (0.3, -0.5), (0.47, -0.2), (0.42, 0.15), (0.32, 0.5), (0.15, 0.66), (0, 0.66)]
    tint = mix(main, pale, ramp(0.2, 0.08, np.hypot(x - 0.21, y - 0.02)) * 0.9)
    c.put(c.shape(head) + 0.01 * fur, tint, 0.5 + 0.015 * fur, 0.2, 0.4, tone, 0.9)
    c.put(ellipse(x, y, 0, 0.6, 0.17, 0.13), pale, 0.8, 0.2, 0.13)
    tint = mix(pale, mane * 0.3, ramp(0.75, 0.9, np.sin(x * 50) * np.sin(y * 45)) * 0.8)
    c.put(ellipse(x, y, 0.155, 0.4, 0.18, 0.14, 0.25) + 0.008 * fur, tint, 0.95, 0.2, 0.14)
    nose = c.shape([(0, 0.19), (0.13, 0.18), (0.16, 0.24), (0.04, 0.36), (0, 0.38)])
    c.put(nose, pink, 1.1, 1.0, 0.07, 1 - 0.8 * ramp(0.04, 0.02, np.hypot(x - 0.075, y - 0.27)))
    c.trace([np.stack([s * (0.2 + 0.5 * t), 0.42 + k * (0.04 + 0.1 * t) - 0.1 * np.sin(t * 3)], 1)
             for k in (-1, 0, 1) for s in (-1, 1)], 0.012, WHITE * 0.95, 1.1)
    out, lids = c.lit(), np.maximum(np.hypot(x - 0.22, y + 0.17), np.hypot(x - 0.22, y - 0.01)) - 0.17
    out[..., :3] *= (1 - 0.92 * ramp(0.06, 0.015, lids))[..., None]
    return _eyes(out, [(-0.22, -0.085), (0.22, -0.085)], 0.09, iris, (0.38, 0.38), iris * 0.5, lids)


def turtle(rng: Generator, size: int) -> Layer:
    """A sea turtle from above: a domed shell of ringed scutes, pebbled flippers, a small head."""
    c, (main, second, skin, pale) = _Sheet(rng, size), draw_tints(
        rng, ((0.07, 0.3), 0.5, 0.4), ((0.12,), 0.5, 0.75), ((0.3, 0.4), 0.4, 0.3), ((0.16,), 0.1, 0.8))
    w, sy, wide, tall, freq = rng.uniform((-0.12, 0.1, 0.5, 0.56, 55), (0.12, 0.14, 0.58, 0.64, 85))
    x, y, (hide, h) = np.abs(c.x), c.y, _scales(np.abs(c.x) * 9 + 0.5, c.y * 9)
    for part in ([(0.2, -0.3), (0.45, -0.5), (0.72, -0.42 + w), (0.95, w), (0.98, 0.3 + w), (0.85, 0.18 + w),
                  (0.66, -0.08 + w), (0.4, -0.05)], [(-0.09, 0.6), (0.09, 0.6), (0, 1)],
                 [(0.2, 0.5), (0.45, 0.55), (0.62, 0.75 - w), (0.6, 0.97 - w), (0.42, 0.9 - w), (0.25, 0.75)],
                 [(0, -1), (0.12, -1), (0.24, -0.8), (0.18, -0.65), (0.25, -0.3), (0, -0.3), (-0.1, -0.7)]):
        c.put(c.shape(part, "twins"), mix(pale, skin, ramp(0.5, 0.9, hide)), 0.03 * h, 0.5, 0.12)
    q, a = np.hypot(x / wide, (y - sy) / tall), np.arctan2((y - sy) / tall, x / wide)
    px = np.float32([0, 0, 0, 0, 0, 0.5, 0.6, 0.6, 0.5, -0.5, -0.6, -0.6, -0.5])[:, None, None]
    py = np.float32([-72, -38, 0, 38, 72, -56, -19, 19, 56, -56, -19, 19, 56])[:, None, None] / 100
    far, outer = np.hypot(c.x - px * wide, y - sy - py * tall), q > 0.83
    cell, near = np.where(outer, 13, far.argmin(0)), np.partition(far, 1, axis=0)
    rim = np.minimum(0.25 - 0.54 * q * np.abs((a / np.pi * 11 + 0.5) % 1 - 0.5), (q - 0.83) * 0.8)
    seam = np.where(outer, rim, np.minimum(near[1] - near[0], (0.83 - q) * 0.8))
    shade, rings = np.float32(rng.uniform(0.8, 1.2, 14))[cell] * ramp(-0.005, 0.03, seam), np.sin(seam * freq)
    h = 0.5 * wide * np.sqrt(np.clip(1 - (q * 0.94) ** 2, 0, 1)) + 0.06 * ramp(0, 0.12, seam) + 0.006 * rings
    d = ellipse(x, y - 0.06 * np.cos(x * 2.4), 0, sy, wide, tall) - 0.02 * np.cos(np.arctan2(y - sy, x) * 26)
    c.put(d, mix(second, main, ramp(0.0, 0.17, seam)), 0.2 + h, 0.7, tone=shade * (0.88 + 0.16 * rings))
    return _eyes(c.lit(), [(-0.14, -0.8), (0.14, -0.8)], 0.05, second, (0.6, 0.6))


def frog(rng: Generator, size: int) -> Layer:
    """A frog seated before you: bulging eyes, a wide mouth, glossy spotted skin, round toes."""
    c, (main, second, belly, iris) = _Sheet(rng, size), draw_tints(
        rng, ((0.3, 0.26), 0.7, 0.6), ((0.2, 0.05), 0.6, 0.4), ((0.15,), 0, 0.9), ((0.12, 0.04), 0.8, 0.9))
    x, y, (ex, er, wide) = np.abs(c.x), c.y, rng.uniform((0.34, 0.22, 0.62), (0.42, 0.27, 0.72))
    spots, rough = noise(rng, size, 1.3) + 0.3, 0.008 * noise(rng, size, 0.6)
    skin = mix(mix(main, main * 0.3, ramp(0.45, 0.6, spots)), second, ramp(0.6, 0.75, spots))
    c.put(ellipse(x, y, 0.62, 0.48, 0.28, 0.42, 0.35), skin, 0.05 + rough, 0.9, 0.26)
    body = c.shape([(0, -0.3), (0.5, -0.2), (0.56, 0.3), (0.42, 0.85), (0, 0.9)])
    c.put(body, mix(skin, belly, ramp(0.42, 0.26, x + 0.1 * y)), 0.2 + rough, 0.9, 0.4)
    for px, py in ((-0.66, 0.84), (0.66, 0.84), (-0.3, 0.88), (0.3, 0.88)):
        ends = [(px + 0.23 * np.sin(k), py + 0.08 * np.cos(k)) for k in (-1.1, -0.4, 0.4, 1.1)]
        c.trace([((px, py), end) for end in ends], 0.055, iris * 0.8, 0.4)
        c.trace([((u, v), (u, v + 0.01)) for u, v in ends], 0.095, iris, 0.4)
    arm = [(0.3, 0.2), (0.55, 0.25), (0.52, 0.55), (0.4, 0.92), (0.24, 0.92), (0.3, 0.6)]
    c.put(c.shape(arm, "twins"), skin, 0.45 + rough, 0.9, 0.13)
    head = [(0, -0.5), (ex + 0.1, -0.5), (wide + 0.12, -0.2), (wide + 0.02, 0.14), (0.3, 0.34), (0, 0.36)]
    mouth = y - 0.09 + 0.22 * (x / wide) ** 2.5 - 0.012 * np.cos(x * 9)
    tone = 1 - 0.85 * np.maximum(_near(mouth, 0.016), _near(x - 0.1, 0.025, y + 0.2, 0.025))
    c.put(c.shape(head), mix(skin, belly, ramp(0.0, 0.03, mouth)), 0.5 + rough, 0.9, 0.34, tone)
    c.put(ellipse(x, y, ex, -0.52, er * 1.2, er * 1.15), skin, 0.75 + rough, 0.9, er)
    return _eyes(c.lit(), [(-ex - 0.02, -0.54), (ex + 0.02, -0.54)], er * 0.8, iris, rng.uniform(0.3, 0.7, 2))


def octopus(rng: Generator, size: int) -> Layer:
    """An octopus from the front: a domed head with two eyes, eight curling arms with rows of suckers."""
    c, t, (main, second, pale, iris) = _Sheet(rng, size), np.linspace(0, 1, 70), draw_tints(
        rng, ((0.02, 0.05, 0.85), 0.65, 0.7), ((0.1, 0.55), 0.4, 0.7), ((0.06,), 0, 0.9), ((0.13,), 0.6, 0.9))
    x, y, arms, wide, warts = np.abs(c.x), c.y, [], rng.uniform(0.4, 0.5), noise(rng, size, 0.5)
    skin = mix(main, second, ramp(0.3, 0.7, noise(rng, size, 1.4))) * (1 + 0.07 * warts)[..., None]
    for k, e in np.array([(k, e) for k in range(4) for e in (1, -1)]):
        way = rng.normal(k / 2 - 0.15, 0.1) + 0.5 * np.sin(t * 3) - (-1) ** k * rng.uniform(3.5, 6.5) * t**2.2
        path = np.stack([e * np.cos(way), np.sin(way)], 1).cumsum(0) / 58 + (e * (0.3 - k / 15), k / 15)
        arms.extend(path * (0.93 / max(np.abs(path).max(), 0.93)))
    d, s, v, k = c.tube(arms, 0.14 * (1.03 - np.tile(t, 8)) ** 0.7)
    low = np.where((k * 8).astype(np.int32) % 2, -v, v)
    cup = np.hypot((s * 1.1) % 1 - 0.5, (low - 0.45) * 0.9)
    tint = mix(skin, pale, np.maximum(ramp(0.0, 0.35, low) * 0.7, ramp(0.42, 0.36, cup)))
    rise = 0.12 * np.sqrt(1 - v * v) + 0.03 * ramp(0.45, 0.35, cup) - 0.05 * ramp(0.25, 0.1, cup)
    c.put(d, mix(tint, main * 0.3, ramp(0.22, 0.14, cup)), 0.4 * k + rise + 0.004 * warts, 0.8)
    head = [(0, -0.96), (wide, -0.95), (wide + 0.1, -0.5), (wide / 2, 0), (0.4, 0.2), (0.2, 0.4), (0, 0.4)]
    c.put(c.shape(head), skin, 0.4 + 0.008 * warts, 0.9, 0.42, 1 - 0.3 * ramp(-0.1, 0.3, y))
    c.put(ellipse(x, y, 0.25, -0.1, 0.17, 0.16), skin, 0.75 + 0.006 * warts, 0.8, 0.14, crease=0.4)
    return _eyes(c.lit(), [(-0.25, -0.11), (0.25, -0.11)], 0.12, iris, (rng.uniform(0.45, 0.8), 0.3))


def dragonfly(rng: Generator, size: int) -> Layer:
    """A dragonfly from above: four veined glassy wings, a long ringed body, huge faceted eyes."""
    c, t, (main, second, eye, glass) = _Sheet(rng, size), np.linspace(0, 1, 60), draw_tints(
        rng, ((0.5, 0.36, 0.02), 0.75, 0.7), ((0.58, 0.13), 0.7, 0.7), ((0, 0.45), 0.7, 0.7), ((0.5,), 0, 1))
    x, y, ink = np.abs(c.x), c.y, color(rng, value=(0.03, 0.2))
    lean, long, film, bow = rng.uniform((0.0, 0.82, 0, -0.1), (0.3, 0.9, 6, 0.1))
    for angle, root, w in ((0.4 * lean + 0.22, -0.15, 0.21), (-0.5 * lean - 0.1, -0.4, 0.17)):
        wing = [(0, 0), (0.3, -0.8 * w), (0.75, -w), (long, -0.8 * w), (long, w / 5), (0.7, w), (0.2, w)]
        d, (u, v) = c.shape(wing @ _turn(angle) + (0.05, root), "twins"), turned(x - 0.05, y - root, angle)
        cell, mark = bricks(u * 9, v * 14 + u * u * 6)[..., 0], _near(u - long + 0.16, 0.1, v + w * 0.6, 0.05)
        vein = np.maximum.reduce([ramp(0.72, 0.6, cell), _near(v + w * 0.4, 0.015), ramp(-0.03, -0.018, d)])
        sheen = 0.5 + 0.5 * np.cos((u * 5 + v * 9 + film + 3 * cell)[..., None] + np.float32([0, 2.1, 4.2]))
        tint = mix(mix(glass, sheen, 0.45), main, ramp(0.35, 0.0, u) * 0.6 + mark)
        c.put(d, mix(tint, ink, vein * (1 - mark)), 0.02 * vein + 0.03 * cell, 0.7, tone=1.15, crease=0.2)
        c.alpha *= np.where(d < 0, 0.7 + 0.25 * vein, 1)
    girth = 0.075 - 0.02 * np.sin(t * 3.1) + 0.03 * ramp(0.75, 0.85, t) * ramp(1.0, 0.93, t)
    d, _, v, k = c.tube(np.stack([bow * t * t, -0.2 + 1.15 * t], 1), girth)
    ring = np.abs((k * 9) % 1 - 0.5) * 2
    c.put(d, mix(main, ink, ramp(0.7, 0.9, ring)), 0.2 + 0.08 * np.sqrt(1 - v * v) - 0.02 * ring**6, 1.0)
    back, facet = ramp(0.5, 0.8, np.sin(x * 36 + y * 14)), _scales(x * 22, y * 22)[0]
    c.put(ellipse(x, y, 0, -0.36, 0.17, 0.26), mix(main, ink, back), 0.25, 0.9, 0.17)
    eye, d = mix(second, eye, ramp(-0.6, -0.78, y)), ellipse(x, y, 0.135, -0.75, 0.16, 0.19, 0.35)
    c.put(d, eye, 0.35 + 0.008 * facet, 1.2, 0.15, 0.55 + 0.5 * facet)
    return c.lit()
