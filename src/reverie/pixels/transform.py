"""Transforms: configuration -> (image, generator) -> image, all differentiable and composable."""

from __future__ import annotations

import math
from functools import reduce
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from reverie.pixels.ops import mirrored, resize


class Transform(Protocol):
    """What the network sees of a picture: a function of an image [B, 3, H, W] and a generator to draw from.

    Any function of two such arguments is one. It must let gradients through; what it returns may have another size.
    """

    def __call__(self, image: Tensor, generator: torch.Generator, /) -> Tensor:
        """The image as it is shown, [B, 3, h, w]."""


def compose(*transforms: Transform) -> Transform:
    """One transform that applies all in order."""
    return lambda image, generator: reduce(lambda x, each: each(x, generator), transforms, image)


def pad(amount: int, least: int = 1, multiple: int = 1) -> Transform:
    """Mirrored margin of ``amount`` pixels around, more where a side would stay below ``least``.

    Sides are rounded up to a ``multiple`` too. A network's own zero padding then darkens the
    margin, not the picture.
    """
    return wander(amount, 0, least, multiple)


def jitter(amount: int) -> Transform:
    """Circular shift by up to ``amount`` pixels each way, drawn anew at every call (DeepDream 2015).

    Pulling a gradient back through it undoes the shift.
    """

    def apply(image: Tensor, generator: torch.Generator) -> Tensor:
        return image.roll(_drawn(amount, generator), (-2, -1))

    return apply


def wander(margin: int, amount: int, least: int = 1, multiple: int = 1) -> Transform:
    """Jitter inside a mirrored surrounding: ``margin`` stays at least, whatever shift is drawn.

    Unlike a circular shift it brings no seam into the picture, where opposite edges would meet.
    """

    def apply(image: Tensor, generator: torch.Generator) -> Tensor:
        shift, sides = _drawn(amount, generator), []
        for side, moved in zip(image.shape[-2:], shift, strict=True):
            whole = max(side + 2 * (margin + amount), least)
            whole += -whole % multiple
            before = (whole - side) // 2 + moved
            sides += [before, whole - side - before]
        return mirrored(image, *sides)

    return apply


def _drawn(amount: int, generator: torch.Generator) -> tuple[int, int]:
    if not amount:
        return 0, 0
    dy, dx = torch.randint(-amount, amount + 1, (2,), generator=generator).tolist()
    return dy, dx


def gray(amount: int) -> Transform:
    """A margin of ``amount`` pixels of middle gray, 0.5: nothing there to be mirrored or grown (lucid)."""

    def apply(image: Tensor, generator: torch.Generator) -> Tensor:
        return F.pad(image, [amount] * 4, value=0.5)

    return apply


def cut(amount: int) -> Transform:
    """A window smaller by ``amount`` pixels each way, placed anew at every call: lucid's jitter.

    Never smaller than one pixel.
    """

    def apply(image: Tensor, generator: torch.Generator) -> Tensor:
        for axis in (-2, -1):
            side = image.shape[axis]
            less = min(amount, side - 1)
            start = int(torch.randint(less + 1, (), generator=generator))
            image = image.narrow(axis, start, side - less)
        return image

    return apply


def turn(degrees: float, zoom: float = 0.0, mirror: bool = False) -> Transform:
    """Turned by up to ``degrees`` and scaled by 1 - ``zoom`` to 1 + ``zoom``, drawn anew at every call (lucid).

    Both in one resampling, so that it blurs once; sides are scaled too, nothing is cropped. Beyond the corners
    lies gray, 0.5, or with ``mirror`` the picture again.
    """

    def apply(image: Tensor, generator: torch.Generator) -> Tensor:
        if not degrees and not zoom:
            return image
        a, b = (2 * torch.rand(2, generator=generator, dtype=torch.float64) - 1).tolist()
        angle, scale = math.radians(degrees * a), 1 + zoom * b
        h, w = image.shape[-2:]
        size = (max(1, round(h * scale)), max(1, round(w * scale)))
        cos, sin = math.cos(angle), math.sin(angle)
        # grid_sample counts both axes from -1 to 1, whatever their lengths.
        theta = image.new_tensor([[cos, -sin * h / w, 0], [sin * w / h, cos, 0]])
        grid = F.affine_grid(theta.expand(len(image), 2, 3), [len(image), 3, *size], align_corners=False)
        fill = "reflection" if mirror else "zeros"
        return F.grid_sample(image - 0.5, grid, padding_mode=fill, align_corners=False) + 0.5

    return apply


def crop(share: float, size: int, spread: float = 0.15) -> Transform:
    """A square window of about ``share`` of the short side, drawn anew at every call, as ``size`` x ``size`` pixels.

    Its center is drawn around the picture's with a deviation of ``spread`` of each side, its side within a
    quarter of ``share`` (MACO, Fel et al. 2023); it stays inside the picture.
    """

    def apply(image: Tensor, generator: torch.Generator) -> Tensor:
        h, w = image.shape[-2:]
        y, x, s = torch.randn(3, generator=generator, dtype=torch.float64).tolist()
        side = max(1, min(round(min(h, w) * share * (1 + 0.25 * max(-1, min(1, s)))), h, w))
        top, left = (
            round(min(max(length * (0.5 + spread * at) - side / 2, 0), length - side))
            for length, at in ((h, y), (w, x))
        )
        return resize(image[..., top : top + side, left : left + side], (size, size))

    return apply


def grain(strength: float) -> Transform:
    """Noise on top, normal with that deviation and as much uniform around 0, drawn anew at every call (MACO)."""

    def apply(image: Tensor, generator: torch.Generator) -> Tensor:
        if not strength:
            return image
        normal = torch.randn(image.shape, generator=generator)
        even = torch.rand(image.shape, generator=generator) - 0.5
        return image + strength * (normal + even).to(image)

    return apply
