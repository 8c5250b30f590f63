"""The same network made ready for a device: equal by test, and the one handed in left as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from reverie import zoo
from reverie.ascent.gradient import image_gradient
from reverie.errors import UsageError
from reverie.loop.plan import resolve
from reverie.network import Network
from reverie.network.fast import Optimized, optimized
from reverie.network.fast.convolution import Convolution
from reverie.network.fast.operations import Averaged, Branches, Gated, symmetric
from reverie.objective import layer
from reverie.tile.behind_pool import head
from tests.oracle.networks import noise, tiny_network

CPU = torch.device("cpu")
IMAGE = noise(2, 3, 17, 24)
CHANNELS_LAST = torch.channels_last


def lively(name: str) -> Network:
    """A network of the zoo in float64, its batch norms neither fresh nor alike, its signal not fading on the way."""
    torch.manual_seed(0)
    network = zoo.load(name) if name == "motif" else zoo.architecture(name)
    for part in network.module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)  # type: ignore[union-attr, operator]
            part.running_var.uniform_(0.5, 2)  # type: ignore[union-attr, operator]
            part.weight.uniform_(0.5, 1.5)
            part.bias.normal_(0, 0.1)
        elif isinstance(part, nn.Conv2d) and name != "motif":
            nn.init.kaiming_normal_(part.weight)
    if name.startswith("vgg"):  # the largest part by far, and never run
        network.module.classifier = nn.Identity()
    network.module.double()
    return network


def operations_of(network: Network, *layers: str) -> list[str]:
    """The kinds of what is run for those layers, in order."""
    assert isinstance(network, Optimized)
    return [type(part).__name__ for part in network._builder.built(layers).children()]


@pytest.mark.parametrize("name", zoo.NETWORKS)
def test_every_network_of_the_zoo_gives_the_same_score_and_gradient(name: str) -> None:
    network = lively(name)
    objective = resolve(network, network.objective)
    image = noise(1, 3, 76, 85, dtype=torch.float64)
    scores, gradients = image_gradient(network, objective, image)
    ready = optimized(network, CPU, "fp32")
    assert isinstance(ready, Optimized)
    own, found = image_gradient(ready, objective, image)
    torch.testing.assert_close(own, scores, rtol=1e-9, atol=0)
    assert (found - gradients).norm() < 1e-9 * gradients.norm()


@pytest.mark.parametrize("name", ["googlenet", "googlenet-bvlc", "inception_v1", "resnet18", "squeezenet1_1"])
def test_every_layer_that_is_asked_for_is_the_same_whatever_else_is_asked_for(name: str) -> None:
    network = lively(name)
    ready = optimized(network, CPU, "fp32")
    image = noise(1, 3, 64, 65, dtype=torch.float64)
    names = [each.name for each in network.layers][:40]
    expected = network.capture(image, names)
    for asked in (names, *([each] for each in names[::3])):
        found = ready.capture(image, asked)
        assert set(found) == {"image", *asked}
        for each in asked:
            torch.testing.assert_close(found[each], expected[each], rtol=1e-9, atol=1e-9)


def test_the_reference_precision_gives_the_same_numbers(tiny: Network) -> None:
    ready = optimized(tiny, CPU, "fp32")
    for name in ("relu1", "relu2", "logits"):
        torch.testing.assert_close(ready.capture(IMAGE, [name])[name], tiny.capture(IMAGE, [name])[name])


def test_half_precision_is_near_and_its_activations_are_float(tiny: Network) -> None:
    ready = optimized(tiny, CPU, "bf16")
    found, exact = (network.capture(IMAGE, ["relu2"])["relu2"] for network in (ready, tiny))
    assert found.dtype == torch.float32
    assert not torch.equal(found, exact)
    torch.testing.assert_close(found, exact, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_network_handed_in_stays_as_it_is(tiny: Network, precision: str) -> None:
    before = {key: value.clone() for key, value in tiny.module.state_dict().items()}
    ready = optimized(tiny, CPU, precision)  # type: ignore[arg-type]
    assert isinstance(ready, Optimized)
    ready.capture(IMAGE, ["relu2"])
    for parameter in ready._builder.built(("relu2",)).parameters():
        parameter.zero_()
    after = tiny.module.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert {value.dtype for value in after.values()} == {torch.float32}


def test_it_is_frozen_and_knows_what_the_network_knew(tiny: Network) -> None:
    ready = optimized(tiny, CPU, "fp32")
    assert not any(parameter.requires_grad for parameter in ready.module.parameters())
    assert not ready.module.training
    assert (ready.labels, ready.aliases, ready.smallest) == (tiny.labels, tiny.aliases, tiny.smallest)
    assert ready.layers == tiny.layers
    assert replace(ready, name="other").layers == tiny.layers


def test_another_module_is_made_ready_too(tiny: Network) -> None:
    ready = optimized(tiny, CPU, "fp32").with_module(tiny_network(seed=5).module)
    expected = tiny_network(seed=5).capture(IMAGE, ["relu2"])["relu2"]
    torch.testing.assert_close(ready.capture(IMAGE, ["relu2"])["relu2"], expected)


def test_nothing_is_run_that_is_not_needed() -> None:
    vgg = optimized(zoo.architecture("squeezenet1_1"), CPU, "fp32")
    assert operations_of(vgg, "features.1") == ["Convolution"]
    assert operations_of(vgg, "features.0") == ["Convolution"]
    assert operations_of(vgg, "features.3.squeeze") == ["Convolution", "Gated", "Convolution"]
    assert operations_of(vgg, "features.3.expand1x1_activation")[2:] == ["Convolution", "Convolution"]


def test_what_is_asked_for_is_not_swallowed() -> None:
    ready = optimized(zoo.architecture("resnet18"), CPU, "fp32")
    assert operations_of(ready, "relu") == ["Convolution"]
    assert operations_of(ready, "bn1", "relu") == ["Convolution", "ReLU"]
    assert operations_of(ready, "conv1", "relu") == ["Convolution", "BatchNorm2d", "ReLU"]
    assert operations_of(ready, "layer1.0") == ["Convolution", "Gated", "Convolution", "Convolution"]


def test_a_stem_that_is_padded_by_the_size_of_the_picture_is_one_call_too() -> None:
    ready = optimized(zoo.architecture("inception_v1"), CPU, "fp32")
    assert operations_of(ready, "maxpool0") == ["Convolution", "Gated"]


def test_a_convolution_with_its_norm_and_relu6_is_one_call_and_so_is_one_padded_like_tensorflow() -> None:
    ready = optimized(zoo.architecture("efficientnet_lite0"), CPU, "fp32")
    stem, inverted = ["Same", "Convolution", "Convolution"], ["Convolution", "Same", "Convolution"]
    assert operations_of(ready, "blocks.0.0") == stem
    assert operations_of(ready, "blocks.1.0") == [*stem, *inverted]
    assert operations_of(ready, "blocks.1.0.bn1", "blocks.1.0")[3:] == ["Convolution", "ReLU6", "Same", "Convolution"]


def test_branches_that_begin_with_1x1_begin_as_one() -> None:
    ready = optimized(zoo.architecture("googlenet"), CPU, "fp32")
    assert operations_of(ready, "inception3a").count("Branches") == 1
    # Two of the three are still one where the third is asked for before its ReLU.
    assert operations_of(ready, "inception3a", "inception3a.branch1.conv").count("Branches") == 1
    only = ("inception3a.branch2.0.relu", "inception3a.branch1.conv")
    assert "Branches" not in operations_of(ready, *only)


def test_an_average_pool_goes_behind_the_1x1_that_reads_it() -> None:
    ready = optimized(zoo.architecture("inception_v3"), CPU, "fp32")
    assert operations_of(ready, "Mixed_5b").count("Averaged") == 1
    # Asked for, the pool stays where it was.
    whole = operations_of(ready, "Mixed_5b", "Mixed_5b.pool")
    assert "Averaged" not in whole and whole.count("AvgPool2d") == 1


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("kernel", [3, (5, 3)])
def test_pool_and_1x1_in_either_order(relu: bool, kernel: int | tuple[int, int]) -> None:
    pool = nn.AvgPool2d(kernel, 1, 1 if kernel == 3 else (2, 1))
    conv = nn.Conv2d(6, 4, 1).double().requires_grad_(False)
    assert symmetric(pool)
    x = noise(2, 6, 7, 9, dtype=torch.float64).requires_grad_()
    y = conv(pool(x))
    y = y.relu() if relu else y
    own = Averaged(pool, conv, relu)(x)
    torch.testing.assert_close(own, y)
    given_back = noise(*y.shape, seed=3, dtype=torch.float64)
    (expected,), (found,) = (torch.autograd.grad(each, x, given_back) for each in (y, own))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "pool", [nn.AvgPool2d(2, 1), nn.AvgPool2d(3, 2, 1), nn.AvgPool2d(3, 1, 1, count_include_pad=False)]
)
def test_a_pool_that_is_not_its_own_adjoint_stays(pool: nn.AvgPool2d, tiny: Network) -> None:
    assert not symmetric(pool)
    module = nn.Sequential(pool, nn.Conv2d(3, 2, 1), nn.ReLU())
    assert operations_of(optimized(tiny.with_module(module), CPU, "fp32"), "2") == ["AvgPool2d", "Convolution"]


def test_a_layer_that_takes_no_part_is_refused(tiny: Network) -> None:
    class Ignoring(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.idle, self.used = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.used(x)  # type: ignore[no-any-return]

    ready = optimized(tiny.with_module(Ignoring()), CPU, "fp32")
    assert isinstance(ready, Optimized)
    with pytest.raises(UsageError, match="takes no part"):
        ready.capture(IMAGE, ["idle"])


class Odd(nn.Module):
    """What a graph cannot hold: it decides by the values, or draws, or writes in place."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.conv, self.how = nn.Conv2d(3, 4, 3), how

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.how == "decides" and x.mean() > 1e9:
            return x * 0
        if self.how == "draws":
            return x + torch.rand(1)
        if self.how == "writes":
            x[:, 0] = 1
        return x.clamp_(min=-9) if self.how == "clamps" else x


