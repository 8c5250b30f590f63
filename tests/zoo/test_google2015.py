"""The preset google-2015 against the first deep dream, written again: each of its 40 steps, and as a whole."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from reverie import zoo
from reverie.loop.plan import Plan, prepare
from reverie.loop.render import render
from reverie.network import Network
from reverie.recipe import Recipe
from reverie.recipe.model import preset
from tests.oracle import google2015
from tests.oracle.networks import noise
from tests.oracle.twins import Array

SIZE = (96, 132)


@cache
def network() -> Network:
    """The network of 2015 with weights drawn by seed, each layer about as loud as the last."""
    made = zoo.architecture("googlenet-bvlc")
    drawn = torch.Generator().manual_seed(5)
    for module in made.module.modules():
        if isinstance(module, nn.Conv2d):
            fan = module.weight[0].numel()
            module.weight.data = torch.randn(module.weight.shape, generator=drawn) * math.sqrt(2 / fan)
            assert module.bias is not None
            module.bias.data = 0.1 * torch.randn(module.bias.shape, generator=drawn)
    first = next(module for module in made.module.modules() if isinstance(module, nn.Conv2d))
    first.weight.data *= 1 / 64  # its input is in gray levels
    return made


def doubled() -> Network:
    """The same in float64."""
    return replace(network(), module=copy.deepcopy(network().module).double().requires_grad_(False))


@cache
def layer() -> Callable[[Tensor], Tensor]:
    """From a prepared RGB picture to inception_4c/output in float64, module by module."""
    parts = dict(doubled().module.named_children())
    for part in parts.values():
        for name, norm in [*part.named_children()]:
            if isinstance(norm, nn.LocalResponseNorm):  # torch's own
                setattr(part, name, nn.LocalResponseNorm(norm.size, norm.alpha, norm.beta, norm.k))

    def forward(x: Tensor) -> Tensor:
        x = x.flip(1)  # Caffe reads BGR
        for name, part in parts.items():
            x = part(x)
            if name == "inception_4c":
                return x
        raise AssertionError("no inception_4c")

    return forward


def plan(dreamer: Network) -> Plan:
    return prepare(dreamer, Recipe.of(preset("google-2015"), {"jitter": 0}), SIZE)


def source() -> Tensor:
    """Soft forms and some grain."""
    y, x = torch.meshgrid(torch.linspace(0, 9, SIZE[0]), torch.linspace(0, 12, SIZE[1]), indexing="ij")
    forms = torch.stack([torch.sin(x) * torch.cos(y), torch.sin(x + y), torch.cos(x - 2 * y)])[None]
    return (0.5 + 0.2 * forms + 0.3 * (noise(1, 3, *SIZE) - 0.5)).clamp(0, 1)


def levels(image: Tensor) -> Array:
    """The picture [3, h, w] in 0..255."""
    return image[0].double().numpy() * 255


def test_every_step_of_a_run_in_float32_is_the_step_from_the_picture_before() -> None:
    """A run in float32 goes its own way after a while, so each of its steps is asked what it should have been."""
    start, errors = levels(source()), []
    detail = np.zeros_like(start)
    for frame in render(plan(network()), source(), gradients=True):
        if frame.step == 0:
            base, image = google2015.opened(start, frame.octave, detail)
        assert frame.gradient is not None
        ours, (_, theirs) = frame.gradient[0].double().numpy(), google2015.gradient(layer(), image)
        after = levels(frame.image)
        np.testing.assert_allclose(after, google2015.climbed(image, ours), atol=1e-5 * 255)
        wanted = theirs / np.abs(theirs).mean()
        errors.append(np.linalg.norm(ours / np.abs(ours).mean() - wanted) / np.linalg.norm(wanted))
        image, detail = after, after - base
    assert len(errors) == 40
    # In a few steps a unit on the edge of silence, or two as loud as each other in a pool, go the other way.
    assert np.quantile(errors, 0.7) < 3e-6
    assert max(errors) < 0.03


def test_a_whole_run_in_float64_is_the_same_picture() -> None:
    ours = [levels(frame.image) for frame in render(plan(doubled()), source().double())]
    theirs = [*google2015.dreamt(layer(), levels(source()))]
    assert len(ours) == len(theirs) == 40
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-6)
    begun, _ = google2015.gradient(layer(), levels(source()))
    wanted, _ = google2015.gradient(layer(), theirs[-1])
    assert wanted > 1.5 * begun
