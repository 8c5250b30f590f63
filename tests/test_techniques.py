"""The ways to step, to shape and to schedule, through a whole dream of a small network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from reverie.ascent.optimizer import Optimizer
from reverie.ascent.rules import Ascent
from reverie.cli import main
from reverie.errors import UnknownName, UsageError
from reverie.loop.plan import Plan, prepare
from reverie.loop.render import Frame, render
from reverie.network import Network
from reverie.objective import inside, layer, masked
from reverie.objective.resolve import Assets, resolve
from reverie.pixels.ops import resize
from reverie.recipe import Recipe
from tests.oracle import twins_shaping
from tests.oracle.networks import noise, tiny_network
from tests.support.recipes import SEEN

QUICK: dict[str, Any] = {"octaves": 2, "steps": 2, "jitter": 4, "pad": 2}


def planned(size: tuple[int, int] = (60, 72), **values: Any) -> Plan:
    return prepare(tiny_network(), Recipe.of(QUICK, values), size)


def frames(plan: Plan, source: Tensor | None = None) -> list[Frame]:
    return list(render(plan, noise(1, 3, *plan.size) if source is None else source))


STEPPED: dict[str, Any] = {
    "octaves": st.integers(1, 3) | st.just("auto"),
    "octave_scale": st.sampled_from([1.2, 2.0]),
    "smallest": st.just(16),
    "above": st.integers(0, 2),
    "steps": st.integers(1, 2) | st.sampled_from(["2,1", "1,3,1"]),
    "step_size": st.sampled_from([0.01, 1000.0, "0.1,0.01"]),
    "schedule": st.sampled_from(["tapered", "even", "adaptive"]),
    "max_gain": st.none() | st.floats(-1, 1),
    "optimizer": st.sampled_from(["ascent", "adam", "sgd momentum=0.9", "rprop", "adadelta", "adam eps=0"]),
    "momentum": st.sampled_from([0, 0.5]),
    "detail": st.sampled_from(["reinject", "lost", "carry"]),
    "blend": st.sampled_from([0, 0.5]),
    "bands": st.integers(0, 5),
    "pyramid": st.sampled_from(["undecimated", "decimated"]),
    "fine": st.floats(0, 4),
    "coarse": st.floats(0, 4),
    "spread": st.floats(0, 1),
    "gray": st.floats(0, 1),
    "normalize": st.sampled_from(["mean", "std", "standard", "l2", "max", "sign", "none"]),
    "smooth": st.sampled_from(["none", "box", "gaussian", "growing", "cascade"]),
    "smooth_sigma": st.sampled_from(["0.05", "0.5", "4"]),
    "smooth_kernel": st.sampled_from([0, 3, 21]),
    "smooth_border": st.sampled_from(["reflect", "constant", "replicate", "circular"]),
    "color": st.sampled_from(["dream", "source", "locked"]),
    "inset": st.integers(0, 3) | st.just(64),
    "balance": st.sampled_from(["terms", "raw"]),
    "objective": st.sampled_from(["relu2", "owl; relu1", "owl - 2*relu1", "conv2:3"]),
    "focus": st.sampled_from([0, 2]),
    "certainty": st.sampled_from([0, 0.4]),
}
SHAPES = st.fixed_dictionaries({}, optional=STEPPED)
SOURCES = st.sampled_from(["noise", "black", "white", "edge"])


def source(kind: str, h: int, w: int) -> Tensor:
    return {
        "noise": noise(1, 3, h, w),
        "black": torch.zeros(1, 3, h, w),
        "white": torch.ones(1, 3, h, w),
        "edge": (torch.arange(w) > w // 2).float().expand(1, 3, h, w),
    }[kind]


@settings(max_examples=120)
@given(SHAPES, SOURCES, st.integers(1, 40), st.integers(1, 40))
def test_every_recipe_makes_a_picture(values: dict[str, Any], kind: str, h: int, w: int) -> None:
    recipe = Recipe.of(QUICK, values)
    assume(recipe.octaves == "auto" or recipe.above < recipe.octaves)  # else refused, as another test tells
    plan = prepare(tiny_network(), recipe, (h, w))
    shown = list(render(plan, source(kind, h, w)))
    for frame in shown:
        assert torch.isfinite(frame.image).all()
        assert float(frame.image.min()) >= 0
        assert float(frame.image.max()) <= 1
    assert shown[-1].last
    assert shown[-1].image.shape == (1, 3, h, w)


ANY: dict[str, Any] = {
    **SEEN,
    **STEPPED,
    "guide": st.sampled_from([(), ("g.png",), ("g.png@relu1*0.5|m.png", "g.png@conv2"), ("g.png@conv2|m.png",)]),
    "match": st.sampled_from(["dot", "cosine"]),
    "mask": st.sampled_from([None, "m.png"]),
    "objective": st.sampled_from(["", "relu2|m.png", "owl; relu1 - 0.1*tv", "caricature(relu2, 1)", "relu2:3@0.2,0.9",
                                  "top(default, 2) - l2", "norm(relu2) + diversity(relu1)",
                                  "direction(relu2, g.png, 2)"]),
    "smooth_weights": st.sampled_from([(), "1"]),
    "step_decay": st.floats(0.1, 4),
    "headroom": st.floats(0, 1),
    "strength": st.floats(0.25, 4),
    "motif_size": st.sampled_from(["auto", "small", "large", 60]),
    "realism": st.floats(0, 1),
    "variation": st.floats(0, 1),
    "fine_gray": st.floats(0, 1),
}


def test_any_recipe_means_every_field_but_those_that_are_no_technique() -> None:
    assert ANY.keys() == Recipe.model_fields.keys() - {"network", "size", "groups"}


@settings(max_examples=80)
@given(st.fixed_dictionaries({}, optional=ANY), SOURCES, st.integers(4, 40), st.integers(4, 40))
def test_any_recipe_at_all_is_rendered_or_refused_with_one_sentence(values: dict[str, Any], kind: str, h: int,
                                                                    w: int) -> None:
    assets = Assets({"g.png": [noise(1, 3, 20, 24, seed=1)]}, {"m.png": noise(1, 1, 9, 7).clamp(0, 1)})
    recipe = Recipe.of({"steps": 2}, values)
    begun = source(kind, h, w).expand(recipe.count, -1, -1, -1)
    refused, shown = "", list[Frame]()
    try:
        shown = list(render(prepare(tiny_network(), recipe, (h, w), assets), begun))
    except UsageError as error:
        refused = str(error)
    if refused:
        assert refused.endswith(".") and "\n" not in refused
        return
    for frame in shown:
        assert torch.isfinite(frame.image).all() and torch.isfinite(frame.score).all()
        assert float(frame.image.min()) >= 0 and float(frame.image.max()) <= 1
    opacity = shown[-1].opacity
    assert shown[-1].last and shown[-1].image.shape == (recipe.count, 3, h, w)
    assert opacity is None or bool(((opacity >= 0) & (opacity <= 1)).all())


def test_every_octave_has_its_steps_its_strength_and_its_objective() -> None:
    values = {"octaves": 3, "octave_scale": 1.3, "steps": "5,3", "step_size": "0.02,0.01,0.04"}
    octaves = planned(**values, objective="owl; relu2").octaves
    assert [octave.steps for octave in octaves] == [5, 3, 3]
    assert [octave.rule.step_size for octave in octaves if isinstance(octave.rule, Ascent)] == [0.02, 0.01, 0.04]
    assert [octave.objective.terms[0].name for octave in octaves] == ["owl", "relu2", "relu2"]


def test_a_quoted_semicolon_belongs_to_its_name() -> None:
    with pytest.raises(UnknownName, match="no layer or class 'a;b'"):
        planned(objective="'a;b'")


def test_objectives_without_an_octave_are_said() -> None:
    assert planned(objective="owl; relu1; relu2; owl").notes == ("Of 4 objectives the last 2 have no octave.",)


def test_the_adaptive_schedule_counts_from_the_finest() -> None:
    octaves = planned((200, 200), octaves=4, octave_scale=1.5, steps=10, step_size=0.01,
                      schedule="adaptive").octaves  # fmt: skip
    # k = 4, 3, 2, 1: max(10, floor(10 log2 k)) and 1.2^-(k-1)
    assert [octave.steps for octave in octaves] == [20, 15, 10, 10]
    rates = [octave.rule.step_size for octave in octaves if isinstance(octave.rule, Ascent)]
    assert rates == pytest.approx([0.01 / 1.728, 0.01 / 1.44, 0.01 / 1.2, 0.01])


def test_a_tapered_octave_goes_as_far_in_fewer_steps() -> None:
    even, tapered = (
        planned((200, 200), octaves=4, octave_scale=1.5, steps=16, step_size=0.01, step_decay=0.6,
                schedule=schedule).octaves
        for schedule in ("even", "tapered")
    )  # fmt: skip
    assert [octave.steps for octave in even] == [16] * 4
    assert [octave.steps for octave in tapered] == [16, 10, 6, 6]
    for one, other in zip(even, tapered, strict=True):
        assert isinstance(one.rule, Ascent) and isinstance(other.rule, Ascent)
        assert one.steps * one.rule.step_size == pytest.approx(other.steps * other.rule.step_size)
    # What is said octave by octave is left as it was said.
    for said in ({"steps": (16, 8)}, {"step_size": (0.01, 0.005)}):
        octaves = planned((200, 200), octaves=2, **said).octaves
        assert octaves[1].steps == (8 if "steps" in said else 2)


def test_an_octave_ends_when_there_is_gain_enough() -> None:
    whole = frames(planned(steps=12, step_size=0.05, schedule="even"))
    goal = float(whole[3].score)
    plan = planned(steps=12, step_size=0.05, schedule="even", max_gain=goal)
    ended = frames(plan)
    first = [frame for frame in ended if frame.octave == 0]
    assert len(first) < 12
    assert float(first[-1].score) > goal >= float(first[-2].score)
    assert [first[-1].index, ended[-1].index] == [11, 23]
    assert ended[-1].last and not any(frame.last for frame in ended[:-1])


def test_a_dream_that_has_its_gain_already_is_the_source() -> None:
    x = noise(1, 3, 60, 72)
    shown = frames(planned(max_gain=-1e9, octaves=2), x)
    assert [frame.index for frame in shown] == [1, 3]
    torch.testing.assert_close(shown[-1].image, x, rtol=0, atol=1e-6)


def test_octaves_above_the_picture_come_back_to_its_size() -> None:
    plan = planned(octaves=5, octave_scale=1.2, above=2, steps=1)
    assert plan.octaves[-1].size == (86, 104)
    shown = frames(plan)
    assert [frame.image.shape[-1] for frame in shown[2:]] == [72, 86, 72]
    unblended = frames(planned(octaves=5, octave_scale=1.2, above=2, steps=1, blend=1.0))[-1].image
    torch.testing.assert_close(unblended, noise(1, 3, 60, 72))


def test_an_octave_that_no_machine_holds_is_refused() -> None:
    with pytest.raises(UsageError, match="above=8 at octave_scale=16 asks for an octave of"):
        planned(octaves=10, octave_scale=16, above=8)


def test_an_optimizer_is_a_rule_like_another() -> None:
    plan = planned(optimizer="Adam betas=0.5,0.9", step_size=0.02, steps=6)
    assert all(isinstance(octave.rule, Optimizer) for octave in plan.octaves)
    shown = [frame for frame in frames(plan) if frame.octave == 1]
    assert float(shown[-1].score) > float(shown[0].score)
    with pytest.raises(UsageError, match="classic ascent takes no options"):
        planned(optimizer="ascent momentum=0.3")


def test_weights_of_a_blur_are_as_many_as_its_sigmas() -> None:
    with pytest.raises(UsageError, match="smooth_weights must be as many as the sigmas, 2, not 3"):
        planned(smooth="gaussian", smooth_sigma="1,2", smooth_weights="1,2,3")


def test_a_blurred_gradient_makes_a_smoother_dream() -> None:
    def roughness(**values: Any) -> float:
        x = noise(1, 3, 60, 72)
        added = frames(planned(octaves=1, bands=0, steps=4, **values), x)[-1].image - x
        return float(added.diff(dim=-1).abs().mean() / added.abs().mean())

    assert roughness(smooth="gaussian", smooth_sigma=2) < 0.7 * roughness()
    assert roughness(smooth="cascade") < 0.7 * roughness()


@pytest.mark.parametrize("color", ["source", "locked"])
def test_the_colors_of_the_source_are_kept_in_every_frame(color: str) -> None:
    x = noise(1, 3, 60, 72)
    for frame in frames(planned(color=color, step_size=0.01), x):
        base = resize(x, (frame.image.shape[-2], frame.image.shape[-1]))
        image, wanted = (each[0].double().numpy() for each in (frame.image, base))
        if color == "source":
            assert abs(twins_shaping.chroma(image) - twins_shaping.chroma(wanted)).max() < 1e-5
        else:
            assert image.mean((1, 2)) == pytest.approx(wanted.mean((1, 2)), abs=1e-4)
            assert image.std((1, 2)) == pytest.approx(wanted.std((1, 2)), abs=1e-3)


def test_gray_dreams_light_alone() -> None:
    x = noise(1, 3, 60, 72)
    added = frames(planned(gray=1.0, octaves=1, realism=0, variation=0), x)[-1].image - x
    torch.testing.assert_close(added, added[:, :1].expand_as(added))


def test_the_border_of_a_layer_can_be_left_out(tiny: Network) -> None:
    seen = tiny.capture(noise(1, 3, 20, 24), ["relu1"])
    a = seen["relu1"]
    cut = inside(layer("relu1"), 2)
    torch.testing.assert_close(cut.score(seen), 0.5 * a[..., 2:-2, 2:-2].square().mean((1, 2, 3)))
    assert not cut.additive
    middle = inside(layer("relu1"), 64).score(seen)
    torch.testing.assert_close(middle, 0.5 * a[..., 9:11, 11:13].square().mean((1, 2, 3)))
    assert inside(cut, 0) is cut
    torch.testing.assert_close(resolve(tiny, "relu1", inset=2).score(seen), cut.score(seen))


def test_a_norm_is_that_of_the_inner_cells(tiny: Network) -> None:
    seen = tiny.capture(noise(1, 3, 20, 24), ["relu1"])
    inner = {"relu1": seen["relu1"][..., 3:-3, 3:-3]}
    torch.testing.assert_close(
        resolve(tiny, "norm(relu1)", inset=3).score(seen), resolve(tiny, "norm(relu1)").score(inner)
    )


def test_a_mask_still_lies_where_it_lay(tiny: Network) -> None:
    seen = tiny.capture(noise(1, 3, 20, 24), ["relu1"])
    left = torch.zeros(1, 1, 20, 24)
    left[..., :12] = 1
    (term,) = masked(inside(layer("relu1"), 2), left).terms
    a = seen["relu1"][..., 2:-2, 2:12]
    share = a[0, 0].numel() / (16 * 20)
    torch.testing.assert_close(term.score(seen), 0.5 * share * a.square().mean((1, 2, 3)))


def test_lists_and_optimizers_are_read_from_the_command_line_and_replayed(tmp_path: Path) -> None:
    quick = ["--size", "48", "--octaves", "2", "--above", "1", "--steps", "2,1", "--step-size", "0.02,0.01"]
    shaping = ["--smooth", "gaussian", "--smooth-sigma", "0.5,1", "--smooth-weights", "2,1", "--color", "locked"]
    words = [*quick, *shaping, "--objective", "owl; stage2", "--optimizer", "sgd momentum=0.9", "--threads", "1"]
    assert main(["dream", "noise", *words, "-o", str(tmp_path / "a.png")]) == 0
    assert main(["replay", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png")]) == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_octaves_above_that_do_not_fit_among_their_number_are_refused() -> None:
    with pytest.raises(UsageError, match="above=2 must be below octaves=2"):
        planned(octaves=2, above=2)
    assert len(planned(octaves=3, above=2).octaves) == 3