@pytest.mark.parametrize("how", ["decides", "draws", "writes", "clamps"])
def test_what_cannot_be_followed_is_converted_as_it_stands(how: str) -> None:
    network = Network("odd", Odd(how), (0.0,) * 3, (1.0,) * 3, objective="conv")  # type: ignore[arg-type]
    ready = optimized(network, CPU, "bf16")
    assert not isinstance(ready, Optimized)
    assert {each.dtype for each in ready.module.parameters()} == {torch.bfloat16}
    with torch.no_grad():
        assert ready.capture(IMAGE, ["conv"])["conv"].isfinite().all()


def test_a_forward_put_upon_a_module_counts(tiny: Network) -> None:
    tiny.module.relu2.forward = lambda x: x * 0  # type: ignore[assignment, union-attr]
    assert not optimized(tiny, CPU, "fp32").capture(IMAGE, ["relu2"])["relu2"].any()


def test_a_module_that_somebody_listens_to_is_left_as_it_is(tiny: Network) -> None:
    heard: list[Tensor] = []
    tiny.module.conv1.register_forward_hook(lambda module, given, out: heard.append(out))  # type: ignore[operator, union-attr]
    ready = optimized(tiny, CPU, "fp32")
    ready.capture(IMAGE, ["relu2"])
    assert not isinstance(ready, Optimized) and len(heard) == 1


