"""VGG 16 and 19 (Simonyan & Zisserman 2015), without batch norm, with torchvision's state_dict keys."""

from __future__ import annotations

from torch import Tensor, nn

from reverie.network import Network
from reverie.zoo.labels import IMAGENET_MEAN, IMAGENET_STD, imagenet
from reverie.zoo.weights import State, class_count

WIDTHS = (64, 128, 256, 512, 512)


class VGG(nn.Module):
    """Five blocks of ``depths`` 3x3 convolutions, a pool behind each, and three fully connected layers.

    Logits [B, count] for images [B, 3, H, W].
    """

    def __init__(self, depths: tuple[int, ...], count: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for depth, width in zip(depths, WIDTHS, strict=True):
            for _ in range(depth):
                layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
                inputs = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 49, 4096),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(4096, count),
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.avgpool(self.features(x)).flatten(1))
        return logits


def vgg16(state: State | None) -> Network:
    """VGG 16 (configuration D): 71.6 % top-1 on ImageNet with torchvision's weights."""
    return _network("vgg16", (2, 2, 3, 3, 3), state)


def vgg19(state: State | None) -> Network:
    """VGG 19 (configuration E): 72.4 % top-1 on ImageNet with torchvision's weights."""
    return _network("vgg19", (2, 2, 4, 4, 4), state)


def _network(name: str, depths: tuple[int, ...], state: State | None) -> Network:
    count = class_count(name, state, "classifier.6.weight", 1000)
    names = [
        part
        for block, depth in enumerate(depths, 1)
        for part in (
            *(f"{kind}{block}_{at}" for at in range(1, depth + 1) for kind in ("conv", "relu")),
            f"pool{block}",
        )
    ]
    head = "fc6 relu6 drop6 fc7 relu7 drop7 fc8"
    return Network(
        name,
        VGG(depths, count),
        IMAGENET_MEAN,
        IMAGENET_STD,
        labels=imagenet(count),
        logits="classifier.6",
        trunk="features",
        objective="relu4_3",
        guide="relu4_3",
        aliases={each: f"features.{at}" for at, each in enumerate(names)}
        | {each: f"classifier.{at}" for at, each in enumerate(head.split())},
        smallest=32,
    )
