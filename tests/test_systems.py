"""The page of the systems before and its examples: every preset is there, every command line means something."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from reverie import recipe as recipes
from reverie import zoo
from reverie.plan import prepare
from reverie.recipe import Recipe
from reverie.targets import Assets

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "systems.md").read_text("utf-8")
EXAMPLES = (ROOT / "examples" / "systems.md").read_text("utf-8")
SYSTEMS = ["google-2015", "tensorflow-tutorial", "keras", "gordicaleksa", "lassa30", "andricmitrovic", "themagicshop",
           "hughy", "moatazaymane", "lucid"]  # fmt: skip
COMMANDS = [line[2:] for line in EXAMPLES.splitlines() if line.startswith("$ ")]
OTHER = {"preset", "i", "o", "image"}


def test_every_system_has_its_preset_and_its_line() -> None:
    for name in (*SYSTEMS, *(each for each in recipes.presets() if each.startswith("lassa30-"))):
        assert name in recipes.presets()
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
        return Recipe.of(recipes.preset(name))

    assert of("google-2015").step_size == pytest.approx(1.5 / 255)
    deviation = sum((0.229, 0.224, 0.225)) / 3
    for name, rate in {"gordicaleksa": 0.09, "lassa30": 0.09, "andricmitrovic": 0.09, "lassa30-intense": 0.12}.items():
        assert of(name).step_size == pytest.approx(rate * deviation, rel=0.01)
    assert of("moatazaymane").step_size == pytest.approx(0.001 * deviation**2, rel=0.01)
    for name in ("tensorflow-tutorial", "hughy", "keras"):
        assert of(name).step_size == pytest.approx(0.01 / 2)
