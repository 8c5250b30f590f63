"""EfficientNet-Lite against the package that publishes its code, and against timm."""

from __future__ import annotations

import warnings
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reverie import zoo
from reverie.errors import InputError
from reverie.network import Network
from reverie.network.fast import optimized
from reverie.objective import mean
from reverie.zoo import weights
from reverie.zoo.catalog import published
from reverie.zoo.labels import imagenet
from tests.oracle.networks import noise
from tests.oracle.torchvision_shim import models
from tests.support.tiles import agrees

reference = pytest.importorskip("efficientnet_lite_pytorch")

LITES = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
CPU = torch.device("cpu")


def packaged(name: str) -> Path:
    """The published file inside its installed package."""
    entry = published(name)
    try:
        return Path(str(distribution(entry.package).locate_file(entry.inside)))
    except PackageNotFoundError:
        pytest.skip(f"{entry.package} is not installed")


def peer(name: str) -> nn.Module:
    """The reference implementation with the published weights, which takes pictures of any size."""
    module = reference.EfficientNet.from_name(name.replace("_lite", "-lite"), image_size=None)
    module.load_state_dict(torch.load(packaged(name), weights_only=True))
    return module.eval().requires_grad_(False)


def seen(image: Tensor) -> Tensor:
    """What TensorFlow's networks are shown: (pixel - 127) / 128 of 0..255."""
    return (image * 255 - 127) / 128


def off(found: Tensor, expected: Tensor) -> float:
    assert found.shape == expected.shape
    return float((found - expected).detach().norm() / expected.detach().norm())


@pytest.mark.parametrize("name", LITES)
@pytest.mark.parametrize("size", [(96, 64), (75, 91)])
def test_every_block_the_logits_and_the_gradient_are_the_reference_packages(name: str, size: tuple[int, int]) -> None:
    # In float a unit may stand so near an edge of its ReLU6 that rounding its input turns the gradient off.
    network, module = zoo.load(name, packaged(name)), peer(name).double()
    network.module.double()
    outputs: list[Tensor] = []
    for block in module._blocks:
        block.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    image = noise(1, 3, *size, dtype=torch.float64).requires_grad_()
    logits = module(seen(image))
    found = network.capture(image, [*blocks(network), "classifier"])
    assert len(outputs) == len(blocks(network)) == (16 if name.endswith("0") else 21)
    for path, expected in zip(blocks(network), outputs, strict=True):
        assert off(found[path], expected) < 1e-4
    assert off(found["classifier"], logits) < 1e-4
    weight = noise(1, 1000, seed=3, dtype=torch.float64)
    (g,) = torch.autograd.grad((logits * weight).sum(), image)
    (own,) = torch.autograd.grad((found["classifier"] * weight).sum(), image)
    assert off(own, g) < 1e-4


def blocks(network: Network) -> list[str]:
    """The blocks' paths by their running numbers."""
    numbered = {alias: path for alias, path in network.aliases.items() if alias.startswith("_blocks.")}
    return [numbered[f"_blocks.{at}"] for at in range(50) if f"_blocks.{at}" in numbered]


