"""prepare(): every name resolved against the network, every number plain, and bad wishes refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from reverie import zoo
from reverie.ascent.rules import Ascent
from reverie.ascent.shaping import Shaping
from reverie.errors import UnknownName, UsageError
from reverie.loop.plan import prepare, resolve_device
from reverie.network import Network
from reverie.objective import logit
from reverie.objective.resolve import resolve
from reverie.recipe import Recipe
from reverie.recipe.presets import all_presets, preset
from tests.oracle.networks import noise, tiny_network

IMAGE = noise(1, 3, 16, 16)


def meant(network: Network, text: str, **options: Any) -> list[tuple[float, str, set[str]]]:
    """Weight, name and layers of every term."""
    return [(t.weight, t.name, set(t.layers)) for t in resolve(network, text, **options).terms]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("relu2", [(1, "relu2", {"relu2"})]),
        ("mixed2", [(1, "relu2", {"relu2"})]),
        ("layer:first", [(1, "relu1", {"relu1"})]),
        ("owl", [(1, "owl", {"logits"})]),
        ("OWL", [(1, "owl", {"logits"})]),
        ("class:1", [(1, "rose", {"logits"})]),
        ("1", [(1, "rose", {"logits"})]),
        ("'lizard eye'", [(1, "reptile_eye, lizard eye", {"logits"})]),
        ("conv2:7", [(1, "conv2:7", {"conv2"})]),
        ("channel:first:5", [(1, "relu1:5", {"relu1"})]),
        ("0.5*owl - 2*relu1", [(0.5, "owl", {"logits"}), (-2, "relu1", {"relu1"})]),
    ],
)
def test_text_becomes_terms(tiny: Network, text: str, terms: list[tuple[float, str, set[str]]]) -> None:
    assert meant(tiny, text) == terms


def test_a_class_is_its_logit(tiny: Network) -> None:
    seen = tiny.capture(IMAGE, ["logits"])
    torch.testing.assert_close(resolve(tiny, "2*rose").score(seen), 2 * seen["logits"][:, 1].mean((1, 2)))


def test_any_of_several_classes_is_one_term(tiny: Network) -> None:
    assert meant(tiny, "2*owl|class:1|'lizard eye'") == [(2, "owl|rose|reptile_eye, lizard eye", {"logits"})]
    seen = tiny.capture(IMAGE, ["logits"])
    expected = logit("logits", 0, 1).score(seen)
    torch.testing.assert_close(resolve(tiny, "owl|rose").score(seen), expected)
    with pytest.raises(UnknownName, match="no class 'rosse'; did you mean 'rose'"):
        resolve(tiny, "owl|rosse")


def test_a_layer_wins_over_a_class_of_its_name_unless_it_is_said() -> None:
    network = replace(tiny_network(), labels=("relu1", "b", "c", "d", "e"))
    assert meant(network, "relu1") == [(1, "relu1", {"relu1"})]
    assert meant(network, "class:relu1") == [(1, "relu1", {"logits"})]


def test_the_layers_of_a_range_share_its_weight() -> None:
    network = replace(
        tiny_network(), aliases={f"m.{n}": layer for n, layer in enumerate(("relu1", "relu2"), 3)}
    )
    assert meant(network, "3*m.3..4") == [(1.5, "relu1", {"relu1"}), (1.5, "relu2", {"relu2"})]
    with pytest.raises(UnknownName, match=r"m\.5"):
        resolve(network, "m.3..5")


def test_focus_reaches_the_layers_and_nothing_else(tiny: Network) -> None:
    assert resolve(tiny, "relu2", focus=1.4).measures
    assert not resolve(tiny, "relu2", focus=0).measures
    assert not resolve(tiny, "owl + conv2:3", focus=1.4).measures


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("owll", "no layer or class 'owll'; did you mean 'owl'"),
        ("rellu2", "no layer or class 'rellu2'; did you mean 'relu2'"),
        ("layer:owl", "no layer 'owl'"),
        ("layer:conv22", "no layer 'conv22'; did you mean 'conv2'"),
        ("class:relu1", "no class 'relu1'"),
        ("class:rosse", "no class 'rosse'; did you mean 'rose'"),
        ("class:5", "no class '5'"),
        ("channel:conv3:1", "no layer 'conv3'; did you mean 'conv2' or 'conv1'"),
        ("qqqqq", "'reverie layers tiny' lists them"),
        ("''", "no layer or class ''"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest_good_ones(tiny: Network, text: str, said: str) -> None:
    with pytest.raises(UnknownName) as caught:
        resolve(tiny, text)
    assert said in str(caught.value).replace("'conv1' or 'conv2'", "'conv2' or 'conv1'")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("conv2:8", "'conv2' of tiny has the channels 0 to 7, no 8"),
        ("crane", "ambiguous in tiny; say class:3"),
        ("class:crane", "ambiguous"),
        ("owl +", "cannot be read"),
        ("  ", "empty"),
    ],
)
def test_wishes_that_cannot_be_are_refused(tiny: Network, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        resolve(tiny, text)


@pytest.mark.parametrize("text", ["²", "class:²"])
def test_digits_that_are_no_number_are_unknown_names(tiny: Network, text: str) -> None:
    with pytest.raises(UnknownName):
        resolve(tiny, text)


def test_a_network_without_classes_takes_layers_only() -> None:
    network = replace(tiny_network(), labels=(), logits="")
    assert meant(network, "relu1") == [(1, "relu1", {"relu1"})]
    with pytest.raises(UsageError, match="has no classes"):
        resolve(network, "class:owl")
    with pytest.raises(UnknownName):
        resolve(network, "owl")


def test_a_recipe_becomes_plain_numbers(tiny: Network) -> None:
    values: dict[str, Any] = {"octaves": 3, "octave_scale": 2, "steps": 5, "step_size": 0.02, "jitter": 40}
    values |= {"step_decay": 0.5, "momentum": 0.6}
    values |= {"bands": 4, "fine": 0.5, "coarse": 0.6, "spread": 0.2, "gray": 0.1, "pad": 7, "blend": 0.25, "seed": 9}
    values |= {"fine_gray": 0.3}
    values |= {"detail": "carry", "balance": "raw", "objective": "owl", "focus": 0}
    plan = prepare(tiny, Recipe.of(values), (100, 160))
    shaping = Shaping(bands=4, fine=0.5, spread=0.2, gray=0.1, fine_gray=0.3, coarse=0.6)
    assert [(octave.size, octave.steps) for octave in plan.octaves] == [((25, 40), 5), ((50, 80), 5), ((100, 160), 5)]
    assert [octave.rule for octave in plan.octaves] == [
        Ascent(0.02, replace(shaping, coarse=1.0), 0.6, 5),
        Ascent(0.01, shaping, 0.6, 5),
        Ascent(0.005, shaping, 0.6, 5),
    ]
    assert (plan.size, plan.total, plan.notes) == ((100, 160), 15, ())
    assert (plan.detail, plan.blend, plan.balance, plan.seed) == ("carry", 0.25, False, 9)
    assert (plan.device, plan.precision) == (torch.device("cpu"), "fp32")
    assert [[term.name for term in octave.objective.terms] for octave in plan.octaves] == [["owl"]] * 3


def test_without_a_wish_the_network_dreams_its_own(tiny: Network) -> None:
    assert prepare(tiny, Recipe(), (32, 32)).octaves[0].objective.layers == {"relu2"}


def test_terms_are_balanced_by_default(tiny: Network) -> None:
    assert prepare(tiny, Recipe(), (32, 32)).balance


def test_octaves_that_the_picture_cannot_hold_are_said(tiny: Network) -> None:
    plan = prepare(tiny, Recipe.of({"octaves": 9, "octave_scale": 2}), (50, 60))
    assert len(plan.octaves) == 2
    assert plan.notes == ("A picture of 60x50 holds 2 octaves, not 9.",)
    assert prepare(tiny, Recipe.of({"octaves": 1}), (50, 60)).notes == ()


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
def test_any_size_can_be_planned(tiny: Network, size: tuple[int, int]) -> None:
    plan = prepare(tiny, Recipe(), size)
    assert plan.size == size
    seen = plan.octaves[-1].transform(torch.zeros(1, 3, *size), torch.Generator())
    assert max(seen.shape[-2:]) <= 4 * max(*size, 32)


def test_the_plan_has_a_network_of_its_own(tiny: Network) -> None:
    plan = prepare(tiny, Recipe(), (32, 32), precision="bf16")
    assert plan.network is not tiny
    assert (plan.precision, next(tiny.module.parameters()).dtype) == ("bf16", torch.float32)


def test_devices_are_taken_only_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto") == resolve_device("cpu") == torch.device("cpu")
    for name in ("cuda", "cuda:1", "mps"):
        with pytest.raises(UsageError, match=f"no device '{name}' here; use device='cpu'"):
            resolve_device(name)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device("auto") == resolve_device("mps") == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == torch.device("cuda")
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(UsageError):
        resolve_device("cuda:2")


def test_a_device_number_beyond_all_reason_is_refused() -> None:
    with pytest.raises(UsageError):
        resolve_device("cuda:99999999999")


@pytest.mark.parametrize("name", sorted(all_presets()))
def test_every_preset_means_something_to_its_network(name: str) -> None:
    recipe = Recipe.of(preset(name))
    bundled = zoo.entry(recipe.network).bundled
    network = zoo.load(recipe.network) if bundled else zoo.architecture(recipe.network)
    plan = prepare(network, recipe, (96, 128))
    assert plan.octaves[0].objective.terms
    assert plan.total > 0


@pytest.mark.parametrize(("strength", "steps", "step_size"), [(0.5, 16, 0.005), (1, 16, 0.01), (4, 32, 0.02)])
def test_strength_lengthens_steps_and_takes_more_of_them(strength: float, steps: int, step_size: float) -> None:
    recipe = Recipe.of({"strength": strength, "octaves": 1, "objective": "relu1", "steps": 16, "step_size": 0.01})
    octave = prepare(tiny_network(), recipe, (64, 64)).octaves[0]
    assert octave.steps == steps
    assert octave.rule.step_size == pytest.approx(step_size)


def test_a_stronger_dream_keeps_more_room_to_black_and_white() -> None:
    def room(strength: float) -> float:
        recipe = Recipe.of({"strength": strength, "objective": "relu1", "headroom": 0.5})
        return prepare(tiny_network(), recipe, (64, 64)).octaves[0].param(noise(1, 3, 8, 8)).headroom

    assert [room(each) for each in (0.25, 1, 2, 4)] == [0.5, 0.5, 0.75, 0.875]


@pytest.mark.parametrize(
    ("motif_size", "short"), [("auto", 50), (10, 400), ("medium", 200), ("large", 114), ("25%", 160)]
)
def test_motif_size_decides_the_coarsest_octave(motif_size: object, short: int) -> None:
    recipe = Recipe.of({"motif_size": motif_size, "smallest": 50, "objective": "relu1"})
    plan = prepare(replace(tiny_network(), motif=40), recipe, (1000, 1500))
    assert plan.octaves[0].size[0] == short
