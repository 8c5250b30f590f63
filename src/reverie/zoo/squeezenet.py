"""SqueezeNet 1.0 and 1.1 (Iandola et al. 2016), with torchvision's state_dict keys."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reverie.network import Network
from reverie.zoo.labels import IMAGENET_MEAN, IMAGENET_STD, imagenet
from reverie.zoo.weights import State, class_count


class Fire(nn.Module):
    """Squeeze to few channels by 1x1, expand by 1x1 and 3x3 side by side."""

    def __init__(self, inputs: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.squeeze_activation = nn.ReLU()
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand1x1_activation = nn.ReLU()
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)
        self.expand3x3_activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze_activation(self.squeeze(x))
        return torch.cat(
            [self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x))], 1
        )


class SqueezeNet(nn.Module):
    """``plan`` lists fire modules as (squeeze, expand) and "pool" in order, after the first convolution."""

    def __init__(self, width: int, kernel: int, plan: list[tuple[int, int] | str], count: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, kernel, stride=2), nn.ReLU()]
        for step in plan:
            if isinstance(step, str):
                layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
            else:
                layers.append(Fire(width, *step))
                width = 2 * step[1]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Conv2d(width, count, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(x)).flatten(1)
        return logits


_FIRES: list[tuple[int, int]] = [
    (16, 64),
    (16, 64),
    (32, 128),
    (32, 128),
    (48, 192),
    (48, 192),
    (64, 256),
    (64, 256),
]


def squeezenet1_0(state: State | None) -> Network:
    """SqueezeNet 1.0: 57.5 % top-1 on ImageNet with torchvision's weights."""
    f = _FIRES
    return _network("squeezenet1_0", 96, 7, ["pool", *f[:3], "pool", *f[3:7], "pool", f[7]], state)


def squeezenet1_1(state: State | None) -> Network:
    """SqueezeNet 1.1: the same accuracy at less than half the work."""
    f = _FIRES
    return _network("squeezenet1_1", 64, 3, ["pool", *f[:2], "pool", *f[2:4], "pool", *f[4:]], state)


def _network(
    name: str, width: int, kernel: int, plan: list[tuple[int, int] | str], state: State | None
) -> Network:
    count = class_count(name, state, "classifier.1.weight", 1000)
    module = SqueezeNet(width, kernel, plan, count)
    fires = [at for at, layer in enumerate(module.features) if isinstance(layer, Fire)]
    return Network(
        name,
        module,
        IMAGENET_MEAN,
        IMAGENET_STD,
        labels=imagenet(count),
        logits="classifier.1",
        trunk="features",
        objective=f"features.{fires[6]}",
        guide=f"features.{fires[6]}+features.{fires[7]}",
        aliases=_names(module),
        smallest=64,
    )


def _names(module: SqueezeNet) -> dict[str, str]:
    """The names that every layer has in the authors' Caffe models."""
    names = {"conv1": "features.0", "relu_conv1": "features.1"}
    fires = 1  # as many as the first convolution counts for: pools are called after what stands before them
    for at, layer in enumerate(module.features):
        path = f"features.{at}"
        if isinstance(layer, nn.MaxPool2d):
            names[f"pool{fires}"] = path
        if isinstance(layer, Fire):
            fires += 1
            fire = f"fire{fires}"
            names |= {fire: path, f"{fire}/concat": path}
            for part, key in (("squeeze1x1", "squeeze"), ("expand1x1",) * 2, ("expand3x3",) * 2):
                names |= {
                    f"{fire}/{part}": f"{path}.{key}",
                    f"{fire}/relu_{part}": f"{path}.{key}_activation",
                }
    head = ("drop9", "conv10", "relu_conv10", "pool10")
    return names | {name: f"classifier.{at}" for at, name in enumerate(head)}
