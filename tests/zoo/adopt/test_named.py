"""Foreign networks by name, through the command line: torchvision, timm, and Python files."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import reverie
from reverie import zoo
from reverie.cli import main
from reverie.errors import InputError, MissingError, UnknownName, UsageError
from reverie.zoo.adopt import libraries
from reverie.zoo.labels import imagenet
from tests.oracle.networks import noise
from tests.oracle.torchvision_shim import models

QUICK = ["--size", "48x40", "--steps", "1", "--octaves", "1", "--precision", "fp32", "--quiet", "--overwrite"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    models()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """What the command line answers; it must exit with ``code``."""
    capsys.readouterr()
    assert main(list(arguments)) == code
    out, err = capsys.readouterr()
    return out if code == 0 else err


def executed(module: nn.Module, x: torch.Tensor) -> set[str]:
    """The paths of all modules whose forward is called."""
    found: set[str] = set()
    handles = [
        part.register_forward_hook(lambda *_, path=path: found.add(path)) for path, part in module.named_modules()
    ]
    module(x)
    for handle in handles:
        handle.remove()
    return found - {""}


# torchvision


def test_a_network_of_torchvision_lists_its_layers_and_dreams(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(said(capsys, 0, "layers", "torchvision:resnet18", "--json"))
    stages = {row["name"]: row for row in rows}
    assert [stages[f"layer{n}"]["stride"] for n in range(1, 5)] == [4, 8, 16, 32]
    assert stages["fc"]["channels"] == 1000
    assert "tench" in said(capsys, 0, "layers", "torchvision:resnet18")
    said(capsys, 0, "dream", "noise", *QUICK, "--network", "torchvision:resnet18@random", "-o", "a.png")
    said(capsys, 0, "replay", "a.png", "-o", "b.png", "--overwrite")
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert "torchvision" in json.dumps(reverie.replay("a.png").record.versions)


@pytest.mark.parametrize("name", ["torchvision:squeezenet1_1", "torchvision:inception_v3", "torchvision:swin_t",
                                  "timm:resnet10t", "timm:vit_tiny_patch16_224"])
def test_every_module_that_is_run_is_a_layer(name: str) -> None:
    network = zoo.load(f"{name}@random")
    run = executed(network.module, torch.zeros(1, 3, 96, 96))
    names = {layer.name for layer in network.layers}
    assert names == run
    image = noise(2, 3, 96, 112)
    found = network.capture(image, names)
    assert all(found[name].shape[:2] == (2, network.require_layer(name).channels) for name in names)
    for idle in {path for path, _ in network.module.named_modules()} - run - {""}:
        with pytest.raises(UsageError, match=f"'{idle}' .*takes no part"):
            network.require_layer(idle)


def test_layers_mean_what_torchvision_computes() -> None:
    network = zoo.load("torchvision:swin_t@random")
    image = noise(1, 3, 64, 96)
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    x = (image - mean) / std
    found = network.capture(image, ["features.3", "head"])
    for part in list(network.module.features)[:4]:  # type: ignore[arg-type]
        x = part(x)
    torch.testing.assert_close(found["features.3"], x.permute(0, 3, 1, 2), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found["head"], network.module((image - mean) / std), rtol=1e-3, atol=1e-4)
    assert network.labels == imagenet()


def test_random_weights_are_the_same_each_time_and_leave_the_dice_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    one, two = (zoo.load("torchvision:squeezenet1_1@random") for _ in range(2))
    assert one.sha256 == two.sha256 != ""
    assert torch.equal(torch.rand(1), expected)


def test_weights_come_from_a_file_with_as_many_classes_as_it_has(tmp_path: Path) -> None:
    module = models().resnet18(num_classes=7)
    torch.save(module.state_dict(), tmp_path / "mine.pth")
    network = zoo.load("torchvision:resnet18", tmp_path / "mine.pth")
    assert network.require_layer("fc").channels == 7 and network.labels == ()
    assert torch.equal(network.module.fc.weight, module.fc.weight)  # type: ignore[union-attr, arg-type]
    torch.save({"a": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="belong to another network than torchvision:resnet18"):
        zoo.load("torchvision:resnet18", tmp_path / "other.pth")
    with pytest.raises(UsageError, match="leave @random or weights out"):
        zoo.load("torchvision:resnet18@random", tmp_path / "mine.pth")


def test_without_weights_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    answer = said(capsys, 4, "dream", "noise", *QUICK, "--network", "torchvision:squeezenet1_1")
    fits = "--weights FILE (squeezenet1_1-b8a52dc0.pth fits), or take random ones with "
    assert f"{fits}torchvision:squeezenet1_1@random" in " ".join(answer.split())
    assert "timm:resnet10t@random" in said(capsys, 4, "dream", "noise", *QUICK, "--network", "timm:resnet10t")


def test_what_the_library_has_fetched_before_is_taken_offline(tmp_path: Path) -> None:
    module = zoo.load("torchvision:squeezenet1_1@random").module
    torch.nn.init.constant_(module.classifier[1].bias, 0.5)  # type: ignore[index, union-attr]
    (tmp_path / "torch" / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(module.state_dict(), tmp_path / "torch" / "hub" / "checkpoints" / "squeezenet1_1-b8a52dc0.pth")
    network = zoo.load("torchvision:squeezenet1_1")
    assert float(network.module.classifier[1].bias[0]) == 0.5  # type: ignore[index, union-attr]


def test_a_failing_download_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError("no route to host\nand more")

    monkeypatch.setenv("REVERIE_OFFLINE", "0")
    monkeypatch.setattr("torch.hub.download_url_to_file", fails)
    with pytest.raises(MissingError, match=r"are not here \(OSError: no route to host\); give a file"):
        zoo.load("torchvision:squeezenet1_1")
    monkeypatch.setattr("timm.create_model", fails)
    with pytest.raises(MissingError, match=r"are not here \(OSError: no route to host\); give a file"):
        zoo.load("timm:resnet10t")


def test_a_network_of_timm_takes_what_its_cache_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from safetensors.torch import save_file

    module = zoo.load("timm:resnet10t@random").module
    torch.nn.init.constant_(module.fc.bias, 0.5)  # type: ignore[union-attr, arg-type]
    save_file(module.state_dict(), tmp_path / "model.safetensors")
    asked: list[str] = []

    def cached(repository: str, name: str) -> str | None:
        asked.append(repository)
        return str(tmp_path / name) if (tmp_path / name).exists() else None

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", cached)
    network = zoo.load("timm:resnet10t")
    assert float(network.module.fc.bias[0]) == 0.5  # type: ignore[union-attr, index]
    assert asked[0].startswith("timm/resnet10t") and len(network.labels) == 1000


def test_the_names_of_other_sets_of_imagenet_are_those_of_timm() -> None:
    names = libraries._many(11821)
    assert len(names) == 11821 and all(names)
    assert libraries._many(1000) == imagenet() and libraries._many(37) == ()


def test_unknown_names_offer_the_nearest() -> None:
    for name in ("torchvision:resnet81", "timm:resnet50dd", "timm:hf-hub:somebody/something"):
        with pytest.raises(UnknownName):
            zoo.load(f"{name}@random")


def test_a_library_that_is_absent_or_unfit_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])

    def unfit(name: str) -> None:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(libraries, "importlib", type("stand_in", (), {"import_module": staticmethod(absent)}))
    with pytest.raises(MissingError, match=r"needs torchvision, which is not installed; run pip install 'reverie"):
        zoo.load("torchvision:resnet18@random")
    with pytest.raises(MissingError, match=r"needs timm, which is not installed; run pip install 'reverie\[timm\]'"):
        zoo.load("timm:resnet18@random")
    monkeypatch.setattr(libraries, "importlib", type("stand_in", (), {"import_module": staticmethod(unfit)}))
    with pytest.raises(MissingError, match=r"torchvision .* and torch .* are not a pair \(RuntimeError: operator "):
        zoo.load("timm:resnet18@random")
    importlib.import_module("torch")


def test_a_transformer_dreams_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, 0, "dream", "noise", *QUICK, "--network", "timm:vit_tiny_patch16_224@random",
         "--objective", "blocks.2", "-o", "vit.png")
    assert Path("vit.png").exists()


# Files

SOURCE = '''
import torch
from torch import nn
import beside
import reverie

def factory():
    torch.manual_seed(beside.SEED)
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(True), nn.Conv2d(6, 4, 3, 2, 1))

def described():
    return reverie.adopt(factory(), range=(-1, 1), aliases={"deep": "2"})

def transformer():
    from torchvision.models import VisionTransformer
    torch.manual_seed(0)
    return VisionTransformer(image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32)

class Wrong(nn.Module):
    def forward(self, x):
        return x.no_such_thing

def broken():
    raise KeyError("weights")

ready = factory()
number = 3
'''


@pytest.fixture
def source(folder: Path) -> Path:
    (folder / "beside.py").write_text("SEED = 4\n")
    path = folder / "mynet.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize(("name", "objective"), [("factory", "layer:2"), ("described", "deep"), ("ready", "layer:0"),
                                                 ("transformer", "encoder.layers.encoder_layer_1")])
def test_a_file_of_yours_dreams(source: Path, capsys: pytest.CaptureFixture[str], name: str, objective: str) -> None:
    named = ["--network", f"./mynet.py:{name}", "--objective", objective]
    said(capsys, 0, "dream", "noise", *QUICK, *named, "-o", "a.png")
    answer = said(capsys, 2, "replay", "a.png", "-o", "b.png")
    assert "a.png wants the network ./mynet.py:" in answer and "--trust" in answer
    assert not Path("b.png").exists()
    said(capsys, 0, "replay", "a.png", "-o", "b.png", "--trust")
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    # The user names it, so it may run.
    said(capsys, 0, "replay", "a.png", "-o", "c.png", "--set", f"network=./mynet.py:{name}")


def test_a_changed_file_is_not_replayed(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, 0, "dream", "noise", *QUICK, "--network", "./mynet.py:factory", "-o", "a.png")
    source.write_text(SOURCE + "\n# changed\n")
    assert "is not what it was when" in said(capsys, 3, "replay", "a.png", "--trust")


def test_a_recipe_may_not_run_code_unasked(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("look.toml").write_text('network = "./mynet.py:factory"\n')
    answer = said(capsys, 2, "dream", "noise", *QUICK, "--recipe", "look.toml")
    assert "The recipe look.toml wants the network" in answer
    said(capsys, 0, "dream", "noise", *QUICK, "--recipe", "look.toml", "--trust", "-o", "a.png")
    said(capsys, 0, "dream", "noise", *QUICK, "--recipe", "look.toml", "--network", "./mynet.py:factory", "-o", "a.png")
    with pytest.raises(UsageError, match=r"look\.toml wants"):
        reverie.job(recipe="look.toml")


def test_a_file_takes_weights_and_its_layers_are_listed(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = zoo.load("./mynet.py:factory")
    torch.nn.init.constant_(network.module[2].bias, 0.25)  # type: ignore[index, union-attr]
    torch.save(network.module.state_dict(), "mine.pth")
    filled = zoo.load("./mynet.py:factory", "mine.pth")
    assert float(filled.module[2].bias[0]) == 0.25  # type: ignore[index, union-attr]
    rows = json.loads(said(capsys, 0, "layers", "./mynet.py:described", "--json"))
    assert [(row["name"], row["aliases"]) for row in rows] == [("0", []), ("1", []), ("2", ["deep"])]


@pytest.mark.parametrize(("name", "code", "answer"), [
    ("./mynet.py:factri", 2, "There is no function 'factri'; did you mean 'factory'?"),
    ("./mynet.py:broken", 3, "mynet.py fails, line 24: KeyError: 'weights'."),
    ("./mynet.py:number", 3, "gives a int; it must give a torch.nn.Module"),
    ("./mynet.py:Wrong", 3, "fails on a picture of 224x224 pixels (AttributeError:"),
    ("./other.py:factory", 3, "other.py does not exist"),
    ("./leaves.py:f", 3, "leaves.py fails, line 1: SystemExit: usage: leaves"),
    ("./wrong.py:f", 3, "wrong.py fails: SyntaxError: invalid syntax"),
])
def test_what_is_wrong_with_a_file_is_one_sentence(
    source: Path, capsys: pytest.CaptureFixture[str], name: str, code: int, answer: str
) -> None:
    Path("wrong.py").write_text("def f(:\n")
    Path("leaves.py").write_text("raise SystemExit('usage: leaves')\n")
    found = said(capsys, code, "dream", "noise", *QUICK, "--network", name)
    assert answer in found and found.count("\n") == 1
