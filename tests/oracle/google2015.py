"""The deep dream of 2015 written again from its description: Caffe's conventions, pixels 0..255, numpy.

Its network is whatever turns a prepared picture into the layer dreamt. Two things are Reverie's on purpose:
octaves are shrunk from the source itself, and by the antialiased bicubic filter of the twins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tests.oracle.twins import Array, resize

MEAN = np.array([123.0, 117.0, 104.0])[:, None, None]  # RGB
STEP, STEPS, OCTAVES, SCALE = 1.5, 10, 4, 1.4


@dataclass(frozen=True)
class State:
    """Before one step: the picture [3, h, w] in 0..255, the octave's source at that size, and the step's number."""

    octave: int
    step: int
    image: Array
    base: Array
    gradient: Array
    after: Array


def gradient(layer: Callable[[Tensor], Tensor], image: Array) -> tuple[float, Array]:
    """Half the sum of squares of the layer, and its gradient: the activation itself is sent back."""
    data = torch.tensor((image - MEAN)[None], dtype=torch.float32, requires_grad=True)
    end = layer(data)
    end.backward(end.detach())  # type: ignore[no-untyped-call]
    assert data.grad is not None
    return float(0.5 * end.detach().double().square().sum()), data.grad[0].double().numpy()


def climbed(image: Array, g: Array) -> Array:
    """One step: the mean change is 1.5 grey levels; then black and white are the ends."""
    return np.clip(image + STEP / np.abs(g).mean() * g, 0, 255)


def states(layer: Callable[[Tensor], Tensor], source: Array) -> Iterator[State]:
    """All 40 steps over ``source`` [3, H, W] in 0..255, without jitter."""
    detail = np.zeros_like(source)
    h, w = source.shape[1:]
    for octave in range(OCTAVES):
        shrink = SCALE ** (OCTAVES - 1 - octave)
        base = np.clip(resize(source, (round(h / shrink), round(w / shrink))), 0, 255)
        if octave:
            detail = resize(detail, (base.shape[1], base.shape[2]))
        image = np.clip(base + (detail if octave else 0), 0, 255)
        for step in range(STEPS):
            _, g = gradient(layer, image)
            after = climbed(image, g)
            yield State(octave, step, image, base, g, after)
            image = after
        detail = image - base
