"""Targets and guides as written become objectives: names found, guides looked at once, masks laid on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from reverie.errors import UnknownName, UsageError
from reverie.loop.plan import prepare
from reverie.loop.render import render
from reverie.network import Network
from reverie.objective import Objective, Sight, log_probability, logit, match
from reverie.objective.place import fitted_mask
from reverie.objective.resolve import Assets, features, guidance, guide_layers, guided, resolve
from reverie.recipe import Recipe, grammar
from reverie.recipe.grammar import parse_guide
from tests.oracle.networks import noise, tiny_network

IMAGE = noise(1, 3, 32, 32)
GUIDE = noise(1, 3, 48, 40).flip(-1)
LEFT = torch.zeros(1, 1, 32, 32).index_fill_(3, torch.arange(16), 1.0)
ASSETS = Assets({"g.jpg": [GUIDE], "folder": [GUIDE, IMAGE]}, {"left.png": LEFT, "right.png": 1 - LEFT})


def score(network: Network, text: str) -> torch.Tensor:
    found = resolve(network, text, assets=ASSETS)
    sight = Sight(IMAGE, IMAGE, lambda image: image, network.capture)
    found = found.measured(sight).following(sight)
    return found.score(network.capture(IMAGE, found.layers))


@pytest.mark.parametrize(("text", "expected"), [
    ("mean(relu2)", lambda a, p: a.mean()),
    ("meansquare(mixed2)", lambda a, p: a.square().mean()),
    ("sumsquare(layer:relu2)", lambda a, p: a.square().sum()),
    ("norm(default)", lambda a, p: a.square().sum().sqrt()),
    ("norm(relu2)", lambda a, p: a.square().sum().sqrt()),
    ("-2*mean(relu2)", lambda a, p: -2 * a.mean()),
    ("top(relu2, 8)", lambda a, p: 0.5 * a.square().mean()),
    ("relu2:3@0,1", lambda a, p: a[0, 3, 0, -1]),
    ("neuron(relu2:3)", lambda a, p: a[0, 3, 8, 8]),
    ("neuron(channel:relu2:3)", lambda a, p: a[0, 3, 8, 8]),
    ("caricature(relu2)", lambda a, p: a.square().sum(1).mean()),
    ("diversity(relu2)", lambda a, p: 0 * a.mean()),
    ("tv", lambda a, p: p.diff(dim=-1).abs().sum() + p.diff(dim=-2).abs().sum()),
    ("l1", lambda a, p: (p - 0.5).abs().sum()),
    ("relu2|left.png", lambda a, p: (0.5 * a.square().mean(1) * fitted_mask(LEFT, (16, 16))[0, 0]).mean()),
    ("relu2|'left.png' + relu2|right.png", lambda a, p: 0.5 * a.square().mean()),
])
def test_each_form_scores_what_it_says(tiny: Network, text: str, expected) -> None:  # type: ignore[no-untyped-def]
    a = tiny.capture(IMAGE, ["relu2"])["relu2"]
    torch.testing.assert_close(score(tiny, text), expected(a, IMAGE).reshape(1), rtol=1e-4, atol=1e-7)


def test_a_class_as_logit_or_as_probability_at_every_place() -> None:
    network = tiny_network()
    seen = network.capture(IMAGE, ["logits"])
    for text, expected in {
        "logit(owl)": logit("logits", 0),
        "logit(owl|rose)": logit("logits", 0, 1),
        "logprob(owl)": log_probability("logits", 0),
        "logprob(class:owl|rose)": log_probability("logits", 0, 1),
    }.items():
        torch.testing.assert_close(score(network, text), expected.score(seen))


def test_certainty_adds_the_log_probability_of_each_class(tiny: Network) -> None:
    seen = tiny.capture(noise(2, 3, 32, 32), ["logits"])
    sure = resolve(tiny, "2*owl|rose + relu1", certainty=0.4)
    assert [term.weight for term in sure.terms] == [2, 0.8, 1]
    logit, probability = (resolve(tiny, f"{form}(owl|rose)").score(seen) for form in ("logit", "logprob"))
    torch.testing.assert_close(Objective(sure.terms[:2]).score(seen), 2 * logit + 0.8 * probability)
    # What says its form itself means just that.
    assert [term.weight for term in resolve(tiny, "logit(owl)", certainty=0.4).terms] == [1]


def test_a_layer_called_like_a_penalty_wins() -> None:
    network = replace(tiny_network(), aliases={"tv": "relu1"})
    assert resolve(network, "tv").layers == {"relu1"}
    assert resolve(network, "l2").layers == {"image"}


@pytest.mark.parametrize(("text", "kind", "said"), [
    ("mena(relu2)", UnknownName, "no function 'mena'; did you mean 'mean'"),
    ("mean(rellu2)", UnknownName, "no layer 'rellu2'"),
    ("logit(owll)", UnknownName, "no class 'owll'; did you mean 'owl'"),
    ("relu2:99@0.5,0.5", UsageError, "channels 0 to 7, no 99"),
    ("norm(relu2)|left.png", UsageError, r"norm\(relu2\) has no score for each place"),
    ("tv|left.png", UsageError, "takes no mask"),
    ("relu2|up.png", UsageError, "mask 'up.png' was not handed in"),
    ("direction(relu2, no.jpg)", UsageError, "guide 'no.jpg' was not handed in"),
])
def test_what_cannot_be_is_refused_in_a_sentence(tiny: Network, text: str, kind: type, said: str) -> None:
    with pytest.raises(kind, match=said):
        resolve(tiny, text, assets=ASSETS)


def test_a_guide_is_looked_at_without_the_networks_own_border() -> None:
    """Of a flat guide every place looks alike, although a network pads with zeros."""
    network = tiny_network(torch.float64)
    flat = torch.full((1, 3, 40, 56), 0.7, dtype=torch.float64)
    found = features(network, network.require_layer("relu2"), [flat])
    assert found.shape == (20 * 28, 8)
    torch.testing.assert_close(found, found[:1].expand_as(found))


def test_a_large_guide_is_looked_at_smaller(tiny: Network) -> None:
    wide = features(tiny, tiny.require_layer("conv1"), [noise(1, 3, 100, 896)])
    assert wide.shape == (50 * 448, 6)


def test_a_guided_term_is_the_match_with_all_pictures_of_a_folder(tiny: Network) -> None:
    layer = tiny.require_layer("relu2")
    both = torch.cat([features(tiny, layer, [each]) for each in (GUIDE, IMAGE)])
    seen = tiny.capture(IMAGE, ["relu2"])
    found = guided(tiny, parse_guide("folder@mixed2*0.5"), "cosine", ASSETS)
    torch.testing.assert_close(found.score(seen), 0.5 * match("relu2", both, "cosine").score(seen))
    assert [term.name for term in found.terms] == ["folder@relu2"]


def test_the_layers_of_a_guide_share_its_weight(tiny: Network) -> None:
    assert [t.weight for t in guided(tiny, parse_guide("g.jpg@relu1+relu2*3"), assets=ASSETS).terms] == [1.5, 1.5]
    assert [each.name for each in guide_layers(tiny)] == ["relu2"]
    assert [each.name for each in guide_layers(replace(tiny, guide="first+conv2"))] == ["relu1", "conv2"]
    with pytest.raises(UsageError, match="Say which layer of tiny"):
        guide_layers(replace(tiny, objective="owl"))
    with pytest.raises(UnknownName, match="no layer 'rellu2'"):
        guided(tiny, parse_guide("g.jpg@rellu2"), assets=ASSETS)


def test_a_guide_is_looked_at_once_however_often_it_is_asked_for(tiny: Network) -> None:
    assets, recipe = Assets({"g.jpg": [GUIDE]}), Recipe(guide=("g.jpg",))
    first, second = (guidance(tiny, recipe, assets) for _ in range(2))
    assert first and assets.features(tiny, tiny.require_layer("relu2"), "g.jpg") is assets.features(
        tiny, tiny.require_layer("relu2"), "g.jpg"
    )
    assert second


def test_without_an_objective_only_the_guide_is_dreamt(tiny: Network) -> None:
    names = [
        [term.name for term in prepare(tiny, Recipe.of(values), (32, 32), ASSETS).octaves[0].objective.terms]
        for values in ({"guide": "g.jpg"}, {"guide": "g.jpg", "objective": "owl"}, {})
    ]
    assert names == [["g.jpg@relu2"], ["g.jpg@relu2", "owl"], ["relu2"]]


def test_two_guides_with_two_masks_stay_in_their_halves(tiny: Network) -> None:
    """What the left guide does to the right half is next to nothing, and the other way round."""
    sides = ("left.png", "right.png")
    dreams = {}
    for side in sides:
        recipe = Recipe.of({"guide": f"g.jpg|{side}", "octaves": 1, "steps": 6, "bands": 0, "momentum": 0,
                            "realism": 0, "variation": 0})
        *_, last = render(prepare(tiny, recipe, (32, 32), ASSETS), IMAGE)
        dreams[side] = (last.image - IMAGE).abs().mean((0, 1, 2))
    assert float(dreams["left.png"][20:].max()) == 0 == float(dreams["right.png"][:12].max())
    assert float(dreams["left.png"][:12].mean()) > 0.01 < float(dreams["right.png"][20:].mean())


@pytest.mark.parametrize("values", [
    {}, {"blend": 0.3}, {"detail": "lost"}, {"detail": "carry"}, {"octaves": 3, "octave_scale": 1.3}, {"bands": 0},
    {"objective": "caricature(relu2)"}, {"pad": 0}, {"param": "fourier", "optimizer": "adam"},
    {"color": "locked"}, {"color": "source"}, {"above": 1}, {"above": 1, "color": "locked", "blend": 0.2},
])
def test_outside_a_mask_the_source_stays_to_the_bit(tiny: Network, values: dict) -> None:  # type: ignore[type-arg]
    soft = LEFT.clone()
    soft[..., 12:16] = 0.5
    recipe = Recipe.of({"mask": "soft.png", "steps": 3, "octaves": 2, **values})
    *_, frame = render(prepare(tiny, recipe, (32, 32), Assets({}, {"soft.png": soft})), IMAGE)
    assert torch.equal(frame.image[..., 16:], IMAGE[..., 16:])
    assert not torch.equal(frame.image[..., :12], IMAGE[..., :12])


def test_gray_in_a_mask_is_a_weaker_dream(tiny: Network) -> None:
    changes = []
    for level in (0.25, 1.0):
        assets = Assets({}, {"m.png": torch.full((1, 1, 4, 4), level)})
        recipe = Recipe(mask="m.png", steps=1, octaves=1, jitter=0, realism=0, variation=0)
        *_, last = render(prepare(tiny, recipe, (32, 32), assets), IMAGE.clamp(0.1, 0.9))
        changes.append(float((last.image - IMAGE.clamp(0.1, 0.9)).abs().mean()))
    assert changes[0] == pytest.approx(changes[1] / 4, rel=1e-3)


def test_tokens_stand_in_for_every_file_of_a_recipe(tiny: Network) -> None:
    recipe = Recipe(
        guide=("a.jpg@relu1|'b c.png'",), mask="m.png", objective="relu2|n.png + direction(conv2, d.jpg, 2)"
    )
    assert set(recipe.files()) == {
        ("guide", "a.jpg"), ("mask", "b c.png"), ("mask", "m.png"), ("mask", "n.png"), ("guide", "d.jpg")
    }
    plan = prepare(tiny, recipe, (64, 64), Assets.token(recipe.files()))
    assert len(plan.octaves[0].objective.terms) == 3
    assert grammar.files((), ()) == ()
