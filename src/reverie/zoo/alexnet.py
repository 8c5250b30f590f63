"""AlexNet (Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks").

The one-column variant that torchvision publishes, with its state_dict keys.
"""

from __future__ import annotations

from torch import Tensor, nn

from reverie.network import Network
from reverie.zoo.labels import IMAGENET_MEAN, IMAGENET_STD, imagenet
from reverie.zoo.weights import State, class_count


class AlexNet(nn.Module):
    """Five convolutions and three fully connected layers; logits [B, count] for images [B, 3, H, W]."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Linear(256 * 36, 4096),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, count),
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.avgpool(self.features(x)).flatten(1))
        return logits


_NAMES = "conv1 relu1 pool1 conv2 relu2 pool2 conv3 relu3 conv4 relu4 conv5 relu5 pool5"
_HEAD = "drop6 fc6 relu6 drop7 fc7 relu7 fc8"


def alexnet(state: State | None) -> Network:
    """AlexNet: 56.5 % top-1 on ImageNet with torchvision's weights."""
    count = class_count("alexnet", state, "classifier.6.weight", 1000)
    return Network(
        "alexnet",
        AlexNet(count),
        IMAGENET_MEAN,
        IMAGENET_STD,
        labels=imagenet(count),
        logits="classifier.6",
        trunk="features",
        objective="relu4",
        guide="relu3",
        aliases={name: f"features.{at}" for at, name in enumerate(_NAMES.split())}
        | {name: f"classifier.{at}" for at, name in enumerate(_HEAD.split())},
        smallest=64,
    )