@pytest.mark.parametrize("name", LITES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_made_ready_for_a_device_it_computes_the_reference(name: str, precision: str) -> None:
    dtype = torch.float64 if precision == "fp32" else torch.float32
    loaded = zoo.load(name, packaged(name))
    loaded.module.to(dtype)
    network = optimized(loaded, CPU, precision)  # type: ignore[arg-type]
    module, image = peer(name).to(dtype), noise(1, 3, 95, 128, dtype=dtype).requires_grad_()
    path = network.require_layer("block12").name
    kept: list[Tensor] = []
    module._blocks[12].register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    module(seen(image))
    (g,) = torch.autograd.grad(kept[0].pow(2).sum(), image)
    found = network.capture(image, [path])[path]
    (own,) = torch.autograd.grad(found.pow(2).sum(), image)
    bound = 1e-4 if precision == "fp32" else 0.2
    assert off(found, kept[0]) < bound and off(own, g) < 2 * bound


@pytest.mark.parametrize("name", LITES)
def test_timms_published_layout_fits_key_for_key_and_computes_it(name: str, tmp_path: Path) -> None:
    models()  # timm imports torchvision
    timm = pytest.importorskip("timm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = timm.create_model(f"tf_{name}", pretrained=False).eval()
    network = zoo.load(name, packaged(name))
    tensors = network.module.state_dict()
    assert tensors.keys() == module.state_dict().keys()
    module.load_state_dict(tensors)
    torch.save(module.state_dict(), tmp_path / "timm.pth")
    again = zoo.load(name, tmp_path / "timm.pth")
    image = noise(1, 3, 75, 100)
    with torch.no_grad():
        expected = module((image - 0.5) / 0.5)
    normal = (again.module((image - 0.5) / 0.5)).detach()
    assert off(normal, expected) < 1e-4


@pytest.mark.parametrize("name", LITES)
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (33, 64), (47, 31)])
def test_any_size_gives_maps_rounded_up(name: str, size: tuple[int, int]) -> None:
    network = zoo.architecture(name)
    found = network.capture(noise(1, 3, *size), ["conv_stem", "blocks.6.0", "classifier"])
    assert found["conv_stem"].shape[2:] == tuple(-(-side // 2) for side in size)
    assert found["blocks.6.0"].shape[2:] == tuple(-(-side // 32) for side in size)
    assert found["classifier"].shape == (1, 1000)


@pytest.mark.parametrize("name", LITES)
def test_every_module_can_be_dreamt_and_has_a_traditional_name(name: str) -> None:
    network = zoo.architecture(name)
    paths = {path for path, _ in network.module.named_modules()} - {""}
    assert paths == {layer.name for layer in network.layers}
    stages = {f"blocks.{at}" for at in range(7)} | {"blocks"}
    assert paths - set(network.aliases.values()) == stages


def test_blocks_go_by_the_names_of_the_packages_of_keras_and_by_number() -> None:
    network = zoo.architecture("efficientnet_lite2")
    for alias, path in {
        "_blocks.12": "blocks.4.1", "block16": "blocks.5.1", "block5b": "blocks.4.1", "block0": "blocks.0.0",
        "_blocks.0._bn1": "blocks.0.0.bn1", "_blocks.12._bn1": "blocks.4.1.bn2",
        "block5b_expand_activation": "blocks.4.1.act1", "block1a_dwconv": "blocks.0.0.conv_dw",
        "stem": "act1", "head": "act2", "_fc": "classifier", "top_conv": "conv_head",
    }.items():  # fmt: skip
        assert network.require_layer(alias).name == path
    assert network.require_layer("block20").stride == 32
    assert network.labels == imagenet() and network.synsets[207] == "n02099601"


@pytest.mark.parametrize("size", [(93, 131), (128, 96)])
def test_tiles_are_exact(size: tuple[int, int]) -> None:
    network = zoo.load("efficientnet_lite0", packaged("efficientnet_lite0"))
    network.module.double()
    image = noise(1, 3, *size, dtype=torch.float64)
    for layer, side in (("blocks.1.1", 32), ("blocks.2.1", 40), ("blocks.3.0", 64)):
        assert agrees(network, mean(layer), image, side) > 1


def test_a_file_of_another_lite_is_refused() -> None:
    with pytest.raises(InputError, match="belong to another network than efficientnet_lite2"):
        zoo.load("efficientnet_lite2", packaged("efficientnet_lite0"))


def test_a_key_goes_to_the_layer_that_it_is_an_alias_of() -> None:
    given = torch.load(packaged("efficientnet_lite1"), weights_only=True)
    state = weights.read_weights(packaged("efficientnet_lite1"))
    assert state.tensors.keys() == given.keys()
    own = zoo.load("efficientnet_lite1", packaged("efficientnet_lite1")).module.state_dict()
    assert len(given) == len(own)
    assert torch.equal(own["blocks.6.0.bn3.running_var"], given["_blocks.20._bn2.running_var"])
    assert torch.equal(own["blocks.0.0.conv_pw.weight"], given["_blocks.0._project_conv.weight"])
