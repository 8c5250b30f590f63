"""render(): one dream against a naive numpy dream, and everything it promises about frames and closing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from reverie.ascent.gradient import image_gradient
from reverie.errors import InputError
from reverie.loop.plan import Plan, prepare
from reverie.loop.render import Frame, render
from reverie.network import Network
from reverie.pixels.ops import resize
from reverie.recipe import Recipe
from tests.oracle import twins
from tests.oracle.networks import (
    Failing,
    Watching,
    around,
    blind_network,
    bright_network,
    convolution,
    hooks,
    noise,
    tiny_network,
)

PLAIN: dict[str, Any] = {"octaves": 1, "octave_scale": 2, "steps": 2, "jitter": 0, "pad": 0}
PLAIN |= {"bands": 0, "gray": 0, "spread": 0, "focus": 0, "step_size": 0.01, "step_decay": 1, "momentum": 0}
PLAIN |= {"headroom": 0, "realism": 0, "variation": 0, "fine_gray": 0}


def planned(network: Network, size: tuple[int, int] = (32, 32), **values: Any) -> Plan:
    return prepare(network, Recipe.of(PLAIN, values), size)


def dreamt(plan: Plan, source: Tensor, detail: Tensor | None = None) -> Tensor:
    return list(render(plan, source, detail))[-1].image


@pytest.mark.parametrize("pad", [0, 5, 40])
@pytest.mark.parametrize(("size", "octaves"), [((64, 64), 2), ((50, 75), 2), ((100, 33), 1)])
def test_a_dream_agrees_with_a_naive_one_in_numpy(size: tuple[int, int], octaves: int, pad: int) -> None:
    network = tiny_network(torch.float64)
    plan = planned(network, size, objective="relu1", octaves=octaves, steps=3, step_size=0.02, pad=pad)
    conv = network.module.get_submodule("conv1")
    weight, bias = (tensor.double().numpy() for tensor in conv.parameters())
    energy = twins.Energy(weight, bias, np.array(network.mean), np.array(network.std))
    source = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    sizes = [octave.size for octave in plan.octaves]
    twin = twins.dream(energy, source[0].double().numpy(), sizes, 3, 0.02, pad)
    np.testing.assert_allclose(dreamt(plan, source)[0].numpy(), twin, atol=1e-4)


def test_a_network_that_gives_no_numbers_is_said_at_the_end_of_the_octave() -> None:
    network = tiny_network()
    with torch.no_grad():
        next(network.module.parameters()).fill_(torch.nan)
    with pytest.raises(InputError, match="values that are no numbers"):
        dreamt(planned(network, objective="relu1"), torch.rand(1, 3, 32, 32))


def test_the_score_of_a_frame_is_the_objective_before_its_step() -> None:
    network, source = tiny_network(), noise(2, 3, 32, 32)
    frame = next(render(planned(network, objective="2*relu1 - owl"), source))
    seen = network.capture(source, ["relu1", "logits"])
    energy = 0.5 * seen["relu1"].square().mean((1, 2, 3))
    torch.testing.assert_close(frame.score, 2 * energy - seen["logits"][:, 0].mean((1, 2)))


def test_frames_count_octaves_and_steps(tiny: Network) -> None:
    plan = planned(tiny, (128, 64), octaves=2, steps=3)
    frames = list(render(plan, noise(1, 3, 128, 64)))
    assert [(f.index, f.octave, f.step) for f in frames] == [
        (0, 0, 0), (1, 0, 1), (2, 0, 2), (3, 1, 0), (4, 1, 1), (5, 1, 2),
    ]  # fmt: skip
    assert {(f.octaves, f.steps, f.total) for f in frames} == {(2, 3, 6)}
    assert [f.last for f in frames] == [False] * 5 + [True]
    assert [tuple(f.image.shape) for f in frames] == 3 * [(1, 3, 64, 32)] + 3 * [(1, 3, 128, 64)]
    assert len(frames) == plan.total


def test_a_dream_raises_its_score(tiny: Network) -> None:
    scores = [float(f.score) for f in render(planned(tiny, steps=8, jitter=2, bands=3), noise(1, 3, 32, 32))]
    assert scores[-1] > scores[0]


def test_a_negative_wish_lowers_it(tiny: Network) -> None:
    scores = [float(f.score) for f in render(planned(tiny, objective="-relu2", steps=8), noise(1, 3, 32, 32))]
    assert scores[-1] > scores[0]
    assert scores[0] < 0


@pytest.mark.parametrize("bands", [0, 3])
@pytest.mark.parametrize("size", [(17, 40), (32, 32), (160, 160)])
def test_each_step_is_as_strong_whatever_the_size_of_the_picture(
    tiny: Network, size: tuple[int, int], bands: int
) -> None:
    before = noise(1, 3, *size)
    plan = planned(tiny, size, steps=3, bands=bands, spread=0.7, gray=0.3, jitter=4, pad=3)
    for frame in render(plan, before):
        assert float((frame.image - before).abs().mean()) == pytest.approx(0.01, rel=0.01)
        before = frame.image.clone()


def test_terms_are_measured_at_every_fourth_step_alone(
    tiny: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    back: list[bool] = []  # whether a step looked at each term by itself

    def look(network: Network, objective: Any, image: Tensor, generator: Any = None, weights: Any = None) -> Any:
        back.append(weights is None)
        return image_gradient(network, objective, image, generator, weights)

    source = noise(2, 3, 32, 32)
    plan = replace(planned(tiny, objective="relu1 + 0.5*relu2", steps=10, redirect=2), look=look)
    held = dreamt(plan, source)
    assert [at for at, measured in enumerate(back) if measured] == [0, 2, 4, 8]
    monkeypatch.setattr("reverie.loop.render.HELD", 1)
    anew = dreamt(plan, source)
    difference = (held - anew).abs().mean() / (anew - source).abs().mean()
    assert 0 < float(difference) < 0.05


@pytest.mark.parametrize("text", ["relu1 + relu2", "relu2"])
def test_terms_beside_a_distance_to_the_source_are_measured_at_every_step(tiny: Network, text: str) -> None:
    weighted = []

    def look(network: Network, objective: Any, image: Tensor, generator: Any = None, weights: Any = None) -> Any:
        weighted.append(weights)
        return image_gradient(network, objective, image, generator, weights)

    plan = replace(planned(tiny, steps=3, objective=text, likeness=0.1), look=look)
    dreamt(plan, noise(1, 3, 32, 32))
    assert weighted == [None] * 3


def rolls(first: Tensor, second: Tensor) -> list[tuple[int, int]]:
    h, w = first.shape[-2:]
    moves = [(dy, dx) for dy in range(h) for dx in range(w)]
    return [move for move in moves if torch.equal(first.roll(move, (-2, -1)), second)]


@pytest.mark.parametrize("pad", [0, 3])
def test_jitter_is_drawn_anew_at_every_step(pad: int) -> None:
    network = around(("watch", Watching()), ("blind", convolution(3, 2, 3, 0.0)))
    plan = planned(network, steps=8, jitter=9, pad=pad)
    watching = plan.network.module.get_submodule("watch")
    assert isinstance(watching, Watching)
    watching.seen.clear()  # finding the layers is a pass too
    dreamt(plan, noise(1, 3, 32, 32))
    seen = watching.seen
    assert len(seen) == 8
    assert all(not torch.equal(a, b) for at, a in enumerate(seen) for b in seen[:at])
    if not pad:
        assert all(len(rolls(seen[0], other)) == 1 for other in seen)


def test_jitter_is_undone_after_every_step() -> None:
    network, source = tiny_network(torch.float64, padding_mode="circular"), noise(1, 3, 32, 32)
    still, moved = (dreamt(planned(network, steps=4, jitter=j, objective="relu1"), source) for j in (0, 9))
    torch.testing.assert_close(moved, still, rtol=0, atol=1e-4)


def test_the_same_seed_gives_the_same_frames_and_another_does_not(tiny: Network) -> None:
    source = noise(1, 3, 48, 48)

    def frames(seed: int) -> list[Tensor]:
        plan = planned(tiny, (48, 48), octaves=2, jitter=8, pad=4, seed=seed)
        return [frame.image.clone() for frame in render(plan, source)]

    one, same, other = frames(1), frames(1), frames(2)
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("seed", [0, 2**63 - 1])
def test_the_least_and_the_largest_seed_work(tiny: Network, seed: int) -> None:
    assert torch.isfinite(dreamt(planned(tiny, jitter=3, octaves=2, seed=seed), noise(1, 3, 32, 32))).all()


def test_randomness_comes_from_the_seed_alone(tiny: Network) -> None:
    before = torch.get_rng_state()
    dreamt(planned(tiny, jitter=8, focus=1.4), noise(1, 3, 32, 32))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_source_is_left_as_it_was(tiny: Network) -> None:
    source = noise(1, 3, 32, 32)
    before = source.clone()
    dreamt(planned(tiny, octaves=2, steps=3, blend=0.5), source)
    assert torch.equal(source, before)


def test_a_source_of_another_size_is_brought_to_the_size_of_the_plan() -> None:
    source = noise(1, 3, 40, 60)
    made = dreamt(planned(blind_network(), (32, 48)), source)
    torch.testing.assert_close(made, resize(source, (32, 48)))


def test_the_pictures_of_a_batch_dream_alone(tiny: Network) -> None:
    source = noise(2, 3, 32, 32)
    plan = planned(tiny, objective="0.5*relu1 + owl + relu2", focus=1.4, bands=2, spread=0.5, jitter=3)
    whole = dreamt(plan, source)
    for at in range(2):
        torch.testing.assert_close(whole[at : at + 1], dreamt(plan, source[at : at + 1]), rtol=0, atol=1e-4)


def breaking() -> Plan:
    """A plan whose network breaks behind its first layer."""
    return replace(planned(tiny_network()), network=around(("relu1", Watching()), ("relu2", Failing())))


def test_nothing_is_computed_before_the_first_frame_is_asked_for() -> None:
    frames = render(breaking(), noise(1, 3, 32, 32))
    with pytest.raises(RuntimeError, match="reached"):
        next(frames)


def watched() -> tuple[Plan, Watching]:
    network = around(("watch", Watching()), ("blind", convolution(3, 2, 3, 0.0)))
    plan = planned(network, steps=50)
    watching = plan.network.module.get_submodule("watch")
    assert isinstance(watching, Watching)
    watching.seen.clear()  # finding the layers is a pass too
    return plan, watching


def test_closing_stops_the_work_and_leaves_no_hook() -> None:
    plan, watching = watched()
    frames: Any = render(plan, noise(1, 3, 32, 32))
    next(frames)
    next(frames)
    frames.close()
    assert len(watching.seen) == 2
    assert hooks(plan.network.module) == 0
    with pytest.raises(StopIteration):
        next(frames)
    assert len(watching.seen) == 2


def test_a_frame_costs_one_pass_of_the_network() -> None:
    plan, watching = watched()
    for at, _ in zip(range(1, 5), render(plan, noise(1, 3, 32, 32)), strict=False):
        assert len(watching.seen) == at


def test_a_network_that_breaks_leaves_no_hook() -> None:
    plan = breaking()
    with pytest.raises(RuntimeError, match="reached"):
        dreamt(plan, noise(1, 3, 32, 32))
    assert hooks(plan.network.module) == 0


def fineness(image: Tensor) -> float:
    return float(np.std(twins.split(image[0].double().numpy(), 1)[0]))


@pytest.mark.parametrize("detail", ["reinject", "carry"])
@pytest.mark.parametrize("pad", [0, 9])
def test_a_network_that_sees_nothing_gives_the_source_back_exactly(detail: str, pad: int) -> None:
    source = noise(1, 3, 100, 133)
    plan = planned(blind_network(), (100, 133), octaves=3, detail=detail, jitter=9, pad=pad, bands=3)
    assert torch.equal(dreamt(plan, source), source)


def test_lost_loses_the_detail_and_keeps_the_large_forms() -> None:
    source = noise(1, 3, 128, 128)
    made = dreamt(planned(blind_network(), (128, 128), octaves=3, detail="lost"), source)
    assert fineness(made) < 0.2 * fineness(source)
    torch.testing.assert_close(resize(made, (4, 4)), resize(source, (4, 4)), rtol=0, atol=0.03)


@pytest.mark.parametrize(("detail", "octaves"), [("reinject", 3), ("lost", 3), ("carry", 2)])
def test_carry_keeps_the_dream_of_the_last_two_octaves_and_the_others_that_of_all(
    detail: str, octaves: int
) -> None:
    source = torch.full((1, 3, 128, 128), 0.3)
    plan = planned(bright_network(), (128, 128), objective="bright:0", octaves=3, steps=4, detail=detail)
    torch.testing.assert_close(dreamt(plan, source), source + 0.04 * octaves)


def test_detail_of_the_source_stays_below_what_is_dreamt() -> None:
    source = noise(1, 3, 128, 128)
    plan = planned(bright_network(), (128, 128), objective="bright:0", octaves=3, steps=4)
    torch.testing.assert_close(dreamt(plan, source), source + 0.12)


@pytest.mark.parametrize("kind", ["reinject", "lost"])
def test_the_dream_of_an_earlier_frame_is_added_to_the_start(kind: str) -> None:
    source, detail = torch.full((1, 3, 64, 64), 0.3), torch.full((1, 3, 10, 10), 0.2)
    plan = planned(blind_network(), (64, 64), octaves=2, detail=kind)
    torch.testing.assert_close(dreamt(plan, source, detail), source + 0.2)


def test_blend_mixes_the_source_into_the_finished_picture_only(tiny: Network) -> None:
    source = noise(1, 3, 32, 32)

    def frames(blend: float) -> list[Frame]:
        return list(render(planned(tiny, steps=4, blend=blend), source))

    none, half, all_of_it = frames(0), frames(0.5), frames(1)
    assert torch.equal(all_of_it[-1].image, source)
    torch.testing.assert_close(half[-1].image, (none[-1].image + source) / 2)
    for one, other in zip(none[:-1], all_of_it[:-1], strict=True):
        assert torch.equal(one.image, other.image)


def test_focus_is_measured_anew_for_every_octave(tiny: Network) -> None:
    source = noise(1, 3, 64, 64)
    plain, focused = (dreamt(planned(tiny, (64, 64), octaves=2, focus=f), source) for f in (0, 3))
    assert not torch.equal(plain, focused)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (1, 5000), (700, 1), (5, 3)])
@pytest.mark.parametrize("pad", [0, 12])
@pytest.mark.parametrize("octaves", ["auto", 4])
def test_a_picture_of_any_size_can_be_dreamt(
    tiny: Network, size: tuple[int, int], pad: int, octaves: int | str
) -> None:
    plan = prepare(tiny, Recipe.of({"steps": 1, "pad": pad, "octaves": octaves}), size)
    made = dreamt(plan, noise(1, 3, *size))
    assert made.shape == (1, 3, *size)
    assert torch.isfinite(made).all()
    assert 0 <= float(made.min()) <= float(made.max()) <= 1


def test_a_dream_stays_within_black_and_white(tiny: Network) -> None:
    source = (noise(1, 3, 32, 32) > 0.5).float()
    for frame in render(planned(tiny, octaves=2, steps=3, step_size=0.5, bands=2), source):
        assert float(frame.image.min()) >= 0
        assert float(frame.image.max()) <= 1


def test_the_seed_decides_what_grows_where_and_leaves_no_clouds_behind() -> None:
    network, source = tiny_network(), noise(1, 3, 48, 64)
    still = {"objective": "relu1", "octaves": 2, "step_size": 1e-7, "steps": 1}
    # A dream that goes nowhere is the source again: the clouds under its first octave are taken away.
    left = dreamt(planned(network, (48, 64), variation=0.3, **still), source)
    assert (left - source).abs().max() < 1e-4
    moved = {"objective": "relu1", "octaves": 2, "step_size": 0.02, "steps": 4}

    def added(seed: int, variation: float) -> Tensor:
        return dreamt(planned(network, (48, 64), seed=seed, variation=variation, **moved), source) - source

    assert torch.equal(added(1, 0), added(2, 0))  # nothing else here is drawn
    assert torch.equal(added(1, 0.3), added(1, 0.3))
    likeness = torch.corrcoef(torch.stack([added(1, 0.3).flatten(), added(2, 0.3).flatten()]))[0, 1]
    assert likeness < 0.9


def test_clouds_keep_out_of_the_black_of_a_mask_and_out_of_the_frames_of_a_film() -> None:
    network, source = tiny_network(), noise(1, 3, 48, 64)
    values = {"objective": "relu1", "octaves": 1, "step_size": 0.02, "variation": 0.3}
    plan = planned(network, (48, 64), **values)
    detail = torch.zeros(1, 3, 48, 64)
    plain = planned(network, (48, 64), **(values | {"variation": 0}))
    assert torch.equal(dreamt(plan, source, detail), dreamt(plain, source, detail))


def test_pictures_of_a_batch_grow_differently() -> None:
    plan = planned(tiny_network(), (48, 64), objective="relu1", octaves=1, step_size=0.02, variation=0.3)
    first, second = dreamt(plan, noise(1, 3, 48, 64).expand(2, -1, -1, -1))
    assert not torch.allclose(first, second, atol=0.01)


def test_every_frame_is_held_to_the_source_as_far_as_realism_says() -> None:
    network, source = tiny_network(), 0.3 + 0.4 * noise(1, 3, 48, 64)
    values = {"objective": "relu1", "octaves": 2, "step_size": 0.03, "steps": 3}

    def drift(realism: float) -> list[float]:
        frames = render(planned(network, (48, 64), realism=realism, **values), source)
        return [float((f.image.mean((2, 3)) - source.mean((2, 3))).abs().max()) for f in frames]

    loose, firm = drift(0), drift(1)
    assert len(loose) == len(firm) == 6
    assert all(held < 0.1 * free for free, held in zip(loose[1:], firm[1:], strict=True))
