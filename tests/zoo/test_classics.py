"""The classic architectures: equal to their originals at every layer, every layer a possible objective."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from reverie import zoo
from reverie.ascent.gradient import image_gradient
from reverie.errors import InputError, UsageError
from reverie.network import Network
from reverie.network.fast import optimized
from reverie.objective.resolve import guide_layers, resolve
from reverie.zoo import alexnet, googlenet, inception_v3, resnet, squeezenet, vgg
from reverie.zoo.labels import imagenet, inception5h
from reverie.zoo.modules import LocalResponseNorm
from reverie.zoo.weights import State
from tests.oracle import googlenets as numpys
from tests.oracle import torchvisions
from tests.oracle.networks import noise

BUILDERS: dict[str, Callable[[State | None], Network]] = {
    "alexnet": alexnet.alexnet,
    "vgg16": vgg.vgg16,
    "vgg19": vgg.vgg19,
    "googlenet": googlenet.googlenet,
    "inception_v3": inception_v3.inception_v3,
    "resnet18": resnet.resnet18,
    "resnet50": resnet.resnet50,
    "squeezenet1_0": squeezenet.squeezenet1_0,
    "squeezenet1_1": squeezenet.squeezenet1_1,
}
MEAN, STD = (torch.tensor(each).view(1, 3, 1, 1) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def off(found: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest value."""
    assert found.shape == expected.shape
    return float((found - expected).detach().abs().max() / expected.detach().abs().max())


def on_meta(name: str, state: State | None = None) -> Network:
    with torch.device("meta"):
        return BUILDERS[name](state)


def twin(name: str, module: nn.Module) -> Network:
    """Ours around the very tensors of torchvision's."""
    tensors = dict(module.state_dict())
    network = on_meta(name, State(Path("twin"), tensors, ""))
    own = network.module.state_dict().keys()
    network.module.load_state_dict({key: tensors[key] for key in own}, assign=True)
    network.module.requires_grad_(False)
    return network


def of_torchvision(path: str, outputs: dict[str, list[Tensor]], inputs: dict[str, Tensor]) -> Tensor:
    """What torchvision computes where ours has a module of that path."""
    if path in outputs:
        return outputs[path][0]
    parent, _, last = path.rpartition(".")
    if numbered := re.fullmatch(r"relu(\d)", last):  # one ReLU used again and again
        return outputs[f"{parent}.relu"][int(numbered[1]) - 1]
    if last == "relu":  # a call behind the batch norm
        return outputs[parent][0]
    assert last == "pool"  # a call, too: what its 1x1 convolution is given, or the last part of the block
    if f"{parent}.branch_pool" in inputs:
        return inputs[f"{parent}.branch_pool"]
    return outputs[parent][0][:, -inputs[parent].shape[1] :]


def logits_of(network: Network, image: Tensor) -> Tensor:
    """The class scores [B, K]; SqueezeNet has a ReLU and a mean behind its logits."""
    last = "classifier.3" if network.name.startswith("squeezenet") else network.logits
    return network.capture(image, [last])[last].flatten(1)


@pytest.mark.parametrize("name", BUILDERS)
def test_it_computes_what_torchvision_does_at_every_layer_and_in_the_gradient(name: str) -> None:
    module = torchvisions.built(name)
    network = twin(name, module)
    image = noise(2, 3, *torchvisions.SIZES[name])
    outputs, inputs, expected = torchvisions.run(module, (image - MEAN) / STD)
    names = [layer.name for layer in network.layers]
    assert {path for path, _ in network.module.named_modules() if path} == set(names)
    seen = network.capture(image, names)
    assert max(off(seen[each], of_torchvision(each, outputs, inputs)) for each in names) < 1e-4
    assert expected.shape == (2, torchvisions.CLASSES)
    assert off(logits_of(network, image), expected) < 1e-4
    if name not in ("alexnet", "vgg16", "vgg19"):  # too large; and they get the very same numbers to begin with
        # In float one unit of thousands stands so near a ReLU's edge that rounding its input turns it.
        module, image = module.double(), image.double()
        network = twin(name, module)
    image.requires_grad_()
    weight = noise(2, torchvisions.CLASSES, seed=3, dtype=image.dtype)
    (g,) = torch.autograd.grad((module((image - MEAN) / STD) * weight).sum(), image)
    (own,) = torch.autograd.grad((logits_of(network, image) * weight).sum(), image)
    assert off(own, g) < 1e-4


