"""The preset google-2015 against the first deep dream, written again: from each of its 40 states, and as a whole."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reverie import zoo
from reverie.loop import render
from reverie.network import Network
from reverie.octave import start
from reverie.param import Pixels
from reverie.plan import Plan, prepare
from reverie.recipe import Recipe, preset
from tests.oracle import google2015
from tests.oracle.google2015 import State
from tests.oracle.networks import gradient, noise

SIZE = (180, 252)


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


def layer() -> Callable[[Tensor], Tensor]:
    """From a prepared RGB picture to inception_4c/output, module by module."""
    parts = dict(network().module.named_children())

    def forward(x: Tensor) -> Tensor:
        x = x.flip(1)  # Caffe reads BGR
        for name, part in parts.items():
            x = part(x)
            if name == "inception_4c":
                return x
        raise AssertionError("no inception_4c")

    return forward


@cache
def plan() -> Plan:
    return prepare(network(), Recipe.of(preset("google-2015"), {"jitter": 0}), SIZE)


@cache
def states() -> tuple[State, ...]:
    return tuple(google2015.states(layer(), source()[0].double().numpy() * 255))


def source() -> Tensor:
    """Soft forms and some grain."""
    y, x = torch.meshgrid(torch.linspace(0, 9, SIZE[0]), torch.linspace(0, 12, SIZE[1]), indexing="ij")
    forms = torch.stack([torch.sin(x) * torch.cos(y), torch.sin(x + y), torch.cos(x - 2 * y)])[None]
    return (0.5 + 0.2 * forms + 0.3 * (noise(1, 3, *SIZE) - 0.5)).clamp(0, 1)


def image(array: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Tensor:
    return torch.from_numpy(array / 255)[None].float()


def test_the_sizes_are_those_of_four_octaves() -> None:
    assert [octave.size for octave in plan().octaves] == [state.image.shape[1:] for state in states()[::10]]
    assert len(states()) == plan().total == 40


def test_from_each_state_the_gradient_and_the_step_are_the_same() -> None:
    for state in states():
        octave, begun = plan().octaves[state.octave], Pixels(image(state.image))
        generator = torch.Generator()
        _, g = gradient(
            plan().network, octave.objective, begun, octave.transform, generator, plan().balance, plan().look
        )
        ours, theirs = g[0].double().numpy().ravel(), state.gradient.ravel()
        cosine = ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs)
        assert cosine >= 0.9999, (state.octave, state.step)
        given = torch.from_numpy(state.gradient)[None].float()
        moved, _ = octave.rule.step(begun, given, None)
        np.testing.assert_allclose(moved.image()[0].numpy(), state.after / 255, atol=1e-5)


def test_what_is_carried_from_octave_to_octave_is_the_same() -> None:
    for before, after in zip(states()[9:-1:10], states()[10::10], strict=True):
        base, dreamt, ground = (image(each).double() for each in (after.base, before.after, before.base))
        carried = start(plan().detail, base, dreamt - ground, None)
        np.testing.assert_allclose(carried[0].numpy(), after.image / 255, atol=1e-5)
        short = start(plan().detail, base.float(), (dreamt - ground).float(), None)
        assert np.abs(short[0].numpy() - after.image / 255).mean() < 1e-6


def test_a_whole_run_reaches_the_same_objective(record_property: Callable[[str, object], None]) -> None:
    *_, last = render(plan(), source())
    end = states()[-1].after
    reached, _ = google2015.gradient(layer(), last.image[0].double().numpy() * 255)
    wanted, _ = google2015.gradient(layer(), end)
    begun, _ = google2015.gradient(layer(), source()[0].double().numpy() * 255)
    assert wanted > 1.5 * begun
    assert reached == pytest.approx(wanted, rel=0.02)
    # A dream is chaotic, so the pictures themselves are told, not gated.
    correlation = np.corrcoef(last.image[0].numpy().ravel(), end.ravel())[0, 1]
    record_property("correlation of the pictures", float(correlation))
    print(f"objective {begun:.4g} -> {wanted:.4g}, ours {reached:.4g}; correlation of the pictures {correlation:.5f}")
