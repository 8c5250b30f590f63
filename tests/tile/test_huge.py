"""Pictures too large to be copied: seen through index vectors, kept in bfloat16, moved block by block."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import reverie
from reverie import zoo
from reverie.ascent import rules
from reverie.ascent.gradient import combined, scales
from reverie.ascent.rules import Ascent
from reverie.ascent.shaping import Shaping
from reverie.jobs import budget
from reverie.loop.plan import Plan, prepare
from reverie.loop.render import render
from reverie.pixels.ops import resize
from reverie.pixels.param import Pixels
from reverie.pixels.transform import Transform, compose, cut, grain, gray, jitter, pad, turn, wander
from reverie.recipe import Recipe, valid_run
from reverie.tile import Tiles
from reverie.tile.huge import combine, moves, through
from tests.oracle.networks import noise, tiny_network

MOVING = {
    "wander": wander(12, 20, 64, 16), "jitter": jitter(9), "pad": pad(5, 32, 16),
    "both": compose(pad(3, 32, 16), jitter(7)), "cut": compose(pad(8), cut(4)), "nothing": compose(),
}  # fmt: skip
OTHER = {"gray": gray(8), "turn": turn(5, 0.1, True), "grain": grain(0.1)}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("transform", MOVING.values(), ids=MOVING)
def test_what_moves_pixels_is_seen_through_index_vectors(transform: Transform) -> None:
    assert moves(transform)
    image, one, other = noise(2, 3, 41, 67), seeded(3), seeded(3)
    seen, view = transform(image, one), through(transform, image, other)
    height, width = view.size
    assert torch.equal(view.crop((slice(0, height), slice(0, width))), seen)
    assert torch.equal(one.get_state(), other.get_state())


@pytest.mark.parametrize("transform", OTHER.values(), ids=OTHER)
def test_what_changes_pixels_is_known(transform: Transform) -> None:
    assert not moves(transform)


def test_terms_are_combined_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reverie.tile.huge.BAND", 7 * 30)
    terms = torch.stack([noise(2, 3, 40, 30, seed=at) - 0.45 for at in range(3)])
    kept = [term.to(torch.bfloat16) for term in terms]
    weights, whole = torch.tensor([[1.0, 1.0], [-0.5, 0.5], [2.0, 1.0]]), torch.stack(kept).float()
    expected = combined(whole, weights / scales(whole))
    found = combine(kept, weights)
    torch.testing.assert_close(found, scales(whole))
    torch.testing.assert_close(kept[0].float(), expected, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("momentum", [0.0, 0.4])
def test_a_step_in_blocks_is_the_step(momentum: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "BLOCK", 64)
    rule = Ascent(0.01, Shaping(bands=2, fine=0.3, spread=0.5, gray=0.2), momentum, 3)
    whole, parts = (Pixels(noise(1, 3, 300, 100), headroom=0.7) for _ in range(2))
    one: Any = None
    other: Any = None
    for seed in range(3):
        g = (noise(1, 3, 300, 100, seed=seed) - 0.5).to(torch.bfloat16)
        whole, one = rule.step(whole, g.float(), one)
        parts, other = rule.step(parts, g, other)
    assert float((whole.values - parts.values).abs().max()) < 1e-3
    assert other.direction is None if not momentum else other.direction.dtype == torch.bfloat16


def planned(size: tuple[int, int], **values: Any) -> Plan:
    recipe = Recipe.of({"steps": 3, "octaves": 2, "octave_scale": 1.5, "jitter": 6}, values)
    return prepare(zoo.load("motif"), recipe, size)


def dreamt(plan: Plan, source: Tensor) -> Tensor:
    return list(render(plan, source))[-1].image


def test_nobody_holds_an_octave_while_the_next_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dream of several octaves is made with no more than its last one needs, and what it is handed."""
    made: list[weakref.ref[Tensor]] = []
    alive: list[int] = []
    before = resize

    def resized(image: Tensor, size: tuple[int, int]) -> Tensor:
        gc.collect()
        alive.append(sum(each() is not None for each in made))
        made.clear()
        return before(image, size)

    monkeypatch.setattr("reverie.loop.render.resize", resized)
    reverie.dream(
        torch.rand(3, 48, 64), objective="stage1", octaves=3, octave_scale=1.2, steps=2,
        on_frame=lambda frame: made.append(weakref.ref(frame.image)),
    )  # fmt: skip
    assert alive == [0, 0, 0]


