"""The page of the systems before and its examples: every preset is there, every command line means something."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from reverie import recipe as recipes
from reverie import zoo
from reverie.loop.plan import prepare
from reverie.objective.resolve import Assets
from reverie.recipe import Recipe
from reverie.recipe.presets import all_presets, preset

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "systems.md").read_text("utf-8")
EXAMPLES = (ROOT / "examples" / "systems.md").read_text("utf-8")
SYSTEMS = ["google-2015", "tensorflow-tutorial", "keras", "gordicaleksa", "lassa30", "andricmitrovic", "themagicshop",
           "hughy", "moatazaymane", "lucid"]  # fmt: skip
COMMANDS = [line[2:] for line in EXAMPLES.splitlines() if line.startswith("$ ")]
OTHER = {"preset", "i", "o", "image"}


def test_every_system_has_its_preset_and_its_line() -> None:
    for name in (*SYSTEMS, *(each for each in all_presets() if each.startswith("lassa30-"))):
        assert name in all_presets()
        assert f"`{name}`" in PAGE
    for name in SYSTEMS:
        assert f"--preset {name}" in EXAMPLES or f'preset="{name}"' in EXAMPLES


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_be_planned(command: str) -> None:
    words = shlex.split(command)
    assert words[:2] == ["reverie", "dream"]
    at = next(n for n, word in enumerate(words) if word.startswith("-"))
    pairs = list(zip(words[at::2], words[at + 1 :: 2], strict=True))
    values: dict[str, Any] = {name.lstrip("-").replace("-", "_"): value for name, value in pairs}
    name = values.get("preset")
    recipe = recipes.merged(name, None, {key: value for key, value in values.items() if key not in OTHER})
    bundled = zoo.entry(recipe.network).bundled
    network = zoo.load(recipe.network) if bundled else zoo.architecture(recipe.network)
    prepare(network, recipe, (64, 96), assets=Assets.token(recipe.files()))


def test_the_numbers_of_the_presets_are_those_of_the_systems() -> None:
    def of(name: str) -> Recipe:
        return Recipe.of(preset(name))

    assert of("google-2015").step_size == pytest.approx(1.5 / 255)
    deviation = sum((0.229, 0.224, 0.225)) / 3
    for name, rate in {"gordicaleksa": 0.09, "lassa30": 0.09, "andricmitrovic": 0.09, "lassa30-intense": 0.12}.items():
        assert of(name).step_size == pytest.approx(rate * deviation, rel=0.01)
    assert of("moatazaymane").step_size == pytest.approx(0.001 * deviation**2, rel=0.01)
    for name in ("tensorflow-tutorial", "hughy", "keras"):
        assert of(name).step_size == pytest.approx(0.01 / 2)


@pytest.mark.parametrize("name", [name for name, each in all_presets().items() if each["kind"] == "system"])
def test_another_network_dreams_a_system_at_a_layer_of_its_own(name: str) -> None:
    own, other = recipes.merged(name, None, {}), recipes.merged(name, None, {"network": "motif"})
    assert other.max_gain is None and "default" in other.objective
    (term,) = prepare(zoo.load("motif"), other, (64, 96)).octaves[-1].objective.terms
    assert term.layers == {"stage3"}
    changed = {key for key, value in own.model_dump().items() if getattr(other, key) != value}
    raw = {"normalize", "step_size"} if name == "moatazaymane" else set()
    assert changed - {"max_gain"} == {"network", "objective"} | raw
    named = recipes.merged(name, None, {"network": "motif", "objective": "owl", "max_gain": 3})
    assert (named.objective, named.max_gain) == ("owl", 3)


@pytest.mark.parametrize("network", ["inception_v3", "keras:InceptionV3", "torchvision:inception_v3"])
def test_the_same_network_from_elsewhere_dreams_the_layers_of_the_preset(network: str) -> None:
    assert recipes.merged("keras", None, {"network": network}).objective == preset("keras")["objective"]
    assert recipes.merged("keras", {"network": network}, {}).objective == preset("keras")["objective"]
    assert recipes.merged("keras", {"network": network}, {"network": "vgg16"}).objective == "default"