def test_two_terms_and_two_pictures_go_through_one_forward(tiny: Network) -> None:
    objective = layer("relu1") + layer("conv2")
    scores, gradients = image_gradient(tiny, objective, IMAGE)
    own, found = image_gradient(optimized(tiny, CPU, "fp32"), objective, IMAGE)
    torch.testing.assert_close(own, scores)
    torch.testing.assert_close(found, gradients)


@pytest.mark.parametrize("pool", [nn.MaxPool2d(3, 2, ceil_mode=True), nn.MaxPool2d(2), nn.MaxPool2d(3, 1, 1)])
def test_the_gradient_may_be_stopped_behind_the_pool(pool: nn.MaxPool2d) -> None:
    x = (noise(1, 4, 11, 13, dtype=torch.float64) - 0.5).requires_grad_()
    # Whole windows at 0, and ties above it.
    x.data[:, :, :6] = x.data[:, :, :6].clamp(max=-0.1)
    x.data[:, :, 8:] = x.data[:, :, 8:].mul(4).round().div(4)
    conv = nn.Conv2d(4, 4, 1, bias=False).double().requires_grad_(False)
    conv.weight.copy_(torch.eye(4).view(4, 4, 1, 1))
    y = pool(x.relu())
    (expected,) = torch.autograd.grad(y, x, torch.arange(y.numel()).view_as(y).double())
    own = Gated(pool)(Convolution(conv, relu=True, gated=False)(x))
    (found,) = torch.autograd.grad(own, x, torch.arange(y.numel()).view_as(y).double())
    assert torch.equal(own, y) and torch.equal(found, expected)


def test_everything_stays_channels_last(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = optimized(zoo.architecture("googlenet"), CPU, "bf16")
    assert isinstance(ready, Optimized)
    runner = ready._builder.built(("inception4a",))
    seen: list[bool] = []
    for part in runner.children():
        if not isinstance(part, Branches):  # its slices are of a tensor that is
            part.register_forward_hook(
                lambda module, given, out: seen.append(out.is_contiguous(memory_format=CHANNELS_LAST))
            )
    image = noise(1, 3, 64, 80).requires_grad_()
    runner(ready._normalized(image).bfloat16())
    assert len(seen) > 15 and all(seen)


def test_who_listens_later_hears_the_module_itself(tiny: Network) -> None:
    ready = optimized(tiny, CPU, "bf16")
    heard: list[Tensor] = []
    part = ready.module.get_submodule("conv1")
    with part.register_forward_hook(lambda module, given, out: heard.append(out)):
        ready.capture(IMAGE, ["relu2"])
    ready.capture(IMAGE, ["relu2"])
    assert len(heard) == 1
    torch.testing.assert_close(heard[0], tiny.capture(IMAGE, ["conv1"])["conv1"])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_picture_in_tiles_finds_the_head_of_a_network_made_ready(precision: str) -> None:
    ready = optimized(zoo.architecture("googlenet"), CPU, precision)  # type: ignore[arg-type]
    assert head(ready, ["fc"]) is not None


def test_fp16_needs_a_network_that_can_be_followed() -> None:
    network = Network("odd", Odd("decides"), (0.0,) * 3, (1.0,) * 3, objective="conv")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="odd cannot be followed into fp16; use precision='bf16'"):
        optimized(network, CPU, "fp16")
