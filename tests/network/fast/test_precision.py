"""The number formats: which one is taken, what it loses, and what it reaches."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from reverie import zoo
from reverie.ascent.gradient import image_gradient
from reverie.errors import UsageError
from reverie.loop.plan import prepare, resolve
from reverie.loop.render import render
from reverie.network import Activations, Network
from reverie.network.fast import optimized, resolve_precision
from reverie.objective import Objective, Score, layer
from reverie.pixels.ops import cloud
from reverie.recipe import Recipe
from tests.oracle.networks import noise

CPU = torch.device("cpu")
IMAGE = noise(2, 3, 17, 24)


@pytest.mark.parametrize(
    ("able", "precision"),
    [({}, "fp32"), ({"avx2": True}, "fp32"), ({"amx_bf16": True}, "bf16"), ({"avx512_bf16": True}, "bf16")],
)
def test_auto_is_half_precision_only_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, able: dict[str, bool], precision: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert resolve_precision("auto", CPU) == precision
    assert resolve_precision("auto", torch.device("mps")) == "fp32"


@pytest.mark.parametrize("asked", ["fp32", "bf16", "fp16"])
def test_a_precision_asked_for_is_taken(asked: str) -> None:
    assert resolve_precision(asked, CPU) == asked  # type: ignore[arg-type]


@pytest.mark.parametrize("strength", [1.0, 1e-9, 1e9])
def test_fp16_loses_no_gradient_however_faint(tiny: Network, strength: float) -> None:
    objective = strength * layer("relu1") + strength * layer("logits")
    whole = Objective((replace(objective.terms[0], score=both(strength), layers=objective.layers),))
    for weighted in (objective, whole):
        _, exact = image_gradient(tiny, weighted, IMAGE)
        _, found = image_gradient(optimized(tiny, CPU, "fp16"), weighted, IMAGE)
        assert found.dtype == torch.float32
        assert (found - exact).norm() < 0.01 * exact.norm()


def both(strength: float) -> Score:
    def score(activations: Activations) -> Tensor:
        return strength * sum(activations[name].square().mean((1, 2, 3)) for name in ("relu1", "logits"))  # type: ignore[return-value]

    return score


def test_what_leaves_the_range_of_fp16_is_said(tiny: Network) -> None:
    loud = replace(tiny, std=(1e-9,) * 3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="tiny leaves the range of fp16; use precision='bf16'"):
        image_gradient(optimized(loud, CPU, "fp16"), layer("relu2"), IMAGE)


@pytest.mark.parametrize(
    ("name", "precision"),
    [("motif", "fp16"), ("vgg16", "fp16"), ("googlenet-bvlc", "bf16"), ("inception_v1", "bf16")],
)
def test_a_gpu_gets_fp16_where_the_range_will_do(name: str, precision: str) -> None:
    with torch.device("meta"):
        network = zoo.architecture(name)
    assert resolve_precision("auto", torch.device("cuda"), network) == precision
    assert resolve_precision("auto", torch.device("cuda"), replace(network, bf16=False)) == "fp32"


def test_a_dream_in_bf16_reaches_what_one_in_fp32_does() -> None:
    network = zoo.load("motif")
    recipe = Recipe(octaves=2, steps=8)
    source = cloud((96, 128), torch.Generator().manual_seed(0))
    objective = resolve(network, "stage3")

    def reached(precision: str) -> float:
        plan = prepare(network, recipe, (96, 128), precision=precision)  # type: ignore[arg-type]
        dreamt = list(render(plan.dreaming(objective), source))[-1].image
        return float(objective.score(network.capture(dreamt, objective.layers)))

    before = float(objective.score(network.capture(source, objective.layers)))
    exact, half = reached("fp32"), reached("bf16")
    assert exact > 2 * before
    assert abs(half - exact) < 0.03 * exact