@pytest.mark.parametrize("name", BUILDERS)
def test_official_files_fit_key_for_key(name: str) -> None:
    own = {key: tuple(value.shape) for key, value in on_meta(name).module.state_dict().items()}
    official = torchvisions.shapes(name)
    assert own.items() <= official.items()
    assert all(key.startswith(("aux1.", "aux2.", "AuxLogits.")) for key in official.keys() - own.keys())


def oracle(name: str, network: Network) -> numpys.Caffe | numpys.TensorFlow:
    found: dict[str, dict[str, np.ndarray]] = {}
    for key, value in network.module.state_dict().items():
        layer, _, kind = key.rpartition(".")
        found.setdefault(layer, {})[kind] = value.double().numpy()
    # A .caffemodel names its blobs by layer, with a slash where our paths have a dot.
    caffe = name == "googlenet-bvlc"
    given = {key.replace(".", "/") if caffe else key: (v["weight"], v["bias"]) for key, v in found.items()}
    return (numpys.Caffe if caffe else numpys.TensorFlow)(given)


def prepared(name: str, image: Tensor) -> np.ndarray:
    """One image as its framework wants it."""
    rgb = image[0].detach().double().numpy() * 255
    if name == "inception_v1":
        return rgb - 117
    return rgb[::-1] - np.array([104, 117, 123]).reshape(3, 1, 1)


@pytest.fixture(scope="module")
def googlenets() -> dict[str, Network]:
    """Both of 2015, with random weights that keep the signal's size."""
    made = {}
    generator = torch.Generator().manual_seed(3)
    for name in ("googlenet-bvlc", "inception_v1"):
        made[name] = zoo.architecture(name)
        for part in made[name].module.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                reach = (6 / part.weight[0].numel()) ** 0.5
                part.weight.uniform_(-reach, reach, generator=generator)
                assert part.bias is not None
                part.bias.normal_(0, 0.1, generator=generator)
    return made


@pytest.mark.parametrize("name", ["googlenet-bvlc", "inception_v1"])
@pytest.mark.parametrize("size", [(64, 96), (75, 57)])
def test_it_computes_what_its_published_definition_says(
    googlenets: dict[str, Network], name: str, size: tuple[int, int]
) -> None:
    network = googlenets[name]
    image = noise(1, 3, *size)
    twin = oracle(name, network)
    twin.forward(prepared(name, image))
    expected = twin.blobs if isinstance(twin, numpys.Caffe) else twin.nodes
    paths = {key: network.require_layer(key).name for key in expected}
    # All there is, but dropout, which does nothing here, and what only holds others.
    leaves = {each.name for each in network.layers if each.kind not in ("block", "dropout")}
    assert leaves <= set(paths.values())
    seen = network.capture(image, paths.values())
    for key, path in paths.items():
        assert off(seen[path][0].squeeze(), torch.from_numpy(expected[key]).squeeze()) < 1e-4, key


@pytest.mark.parametrize("name", ["googlenet-bvlc", "inception_v1"])
def test_its_gradient_is_the_slope_of_its_published_definition(googlenets: dict[str, Network], name: str) -> None:
    network = googlenets[name]
    image = noise(1, 3, 48, 41).requires_grad_()
    weight = noise(1, network.require_layer(network.logits).channels, seed=2) - 0.5
    (g,) = torch.autograd.grad((network.capture(image, [network.logits])[network.logits] * weight).sum(), image)
    twin = oracle(name, network)
    along = (g / g.abs().max()).double().numpy()[0]

    def score(x: np.ndarray) -> float:
        return float(twin.forward(prepared(name, torch.from_numpy(x)[None])) @ weight[0].double().numpy())

    measured = numpys.slope(score, image[0].detach().double().numpy(), along)
    assert measured == pytest.approx(float((g[0].double().numpy() * along).sum()), rel=1e-3)