def test_a_dream_that_is_never_copied_is_the_same_dream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "BLOCK", 64)
    plan, source = planned((200, 150)), noise(1, 3, 50, 40)
    whole, kept = (dreamt(replace(plan, look=look), source) for look in (plan.look, Tiles(64, keeps=True)))
    changed = float((whole - noise(1, 3, 50, 40).mean()).abs().mean())
    assert float((whole - kept).abs().mean()) < 0.1 * changed


def test_the_source_is_left_alone_and_frames_are_those_of_the_dream() -> None:
    plan = replace(planned((64, 96), octaves=1, objective="stage2"), look=Tiles(64, keeps=True))
    source = noise(1, 3, 64, 96)
    before = source.clone()
    images = [frame.image.clone() for frame in render(plan, source)]
    assert torch.equal(source, before)
    assert not torch.equal(images[0], images[1])
    assert all(float(image.min()) >= 0 and float(image.max()) <= 1 for image in images)


@pytest.mark.parametrize(("values", "keeps"), [
    ({}, True), ({"pad": 0}, True), ({"momentum": 0}, True), ({"detail": "carry"}, False), ({"blend": 0.2}, True),
    ({"optimizer": "adam"}, False), ({"rotate": 5}, False), ({"focus": 1.0}, False),
])  # fmt: skip
def test_only_what_allows_it_is_kept_small(
    values: dict[str, Any], keeps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not budget.can_keep(planned((64, 64), **values))
    monkeypatch.setattr(budget, "VAST", 64 * 64)
    plan = planned((64, 64), **values)
    assert budget.can_keep(plan) is keeps
    look = budget.fit_plan(plan, valid_run({"tile": 64})).look
    assert isinstance(look, Tiles) and look.keeps is keeps


def test_seams_of_a_tiled_dream_in_bf16_are_no_stronger_than_what_is_there_without() -> None:
    """At the columns where tiles meet, neighbors differ as much as they do in the whole dream."""
    recipe = Recipe.of({"steps": 6, "octaves": 1, "jitter": 0, "pad": 0, "objective": "stage2"})
    plan = prepare(zoo.load("motif"), recipe, (128, 256), precision="bf16")
    source = torch.nn.functional.interpolate(noise(1, 3, 8, 16), (128, 256), mode="bicubic").clamp(0, 1)
    look = Tiles(64)
    whole, tiled = dreamt(plan, source), dreamt(replace(plan, look=look), source)
    edges = [64, 128, 192]

    def seam(image: Tensor) -> float:
        change = image.diff(dim=-1).abs().mean((0, 1, 2))
        return float(change[[edge - 1 for edge in edges]].mean() / change.mean())

    layout = look.layout(plan.network, frozenset({"stage2"}), (128, 256))
    assert {tile.columns.first for tile in layout.tiles} == {0, *edges}
    assert seam(tiled) < 1.1 * max(1.0, seam(whole))


def test_a_tiny_network_is_streamed_too() -> None:
    plan = prepare(tiny_network(), Recipe.of({"steps": 2, "octaves": 1, "objective": "relu2"}), (40, 50))
    images = [dreamt(replace(plan, look=look), noise(1, 3, 40, 50)) for look in (plan.look, Tiles(24, keeps=True))]
    assert float((images[0] - images[1]).abs().mean()) < 2e-3


VAST = """
import json, resource, sys, torch
from reverie import api, zoo
torch.set_num_threads(1)
options = json.loads(sys.argv[1])
if "network" in options:
    options["network"] = zoo.architecture(options["network"])
source = torch.randint(0, 256, (1, 3, 500, 500), dtype=torch.uint8)
job = api.job(source, size="8000x8000", threads=1, octaves=2, steps=1, **options)
for frame in job.frames():
    if not frame.last:
        del frame
job.picture(frame).save(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"tile": 512}, id="motif"),
        pytest.param({"network": "googlenet", "tile": 384}, id="googlenet"),
    ],
)
def test_a_dream_of_64_megapixels_stays_below_3_gigabytes(options: dict[str, Any], tmp_path: Path) -> None:
    command = [sys.executable, "-c", VAST, json.dumps(options), str(tmp_path / "vast.png")]
    made = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert int(made.stdout.split()[-1]) < 3e9
