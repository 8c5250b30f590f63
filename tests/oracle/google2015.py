"""The deep dream of 2015 written again from its description: Caffe's conventions, pixels 0..255, numpy, in float64.

Its network is whatever turns a prepared picture into the layer dreamt. Two things are Reverie's on purpose:
octaves are shrunk from the source itself, and by the antialiased bicubic filter of the twins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from tests.oracle.twins import Array, resize

MEAN = np.array([123.0, 117.0, 104.0])[:, None, None]  # RGB
STEP, STEPS, OCTAVES, SCALE = 1.5, 10, 4, 1.4


def gradient(layer: Callable[[Tensor], Tensor], image: Array) -> tuple[float, Array]:
    """Half the sum of squares of the layer, and its gradient: the activation itself is sent back."""
    data = torch.tensor((image - MEAN)[None], dtype=torch.float64, requires_grad=True)
    end = layer(data)
    end.backward(end.detach())  # type: ignore[no-untyped-call]
    assert data.grad is not None
    return float(0.5 * end.detach().square().sum()), data.grad[0].numpy()


def climbed(image: Array, g: Array) -> Array:
    """One step: the mean change is 1.5 grey levels; then black and white are the ends."""
    return np.clip(image + STEP / np.abs(g).mean() * g, 0, 255)


def opened(source: Array, octave: int, detail: Array) -> tuple[Array, Array]:
    """``source`` [3, H, W] at the size of an octave, and the picture that begins there with the ``detail`` so far."""
    shrink = SCALE ** (OCTAVES - 1 - octave)
    size = (round(source.shape[1] / shrink), round(source.shape[2] / shrink))
    base = np.clip(resize(source, size), 0, 255)
    return base, np.clip(base + resize(detail, size), 0, 255)


def dreamt(layer: Callable[[Tensor], Tensor], source: Array) -> Iterator[Array]:
    """The picture after each of the 40 steps over ``source`` [3, H, W] in 0..255, without jitter."""
    detail = np.zeros_like(source)
    for octave in range(OCTAVES):
        base, image = opened(source, octave, detail)
        for _ in range(STEPS):
            _, g = gradient(layer, image)
            image = climbed(image, g)
            yield image
        detail = image - base
