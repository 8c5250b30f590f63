"""Small networks with a fixed seed, for tests that need one whose every number is known."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from reverie.ascent.gradient import slope
from reverie.network import Network

LABELS = ("owl", "rose", "reptile_eye, lizard eye", "crane, machine", "crane, bird")


def in_place_relu() -> nn.Module:
    return nn.ReLU(inplace=True)


def tiny_network(
    dtype: torch.dtype = torch.float32,
    activation: Callable[[], nn.Module] = in_place_relu,
    padding_mode: str = "zeros",
    seed: int = 0,
) -> Network:
    """conv1 3->6, conv2 6->8 at half size, logits 8->5: 5 classes, two of which are called crane."""
    same: dict[str, Any] = {"padding": 1, "padding_mode": padding_mode, "dtype": dtype}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = OrderedDict(
            conv1=nn.Conv2d(3, 6, 3, **same),
            relu1=activation(),
            conv2=nn.Conv2d(6, 8, 3, stride=2, **same),
            relu2=activation(),
            logits=nn.Conv2d(8, len(LABELS), 1, dtype=dtype),
        )
    return Network(
        "tiny",
        nn.Sequential(layers),
        (0.5, 0.4, 0.3),
        (0.25, 0.3, 0.2),
        labels=LABELS,
        logits="logits",
        objective="relu2",
        aliases={"first": "relu1", "mixed2": "relu2"},
        smallest=16,
    )


def around(*layers: tuple[str, nn.Module], smallest: int = 16) -> Network:
    """A network of the named modules in a row, its input taken as it is."""
    module = nn.Sequential(OrderedDict(layers))
    return Network(
        "row", module, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), objective=layers[-1][0], smallest=smallest
    )


def convolution(inputs: int, outputs: int, kernel: int, value: float) -> nn.Conv2d:
    """A convolution whose weights are all ``value``, without bias."""
    made = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    nn.init.constant_(made.weight, value)
    return made


def blind_network() -> Network:
    """It sees nothing: every gradient is zero."""
    return around(("blind", convolution(3, 2, 3, 0.0)))


def bright_network() -> Network:
    """It wants every pixel brighter by the same: the gradient of channel 0 is uniform."""
    return around(("bright", convolution(3, 1, 1, 1.0)))


class Watching(nn.Module):
    """Passes its input on and keeps a copy of each; a copy of it is itself, so that it sees what they do."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def __deepcopy__(self, memo: object) -> Watching:
        return self

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.detach().clone())
        return x


class Failing(nn.Module):
    """Breaks when it is reached."""

    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("reached")


def hooks(module: nn.Module) -> int:
    """How many forward hooks hang anywhere in ``module``."""
    parts: Iterable[nn.Module] = module.modules()
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in parts)


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """An image between 0.25 and 0.75, so that small steps are not clipped."""
    drawn = torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (0.25 + 0.5 * drawn).to(dtype)


def gradient(*looked: Any, **options: Any) -> tuple[Tensor, Tensor]:
    """Score and gradient of a slope, as most tests want them."""
    found = slope(*looked, **options)
    return found.score, found.gradient