@pytest.mark.parametrize("name", sorted(zoo.NETWORKS))
def test_every_module_that_runs_can_be_an_objective(name: str) -> None:
    # Labels travel with the built-in weights, and its objective names some.
    network = zoo.load(name) if zoo.entry(name).bundled else zoo.architecture(name)
    paths = [path for path, _ in network.module.named_modules() if path]
    assert {layer.name for layer in network.layers} == set(paths)
    side = network.smallest
    image = noise(1, 3, side, side).requires_grad_()
    seen = network.capture(image, paths)
    for path in (*paths, *network.aliases):
        objective = resolve(network, f"layer:'{path}'")
        score = objective.scores(seen)[0]
        assert score.shape == (1,) and score.isfinite().all() and score.requires_grad, path
    for path in (paths[0], paths[len(paths) // 2], network.require_layer(first_layer(network)).name):
        value, (g,) = image_gradient(network, resolve(network, f"layer:{path}"), image.detach())
        assert value.isfinite().all() and g.shape == image.shape and g.abs().max() > 0


def first_layer(network: Network) -> str:
    return min(resolve(network, network.objective).layers)


@pytest.mark.parametrize("name", ["googlenet-bvlc", "inception_v1"])
def test_local_response_norm_runs_in_bfloat16(googlenets: dict[str, Network], name: str) -> None:
    network, image = googlenets[name], noise(1, 3, 64, 80)
    objective = resolve(network, network.objective)
    _, (g,) = image_gradient(network, objective, image)
    _, (half,) = image_gradient(optimized(network, torch.device("cpu"), "bf16"), objective, image)
    assert torch.cosine_similarity(g.flatten(), half.flatten(), 0) > 0.95


def test_local_response_norm_is_torchs() -> None:
    x = torch.randn(2, 13, 4, 5, generator=torch.Generator().manual_seed(0))
    for options in ((5,), (11, 11e-4, 0.5, 2.0), (4, 0.5, 0.75, 1.0)):
        torch.testing.assert_close(LocalResponseNorm(*options)(x), nn.LocalResponseNorm(*options)(x))


def test_a_module_that_does_not_run_is_refused_by_name() -> None:
    network = zoo.architecture("squeezenet1_1")
    network.module.aux = nn.Conv2d(3, 4, 1)
    with pytest.raises(UsageError, match="'aux' of squeezenet1_1 takes no part in its forward pass"):
        network.require_layer("aux")
    with pytest.raises(UsageError, match="'aux' of squeezenet1_1 takes no part in its forward pass"):
        network.capture(noise(1, 3, 64, 64), ["aux"])


# Published figures, and the sum (kernel - 1) * stride along the longest way.
RECEPTIVE = {
    "alexnet": {"conv1": 11, "pool1": 19, "conv2": 51, "conv5": 163, "pool5": 195, "fc6": 0},
    "vgg16": {"conv1_1": 3, "conv3_3": 40, "conv4_3": 92, "conv5_3": 196, "pool5": 212, "fc8": 0},
    "googlenet-bvlc": {"inception_3a": 59, "inception_4c/output": 299, "inception_5b/1x1": 587, "pool5/7x7_s1": 0},
    "inception_v1": {"mixed3a": 59, "mixed4c_3x3": 267, "mixed4c": 299, "avgpool0": 0},
    "googlenet": {"inception_3a": 43, "inception_4c": 171},
    "inception_v3": {"mixed0": 63, "mixed10": 1311, "fc": 0},
    "resnet18": {"relu": 7, "maxpool": 11, "layer1": 43, "layer4": 435, "avgpool": 0},
    "resnet50": {"layer1": 35, "layer4": 427},
    "squeezenet1_1": {"conv1": 3, "fire9": 207, "pool10": 0},
    "motif": {"stage1": 6, "logits": 160},
}


@pytest.mark.parametrize("name", RECEPTIVE)
def test_receptive_fields_are_those_of_the_literature(name: str) -> None:
    network = zoo.architecture(name)
    assert {each: network.require_layer(each).receptive for each in RECEPTIVE[name]} == RECEPTIVE[name]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("googlenet", "inception3b"),
        ("googlenet-bvlc", "inception_3b.5x5"),
        ("inception_v1", "mixed3b"),
        ("inception_v3", "Mixed_5c"),
        ("resnet18", "layer2.1"),
        ("squeezenet1_0", "features.7"),
        ("motif", "stage3"),
    ],
)
def test_a_receptive_field_is_as_wide_as_what_reaches_a_unit(name: str, path: str) -> None:
    """Nothing stops NaN: put it into as many columns as the stride, one at a time, and count where it comes out."""
    network = zoo.architecture(name)
    layer = network.require_layer(path)
    side = 2 * (layer.receptive + layer.stride)
    image = torch.zeros(layer.stride, 3, max(64, network.smallest), side)
    for at in range(layer.stride):
        image[at, :, :, side // 2 + at] = float("nan")
    with torch.no_grad():
        reached = network.capture(image, [path])[path].isnan().any(1).any(1)
    assert int(reached.sum()) == layer.receptive


@pytest.mark.parametrize(
    ("name", "aliases"),
    [
        ("alexnet", {"conv5": "features.10", "relu7": "classifier.5", "fc8": "classifier.6"}),
        ("vgg16", {"conv3_2": "features.12", "relu4_3": "features.22", "pool5": "features.30", "fc6": "classifier.0"}),
        ("vgg19", {"conv4_4": "features.25", "relu5_4": "features.35", "fc8": "classifier.6"}),
        (
            "googlenet",
            {
                "inception_4c": "inception4c",
                "inception_4c/output": "inception4c",
                "inception_3b/relu_5x5": "inception3b.branch3.1.relu",
            },
        ),
        (
            "googlenet-bvlc",
            {"inception_4c/output": "inception_4c", "inception_3b/5x5_reduce": "inception_3b.5x5_reduce"},
        ),
        (
            "inception_v1",
            {"mixed4c_3x3_pre_relu": "mixed4c_3x3_pre_relu_conv", "conv2d0_pre_relu/conv": "conv2d0_pre_relu_conv"},
        ),
        (
            "inception_v3",
            {
                "mixed0": "Mixed_5b",
                "mixed5": "Mixed_6c",
                "mixed10": "Mixed_7c",
                "conv2d": "Conv2d_1a_3x3.conv",
                "conv2d_93": "Mixed_7c.branch_pool.conv",
                "activation_5": "Mixed_5b.branch1x1.relu",
            },
        ),
        (
            "resnet50",
            {
                "conv4_x": "layer3",
                "res4c": "layer3.2",
                "res4c_branch2b": "layer3.2.conv2",
                "res2a_branch1": "layer1.0.downsample.0",
            },
        ),
        (
            "squeezenet1_1",
            {
                "fire5/concat": "features.7",
                "pool3": "features.5",
                "fire2/relu_expand3x3": "features.3.expand3x3_activation",
            },
        ),
    ],
)
def test_layers_go_by_their_traditional_names(name: str, aliases: dict[str, str]) -> None:
    network = on_meta(name) if name in BUILDERS else zoo.architecture(name)
    assert aliases.items() <= network.aliases.items()


@pytest.mark.parametrize("name", sorted(zoo.NETWORKS.keys() - {"motif"}))
def test_every_conv_relu_and_pool_has_a_traditional_name(name: str) -> None:
    network = on_meta(name) if name in BUILDERS else zoo.architecture(name)
    named = set(network.aliases.values())
    kinds = (nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.AvgPool2d)
    for path, part in network.module.named_modules():
        if isinstance(part, kinds) and name != "inception_v1":  # there the paths are the names
            assert path in named or path in ("conv1", "relu"), path


@pytest.mark.parametrize("name", sorted(zoo.NETWORKS))
def test_a_guide_is_looked_at_where_units_see_petals_not_pixels(name: str) -> None:
    network = zoo.architecture(name)
    assert network.guide
    for layer in guide_layers(network):
        assert layer.stride in (8, 16) and 50 <= layer.receptive <= 220


def test_a_reused_relu_has_a_name_of_its_own() -> None:
    network = zoo.architecture("resnet18")
    first, second = (network.require_layer(f"layer2.0.relu{at}") for at in (1, 2))
    assert (first.inputs, second.inputs) == (("layer2.0.bn1",), ("layer2.0.bn2", "layer2.0.downsample.1"))


@pytest.mark.parametrize("name", ["googlenet", "inception_v3", "googlenet-bvlc", "inception_v1", "resnet18"])
def test_a_file_with_another_head_and_auxiliary_ones_loads(tmp_path: Path, name: str) -> None:
    network = zoo.architecture(name)
    tensors = {key: value.clone() for key, value in network.module.state_dict().items()}
    for kind in ("weight", "bias"):
        tensors[f"{network.logits}.{kind}"] = tensors[f"{network.logits}.{kind}"][:7].clone()
        tensors |= {f"{aux}.conv.{kind}": torch.zeros(3) for aux in ("aux1", "AuxLogits", "head0_bottleneck")}
    save_file(tensors, tmp_path / "a")
    loaded = zoo.load(name, tmp_path / "a")
    assert loaded.labels == ()
    assert loaded.require_layer(loaded.logits).channels == 7
    assert torch.equal(loaded.module.state_dict()[f"{loaded.logits}.bias"], tensors[f"{loaded.logits}.bias"])


def test_a_file_with_an_odd_head_is_refused(tmp_path: Path) -> None:
    save_file({"fc.weight": torch.zeros(3)}, tmp_path / "a")
    with pytest.raises(InputError, match="belong to another network than resnet18"):
        zoo.load("resnet18", tmp_path / "a")


def test_the_classes_of_inception_v1_stand_in_the_order_of_the_development_kit() -> None:
    names = inception5h(1008)
    assert len(names) == 1008 and inception5h(1000) == ()
    first, second, *_, last = (each.split(",")[0] for each in names[1:1001])
    assert (first, second, last) == ("kit fox", "English setter", "dumbbell")
    assert sorted(names[1:1001]) == sorted(imagenet())
